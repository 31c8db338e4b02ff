"""``omni-ray combine``: training files from what is committed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from omni_ray.cli import options as opt
from omni_ray.cli.printing import echo
from omni_ray.cli.tables import file_lines


def combine(
    modalities: opt.SomeModalities = None,
    seed: opt.Seed = 42,
    no_shuffle: opt.NoShuffle = False,
    pack: opt.Pack = False,
    holdout: opt.Holdout = None,
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
    from omni_ray import api
    from omni_ray.progress.reporter import Reporter

    files = api.combine(
        root,
        modalities or (),
        seed=None if no_shuffle else seed,
        pack=pack,
        holdout=holdout,
        replace=replace,
        cluster=api.Cluster(address, cpus, cpus_per_task),
        shards=store,
        reporter=Reporter(quiet=quiet or json_),
    )
    if json_:
        opt.print_json([vars(file) for file in files])
        return
    for line in file_lines(files):
        echo(line)
