"""What an export takes: the shards that count, each cut to the samples that count."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from omni_ray.errors import OmniError
from omni_ray.export.names import file_safe
from omni_ray.modalities.registry import modality as modality_of
from omni_ray.pipeline.store import MODALITIES, CorpusState, CorpusStore, Manifest, Store, Summary
from omni_ray.storage import Storage


@dataclass(frozen=True)
class Part:
    """One shard, and how much of it counts.

    Attributes:
        storage, file: where it is.
        modality: text, audio, images or ocr.
        sha256, bytes, shard_rows: of the whole file.
        rows: how many rows count, from the first.
        samples: how many samples those give.
        over: samples of the last such row (captions of a picture) that do not count.
    """

    storage: Storage
    file: str
    modality: str
    sha256: str
    bytes: int
    shard_rows: int
    rows: int
    samples: int
    over: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether all of the shard counts."""
        return self.rows == self.shard_rows and not self.over


@dataclass(frozen=True)
class CorpusParts:
    """One corpus to export: its state, its numbers, and its parts in canonical order."""

    state: CorpusState
    summary: Summary
    parts: tuple[Part, ...]

    @cached_property
    def name(self) -> str:
        """What it is called in an export: modality and name, in signs that every file system and reader takes."""
        return f"{self.state.modality}-{file_safe(self.state.name)}"

    @property
    def rows(self) -> int:
        """Rows that count."""
        return sum(part.rows for part in self.parts)

    @property
    def samples(self) -> int:
        """Samples that count."""
        return sum(part.samples for part in self.parts)


def chosen_corpora(store: Store, modalities: Sequence[str] = (), names: Sequence[str] = ()) -> list[CorpusParts]:
    """The prepared corpora to export, by modality and then name; those without samples are left out.

    Args:
        store: the committed shards.
        modalities: only these; none for all.
        names: only corpora of these names; none for all.

    Raises:
        OmniError: an unknown modality or corpus, nothing to export, or a run that is not finished.
    """
    for modality in modalities:
        if modality not in MODALITIES:
            raise OmniError(f"{modality} is not a modality; there are: {', '.join(MODALITIES)}")
    stores = [each for each in store.corpora() if not modalities or each.modality in modalities]
    if not stores:
        what = f"{' or '.join(modalities)}: " if modalities else ""
        raise OmniError(f"{store.storage.uri}: {what}nothing is prepared here; run `omni-ray prepare` first")
    known = [each.name for each in stores]
    for name in names:
        if name not in known:
            raise OmniError(f"{name} is not prepared here; there are: {', '.join(dict.fromkeys(known))}")
    found = [_corpus(each) for each in stores if not names or each.name in names]
    found = [corpus for corpus in found if corpus.rows]
    if not found:
        raise OmniError(f"{store.storage.uri}: not a single sample was kept, so that there is nothing to export")
    return found


def _corpus(corpus: CorpusStore) -> CorpusParts:
    state = corpus.state()
    assert state is not None  # Store.corpora lists only those that have one
    return CorpusParts(state, corpus.summary(), tuple(training_parts(corpus)))


def training_parts(corpus: CorpusStore) -> Iterator[Part]:
    """The shards whose samples the training files have, in the same order."""
    for manifest, take in corpus.parts():
        if take:
            yield _part(corpus, manifest, take)


def _part(corpus: CorpusStore, manifest: Manifest, take: int) -> Part:
    shard = manifest.shard
    rows, over = shard.rows, 0
    if take < manifest.samples:
        kind = modality_of(corpus.modality)
        with corpus.storage.open(shard.file) as file:
            table = pq.read_table(file, columns=list(kind.counting_columns))
        sums = np.cumsum(kind.samples_per_row(table))
        rows = int(np.searchsorted(sums, take)) + 1
        over = int(sums[rows - 1]) - take
    return Part(
        corpus.storage, shard.file, corpus.modality, shard.sha256, shard.bytes, shard.rows, rows, take, over
    )  # fmt: skip


def read_rows(
    part: Part, start: int = 0, stop: int | None = None, *, columns: Sequence[str] | None = None
) -> Iterator[pa.Table]:
    """The rows ``start`` to ``stop`` of those that count, a table for each row group; only those groups are read.

    Args:
        part: the shard.
        start, stop: numbers of rows; by default all that count.
        columns: only these; None for all.
    """
    stop = part.rows if stop is None else min(stop, part.rows)
    with part.storage.open(part.file) as file:
        shard = pq.ParquetFile(file)
        first = 0
        for group in range(shard.num_row_groups):
            size = shard.metadata.row_group(group).num_rows
            low, high = max(start, first), min(stop, first + size)
            if low < high:
                rows = shard.read_row_group(group, columns=columns).slice(low - first, high - low)
                yield _without_over(rows, part) if part.over and high == part.rows else rows
            first += size


def _without_over(rows: pa.Table, part: Part) -> pa.Table:
    """The same rows, the last one without the captions that are beyond the limit."""
    if "captions" not in rows.column_names:
        return rows
    last = rows.slice(rows.num_rows - 1)
    place = rows.schema.get_field_index("captions")
    field = rows.schema.field(place)
    captions = last["captions"][0].as_py()[: -part.over]
    last = last.set_column(place, field, pa.array([captions], field.type))
    return pa.concat_tables([rows.slice(0, rows.num_rows - 1), last])
