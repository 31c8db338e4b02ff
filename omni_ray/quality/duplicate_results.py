"""What the search for duplicates found: kept in files by shard, so that whoever needs a shard's part reads only that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from omni_ray.quality.duplicate_kinds import KINDS
from omni_ray.quality.hashing import Hashes
from omni_ray.quality.partitions import read_slice
from omni_ray.storage import Storage

ROW_BITS = 32
"""An item is ``shard << 32 | row``."""


@dataclass(frozen=True)
class ShardFile:
    """A Parquet shard: where it is, and what to call it in messages ("wikipedia/part-00003.parquet")."""

    storage: Storage
    name: str
    title: str


@dataclass(frozen=True)
class Duplicate:
    """A row that repeats an earlier one.

    Attributes:
        row: its row in the shard; for a document its first line; for a caption its number among the shard's captions.
        kind: what was compared, a key of :data:`omni_ray.quality.duplicate_kinds.KINDS`.
        reason: a code of :data:`omni_ray.quality.reasons.QUALITY_REASONS`.
        detail: which row is kept instead.
    """

    row: int
    kind: str
    reason: str
    detail: str


@dataclass(frozen=True)
class Duplicates:
    """What :func:`find_duplicates` found. It is in the scratch place; a shard's part is read from there.

    Attributes:
        storage, stem: where, and how its files' names begin.
        titles: the shards, in order.
        per_block: how many shards share a file.
        kinds: what was looked for.
        marks: for each shard a digest of what goes from it, empty where nothing does.
    """

    storage: Storage
    stem: str
    titles: tuple[str, ...]
    per_block: int
    kinds: tuple[str, ...]
    marks: tuple[str, ...]

    def of_shard(self, number: int) -> list[Duplicate]:
        """What is removed from a shard, by row."""
        if not self.marks[number]:
            return []
        ties = self.ties(number)
        found = []
        for item, kept, kind in zip(*(ties[name].tolist() for name in ("item", "kept", "kind")), strict=True):
            name = self.kinds[kind]
            shard, row = divmod(kept, 1 << ROW_BITS)
            what = "caption" if KINDS[name].unit == "caption" else "row"
            detail = f"{name}: as {self.titles[shard]} {what} {row}"
            found.append(Duplicate(item & ((1 << ROW_BITS) - 1), name, KINDS[name].reason, detail))
        return found

    def ties(self, number: int) -> dict[str, Hashes]:
        """What is removed from a shard, as stored: ``item``, the item ``kept`` instead, and the number of the ``kind``."""
        block, place = divmod(number, self.per_block)
        return read_slice(self.storage, [f"{self.stem}-{block:04d}"], place)

    def gone(self, number: int) -> npt.NDArray[np.int64]:
        """Rows that are removed from a shard; for documents, the first ones."""
        if not self.marks[number]:
            return np.zeros(0, np.int64)
        return (self.ties(number)["item"] & np.uint64((1 << ROW_BITS) - 1)).astype(np.int64)
