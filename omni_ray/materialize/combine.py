"""From committed shards to the files that trainers read.

Three steps, each parallel, deterministic and atomic: every shard gives its media files and a fragment of
serialized records; every bucket of the shuffle is sorted from the fragments; the pieces are put together under a
temporary name and renamed. Running it again with nothing changed does nothing and starts no Ray.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from omni_ray.errors import OmniError
from omni_ray.materialize import media, shuffle
from omni_ray.materialize.formats import FORMATS, FlatFile
from omni_ray.modalities.registry import modality as modality_of
from omni_ray.pipeline.cleaned import training_corpora
from omni_ray.pipeline.progress import Reporter
from omni_ray.pipeline.store import CorpusStore, Manifest, Store
from omni_ray.pipeline.tasks import Runner, on_ray
from omni_ray.storage import Storage, atomic_writer, remove_temporaries, write_atomic

FORMAT_VERSION = 1
"""Raised when the same shards give other flat files; it makes every production file stale."""
DEFAULT_SEED = 42


@dataclass(frozen=True)
class Combined:
    """One flat file as it was written: path relative to the root, records in it, size in bytes."""

    path: str
    records: int
    bytes: int


@dataclass(frozen=True)
class _Piece:
    """One shard's part of the work; all a worker needs."""

    root: str
    modality: str
    corpus: str
    storage: Storage
    manifest: Manifest
    take: int
    first_row: int
    seed: int | None
    buckets: int
    work: str
    marker: str

    @property
    def stem(self) -> str:
        return f"{self.work}/{self.corpus}-{self.manifest.unit:05d}"


@dataclass(frozen=True)
class _Bucket:
    """One bucket of the shuffle: which fragments to sort it from, and where to."""

    stems: tuple[str, ...]
    number: int
    keys: tuple[str, ...]
    separators: tuple[bytes, ...]
    target: str


def combine(
    store: Store,
    modality: str,
    *,
    seed: int | None = DEFAULT_SEED,
    session: Callable[[], AbstractContextManager[None]] = nullcontext,
    run: Runner = on_ray,
    reporter: Reporter | None = None,
) -> list[Combined]:
    """Write every flat file of ``modality``.

    Args:
        store: the committed shards.
        modality: text, audio, images or ocr.
        seed: of the shuffle across corpora; None keeps corpus order.
        session: connects to Ray; entered only when there is something to do.
        run: maps the steps over shards and buckets.
        reporter: told of each shard.

    Returns:
        The files, per-corpus ones first; those of an earlier run where nothing has changed.

    Raises:
        OmniError: nothing was prepared, or a needed unit is not committed.
    """
    corpora = training_corpora(store, modality)
    parts = {corpus.name: list(corpus.parts()) for corpus in corpora}
    if not corpora:
        raise OmniError(
            f"{modality}: nothing is prepared under {store.storage.uri}; run `omni-ray prepare {modality}` first"
        )
    fingerprint = _fingerprint(parts, seed)
    record = store.state_folder / "combine" / f"{modality}.json"
    done = _unchanged(record, fingerprint, store.root)
    if done is not None:
        return done
    work = store.state_folder / "combine" / modality / fingerprint[:16]
    _forget_other_work(work)
    with session():
        files = _write_all(store, modality, corpora, parts, seed, work, run, reporter or Reporter(quiet=True))
    state = {
        "fingerprint": fingerprint,
        "files": [{**vars(f), "mtime_ns": _mtime(store.root / f.path)} for f in files],
    }
    write_atomic(record, json.dumps(state, indent=1).encode())
    shutil.rmtree(work, ignore_errors=True)
    return files


def _fingerprint(parts: dict[str, list[tuple[Manifest, int]]], seed: int | None) -> str:
    value = [
        FORMAT_VERSION,
        seed,
        {name: [(m.shard.sha256, n) for m, n in each] for name, each in parts.items()},
    ]
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _mtime(path: Path) -> int:
    return path.stat().st_mtime_ns


def _unchanged(record: Path, fingerprint: str, root: Path) -> list[Combined] | None:
    try:
        state = json.loads(record.read_bytes())
        if state["fingerprint"] != fingerprint:
            return None
        for file in state["files"]:
            status = (root / file["path"]).stat()
            if (status.st_size, status.st_mtime_ns) != (file["bytes"], file.pop("mtime_ns")):
                return None
        return [Combined(**file) for file in state["files"]]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _forget_other_work(work: Path) -> None:
    if work.parent.is_dir():
        for other in work.parent.iterdir():
            if other != work:
                shutil.rmtree(other, ignore_errors=True)
    work.mkdir(parents=True, exist_ok=True)


def _write_all(
    store: Store,
    modality: str,
    corpora: Sequence[CorpusStore],
    parts: dict[str, list[tuple[Manifest, int]]],
    seed: int | None,
    work: Path,
    run: Runner,
    reporter: Reporter,
) -> list[Combined]:
    form = FORMATS[modality]
    folder = store.root / form.folder
    folder.mkdir(parents=True, exist_ok=True)
    remove_temporaries(folder)
    total = sum(take for each in parts.values() for _, take in each)
    marker_folder = store.state_folder / "media" / modality
    pieces = []
    row = 0
    for corpus in corpora:
        for manifest, take in parts[corpus.name]:
            marker = marker_folder / corpus.name / f"{manifest.unit:05d}.json"
            pieces.append(
                _Piece(
                    str(store.root), modality, corpus.name, corpus.storage, manifest, take, row, seed,
                    shuffle.bucket_count(total), str(work), str(marker),
                )
            )  # fmt: skip
            row += take
    reporter.begin(modality, len(pieces), stage="combine")
    for piece, written in zip(pieces, run(_write_piece, pieces), strict=True):
        if written != piece.take:
            raise OmniError(
                f"{piece.corpus}: shard {piece.manifest.unit} gave {written} samples, its manifest says {piece.take}; "
                "the shard was changed: prepare this corpus again with --reset"
            )
        reporter.advance(modality, kept=piece.take)
    reporter.end()
    if form.has_media:
        os.sync()
    combined = []
    for corpus in corpora:
        mine = [piece for piece in pieces if piece.corpus == corpus.name]
        records = sum(piece.take for piece in mine)
        for file in form.files:
            if file.per_corpus is not None:
                name = file.per_corpus.format(corpus=corpus.name)
                sources = [(f"{p.stem}.{file.key}", p.take) for p in mine]
                combined.append(_join(store.root, f"{form.folder}/{name}", file, sources, records))
    by_file = _production_sources(form.files, pieces, seed, work, run)
    for file in form.files:
        combined.append(_join(store.root, f"{form.folder}/{file.production}", file, by_file[file.key], total))
    media.remove_stale(store.root, marker_folder, {Path(piece.marker) for piece in pieces} if form.has_media else set())
    return combined


def _write_piece(piece: _Piece) -> int:
    """One shard: its media, its records in corpus order, and by bucket. Returns how many records it gave."""
    form = FORMATS[piece.modality]
    kind = modality_of(piece.modality)
    needs_media = form.has_media and not _has_media(piece)
    sizes: dict[str, int] = {}
    records: dict[str, list[bytes]] = {flat.key: [] for flat in form.files}
    left = piece.take
    with piece.storage.open(piece.manifest.shard.file) as file:
        shard = pq.ParquetFile(file)
        for group in range(shard.num_row_groups):
            rows = shard.read_row_group(group, columns=None if needs_media else _without_bytes(shard.schema_arrow))
            rows = rows.slice(0, _rows_for(kind.samples_per_row(rows), left))
            if rows.num_rows == 0:
                break
            for key, values in form.records(rows, piece.corpus).items():
                records[key] += values[:left]
            left = piece.take - len(records[form.files[0].key])
            if needs_media:
                sizes |= media.write_media(Path(piece.root), form.media(rows, piece.corpus))
    if needs_media:
        _save_marker(piece, sizes)
    for flat in form.files:
        write_atomic(f"{piece.stem}.{flat.key}", flat.separator.join(records[flat.key]), sync=False)
    if piece.seed is not None:
        _write_fragment(piece, records)
    return piece.take - left


def _without_bytes(schema: pa.Schema) -> list[str]:
    """Every column, but of media only the path."""
    return [f"{f.name}.path" if pa.types.is_struct(f.type) else f.name for f in schema]


def _rows_for(samples: Sequence[int], wanted: int) -> int:
    """How many rows, from the first, it takes to have ``wanted`` samples."""
    before = np.cumsum(samples) - samples
    return int(np.count_nonzero(before < wanted))


def _has_media(piece: _Piece) -> bool:
    marker = media.Marker.load(Path(piece.marker))
    return (
        marker is not None
        and (marker.shard, marker.taken) == (piece.manifest.shard.sha256, piece.take)
        and marker.holds(Path(piece.root))
    )


def _save_marker(piece: _Piece, sizes: dict[str, int]) -> None:
    path = Path(piece.marker)
    old = media.Marker.load(path)
    if old is not None:
        # The files of the shard that stood here before may have other names; remove_stale looks for them.
        os.replace(path, path.with_suffix(f".{old.shard[:12]}-{old.taken}.json"))
    media.Marker(piece.manifest.shard.sha256, piece.take, sizes).save(path)


def _write_fragment(piece: _Piece, records: dict[str, list[bytes]]) -> None:
    """The shard's records with their shuffle keys, one record batch for each bucket."""
    assert piece.seed is not None
    keys = shuffle.keys(piece.seed, piece.first_row, piece.take)
    buckets = shuffle.buckets(keys, piece.buckets)
    batch = pa.record_batch(
        {"key": keys, **{key: pa.array(values, pa.large_binary()) for key, values in records.items()}}
    )
    batch = batch.take(pa.array(np.argsort(buckets, kind="stable")))
    ends = np.cumsum(np.bincount(buckets, minlength=piece.buckets))
    with atomic_writer(f"{piece.stem}.fragment", sync=False) as file, pa.ipc.new_file(file, batch.schema) as writer:
        for start, end in pairwise([0, *ends.tolist()]):
            writer.write_batch(batch.slice(start, end - start))


def _sort_bucket(bucket: _Bucket) -> int:
    """One bucket of the production files, from every fragment. Returns how many records it has."""
    tables = []
    for stem in bucket.stems:
        with pa.memory_map(f"{stem}.fragment", "rb") as file:
            tables.append(pa.Table.from_batches([pa.ipc.open_file(file).get_batch(bucket.number)]))
    rows = pa.concat_tables(tables)
    rows = rows.take(np.argsort(rows["key"].to_numpy())).combine_chunks()
    for key, separator in zip(bucket.keys, bucket.separators, strict=True):
        values = rows[key].combine_chunks()
        data = separator.join(values.to_pylist()) if separator else _end_to_end(values)
        write_atomic(f"{bucket.target}.{key}", data, sync=False)
    return int(rows.num_rows)


def _end_to_end(values: pa.LargeBinaryArray) -> memoryview:
    """The bytes of all values, one after the other, as they lie in memory."""
    _, offsets, data = values.buffers()
    if data is None:
        return memoryview(b"")
    ends = np.frombuffer(offsets, np.int64)[values.offset : values.offset + len(values) + 1]
    return memoryview(data)[int(ends[0]) : int(ends[-1])]


def _production_sources(
    files: Sequence[FlatFile], pieces: Sequence[_Piece], seed: int | None, work: Path, run: Runner
) -> dict[str, list[tuple[str, int]]]:
    """For each flat file, the pieces it is put together from, in order, and how many records each has."""
    if seed is None or not pieces:
        return {file.key: [(f"{p.stem}.{file.key}", p.take) for p in pieces] for file in files}
    stems = tuple(piece.stem for piece in pieces)
    keys = tuple(file.key for file in files)
    separators = tuple(file.separator for file in files)
    buckets = [
        _Bucket(stems, number, keys, separators, f"{work}/bucket-{number:05d}") for number in range(pieces[0].buckets)
    ]
    counts = list(run(_sort_bucket, buckets))
    return {
        file.key: [(f"{b.target}.{file.key}", count) for b, count in zip(buckets, counts, strict=True)]
        for file in files
    }


def _join(root: Path, path: str, file: FlatFile, sources: Iterable[tuple[str, int]], records: int) -> Combined:
    """Put the pieces together under a temporary name, sync, rename."""
    with atomic_writer(root / path) as out:
        out.write(file.head)
        is_first = True
        for source, count in sources:
            if count == 0:
                continue
            if not is_first:
                out.write(file.separator)
            is_first = False
            with open(source, "rb") as piece:
                shutil.copyfileobj(piece, out, 1 << 20)
        out.write(file.tail)
        size = out.tell()
    return Combined(path, records, size)
