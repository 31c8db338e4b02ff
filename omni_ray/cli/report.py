"""``omni-ray report``: one page about what was made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from omni_ray.cli import options as opt


def report(
    out: Annotated[Path | None, typer.Option("--out", help="The file. Default: data/report.html.")] = None,
    root: opt.Root = Path(),
    store: opt.Shards = None,
) -> None:
    """Write one self-contained HTML page: counts, histograms, samples to look at and listen to, quarantine."""
    from omni_ray.report.page import write_report

    typer.echo(str(write_report(root, out, shards=store)))
