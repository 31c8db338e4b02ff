"""WebDataset: tar files whose members are a sample's picture or clip, its text, and the rest as JSON.

A sample is a row of a shard: a line, a clip, a picture with all its captions, a word. The same rows give the same bytes:
members carry no times, owners or modes of their own.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from omni_ray.export.files import FileTask, file_tasks, more_of, written
from omni_ray.export.names import sample_key
from omni_ray.export.parts import CorpusSide
from omni_ray.modalities.registry import modality as modality_of
from omni_ray.pipeline.engine import Runner
from omni_ray.progress.reporter import Reporter
from omni_ray.storage import atomic_writer, write_atomic

SHARD_BYTES = 256 << 20
_BLOCK = 512


def write_webdataset(
    work: Path,
    sides: list[CorpusSide],
    samples_per_shard: int | None,
    shard_bytes: int,
    run: Runner,
    reporter: Reporter,
) -> None:
    """Write the tar files, ``index.json`` and ``sizes.json`` into ``work``; what is complete there is not written again."""
    tasks = [
        (side.name, task)
        for side in sides
        for task in file_tasks(
            side, f"{work}/{side.name}-{{:06d}}.tar", samples_per_shard, shard_bytes, _bytes_beside(side)
        )
    ]
    shards = [
        {"url": PurePosixPath(task.path).name, "nsamples": task.samples, "filesize": size, "dataset": name}
        for (name, task), size in zip(tasks, written(tasks, write_tar, run, reporter), strict=True)
    ]
    sizes = {str(shard["url"]): shard["nsamples"] for shard in shards}
    write_atomic(work / "sizes.json", json.dumps(sizes, indent=1).encode() + b"\n")
    write_atomic(work / "index.json", json.dumps(_index(sides, shards), indent=1, ensure_ascii=False).encode() + b"\n")


def _bytes_beside(side: CorpusSide) -> int:
    """What a sample takes in a tar besides its data: a header and half a block for each member."""
    return (3 if modality_of(side.modality).media else 2) * (_BLOCK + _BLOCK // 2)


def _index(sides: list[CorpusSide], shards: list[dict[str, Any]]) -> dict[str, Any]:
    """The index, in the form that ``wids`` (random access to WebDataset shards) reads, with what each corpus is and what became of its records, both sides together."""
    return {
        "__kind__": "wids-shard-index-v1",
        "wids_version": 1,
        "name": "omni-ray",
        "shardlist": shards,
        "corpora": [
            {
                "dataset": side.name,
                "split": side.split,
                "corpus": side.corpus.state.corpus,
                "modality": side.modality,
                "licence": side.corpus.state.licence,
                "homepage": side.corpus.state.homepage,
                "tar_samples": side.rows,
                "samples": side.samples,
                "records": {
                    "in": side.corpus.summary.records_in,
                    "kept": side.corpus.summary.kept,
                    "quarantined": side.corpus.summary.quarantined,
                    "beyond": side.corpus.summary.beyond,
                    "beyond_share": side.corpus.summary.beyond_share,
                },
                "removed": side.corpus.summary.removed,
            }
            for side in sides
        ],
    }


def write_tar(task: FileTask) -> int:
    """Write one tar file, whole or not at all; returns its size in bytes."""
    target = Path(task.path)
    if not target.exists():
        kind = modality_of(task.modality)
        with atomic_writer(target) as out, tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            used: set[str] = set()
            for number, row in enumerate(task.rows(), task.first_row):
                key = sample_key(row["id"])
                if key in used:  # ids are unique in good corpora; elsewhere no sample may swallow another
                    key = f"{key[:70]}+n{number}"
                used.add(key)
                for ending, data in _members(row, kind.media, kind.said):
                    _add(tar, f"{key}.{ending}", data)
    return target.stat().st_size


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


def _json(row: Mapping[str, Any], *without: str) -> bytes:
    """Everything of the row but media and what has a member of its own; nulls are left out."""
    return json.dumps(more_of(row, *without), ensure_ascii=False, sort_keys=True).encode("utf-8", "surrogatepass")


def _media(value: Mapping[str, Any]) -> tuple[str, bytes]:
    return PurePosixPath(value["path"]).suffix.lstrip(".").lower(), value["bytes"]


def _members(row: Mapping[str, Any], media: str, said: str) -> Iterator[tuple[str, bytes]]:
    """The endings of a sample's files, and what is in them: its medium, its text (the first of several captions), and all else."""
    if media:
        yield _media(row[media])
    yield "txt", (row[said][0] if isinstance(row[said], list) else row[said]).encode()
    yield "json", _json(row, media or said)
