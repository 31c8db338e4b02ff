"""Lists: annotation files with one record per line, cut into ranges that tasks can read on their own."""

from __future__ import annotations

import codecs
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO

from omni_ray.digests import number_of
from omni_ray.sources.form import Form, form_of, head
from omni_ray.sources.packed import CHUNK_BYTES
from omni_ray.sources.tree import Tree

MAX_LINE_BYTES = 1 << 20
"""A longer line is no list entry; only this much of it is read."""


@dataclass(frozen=True)
class LineRange:
    """Some consecutive lines of a list: bytes ``start`` to ``end``, the first being line ``first`` (from 1)."""

    start: int
    end: int
    first: int
    lines: int

    @property
    def span(self) -> tuple[int, int, int]:
        """What :func:`read_range` takes."""
        return self.start, self.end, self.first


def line_ranges(tree: Tree, name: str, begins: Callable[[bytes], bool], *, skip: int = 0) -> Iterator[LineRange]:
    """Cut a list into ranges, without holding it in memory.

    Args:
        begins: given each line, says whether a new range begins with it; :meth:`omni_ray.corpora.bounds.UnitBounds.before`.
        skip: lines at the top to leave out.
    """
    start = end = 0
    first = number = 1
    with open_list(tree, name) as file:
        for length, line in _lines(file):
            if number <= skip:
                start, first = end + length, number + 1
            elif begins(line) and number > first:
                yield LineRange(start, end, first, number - first)
                start, first = end, number
            end += length
            number += 1
    if number > first:
        yield LineRange(start, end, first, number - first)


def read_range(tree: Tree, name: str, start: int, end: int, first: int) -> Iterator[tuple[int, bytes]]:
    """The lines of a range: (line number, bytes without the line end)."""
    with open_list(tree, name) as file:
        file.seek(start)
        number, left = first, end - start
        for length, line in _lines(file):
            if left <= 0:
                return
            yield number, line[:left].rstrip(b"\r\n")
            number, left = number + 1, left - length


def open_list(tree: Tree, name: str) -> BinaryIO:
    """A list as UTF-8 lines that end in LF; a list in another encoding, or with CR line ends, is held in memory."""
    form = _form(tree, name)
    file = tree.open(name)
    if form == Form():
        return file
    with file:
        return io.BytesIO(b"".join(form.plain(iter(lambda: file.read(CHUNK_BYTES), b""))))


def whole_list(tree: Tree, name: str, limit: int) -> list[bytes]:
    """The lines of a list that is held as a whole, in UTF-8, without their ends. Raises MemberTooLarge over ``limit`` bytes."""
    data = tree.read(name, limit)
    plain = b"".join(_form(tree, name).plain(iter([data]))).removeprefix(codecs.BOM_UTF8)
    return [line.removesuffix(b"\r") for line in plain.split(b"\n")]


def text_of(line: bytes) -> str | None:
    """A line of UTF-8 as text; None where it is not UTF-8."""
    try:
        return line.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


@lru_cache(maxsize=64)
def _form(tree: Tree, name: str) -> Form:
    return form_of(head(tree, name))


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """(length, line with its end); of a line that is too long, only the beginning is held."""
    while line := file.readline(MAX_LINE_BYTES):
        length, rest = len(line), line
        while len(rest) == MAX_LINE_BYTES and not rest.endswith(b"\n"):
            rest = file.readline(MAX_LINE_BYTES)
            length += len(rest)
        yield length, line


class SeenKeys:
    """Which keys have come before. Holds an 8-byte digest of each, not the keys."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def again(self, key: bytes) -> bool:
        """Whether ``key`` came before; from now on it has."""
        number, before = number_of(key), len(self._seen)
        self._seen.add(number)
        return len(self._seen) == before
