"""The two sides of what is prepared, split as ``combine`` splits it: what is to be trained on, and what is held out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

from omni_ray.materialize.speakers import groups_of
from omni_ray.modalities.documents import whole_documents
from omni_ray.modalities.hold_out import HOLD_VERSION, held_out_rows
from omni_ray.modalities.registry import modality as modality_of
from omni_ray.pipeline.parts import Part, read_rows
from omni_ray.pipeline.store import CorpusStore

Split = Literal["train", "heldout"]
SPLITS: tuple[Split, Split] = ("train", "heldout")


@dataclass(frozen=True)
class Side:
    """The rows of one shard that are on one side. Small and picklable: workers get it with their task.

    Attributes:
        part: the shard, and how much of it counts.
        split: which side.
        holdout: the share of the shard that is held out; 0 where all of it is on this side.
        by_clip: whether clips, rather than speakers, are held out.
    """

    part: Part
    split: Split
    holdout: float = 0.0
    by_clip: bool = False

    def tables(self, start: int = 0, stop: int | None = None) -> Iterator[pa.Table]:
        """The rows ``start`` to ``stop`` of this side in canonical order, some at a time; no table is empty."""
        if not self.holdout:
            yield from read_rows(self.part, start, stop)
            return
        stop = self.part.rows if stop is None else stop
        first = 0
        for rows in self._mine():
            begin, end = max(start - first, 0), min(stop - first, rows.num_rows)
            if begin < end:
                yield rows.slice(begin, end - begin)
            first += rows.num_rows
            if first >= stop:
                return

    def _mine(self) -> Iterator[pa.Table]:
        modality = self.part.modality
        tables = read_rows(self.part)
        for rows in whole_documents(tables) if modality_of(modality).of_documents else tables:
            held = held_out_rows(rows, modality, self.holdout, by_clip=self.by_clip)
            yield rows.filter(pa.array(held if self.split == "heldout" else ~held))

    @property
    def identity(self) -> list[Any]:
        """All that the rows depend on, as a JSON value."""
        part = self.part
        parted = [HOLD_VERSION, self.holdout, self.by_clip] if self.holdout else None
        return [part.sha256, part.rows, part.over, self.split, parted]


def sides_of(part: Part, holdout: float, by_clip: bool) -> list[Side]:
    """The sides of a shard: one where all of it is held out, or nothing is; else both, of which one may be empty."""
    if part.is_held:
        return [Side(part, "heldout")]
    if not holdout:
        return [Side(part, "train")]
    return [Side(part, split, holdout, by_clip) for split in SPLITS]


def is_by_clip(corpus: CorpusStore, holdout: float) -> bool:
    """Whether a share of the corpus is one of clips: its only speaker would go to one side as a whole."""
    if not holdout or not modality_of(corpus.modality).has_speakers:
        return False
    return groups_of(corpus, corpus.parts()) == "one speaker"
