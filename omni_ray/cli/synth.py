"""``omni-ray synth``: made-up training data, for trying the trainers out."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from omni_ray import api
from omni_ray.cli import options as opt
from omni_ray.cli.printing import echo
from omni_ray.progress.reporter import Reporter


def synth(
    samples: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Of each kind: lines, clips, pictures, words. Default: 2 MB of lines, 15 of clips, 20 of pictures, 10 of words.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 42,
    native: Annotated[
        Path | None, typer.Option(help="Write small corpora in their native layouts here instead of the tiny files.")
    ] = None,
    root: opt.Root = Path(),
    address: opt.Address = None,
    cpus: opt.Cpus = None,
    json_: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Write tiny_corpus.txt, asr.csv, tts.csv, annotations.json and ocr_train.csv, usable by every trainer."""
    reporter = Reporter(quiet=quiet or json_)
    if native is not None:
        made = api.synthesize_native(native, seed=seed, cluster=api.Cluster(address, cpus), reporter=reporter)
        if json_:
            opt.print_json({name: vars(each) for name, each in made.items()})
        else:
            echo(f"{len(made)} corpora in {native}: {', '.join(made)}")
        return
    report = api.synthesize(root, samples=samples, seed=seed, cluster=api.Cluster(address, cpus), reporter=reporter)
    if json_:
        opt.print_json(asdict(report))
        return
    for file in report.files:
        echo(f"{file.path}: {file.samples:,} samples")
    for warning in report.warnings:
        echo(f"note: {warning}")
