"""``omni-ray report``: one page about what was made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from omni_ray import api
from omni_ray.cli import options as opt
from omni_ray.cli.printing import echo
from omni_ray.errors import OmniError
from omni_ray.pipeline import engine
from omni_ray.storage import is_uri, shown

_MANY = 500_000
"""Samples; up to here, starting Ray takes longer than counting."""


def _file(text: str) -> Path:
    if is_uri(text):
        raise OmniError(f"--out {shown(text)}: the page is a file of this machine; write it here, and copy it there")
    return Path(text)


def report(
    out: Annotated[
        Path | None, typer.Option("--out", parser=_file, metavar="FILE", help="Default: data/report.html.")
    ] = None,
    root: opt.Root = Path(),
    store: opt.Shards = None,
    address: opt.Address = None,
    cpus: opt.Cpus = None,
    json_: opt.Json = False,
) -> None:
    """Write one self-contained HTML page: counts, histograms, samples to look at and listen to, quarantine, plan."""
    is_small = sum(summary.samples for summary in api.status(root, shards=store)) <= _MANY
    run = engine.inline if is_small else engine.in_session(api.Cluster(address, cpus).session, engine.on_ray)
    page = api.write_report(root, out, shards=store, run=run)
    if json_:
        opt.print_json({"page": str(page), "bytes": page.stat().st_size})
    else:
        echo(str(page))
