"""Small files share a unit: a folder of a thousand one-line files is not a thousand shards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from omni_ray.corpora.base import Rejected, SourceOptions, UnitDraft, Wrapped

if TYPE_CHECKING:
    import pyarrow as pa

    from omni_ray.sources.tree import Tree

_UNIT_BYTES, _UNIT_PARTS = 4 << 20, 1024
"""Bytes of files that share a unit: a task's start and its commits cost about as much as a megabyte of text."""
_PARTS = "together"


class Together(Wrapped):
    """A corpus whose units may join several of the original ones, one after the other."""

    def units(self, tree: Tree, options: SourceOptions) -> Iterator[UnitDraft]:
        """Its units, with small neighbours joined."""
        return together(self.corpus.units(tree, options), tree, options)

    def read(self, tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected | pa.Table]:
        """The records of a unit, or of several, one after the other."""
        for part in payload.get(_PARTS, [payload]):
            yield from self.corpus.read(tree, part)


def together(drafts: Iterator[UnitDraft], tree: Tree, options: SourceOptions) -> Iterator[UnitDraft]:
    """The same units, except that small neighbours of one file each become one unit.

    Slices of one file stay apart: the code that cut it knows what is in them; the file may only be a list of what they read.
    """
    limit = int(_UNIT_BYTES * options.unit_scale)
    held: list[UnitDraft] = []
    size = 0
    for draft in drafts:
        more = tree.size(draft.inputs[0]) if len(draft.inputs) == 1 else limit + 1
        is_slice = bool(held) and held[-1].inputs == draft.inputs
        if held and (is_slice or size + more > limit or len(held) == _UNIT_PARTS):
            yield _joined(held)
            held, size = [], 0
        held.append(draft)
        size += more
    if held:
        yield _joined(held)


def _joined(drafts: list[UnitDraft]) -> UnitDraft:
    if len(drafts) == 1:
        return drafts[0]
    return UnitDraft(
        {_PARTS: [draft.payload for draft in drafts]},
        tuple(dict.fromkeys(name for draft in drafts for name in draft.inputs)),
        _sum([draft.records for draft in drafts]),
        _sum([draft.samples for draft in drafts]),
        reads=tuple(name for draft in drafts for name in draft.reads),
        evaluation=tuple(dict.fromkeys(split for draft in drafts for split in draft.evaluation)),
    )


def _sum(counts: list[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None
