"""Where the pieces are looked at: in this process while they are few, on Ray when they are many."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from omni_ray.pipeline.engine import inline
from omni_ray.verify.pieces import Piece, PieceFindings, Runner

SMALL = 2000
"""Up to this weight, starting Ray (2-3 s) takes longer than the work: about a millisecond for a clip or image."""


def when_many(many: Runner, small: int = SMALL) -> Runner:
    """``many`` once pieces are known to be worth it; until then they are looked at in this process."""

    def run(
        function: Callable[[Piece], PieceFindings],
        items: Iterable[Piece],
        *,
        at_once: Callable[[PieceFindings], PieceFindings],
    ) -> Iterator[PieceFindings]:
        rest = iter(items)
        first: list[Piece] = []
        weight = 0
        for piece in rest:
            first.append(piece)
            weight += piece.weight
            if weight > small:
                break
        mapped, pieces = (inline, first) if weight <= small else (many, chain(first, rest))
        return mapped(function, pieces, at_once=at_once)

    return run
