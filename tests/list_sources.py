"""Sources that are lists of pictures, made in a folder and read as a corpus."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from omni_ray.corpora.base import Corpus, Rejected, SourceOptions
from omni_ray.corpora.locate import locate


class Source:
    """A folder to fill, and to read."""

    def __init__(self, tmp_path: Path) -> None:
        self.folder = tmp_path / "source"
        self._tmp_path = tmp_path

    def put(self, name: str, data: Any) -> None:
        """A file: bytes, text, or what becomes JSON."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not isinstance(data, bytes | str):
            data = json.dumps(data)
        path.write_bytes(data.encode() if isinstance(data, str) else data)

    def rows(
        self, corpus: Corpus, columns: str = "", splits: tuple[str, ...] = (), **more: Any
    ) -> list[dict[str, Any] | Rejected]:
        """All records, the number that the index promised held against those that came."""
        options = SourceOptions(
            columns=dict(pair.split("=") for pair in columns.split(",") if pair), splits=splits, **more
        )
        found = locate(corpus, self._tmp_path, str(self.folder), options, cache=self._tmp_path / "index")
        rows = []
        for draft in found.drafts:
            items = found.reader.read(found.tree, json.loads(json.dumps(draft.payload)))
            part = [row for item in items for row in (item.to_pylist() if isinstance(item, pa.Table) else [item])]
            records = sum(r.records if isinstance(r, Rejected) else r.get("records", 1) for r in part)
            assert draft.records is None or draft.records <= records
            rows += part
        return rows


def kept(rows: list[dict[str, Any] | Rejected]) -> list[dict[str, Any]]:
    """The rows that can be used."""
    return [row for row in rows if isinstance(row, dict)]


def lost(rows: list[dict[str, Any] | Rejected]) -> list[tuple[str, str]]:
    """(id, reason) of those that cannot."""
    return [(row.id, row.reason) for row in rows if isinstance(row, Rejected)]
