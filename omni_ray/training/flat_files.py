"""CSV files and JSON lists as the trainers open them: streamed, bytes that are no UTF-8 ignored in CSV files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import IO, Any

import numpy as np

from omni_ray.errors import OmniError

WAV = ("wav",)
TRANSCRIPT = ("text",)
IMAGE = ("image", "img")
LABEL = ("text", "label", "text_label")
"""Names that columns may have; the first one present wins."""

_BOM = b"\xef\xbb\xbf"
_QUOTE, _NEWLINE = ord('"'), ord("\n")
_ENDS = np.frombuffer(b',\n\r"', np.uint8)


def row_starts(path: str, step: int) -> list[int]:
    """Byte positions at which rows of a CSV file begin, the first row at or after every ``step`` bytes.

    A line break ends a row unless it is quoted, and is quoted where an odd number of quotes stand before it. That
    holds if every quote opens a field, closes one, or is doubled in one, which is checked as the quotes are counted:
    the csv module takes any other for a letter, and then there are no positions at all.
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
    """A CSV file as the trainers open it, after its header, and where each of ``columns`` stands in a row.

    Args:
        file: at its first byte.
        path: for messages.
        columns: for each, the names it may have, the first present one wins.
        optional: more of them, whose place is -1 where they are absent.

    Raises:
        OmniError: a byte order mark, or a column is missing: the trainers would find no row, silently.
    """
    if file.read(len(_BOM)) == _BOM:
        raise OmniError(f"{path}: begins with a byte order mark, which hides the first column; write it without")
    file.seek(0)
    reader = csv.reader(io.TextIOWrapper(file, "utf-8", errors="ignore"))
    header = next(reader, [])
    places = [_place(header, names) for names in (*columns, *optional)]
    for names, place in zip(columns, places, strict=False):
        if place < 0:
            raise OmniError(f"{path}: no column {' or '.join(names)} in its header {','.join(header)[:80]!r}")
    return reader, places


def _place(header: list[str], names: tuple[str, ...]) -> int:
    return next((header.index(name) for name in names if name in header), -1)


def json_list(file: IO[bytes], path: str) -> Iterator[Any]:
    """The elements of a JSON list, streamed. Raises OmniError where the file is not one."""
    import ijson

    first = file.read(64).lstrip(b" \t\r\n")[:3]
    file.seek(0)
    if first == _BOM:
        raise OmniError(f"{path}: begins with a byte order mark; the trainers cannot read it")
    if first[:1] != b"[":
        raise OmniError(f"{path}: is not a JSON list; the trainers want a plain list of objects")
    try:
        yield from ijson.items(file, "item", use_float=True)
    except (ijson.JSONError, UnicodeDecodeError, ValueError) as error:
        raise OmniError(f"{path}: is not valid JSON ({str(error).splitlines()[0]})") from error
