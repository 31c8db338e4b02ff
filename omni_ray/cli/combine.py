"""``omni-ray combine``: training files from what is committed."""

from __future__ import annotations

from pathlib import Path

from omni_ray import api
from omni_ray.api.options import CombineOptions
from omni_ray.cli import options as opt
from omni_ray.cli.printing import show


@opt.taking(CombineOptions)
def combine(*, root: opt.Root = Path(), asked: CombineOptions, json_: opt.Json = False) -> None:
    """Write production_* files and their media from committed shards."""
    show(api.combine(root, **vars(asked)), json_)
