"""Rows of files that are parsed one by one, on their way to columns: what JSON and CSV readers share."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

import pyarrow as pa

from omni_ray.corpora.base import Rejected
from omni_ray.errors import SourceError
from omni_ray.sources.line_blocks import line_blocks
from omni_ray.sources.packed import BrokenStream, unpack
from omni_ray.sources.roles import NOT_STRINGS, REQUIRED, by_role

if TYPE_CHECKING:
    from omni_ray.sources.tree import Tree

BOM = b"\xef\xbb\xbf"
SURROGATE = re.compile("[\ud800-\udfff]")
_HEAD_BYTES = 1 << 20
_ROWS_AT_ONCE = 4096
_BYTES_AT_ONCE = 8 << 20
_LISTS = ("captions", "words")

Range = tuple[int, int | None]
"""Bytes [start, end) of a file; None for its end."""
Line = tuple[int, bytes]
"""Where a line begins, and its bytes with their line end."""
Row = tuple[int, Mapping[str, Any]]
"""Where a row begins, and its values by column."""


def head(tree: Tree, name: str) -> bytes:
    """The first MB of a file, unpacked. Raises SourceError where it cannot be unpacked, or is UTF-16."""
    data = b""
    with tree.open(name) as file:
        try:
            for chunk in unpack(file, name):
                data += chunk
                if len(data) >= _HEAD_BYTES:
                    break
        except BrokenStream:
            if not data:
                raise SourceError(f"{name}: the file cannot be unpacked; fetch it again") from None
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise SourceError(f"{name}: is UTF-16 text; convert it to UTF-8 (iconv -f UTF-16 -t UTF-8)")
    return data[:_HEAD_BYTES]


def lines(file: BinaryIO, name: str, span: Range) -> Iterator[Line | Rejected]:
    """The lines that begin in a range."""
    for block in line_blocks(file, name, *span):
        if isinstance(block, Rejected):
            yield block
        else:
            yield from lines_of(*block)


def lines_of(position: int, block: bytes) -> Iterator[Line]:
    """The lines of a block that begins at byte ``position``."""
    start = 0
    while start < len(block):
        end = block.find(b"\n", start) + 1 or len(block)
        yield position + start, block[start:end]
        start = end


def rejected(name: str, unit: str, place: int, reason: str, detail: str) -> Rejected:
    """One row that cannot be used; ``unit`` is what ``place`` counts: "row" or "byte"."""
    return Rejected(f"{name}:{place}", f"{name}, {unit} {place}", reason, detail)


def columns_of(
    name: str, unit: str, rows: Iterable[Row | Rejected], columns: Mapping[str, str]
) -> Iterator[pa.Table | Rejected]:
    """Rows as tables with their columns named by role, as :func:`omni_ray.sources.roles.by_role` gives them."""
    places: list[int] = []
    values: dict[str, list[Any]] = {role: [] for role in columns}
    held = 0
    for row in rows:
        if isinstance(row, Rejected):
            yield row
            continue
        place, by_column = row
        try:
            found = {role: _value(role, column, by_column) for role, column in columns.items()}
        except ValueError as error:
            yield rejected(name, unit, place, "bad_row", str(error))
            continue
        places.append(place)
        for role, value in found.items():
            values[role].append(value)
            held += len(value) if isinstance(value, str) else 16
        if len(places) >= _ROWS_AT_ONCE or held >= _BYTES_AT_ONCE:
            yield from by_role(name, unit, _arrays(values), pa.array(places, pa.int64()), columns)
            places, values, held = [], {role: [] for role in columns}, 0
    yield from by_role(name, unit, _arrays(values), pa.array(places, pa.int64()), columns)


def _value(role: str, column: str, row: Mapping[str, Any]) -> Any:
    """A row's value for a role: a string, None, or for captions and words a list of strings."""
    if column not in row and role in REQUIRED:
        raise ValueError(f"no column {column}")
    value = row.get(column)
    if value is None:
        return None
    if role in _LISTS:
        parts = [value] if isinstance(value, str) else value
        if isinstance(parts, list) and all(isinstance(part, str) for part in parts):
            return [_encodable(part) for part in parts]
    elif isinstance(value, str):
        return _encodable(value)
    elif role in NOT_STRINGS:
        if isinstance(value, dict) and isinstance(value.get("path"), str):
            return _encodable(value["path"])
    elif isinstance(value, int | float):
        return json.dumps(value)
    raise ValueError(f"column {column} holds a value of type {type(value).__name__}")


def _encodable(text: str) -> str:
    """JSON may write half a surrogate pair, which no encoding has."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return SURROGATE.sub("", text)
    return text


def _arrays(values: Mapping[str, list[Any]]) -> dict[str, pa.Array]:
    kinds = {role: pa.list_(pa.string()) if role in _LISTS else pa.large_string() for role in values}
    return {role: pa.array(column, kinds[role]) for role, column in values.items()}
