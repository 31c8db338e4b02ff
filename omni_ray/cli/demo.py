"""``omni-ray demo``: the whole way, on small corpora made here, in about a minute."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from omni_ray.api.options import Run
from omni_ray.cli import options as opt
from omni_ray.cli.printing import show
from omni_ray.storage import local_folder


@opt.taking(Run, shards=None)
def demo(
    *,
    root: Annotated[
        Path, typer.Option("--root", parser=local_folder, metavar="FOLDER", help="A folder for the demo's project.")
    ] = Path("demo"),
    seed: Annotated[int, typer.Option(help="Seed of the made-up corpora.")] = 42,
    asked: Run,
    json_: opt.Json = False,
) -> None:
    """Make small corpora in their native layouts, prepare, combine, verify and plan them."""
    from omni_ray.demo import run_demo  # brings everything along

    report = run_demo(root, seed=seed, cluster=asked.cluster, reporter=asked.reporter)
    show(report, json_)
    raise typer.Exit(report.exit_code)
