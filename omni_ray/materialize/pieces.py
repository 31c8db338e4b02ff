"""What workers do: a shard becomes media files and serialized records; fragments of all shards become sorted buckets.

Whatever is held out goes through the same steps, into files of its own.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import compress, pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from omni_ray.materialize import media, shuffle
from omni_ray.materialize.formats import FORMATS, FlatFile, Format
from omni_ray.materialize.options import Packing
from omni_ray.modalities.registry import modality as modality_of
from omni_ray.pipeline.store import Manifest
from omni_ray.quality.documents import document_starts
from omni_ray.quality.hold_out import held_out_rows
from omni_ray.quality.pack import Counter, pack_rows
from omni_ray.storage import Storage, atomic_writer, write_atomic
from omni_ray.training.tokens import TokenCounter

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
SIDES = ("", ".heldout")
"""Endings of scratch files: what is to be trained on, and what is held out."""


@dataclass(frozen=True)
class Tally:
    """Samples of the shards, and the records that they became."""

    samples: int = 0
    records: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.samples + other.samples, self.records + other.records)


Tallies = tuple[Tally, Tally]
"""For what is to be trained on, and for what is held out."""


@dataclass(frozen=True)
class Piece:
    """One shard's part of the work; all a worker needs.

    Attributes:
        root: the project folder.
        modality, corpus, storage, manifest: which shard.
        take: its samples that count, from the first.
        first_row: the number of its first sample in canonical order over all corpora.
        seed: of the shuffle; None keeps corpus order.
        buckets: of the shuffle.
        work: where scratch files go.
        marker: the file that says which of its media are there.
        packing: how lines are joined; None where they are not.
        holdout: the share to hold out; 0 for nothing.
        by_clip: whether clips, rather than speakers, are held out.
    """

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
    packing: Packing | None = None
    holdout: float = 0.0
    by_clip: bool = False

    @property
    def stem(self) -> str:
        """What the names of its scratch files begin with."""
        return f"{self.work}/{self.corpus}-{self.manifest.unit:05d}"


@dataclass(frozen=True)
class Bucket:
    """One bucket of the shuffle: which fragments to sort it from, and where to."""

    stems: tuple[str, ...]
    number: int
    keys: tuple[str, ...]
    separators: tuple[bytes, ...]
    target: str


class _Records:
    """Serialized records of a piece, with the number of the sample each begins with, and its side."""

    def __init__(self, files: Sequence[FlatFile]) -> None:
        self.values: dict[str, list[bytes]] = {flat.key: [] for flat in files}
        self._places: list[Ints] = [np.zeros(0, np.int64)]
        self._held: list[Mask] = [np.zeros(0, bool)]
        self._samples: list[Ints] = [np.zeros(0, np.int64)]

    def add(self, values: Mapping[str, list[bytes]], places: Ints, held: Mask, samples: Ints) -> None:
        """Add records: ``samples`` is how many samples each stands for."""
        for key, more in values.items():
            self.values[key] += more
        self._places.append(places)
        self._held.append(held)
        self._samples.append(samples)

    @property
    def places(self) -> Ints:
        return np.concatenate(self._places)

    @property
    def held(self) -> Mask:
        return np.concatenate(self._held)

    def tallies(self) -> Tallies:
        """Samples and records of both sides."""
        held, samples = self.held, np.concatenate(self._samples)
        kept, out = (Tally(int(samples[side].sum()), int(side.sum())) for side in (~held, held))
        return kept, out


def write_piece(piece: Piece) -> Tallies:
    """One shard: its media, its records in corpus order, and by bucket. Returns how many samples and records it gave."""
    form = FORMATS[piece.modality]
    needs_media = form.has_media and not _has_media(piece)
    sizes: dict[str, int] = {}
    records = _Records(form.files)
    done = 0
    root = Path(piece.root)
    with piece.storage.open(piece.manifest.shard.file) as file:
        tables = _tables(piece, pq.ParquetFile(file), with_media=needs_media)
        for rows, samples in tables if piece.packing is None else _whole_documents(tables):
            if needs_media:
                sizes |= media.write_media(root, form.media(rows, piece.corpus), root / form.scratch)
            _serialize(piece, form, rows, samples, done, records)
            done += int(samples.sum())
    if needs_media:
        _save_marker(piece, sizes)
    held = records.held
    for flat in form.files:
        values = records.values[flat.key]
        if not piece.holdout:
            write_atomic(f"{piece.stem}.{flat.key}", flat.separator.join(values), sync=False)
            continue
        for ending, side in zip(SIDES, (~held, held), strict=True):
            data = flat.separator.join(compress(values, side))
            write_atomic(f"{piece.stem}.{flat.key}{ending}", data, sync=False)
    if piece.seed is not None:
        _write_fragment(piece, records)
    return records.tallies()


def _tables(piece: Piece, shard: pq.ParquetFile, *, with_media: bool) -> Iterator[tuple[pa.Table, Ints]]:
    """The rows that count, by row group, and the samples of each; of the last one perhaps not all."""
    columns = None if with_media else _without_bytes(shard.schema_arrow)
    kind = modality_of(piece.modality)
    left = piece.take
    for group in range(shard.num_row_groups):
        if not left:
            return
        rows = shard.read_row_group(group, columns=columns)
        samples = np.array(kind.samples_per_row(rows), np.int64)
        before = np.cumsum(samples) - samples
        samples = np.minimum(samples, left - before)[before < left]
        if len(samples):
            yield rows.slice(0, len(samples)), samples
        left -= int(samples.sum())


def _whole_documents(tables: Iterator[tuple[pa.Table, Ints]]) -> Iterator[tuple[pa.Table, Ints]]:
    """The same rows of text; every document that began in one table and went on in the next is in the next one whole."""
    rest: pa.Table | None = None
    for rows, _ in tables:
        rows = rows if rest is None else pa.concat_tables([rest, rows])
        last = int(document_starts(rows["id"])[-1])
        rest = rows.slice(last)
        if last:
            yield rows.slice(0, last), np.ones(last, np.int64)
    if rest is not None:
        yield rest, np.ones(rest.num_rows, np.int64)


def _serialize(piece: Piece, form: Format, rows: pa.Table, samples: Ints, first: int, records: _Records) -> None:
    """Add the records of ``rows``, whose first sample has the number ``first`` in its shard."""
    if piece.holdout:
        held = held_out_rows(rows, piece.modality, piece.holdout, by_clip=piece.by_clip)
    else:
        held = np.zeros(rows.num_rows, bool)
    if piece.packing is not None:
        count = rows.num_rows
        rows, starts = pack_rows(rows, _counter(piece.packing), piece.packing.ctx_len)
        # Of a line in several records, all but the first of them begin with no line of their own.
        stands_for = np.diff(np.append(starts, count))
        places, held = starts, held[starts]
    else:
        count = int(samples.sum())
        places, stands_for, held = np.arange(count), np.ones(count, np.int64), np.repeat(held, samples)
    values = {key: more[: len(places)] for key, more in form.records(rows, piece.corpus).items()}
    records.add(values, first + places, held, stands_for)


def _counter(packing: Packing) -> Counter:
    counter = _learnt(packing.model, packing.tokenizer)
    return lambda texts: counter.count(texts).tolist()


@lru_cache(maxsize=1)
def _learnt(model: str, digest: str) -> TokenCounter:
    """A worker's counter: what it has learnt of words serves every piece that the worker gets."""
    return TokenCounter(Path(model).read_bytes())


def _without_bytes(schema: pa.Schema) -> list[str]:
    """Every column, but of media only the path."""
    return [f"{f.name}.path" if pa.types.is_struct(f.type) else f.name for f in schema]


def _has_media(piece: Piece) -> bool:
    marker = media.Marker.load(Path(piece.marker))
    return (
        marker is not None
        and (marker.shard, marker.taken) == (piece.manifest.shard.sha256, piece.take)
        and marker.holds(Path(piece.root))
    )


def _save_marker(piece: Piece, sizes: dict[str, int]) -> None:
    path = Path(piece.marker)
    old = media.Marker.load(path)
    if old is not None:
        # The files of the shard that stood here before may have other names; remove_stale looks for them.
        os.replace(path, path.with_suffix(f".{old.shard[:12]}-{old.taken}.json"))
    media.Marker(piece.manifest.shard.sha256, piece.take, sizes).save(path)


def _write_fragment(piece: Piece, records: _Records) -> None:
    """The shard's records with their shuffle keys, one record batch for each bucket."""
    assert piece.seed is not None
    # The key of a record is that of its first sample, so that it has its place whatever else is held out or joined.
    keys = shuffle.keys(piece.seed, piece.first_row, piece.take)[records.places]
    buckets = shuffle.buckets(keys, piece.buckets)
    sides = {"held": pa.array(records.held)} if piece.holdout else {}
    values = {key: pa.array(each, pa.large_binary()) for key, each in records.values.items()}
    batch = pa.record_batch({"key": keys, **sides, **values})
    batch = batch.take(pa.array(np.argsort(buckets, kind="stable")))
    ends = np.cumsum(np.bincount(buckets, minlength=piece.buckets))
    with atomic_writer(f"{piece.stem}.fragment", sync=False) as file, pa.ipc.new_file(file, batch.schema) as writer:
        for start, end in pairwise([0, *ends.tolist()]):
            writer.write_batch(batch.slice(start, end - start))


def sort_bucket(bucket: Bucket) -> tuple[int, int]:
    """One bucket of the production files, from every fragment. Returns how many records it has of each side."""
    tables = []
    for stem in bucket.stems:
        with pa.memory_map(f"{stem}.fragment", "rb") as file:
            tables.append(pa.Table.from_batches([pa.ipc.open_file(file).get_batch(bucket.number)]))
    rows = pa.concat_tables(tables)
    # Stable: records that are parts of one long line share its key.
    rows = rows.take(np.argsort(rows["key"].to_numpy(), kind="stable")).combine_chunks()
    if "held" not in rows.column_names:
        _write_bucket(bucket, rows, SIDES[0])
        return int(rows.num_rows), 0
    kept, held = (rows.filter(side) for side in (pc.invert(rows["held"]), rows["held"]))
    for ending, side in zip(SIDES, (kept, held), strict=True):
        _write_bucket(bucket, side.combine_chunks(), ending)
    return int(kept.num_rows), int(held.num_rows)


def _write_bucket(bucket: Bucket, rows: pa.Table, ending: str) -> None:
    for key, separator in zip(bucket.keys, bucket.separators, strict=True):
        values = rows[key].combine_chunks()
        data = separator.join(values.to_pylist()) if separator else _end_to_end(values)
        write_atomic(f"{bucket.target}.{key}{ending}", data, sync=False)


def _end_to_end(values: pa.LargeBinaryArray) -> memoryview:
    """The bytes of all values, one after the other, as they lie in memory."""
    _, offsets, data = values.buffers()
    if data is None or not len(values):
        return memoryview(b"")
    ends = np.frombuffer(offsets, np.int64)[values.offset : values.offset + len(values) + 1]
    return memoryview(data)[int(ends[0]) : int(ends[-1])]
