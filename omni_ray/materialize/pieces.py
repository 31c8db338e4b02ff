"""What workers do with shards: media files, and serialized records, in corpus order and by the keys of the shuffle.

Whatever is held out goes through the same steps, separately from the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from omni_ray.materialize import media, shuffle
from omni_ray.materialize.formats import Format, format_of
from omni_ray.materialize.fragments import HELD, KEY, bytes_by_range, sorted_by_key, write_fragment
from omni_ray.materialize.options import Packing
from omni_ray.materialize.pack import Counter, pack_rows
from omni_ray.modalities.documents import whole_documents
from omni_ray.modalities.hold_out import held_out_rows
from omni_ray.modalities.registry import modality as modality_of
from omni_ray.pipeline.manifest import Manifest
from omni_ray.pipeline.whole import check_whole, opened
from omni_ray.storage import Storage
from omni_ray.trainers.files import FlatFile
from omni_ray.training.tokens import TokenCounter

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
SIDES = 2
"""What is to be trained on, and what is held out."""
FRAGMENT_BYTES = 128 << 20
"""Serialized records that a task holds before it writes a fragment."""
_GROUP_BYTES, _LEAST_BYTES, _GROUP_PIECES = 64 << 20, 16 << 20, 64
"""Shards that share a task and its fragment: at most, and at least of a small corpus, where fewer would leave CPUs idle. A
fragment for each shard would make small reads of the shuffle grow with the square of the corpus."""
_GROUPS = 64


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
class ShardPiece:
    """One shard's part of the work.

    Attributes:
        corpus, storage, manifest: which shard.
        take: its samples that count, from the first.
        first_row: the number of its first sample in canonical order over all corpora.
        marker: the file that says which of its media are there.
        by_clip: whether clips, rather than speakers, are held out.
        is_held: whether all of it is held out.
    """

    corpus: str
    storage: Storage
    manifest: Manifest
    take: int
    first_row: int
    marker: str
    by_clip: bool = False
    is_held: bool = False


@dataclass(frozen=True)
class Plan:
    """What every task of a run needs to know.

    Attributes:
        root: the project folder.
        modality: of the shards.
        work: where scratch files go.
        seed: of the shuffle; None where nothing is shuffled, and records stay in corpus order.
        bits: into how many ranges of keys, as a power of two, what is shuffled is counted.
        holdout: the share to hold out; 0 for nothing.
        parts: whether anything is held out: a share, or shards.
        packing: how lines are joined; None where they are not.
        run: names the run.
        replace: look at every byte of the media that are there; what is in the way is kept under another name.
    """

    root: str
    modality: str
    work: str
    seed: int | None
    bits: int
    holdout: float = 0.0
    packing: Packing | None = None
    run: str = ""
    replace: bool = False
    parts: bool = False


@dataclass(frozen=True)
class ShardGroup:
    """Neighbouring shards of one corpus that one task makes."""

    plan: Plan
    number: int
    pieces: tuple[ShardPiece, ...]

    @property
    def stem(self) -> str:
        """What the names of its scratch files begin with."""
        return f"{self.plan.work}/{self.number:06d}"


@dataclass(frozen=True)
class Made:
    """What a group became.

    Attributes:
        tallies: samples and records of each piece.
        fragments: files of its records.
        by_range: bytes of them, by side, flat file and range of keys; int64.
        aside: the new names of files that were in the way of media and are kept beside.
    """

    tallies: tuple[Tallies, ...]
    fragments: tuple[str, ...]
    by_range: Ints
    aside: tuple[str, ...] = ()


def in_groups(plan: Plan, pieces: Sequence[ShardPiece]) -> list[ShardGroup]:
    """Neighbours share a group up to so many bytes of shards: decided from manifests, never from the cluster."""
    size = sum(piece.manifest.shard.bytes for piece in pieces)
    limit = min(_GROUP_BYTES, max(_LEAST_BYTES, size // _GROUPS))
    groups: list[list[ShardPiece]] = []
    held = 0
    for piece in pieces:
        more = piece.manifest.shard.bytes
        if (
            not groups
            or groups[-1][0].corpus != piece.corpus
            or held + more > limit
            or len(groups[-1]) == _GROUP_PIECES
        ):
            groups.append([])
            held = 0
        groups[-1].append(piece)
        held += more
    return [ShardGroup(plan, number, tuple(group)) for number, group in enumerate(groups)]


@dataclass(frozen=True)
class _Records:
    """Serialized records of some rows.

    Attributes:
        values: by flat file, each with its separator; large_binary.
        places: the number of the sample that each begins with, in its shard.
        held: which are held out.
        samples: how many samples each stands for.
    """

    values: dict[str, pa.LargeBinaryArray]
    places: Ints
    held: Mask
    samples: Ints

    def tallies(self) -> Tallies:
        """Samples and records of both sides."""
        kept, out = (Tally(int(self.samples[side].sum()), int(side.sum())) for side in (~self.held, self.held))
        return kept, out

    def side(self, key: str, number: int) -> pa.LargeBinaryArray:
        """The records of one flat file and one side."""
        if not self.held.any():
            return self.values[key].slice(0, 0) if number else self.values[key]
        return self.values[key].filter(pa.array(self.held if number else ~self.held))


@dataclass
class _Fragments:
    """Records on their way into fragments, with their keys."""

    group: ShardGroup
    files: Sequence[FlatFile]
    names: list[str] = field(default_factory=list)
    _parts: list[pa.Table] = field(default_factory=list)
    _bytes: int = 0

    def __post_init__(self) -> None:
        self.by_range = np.zeros((SIDES, len(self.files), 1 << self.group.plan.bits), np.int64)

    def add(self, piece: ShardPiece, records: _Records) -> None:
        plan = self.group.plan
        if not len(records.places):
            return
        if plan.seed is None:
            keys = np.zeros(len(records.places), np.uint64)
        else:
            # The key of a record is that of its first sample, so that it has its place whatever else is held out or joined.
            keys = shuffle.keys(plan.seed, piece.first_row, piece.take)[records.places]
        for side, which in enumerate((~records.held, records.held)):
            if which.any():
                for number, file in enumerate(self.files):
                    self.by_range[side, number] += bytes_by_range(keys[which], records.side(file.kind, side), plan.bits)
        held = {HELD: pa.array(records.held)} if plan.parts else {}
        # A fragment is far below 2 GiB, and the offsets of short lines are a good part of it.
        values = {key: each.cast(pa.binary()) for key, each in records.values.items()}
        self._parts.append(pa.table({KEY: keys, **held, **values}))
        self._bytes += self._parts[-1].nbytes
        if self._bytes >= FRAGMENT_BYTES:
            self.close()

    def close(self) -> tuple[str, ...]:
        """Write what is left; the names of all fragments."""
        if self._parts:
            rows = pa.concat_tables(self._parts)
            self.names.append(f"{self.group.stem}-{len(self.names):04d}.fragment")
            batches = self._batches(rows)
            write_fragment(self.names[-1], batches, batches[0].schema)
        self._parts, self._bytes = [], 0
        return tuple(self.names)

    def _batches(self, rows: pa.Table) -> list[pa.RecordBatch]:
        if self.group.plan.seed is None:
            return list(rows.to_batches())
        return [sorted_by_key(rows)]


def write_group(group: ShardGroup) -> Made:
    """Shards: their media, and their records in fragments."""
    form = format_of(group.plan.modality)
    fragments = _Fragments(group, form.files)
    tallies = []
    aside: list[str] = []
    for piece in group.pieces:
        tally = [Tally(), Tally()]
        for records in _records_of(piece, group.plan, form, aside):
            fragments.add(piece, records)
            tally = [before + more for before, more in zip(tally, records.tallies(), strict=True)]
        tallies.append((tally[0], tally[1]))
    return Made(tuple(tallies), fragments.close(), fragments.by_range, tuple(aside))


def _records_of(piece: ShardPiece, plan: Plan, form: Format, aside: list[str]) -> Iterator[_Records]:
    """Write a shard's media where they are not there, and give its records, some rows at a time.

    ``aside`` gets the new names of files that were in the way.
    """
    needs_media = form.has_media and not _has_media(piece, plan, form)
    writer = _media_writer(piece, plan, form)
    done = 0
    # What is held out is known by its bytes.
    with_media = needs_media or (plan.holdout > 0 and form.has_media)
    shard = piece.storage, piece.manifest.unit, piece.manifest.shard, piece.corpus, plan.modality
    is_checked = with_media or not form.has_media or plan.replace
    if is_checked:
        check_whole(*shard)
    with opened(*shard) as file:
        rows_of = pq.ParquetFile(file)
        tables = _tables(
            piece, plan.modality, rows_of, _columns(plan, form, rows_of.schema_arrow, with_media, is_checked)
        )
        if modality_of(plan.modality).of_documents and (plan.packing is not None or plan.holdout > 0):
            tables = ((rows, np.ones(rows.num_rows, np.int64)) for rows in whole_documents(rows for rows, _ in tables))
        for rows, samples in tables:
            if needs_media:
                writer.write(form.media(rows, piece.corpus))
            yield _serialize(piece, plan, form, rows, samples, done)
            done += int(samples.sum())
    if needs_media:
        writer.close()
        aside += writer.aside


def _tables(
    piece: ShardPiece, modality: str, shard: pq.ParquetFile, columns: list[str]
) -> Iterator[tuple[pa.Table, Ints]]:
    """The rows that count, by row group, and the samples of each; perhaps not all of the last one."""
    kind = modality_of(modality)
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


def _serialize(piece: ShardPiece, plan: Plan, form: Format, rows: pa.Table, samples: Ints, first: int) -> _Records:
    """The records of ``rows``, whose first sample has the number ``first`` in its shard."""
    if piece.is_held:
        held = np.ones(rows.num_rows, bool)
    elif plan.holdout:
        held = held_out_rows(rows, plan.modality, plan.holdout, by_clip=piece.by_clip)
    else:
        held = np.zeros(rows.num_rows, bool)
    if plan.packing is not None:
        count = rows.num_rows
        rows, starts = pack_rows(rows, _counter(plan.packing), plan.packing.ctx_len)
        # Of a line in several records, all but the first of them begin with no line of their own.
        stands_for = np.diff(np.append(starts, count))
        places, held = starts, held[starts]
    else:
        count = int(samples.sum())
        places, stands_for, held = np.arange(count), np.ones(count, np.int64), np.repeat(held, samples)
    values = {key: more.slice(0, len(places)) for key, more in form.records(rows, piece.corpus).items()}
    return _Records(values, first + places, held, stands_for)


def _counter(packing: Packing) -> Counter:
    counter = _learnt(packing.model, packing.tokenizer)
    return lambda texts: counter.count(texts).tolist()


@lru_cache(maxsize=1)
def _learnt(model: str, digest: str) -> TokenCounter:
    """A worker's counter: what it has learnt about words serves every piece that the worker gets."""
    return TokenCounter(Path(model).read_bytes())


def _columns(plan: Plan, form: Format, schema: pa.Schema, with_media: bool, is_checked: bool) -> list[str]:
    """What is read of a shard: of media only the path, unless their bytes are wanted; documents and speakers only where lines
    are joined or held out by them, or where damage shows in nothing else.
    """
    needs_all = plan.packing is not None or plan.holdout > 0 or not is_checked
    fields = schema if needs_all else [schema.field(name) for name in form.columns]
    return [f.name if with_media or not pa.types.is_struct(f.type) else f"{f.name}.path" for f in fields]


def _has_media(piece: ShardPiece, plan: Plan, form: Format) -> bool:
    marker = media.Marker.load(Path(piece.marker))
    return (
        marker is not None
        and (marker.shard, marker.taken) == (piece.manifest.shard.sha256, piece.take)
        and marker.lies_in(form.corpus_places(piece.corpus)[-1])
        and marker.holds(Path(plan.root), closely=plan.replace)
    )


def _media_writer(piece: ShardPiece, plan: Plan, form: Format) -> media.Writer:
    root, shard = Path(plan.root), piece.manifest.shard.sha256
    return media.Writer(root, root / form.scratch, Path(piece.marker), shard, piece.take, plan.run, plan.replace)
