"""``omni-ray plan``: training parameters from data and model sizes, written into the seven configurations."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from omni_ray import api
from omni_ray.cli import options as opt
from omni_ray.cli.printing import echo, echo_lines
from omni_ray.cli.running import run_script
from omni_ray.errors import OmniError
from omni_ray.progress.reporter import Reporter
from omni_ray.training.report_text import render, render_changes


class Data(StrEnum):
    """Which files the trainers are to read."""

    auto = "auto"
    production = "production"
    synthetic = "synthetic"


class StepsRule(StrEnum):
    """What a step of text training is counted in."""

    tokens = "tokens"
    lines = "lines"


def plan(
    names: Annotated[list[str] | None, typer.Argument(help="More names for --config.", show_default=False)] = None,
    config: Annotated[
        list[str] | None,
        typer.Option(help="Only these: thinker, audio_enc, vision, talker, omni_sft, ocr, vocoder."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show everything, write nothing.")] = False,
    data: Annotated[Data, typer.Option(help="Which files to train on.")] = Data.auto,
    vram: Annotated[float, typer.Option(help="Memory of the card, in GiB.")] = 12.0,
    steps_rule: Annotated[
        StepsRule | None, typer.Option(help="Count text steps in this. Default: whichever fits the data.")
    ] = None,
    allow_accumulation: Annotated[
        bool, typer.Option("--allow-accumulation", help="For trainers that learn with gradient accumulation.")
    ] = False,
    skip_text_tokenization: Annotated[
        bool, typer.Option("--skip-text-tokenization", help="Do not count the tokens of the text.")
    ] = False,
    assume_text_tokens: Annotated[
        int | None, typer.Option(help="Tokens of the text, with --skip-text-tokenization.")
    ] = None,
    root: opt.Root = Path(),
    store: opt.Shards = None,
    address: opt.Address = None,
    cpus: opt.Cpus = None,
    cpus_per_task: opt.CpusPerTask = 1.0,
    json_: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Count the data, size the models, schedule the training runs, and rewrite configs/*.json."""
    if names and not config:
        raise OmniError(f"{names[0]}: name configurations as --config {' '.join(names)}")
    report = api.plan(
        root,
        configs=[*(config or ()), *(names or ())] or None,
        data=data.value,
        dry_run=dry_run,
        vram_gib=vram,
        steps_rule=steps_rule.value if steps_rule else None,
        allow_accumulation=allow_accumulation,
        skip_text_tokens=skip_text_tokenization,
        assume_text_tokens=assume_text_tokens,
        shards=store,
        address=address,
        num_cpus=cpus,
        cpus_per_task=cpus_per_task,
        reporter=Reporter(quiet=quiet or json_),
    )
    if json_:
        opt.print_json(report.as_dict())
        raise typer.Exit(report.exit_code)
    for part in (render(report), render_changes(report)):
        if part:
            echo_lines(part + "\n")
    if dry_run:
        echo("dry run: nothing was written")
    elif report.written:
        echo("written: " + ", ".join(report.written))
    else:
        echo("nothing was written")
    for problem in report.problems:
        echo(f"omni-ray: {problem}", err=True)
    raise typer.Exit(report.exit_code)


def main() -> None:
    """Run the specification's script, ``jobs/update_configs_from_data.py``: the same command in the current folder."""
    run_script(plan)
