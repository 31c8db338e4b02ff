"""What the units of a folder of tables give."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omni_ray.corpora.base import Rejected, SourceOptions
from omni_ray.sources.tables import read_table_unit, table_units
from omni_ray.sources.tree import FolderTree

ROLES = {"text": ("text", "content"), "id": ("id",), "title": ("title",)}


def read(
    folder: Path, roles: Mapping[str, tuple[str, ...]] = ROLES, **options: Any
) -> tuple[list[dict[str, Any]], list[Rejected]]:
    tree = FolderTree(folder)
    rows: list[dict[str, Any]] = []
    rejected: list[Rejected] = []
    for unit in table_units(tree, roles, SourceOptions(**options)):
        payload = json.loads(json.dumps(unit.payload))
        before = len(rows) + sum(r.records for r in rejected)
        for item in read_table_unit(tree, payload):
            if isinstance(item, Rejected):
                rejected.append(item)
            else:
                rows += item.to_pylist()
        if unit.records is not None:
            assert len(rows) + sum(r.records for r in rejected) - before == unit.records
    return rows, rejected


def faults(rejected: list[Rejected]) -> list[tuple[str, str]]:
    return [(r.id, r.reason) for r in rejected]
