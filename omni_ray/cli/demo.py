"""``omni-ray demo``: the whole way, on small corpora made here, in about a minute."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from omni_ray.api.options import Run
from omni_ray.cli import options as opt
from omni_ray.cli.printing import echo, echo_lines
from omni_ray.cli.tables import render
from omni_ray.errors import FALLS_SHORT
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
    if json_:
        opt.print_json(report.as_dict())
    else:
        header = ("corpus", "in", "kept", "quarantined", "beyond limit", "samples", "output file", "seconds")
        echo_lines(render(header, report.rows()))
        echo()
        for line in report.closing_lines():
            echo(line)
    if not report.ok:
        raise typer.Exit(FALLS_SHORT)
