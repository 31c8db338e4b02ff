"""The whole of a unit's work on one source, and how far it raises the peak of memory: for a process of its own."""

from __future__ import annotations

import json
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from omni_ray.corpora.base import SourceOptions
from omni_ray.corpora.locate import locate
from omni_ray.corpora.registry import select
from omni_ray.errors import OmniError
from omni_ray.modalities.registry import modality
from omni_ray.pipeline.stages import Job, make_unit
from omni_ray.pipeline.units import number_units
from omni_ray.storage import Storage


def answer(connection: Connection, kind: str, name: str, source: Path, warm: Path | None, out: Path) -> None:
    """Send what became of ``source``: the fields of an Outcome. ``warm`` is read before, where it is given."""
    if warm is not None:
        _read(kind, name, warm, out / "warm")
    before = _peak()
    try:
        result = _read(kind, name, source, out / "run")
    except OmniError as error:
        result = {"error": str(error)}
    connection.send({**result, "mib": _peak() - before})


def _read(kind: str, name: str, source: Path, out: Path) -> dict[str, Any]:
    [corpus], form = select(kind, name), modality(kind)
    found = locate(corpus, out, str(source), SourceOptions(), cache=out / "index")
    units = number_units(found.drafts, found.tree, {})
    job = Job(name, found.reader, found.tree.spec(), form, form.params_type(), Storage(out / "shards"))
    for unit in units:
        make_unit(job, unit)
    records, reasons = Counter[str](), Counter[str]()
    for path in sorted((out / "shards").glob("*.json")):
        manifest = json.loads(path.read_text())
        records.update(manifest["records"])
        reasons.update(manifest["reasons"])
    return {"records": dict(records), "reasons": dict(reasons), "refused": found.tree.refused.count}


def _peak() -> float:
    """The most memory that this process had, in MiB: a child begins with what its parent has, not with its peak."""
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024
