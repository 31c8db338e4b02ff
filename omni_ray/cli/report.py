"""``omni-ray report``: one page about what was made."""

from __future__ import annotations

from pathlib import Path

from omni_ray import api
from omni_ray.api.options import ReportOptions
from omni_ray.cli import options as opt
from omni_ray.cli.printing import show


@opt.taking(ReportOptions)
def report(*, root: opt.Root = Path(), asked: ReportOptions, json_: opt.Json = False) -> None:
    """Write one self-contained HTML page: counts, histograms, samples to look at and listen to, quarantine, plan."""
    show(api.write_report(root, **vars(asked)), json_)
