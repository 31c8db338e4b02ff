"""CSV files and JSON lists as the trainers open them: streamed, bytes that are not UTF-8 ignored in CSV files."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import IO, Any

import numpy as np

from omni_ray.errors import OmniError

BOM = codecs.BOM_UTF8
MAX_ELEMENT = 16 << 20
"""Characters of one element of a list at most; a larger one is taken for a broken file."""
_BLOCK = 1 << 20
_SPACE = re.compile(r"[ \t\r\n]*")
_SCAN = json.JSONDecoder().raw_decode
_QUOTE, _NEWLINE = ord('"'), ord("\n")
_ENDS = np.frombuffer(b',\n\r"', np.uint8)


def row_starts(path: str, step: int) -> list[int]:
    """Byte positions at which rows of a CSV file begin, the first row at or after every ``step`` bytes.

    A line break ends a row unless it is quoted, and is quoted where an odd number of quotes precede it. That
    holds if every quote opens a field, closes one, or is doubled in one, which is checked as the quotes are counted:
    the csv module takes any other for a plain character, and then there are no positions at all.
    """
    starts: list[int] = []
    is_inside, position, before = 0, 0, b"\n"
    with open(path, "rb") as file:
        block = file.read(step)
        while block:
            following = file.read(step)
            data = np.frombuffer(before + block + (following[:1] or b"\n"), np.uint8)
            quotes = np.flatnonzero(data[1:-1] == _QUOTE) + 1
            opening, closing = quotes[is_inside::2], quotes[1 - is_inside :: 2]
            if not (np.isin(data[opening - 1], _ENDS).all() and np.isin(data[closing + 1], _ENDS).all()):
                return []
            if position:
                breaks = np.flatnonzero(data[1:-1] == _NEWLINE) + 1
                unquoted = breaks[(np.searchsorted(quotes, breaks) + is_inside) % 2 == 0]
                if len(unquoted):
                    starts.append(position + int(unquoted[0]))
            is_inside = (is_inside + len(quotes)) % 2
            position += len(block)
            before, block = block[-1:], following
    return starts


def open_csv(
    file: IO[bytes], path: str, columns: Sequence[tuple[str, ...]], optional: Sequence[tuple[str, ...]] = ()
) -> tuple[Any, list[int]]:
    """A CSV file as the trainers open it, after its header, and where each of ``columns`` is in a row.

    Args:
        file: at its first byte.
        columns: for each, the names it may have, the first present one wins.
        optional: more of them, whose place is -1 where they are absent.

    Raises:
        OmniError: a byte order mark, or a column is missing: the trainers would find no row, silently.
    """
    if file.read(len(BOM)) == BOM:
        raise OmniError(f"{path}: begins with a byte order mark, which hides the first column; write it without")
    file.seek(0)
    reader = csv.reader(_lines(file))
    header = next(reader, [])
    places = [place_of(header, names) for names in (*columns, *optional)]
    for names, place in zip(columns, places, strict=False):
        if place < 0:
            raise OmniError(f"{path}: no column {' or '.join(names)} in its header {','.join(header)[:80]!r}")
    return reader, places


def _lines(file: IO[bytes]) -> Iterator[str]:
    """Its lines as text. The file stays open when nobody wants more of them: its opener closes it."""
    text = io.TextIOWrapper(file, "utf-8", errors="ignore")
    try:
        yield from text
    finally:
        with suppress(ValueError):  # closed meanwhile
            text.detach()


def place_of(header: Sequence[str], names: tuple[str, ...]) -> int:
    """The column of the first of ``names`` that is there; -1 where none is."""
    return next((header.index(name) for name in names if name in header), -1)


class NotAList(ValueError):
    """The top level is something other than a list."""


class Elements:
    """The elements of a JSON list in a file, one after the other.

    They are decoded by ``json`` itself, which is what the trainers use, so that what passes here passes there: it
    knows NaN, refuses raw control characters, and keeps half surrogate pairs, as other streaming parsers do not.

    Attributes:
        offset: bytes read so far.
    """

    def __init__(self, file: IO[bytes], *, block: int = _BLOCK) -> None:
        self._file = file
        self._block = block
        self.offset = 0

    def __iter__(self) -> Iterator[Any]:
        """Raises ValueError where the file is not valid JSON, NotAList where it is no list."""
        self._decode = codecs.getincrementaldecoder("utf-8")().decode
        self._text, self._at, self._is_end, self.offset = "", 0, False, 0
        if self._peek() != "[":
            raise NotAList(f"it begins with {self._text[self._at : self._at + 20]!r}")
        self._at += 1
        if self._peek() != "]":
            yield self._value()
            while self._peek() == ",":
                self._at += 1
                yield self._value()
        mark = self._peek()
        if mark != "]":
            raise ValueError(f"{mark!r} where a comma should be" if mark else "it ends in the middle")
        self._at += 1
        if self._peek():
            raise ValueError("something follows the list")

    def _more(self) -> bool:
        """Read on; False at the end of the file."""
        if self._is_end:
            return False
        data = self._file.read(self._block)
        self.offset += len(data)
        self._is_end = not data
        self._text = self._text[self._at :] + self._decode(data, self._is_end)
        self._at = 0
        return True

    def _peek(self) -> str:
        """The next character that is not white space; "" at the end."""
        while True:
            match = _SPACE.match(self._text, self._at)
            assert match is not None  # it matches the empty string
            self._at = match.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def _value(self) -> Any:
        self._peek()
        while True:
            try:
                found, end = _SCAN(self._text, self._at)
            except RecursionError:
                raise ValueError("it is nested too deeply") from None
            except json.JSONDecodeError as error:
                # The text read so far may only end too early.
                if len(self._text) - self._at > MAX_ELEMENT or not self._more():
                    raise ValueError(error.msg) from None
                continue
            # A number may go on: "1" was read of "1.5e+3", or "1.5" of it, as long as "e+3" is not there to see.
            if len(self._text) - end > 3 or not self._more():
                self._at = end
                return found


def json_list(file: IO[bytes], path: str) -> Iterator[Any]:
    """The elements of a JSON list. Raises OmniError where the file is not one."""
    if file.read(len(BOM)) == BOM:
        raise OmniError(f"{path}: begins with a byte order mark; the trainers cannot read it")
    file.seek(0)
    try:
        yield from Elements(file)
    except NotAList as error:
        raise OmniError(f"{path}: is not a JSON list; the trainers need a plain list of objects") from error
    except ValueError as error:
        raise OmniError(f"{path}: is not valid JSON ({str(error).splitlines()[0]})") from error
