"""``omni-ray combine``: training files from what is committed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from omni_ray.cli import options as opt


def combine(
    modalities: Annotated[
        list[str] | None, typer.Argument(help="text, audio, images, ocr. Default: all there are.")
    ] = None,
    seed: opt.Seed = 42,
    no_shuffle: opt.NoShuffle = False,
    root: opt.Root = Path(),
    store: opt.Shards = None,
    address: opt.Address = None,
    cpus: opt.Cpus = None,
    json_: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Write production_* files and their media from committed shards."""
    from omni_ray import api
    from omni_ray.pipeline.progress import Reporter

    files = api.combine(
        root,
        modalities or (),
        seed=None if no_shuffle else seed,
        cluster=api.Cluster(address, cpus),
        shards=store,
        reporter=Reporter(quiet=quiet or json_),
    )
    if json_:
        opt.print_json([vars(file) for file in files])
        return
    for file in files:
        typer.echo(f"{file.path}: {file.records:,} records, {file.bytes:,} bytes")
