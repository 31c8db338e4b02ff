"""Where the pieces are looked at: in this process while they are few, on Ray when they are many."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from itertools import chain
from typing import TYPE_CHECKING

from omni_ray.pipeline import engine

if TYPE_CHECKING:
    from omni_ray.verify.pieces import Piece, PieceFindings
    from omni_ray.verify.run import Runner

SMALL = 2000
"""Up to this weight, starting Ray (2-3 s) takes longer than the work: about a millisecond for a clip or image."""


@contextmanager
def on_ray_when_many(
    session: Callable[[], AbstractContextManager[None]], mapped: Runner = engine.on_ray, small: int = SMALL
) -> Iterator[Runner]:
    """``mapped`` on Ray, to which ``session`` connects once pieces are known to be worth it, until the block ends."""
    with ExitStack() as stack:
        is_connected = False

        def run(
            function: Callable[[Piece], PieceFindings],
            items: Iterable[Piece],
            *,
            at_once: Callable[[PieceFindings], PieceFindings],
        ) -> Iterator[PieceFindings]:
            nonlocal is_connected
            rest = iter(items)
            first: list[Piece] = []
            weight = 0
            for piece in rest:
                first.append(piece)
                weight += piece.weight
                if weight > small:
                    break
            else:
                yield from map(at_once, map(function, first))
                return
            if not is_connected:
                stack.enter_context(session())
                is_connected = True
            yield from mapped(function, chain(first, rest), at_once=at_once)

        yield run
