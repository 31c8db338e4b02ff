"""JSON Lines, and arrays of JSON objects."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import pyarrow as pa

from omni_ray.corpora.base import Rejected
from omni_ray.sources.line_blocks import MAX_LINE_BYTES
from omni_ray.sources.packed import BrokenStream, unpack
from omni_ray.sources.rows import BOM, Line, Range, Row, columns_of, lines, rejected

if TYPE_CHECKING:
    from omni_ray.sources.tree import Tree

_DEEPEST = 256
_STEPS = np.zeros(256, np.int8)
"""What each byte does to the depth."""
_STEPS[list(b"[{")] = 1
_STEPS[list(b"]}")] = -1


def is_array(data: bytes) -> bool:
    """Whether a JSON file that begins so is an array."""
    return data.removeprefix(BOM).lstrip()[:1] == b"["


def lines_columns(data: bytes) -> tuple[list[str], int]:
    """The keys on the first lines of a JSON Lines file, in order of appearance, and how many lines were objects."""
    found = [_parse(line) for line in data.removeprefix(BOM).split(b"\n")[:100]]
    objects = [row for row in found if isinstance(row, dict)]
    return list(dict.fromkeys(key for row in objects for key in row)), len(objects)


def array_columns(data: bytes) -> list[str]:
    """The keys of the first objects of a JSON array."""
    columns: dict[str, None] = {}
    for row in islice(_items(_Limited(iter([data]))), 100):
        columns.update(dict.fromkeys(row if isinstance(row, dict) else ()))
    return list(columns)


def read_lines(tree: Tree, name: str, span: Range, columns: Mapping[str, str]) -> Iterator[pa.Table | Rejected]:
    """The rows of a range of a JSON Lines file, by role."""
    with tree.open(name) as file:
        yield from columns_of(name, "byte", _json_rows(name, lines(file, name, span)), columns)


def read_array(tree: Tree, name: str, columns: Mapping[str, str]) -> Iterator[pa.Table | Rejected]:
    """The rows of a JSON array, by role. Where the array is malformed it ends, with one rejection."""
    with tree.open(name) as file:
        yield from columns_of(name, "row", _array_rows(name, file), columns)


def _parse(line: bytes) -> Any:
    """The value on a line, or the reason code and detail why there is none, as a tuple."""
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        return "bad_encoding", str(error)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        return "bad_row", f"not JSON: {error}"


def _json_rows(name: str, source: Iterable[Line | Rejected]) -> Iterator[Row | Rejected]:
    for line in source:
        if isinstance(line, Rejected):
            yield line
        elif line[1].strip():
            row = _parse(line[1])
            if isinstance(row, dict):
                yield line[0], row
            elif isinstance(row, tuple):
                yield rejected(name, "byte", line[0], *row)
            else:
                yield rejected(name, "byte", line[0], "bad_row", "the line is no JSON object")


def _array_rows(name: str, file: BinaryIO) -> Iterator[Row | Rejected]:
    number = -1
    for number, item in enumerate(_items(_Limited(unpack(file, name)))):
        if isinstance(item, dict):
            yield number, item
        elif isinstance(item, _Broken):
            yield rejected(name, "row", number, item.reason, "the array cannot be read any further")
        else:
            yield rejected(name, "row", number, "bad_row", "the item is no JSON object")


class _Broken:
    def __init__(self, reason: str) -> None:
        self.reason = reason


def _items(file: _Limited) -> Iterator[Any]:
    """Items of an array; a :class:`_Broken` at the end where it is malformed."""
    import ijson

    items = ijson.items(file, "item", use_float=True)
    try:
        for item in items:
            file.allowance = MAX_LINE_BYTES
            yield item
    except BrokenStream as broken:
        yield _Broken(broken.reason)
    except (ijson.JSONError, ValueError, RecursionError) as error:
        at_end = re.search("premature|incomplete", str(error), re.IGNORECASE)
        yield _Broken("truncated" if at_end else "bad_row")


class _Limited:
    """A file for ijson, which holds an item until it is whole, and the way to it at every level: no item may be over
    ``MAX_LINE_BYTES``, or nested over ``_DEEPEST`` times."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""
        self._nesting = _Nesting()
        self.allowance = MAX_LINE_BYTES

    def read(self, size: int = -1) -> bytes:
        if not self._rest:
            self._rest = next(self._chunks, b"")
        size = len(self._rest) if size < 0 else size
        data, self._rest = self._rest[:size], self._rest[size:]
        self.allowance -= len(data)
        if self.allowance < 0:
            raise BrokenStream("too_large")
        if self._nesting.deepest(data) > _DEEPEST:
            raise BrokenStream("bad_row")
        return data


class _Nesting:
    """How deep brackets are nested, outside strings, in JSON that comes in pieces."""

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = False
        self._escape = b""

    def deepest(self, data: bytes) -> int:
        """The greatest depth in this piece."""
        data = (self._escape + data).replace(b"\\\\", b"").replace(b'\\"', b"")
        self._escape = b"\\" if data.endswith(b"\\") else b""
        pieces = data.split(b'"')
        outside = b"".join(pieces[1 if self._in_string else 0 :: 2])
        self._in_string ^= len(pieces) % 2 == 0
        depths = self._depth + np.cumsum(_STEPS[np.frombuffer(outside, np.uint8)], dtype=np.int64)
        if len(depths):
            self._depth = int(depths[-1])
        return int(depths.max(initial=self._depth))
