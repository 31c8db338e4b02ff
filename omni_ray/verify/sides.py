"""What is to be trained on and what is held out must have nothing in common: no medium, and no speaker."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

from omni_ray.media_names import flat_name
from omni_ray.pipeline.store import CorpusStore
from omni_ray.trainers.files import FILES, FlatFile, files_of


def in_common(root: Path, modality: str, corpora: list[CorpusStore], *, with_bytes: bool) -> Iterator[str]:
    """A sentence for each medium and each speaker that is on both sides.

    Args:
        root: the project folder.
        modality: audio, images or ocr; of others nothing is said.
        corpora: the shards, which know the speakers.
        with_bytes: whether to look for equal files of different names, too.
    """
    file = files_of(modality)[0]
    if not file.media:
        return
    trained, held = (set(_media(root, file, path)) for path in (file.production_path, file.held_out_path))
    both = sorted(trained & held)
    yield from (f"{path} is on both sides" for path in both)
    if with_bytes:
        yield from _equal(root, trained - held, held - trained)
    if modality == "audio":
        for corpus in corpora:
            yield from _speakers(corpus, trained, held)


def _media(root: Path, form: FlatFile, path: str) -> Iterator[str]:
    """Paths of media relative to the root. What cannot be read is another check's."""
    base = f"{form.media_root}/" if form.media_root else ""
    try:
        with open(root / path, encoding="utf-8", errors="replace", newline="") as file:
            rows = csv.DictReader(file) if form.header else json.load(file)
            for row in rows:
                if isinstance(row, dict) and isinstance(row.get(form.media[0]), str):
                    yield base + row[form.media[0]]
    except (OSError, ValueError, csv.Error):
        return


def _equal(root: Path, trained: set[str], held: set[str]) -> Iterator[str]:
    by_size: dict[int, list[str]] = {}
    for path in sorted(held):
        by_size.setdefault(_size(root / path), []).append(path)
    by_size.pop(-1, None)
    digests: dict[int, dict[str, str]] = {}
    for path in sorted(trained):
        size = _size(root / path)
        if size in by_size:
            if size not in digests:
                digests[size] = {_digest(root / each): each for each in by_size[size]}
            twin = digests[size].get(_digest(root / path))
            if twin is not None:
                yield f"{twin}, held out, has the bytes of {path}"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return -1


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _speakers(corpus: CorpusStore, trained: set[str], held: set[str]) -> Iterator[str]:
    """Speakers of a corpus of several: one alone is held out by clip."""
    folder = f"{FILES['asr'].folder}/{flat_name(corpus.name)}"
    sides: dict[str, set[str]] = {}
    for manifest, _ in corpus.parts():
        with corpus.storage.open(manifest.shard.file) as file:
            rows = pq.ParquetFile(file).read(columns=["speaker", "audio.path"])
        paths = (f"{folder}/{audio['path']}" for audio in rows["audio"].to_pylist())
        for speaker, path in zip(rows["speaker"].to_pylist(), paths, strict=True):
            if speaker and speaker.strip():
                side = "trained" if path in trained else "held" if path in held else ""
                sides.setdefault(speaker, set()).add(side)
    if len(sides) > 1:
        yield from (f"speaker {name} of {corpus.name}" for name, where in sides.items() if {"trained", "held"} <= where)
