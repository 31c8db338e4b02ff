"""MDS, the format of MosaicML's streaming: shards with a table of offsets, and an ``index.json`` for each corpus.

A file is the number of samples and where each begins (uint32, little-endian), the columns as JSON, and the samples: for each, the
lengths of its columns that vary (uint32), then the columns. ``StreamingDataset(local="DIR/audio-librispeech")`` reads it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa

from omni_ray.errors import OmniError
from omni_ray.export.files import FileTask, file_tasks, more_of, written
from omni_ray.export.parts import CorpusSide
from omni_ray.modalities.registry import modality as modality_of
from omni_ray.pipeline.engine import Runner
from omni_ray.progress.reporter import Reporter
from omni_ray.storage import write_atomic

SHARD_BYTES = 64 << 20
"""As streaming's own writer has it: a node fetches whole files, and shuffles within a few of them."""
_MOST_BYTES = (1 << 32) - 1
"""Offsets have 32 bits."""
_VERSION = 2


def write_mds(
    work: Path,
    sides: list[CorpusSide],
    samples_per_shard: int | None,
    shard_bytes: int,
    run: Runner,
    reporter: Reporter,
) -> None:
    """Write a folder for each side of each corpus into ``work``; what is complete there is not written again.

    Raises:
        OmniError: a file would be over 4 GiB.
    """
    tasks = [
        (side.name, task)
        for side in sides
        for task in file_tasks(side, f"{work}/{side.name}/shard.{{:05d}}.mds", samples_per_shard, shard_bytes, 16)
    ]
    shards: dict[str, list[dict[str, Any]]] = {side.name: [] for side in sides}
    for (name, task), size in zip(tasks, written(tasks, write_file, run, reporter), strict=True):
        shards[name].append(_listed(task, size, shard_bytes))
    for name, listed in shards.items():
        index = {"shards": listed, "version": _VERSION}
        write_atomic(work / name / "index.json", json.dumps(index, sort_keys=True).encode() + b"\n")


def _columns(modality: str) -> dict[str, str]:
    """Columns by name, with their encodings; ``more`` is an object of all that has no column of its own."""
    kind = modality_of(modality)
    said = "json" if pa.types.is_list(kind.schema.field(kind.said).type) else "str"
    found = {"id": "str", "more": "json", kind.said: said, **({kind.media: "bytes"} if kind.media else {})}
    return dict(sorted(found.items()))


def _layout(modality: str) -> dict[str, Any]:
    columns = _columns(modality)
    return {
        "column_encodings": list(columns.values()),
        "column_names": list(columns),
        "column_sizes": [None] * len(columns),
        "compression": None,
        "format": "mds",
        "hashes": [],
    }


def _listed(task: FileTask, size: int, size_limit: int) -> dict[str, Any]:
    return {
        **_layout(task.modality),
        "raw_data": {"basename": PurePosixPath(task.path).name, "bytes": size, "hashes": {}},
        "samples": task.samples,
        "size_limit": size_limit,
        "version": _VERSION,
        "zip_data": None,
    }


def write_file(task: FileTask) -> int:
    """Write one file, whole or not at all; returns its size in bytes."""
    target = Path(task.path)
    if not target.exists():
        columns = _columns(task.modality)
        samples = [_sample(row, columns) for row in task.rows()]
        head = json.dumps({**_layout(task.modality), "size_limit": None}, sort_keys=True).encode()
        ends = np.cumsum([4 * (len(samples) + 2) + len(head), *map(len, samples)])
        if int(ends[-1]) > _MOST_BYTES:
            raise OmniError(
                f"{target.name}: {int(ends[-1]):,} bytes; an MDS file holds at most 4 GiB: give a smaller "
                "--samples-per-shard or --shard-bytes"
            )
        counts = np.array([len(samples)], "<u4").tobytes()
        write_atomic(target, b"".join([counts, ends.astype("<u4").tobytes(), head, *samples]))
    return target.stat().st_size


def _sample(row: Mapping[str, Any], columns: Mapping[str, str]) -> bytes:
    values = [_encoded({**row, "more": more_of(row, *columns)}[name], encoding) for name, encoding in columns.items()]
    return np.array([len(value) for value in values], "<u4").tobytes() + b"".join(values)


def _encoded(value: Any, encoding: str) -> bytes:
    if encoding == "bytes":
        return bytes(value["bytes"])
    text = value if encoding == "str" else json.dumps(value, ensure_ascii=False, sort_keys=True)
    return str(text).encode("utf-8", "surrogatepass")
