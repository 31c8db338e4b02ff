"""Lists: annotation files with a record a line, cut into ranges that tasks can read by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b

from omni_ray.sources.tree import Tree

_BLOCK = 1 << 20
MAX_LINE_BYTES = 1 << 20
"""A longer line is no list entry; it is read as far as this."""


@dataclass(frozen=True)
class LineRange:
    """Some consecutive lines of a list: bytes ``start`` to ``end``, the first being line ``first`` (from 1)."""

    start: int
    end: int
    first: int
    lines: int


def line_ranges(tree: Tree, name: str, lines_each: int, *, skip: int = 0) -> Iterator[LineRange]:
    """Cut a list into ranges of ``lines_each`` lines, without holding it; ``skip`` leaves out lines at the top."""
    start = end = 0
    first = number = 1
    with tree.open(name) as file:
        for line in file:
            end += len(line)
            number += 1
            if number - 1 <= skip:
                start, first = end, number
            elif number - first == lines_each:
                yield LineRange(start, end, first, number - first)
                start, first = end, number
    if number > first:
        yield LineRange(start, end, first, number - first)


def read_range(tree: Tree, name: str, start: int, end: int, first: int) -> Iterator[tuple[int, bytes]]:
    """The lines of a range: (line number, bytes without the line end)."""
    with tree.open(name) as file:
        file.seek(start)
        data = file.read(end - start)
    for offset, line in enumerate(data.split(b"\n")[: data.count(b"\n") + (not data.endswith(b"\n"))]):
        yield first + offset, line.rstrip(b"\r")[:MAX_LINE_BYTES]


class Seen:
    """Which keys have come before. Holds an 8-byte digest of each, not the keys."""

    def __init__(self) -> None:
        self._digests: set[bytes] = set()

    def again(self, key: bytes) -> bool:
        """Whether ``key`` came before; it has now."""
        digest = blake2b(key, digest_size=8).digest()
        if digest in self._digests:
            return True
        self._digests.add(digest)
        return False
