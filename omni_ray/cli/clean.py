"""``omni-ray clean``: rules and duplicates over what is committed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from omni_ray import api
from omni_ray.cli import options as opt
from omni_ray.cli.printing import echo, echo_lines
from omni_ray.cli.tables import cleaned_line, render
from omni_ray.errors import OmniError
from omni_ray.progress.reporter import Reporter
from omni_ray.trainers.files import all_modalities

_WORDS = {"on": True, "true": True, "off": False, "false": False}


def clean(
    modalities: opt.SomeModalities = None,
    preset: Annotated[
        Literal["off", "default", "strict"] | None,
        typer.Option(help="off takes cleaning back. Default: what was chosen before."),
    ] = None,
    rule: Annotated[
        list[str] | None,
        typer.Option(
            "--rule", metavar="NAME=VALUE", help="NAME=on, NAME=off, NAME=5 or NAME=0.5..30; may be repeated."
        ),
    ] = None,
    duplicates: Annotated[
        str | None,
        typer.Option(help="Kinds to look for, with commas between, or none. Default: as before, or the usual ones."),
    ] = None,
    language: Annotated[
        list[str] | None, typer.Option("--language", help="text: keep documents in this language; may be repeated.")
    ] = None,
    mask_personal: Annotated[
        bool, typer.Option("--mask-personal", help="text: write examples over e-mail, phone and IP addresses.")
    ] = False,
    rule_file: Annotated[
        list[str] | None,
        typer.Option("--rule-file", metavar="FILE", help="A Python file with rules of your own; may be repeated."),
    ] = None,
    decontaminate: Annotated[
        list[str] | None,
        typer.Option(
            "--decontaminate",
            metavar="SOURCE",
            help="A benchmark (file, folder, hf://...): what shares 13 words in a row with it goes; may be repeated.",
        ),
    ] = None,
    list_: Annotated[
        bool, typer.Option("--list", help="Show every rule, kind of duplicates, and what is taken for a benchmark.")
    ] = False,
    root: opt.Root = Path(),
    store: opt.Shards = None,
    address: opt.Address = None,
    cpus: opt.Cpus = None,
    cpus_per_task: opt.CpusPerTask = 1.0,
    json_: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Remove poor samples and duplicates from what later steps read. Committed shards stay as they are."""
    if list_:
        _show_rules(modalities or all_modalities(), rule_file or (), json_)
        return
    rules: dict[str, Any] = parse_rules(rule or ())
    if language:
        rules["languages"] = list(language)
    if mask_personal:
        rules["mask_personal"] = True
    report = api.clean(
        root,
        modalities or (),
        preset=preset,
        rules=rules,
        duplicates=_kinds(duplicates),
        files=rule_file or (),
        decontaminate=decontaminate or (),
        cluster=api.Cluster(address, cpus, cpus_per_task),
        shards=store,
        reporter=Reporter(quiet=quiet or json_),
    )
    if json_:
        opt.print_json(report.as_dict())
        raise typer.Exit(report.exit_code)
    for summary in report.summaries:
        if report.settings[summary.modality] is None:
            echo(f"{summary.modality}/{summary.name}: not cleaned; {summary.samples:,} samples as prepared")
        else:
            echo(cleaned_line(summary))
    done = "`omni-ray combine` writes the training files from it"
    echo(done if report.changed else "nothing to do: all of it was so already")
    for shortfall in report.shortfalls:
        echo(f"falls short: {shortfall}", err=True)
    raise typer.Exit(report.exit_code)


def _kinds(text: str | None) -> list[str] | None:
    if text is None:
        return None
    return [] if text == "none" else [kind.strip() for kind in text.split(",") if kind.strip()]


def _show_rules(modalities: Sequence[str], files: Sequence[str], json_: bool) -> None:
    rows = api.rules(modalities, files)
    if json_:
        opt.print_json(rows)
    else:
        echo_lines(render(tuple(rows[0]), [list(row.values()) for row in rows], left=len(rows[0])))


def parse_rules(texts: Sequence[str]) -> dict[str, Any]:
    """``NAME=VALUE`` as users write it: on, off, a number, or two with ``..`` between (either may be left out).

    Raises:
        OmniError: something else.
    """
    rules: dict[str, Any] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        try:
            rules[name] = _value(value) if equals else True
        except ValueError:
            raise OmniError(f"--rule {text}: write NAME=on, NAME=off, NAME=5 or NAME=0.5..30") from None
        if not name:
            raise OmniError(f"--rule {text}: write NAME=on, NAME=off, NAME=5 or NAME=0.5..30")
    return rules


def _value(text: str) -> Any:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    low, dots, high = text.partition("..")
    if dots:
        return [float(low) if low else None, float(high) if high else None]
    return float(text)
