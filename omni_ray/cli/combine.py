"""``omni-ray combine``: training files from what is committed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from omni_ray import api
from omni_ray.cli import options as opt
from omni_ray.cli.printing import echo
from omni_ray.cli.tables import file_lines
from omni_ray.progress.reporter import Reporter


def combine(
    modalities: opt.SomeModalities = None,
    seed: opt.Seed = 42,
    no_shuffle: opt.NoShuffle = False,
    pack: opt.Pack = False,
    holdout: opt.Holdout = None,
    weight: Annotated[
        list[str] | None,
        typer.Option(
            "--weight",
            metavar="NAME=SHARE",
            help="A corpus's share of the mixture, such as wikipedia=0.3; may be repeated. Default: all of every corpus.",
            rich_help_panel=opt.MAKE,
        ),
    ] = None,
    target_tokens: Annotated[
        list[str] | None,
        typer.Option(
            "--target-tokens",
            metavar="[NAME=]TOKENS",
            help="text: take at most so many tokens of a corpus, such as books=2B, or of all (2B); may be repeated.",
            rich_help_panel=opt.MAKE,
        ),
    ] = None,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help="Read every file that is there, write anew what is not as it was written; what was there is kept as .bak.",
        ),
    ] = False,
    root: opt.Root = Path(),
    store: opt.Shards = None,
    address: opt.Address = None,
    cpus: opt.Cpus = None,
    cpus_per_task: opt.CpusPerTask = 1.0,
    json_: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Write production_* files and their media from committed shards."""
    files = api.combine(
        root,
        modalities or (),
        seed=None if no_shuffle else seed,
        pack=pack,
        holdout=holdout,
        replace=replace,
        weights=weight or (),
        target_tokens=target_tokens or (),
        cluster=api.Cluster(address, cpus, cpus_per_task),
        shards=store,
        reporter=Reporter(quiet=quiet or json_),
    )
    if json_:
        opt.print_json([vars(file) for file in files])
        return
    for line in file_lines(files):
        echo(line)
