"""``omni-ray combine``: training files from what is committed."""

from __future__ import annotations

from pathlib import Path

from omni_ray import api
from omni_ray.api.options import CombineOptions
from omni_ray.cli import options as opt
from omni_ray.cli.printing import echo
from omni_ray.cli.tables import file_lines


@opt.taking(CombineOptions)
def combine(*, root: opt.Root = Path(), asked: CombineOptions, json_: opt.Json = False) -> None:
    """Write production_* files and their media from committed shards."""
    files = api.combine(root, **vars(asked))
    if json_:
        opt.print_json([vars(file) for file in files])
        return
    for line in file_lines(files):
        echo(line)
