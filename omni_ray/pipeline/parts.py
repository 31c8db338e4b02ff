"""Shards as later steps read them: each cut to the samples that count."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from omni_ray.modalities.registry import modality as modality_of
from omni_ray.pipeline.manifest import CommittedFile, Manifest
from omni_ray.pipeline.store import CorpusStore
from omni_ray.pipeline.whole import check_whole, opened
from omni_ray.storage import Storage


@dataclass(frozen=True)
class Part:
    """One shard, and how much of it counts.

    Attributes:
        storage, file: where it is.
        modality, corpus, unit: whose it is.
        sha256, bytes, shard_rows: of the whole file.
        rows: how many rows count, from the first.
        samples: how many samples those give.
        over: samples of the last such row (captions of a picture) that do not count.
        is_held: whether it is held out from training.
    """

    storage: Storage
    file: str
    modality: str
    corpus: str
    unit: int
    sha256: str
    bytes: int
    shard_rows: int
    rows: int
    samples: int
    over: int = 0
    is_held: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether all of the shard counts."""
        return self.rows == self.shard_rows and not self.over

    @property
    def committed(self) -> CommittedFile:
        """The whole file, as it was committed."""
        return CommittedFile(self.file, self.shard_rows, self.bytes, self.sha256)

    def check(self) -> None:
        """Raise OmniError where the file is not what was committed, as :func:`omni_ray.pipeline.whole.check_whole` does."""
        check_whole(self.storage, self.unit, self.committed, self.corpus, self.modality)


def training_parts(corpus: CorpusStore) -> Iterator[Part]:
    """The shards whose samples the training files have, in the same order."""
    state = corpus.state()
    for manifest, take in corpus.parts():
        if take:
            part = part_of(corpus, manifest, take)
            yield replace(part, is_held=True) if state is not None and state.is_held(manifest.unit) else part


def part_of(corpus: CorpusStore, manifest: Manifest, take: int) -> Part:
    """The first ``take`` samples of a shard."""
    shard = manifest.shard
    rows, over = shard.rows if take else 0, 0
    if 0 < take < manifest.samples:
        kind = modality_of(corpus.modality)
        with opened(corpus.storage, manifest.unit, shard, corpus.name, corpus.modality) as file:
            table = pq.read_table(file, columns=list(kind.counting_columns))
        sums = np.cumsum(kind.samples_per_row(table))
        rows = int(np.searchsorted(sums, take)) + 1
        over = int(sums[rows - 1]) - take
    return Part(
        corpus.storage, shard.file, corpus.modality, corpus.name, manifest.unit, shard.sha256, shard.bytes, shard.rows,
        rows, take, over
    )  # fmt: skip


def columns_of(part: Part) -> list[str]:
    """The columns of a shard."""
    with part.storage.open(part.file) as file:
        return list(pq.read_schema(file).names)


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
