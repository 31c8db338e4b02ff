"""Rows of files that are parsed one by one, on their way to columns: shared by the JSON and CSV readers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, TypeVar

import pyarrow as pa

from omni_ray.records import EXTRA, Rejected
from omni_ray.sources.captions import caption_columns
from omni_ray.sources.cells import as_role, encodable, member
from omni_ray.sources.chats import expression_of, used
from omni_ray.sources.columns_by_role import REQUIRED, by_role
from omni_ray.sources.extra import extra_text, rest_of
from omni_ray.sources.form import Form
from omni_ray.sources.line_blocks import line_blocks, rejected

Item = TypeVar("Item")
_ROWS_AT_ONCE = 4096
_BYTES_AT_ONCE = 8 << 20

Range = tuple[int, int | None]
"""Bytes [start, end) of a file; None for its end."""
Line = tuple[int, bytes]
"""Where a line begins, and its bytes with their line end."""
Row = tuple[int, Mapping[str, Any]]
"""Where a row begins, and its values by column."""
Gather = Callable[[str, str, Iterable[Row | Rejected], Mapping[str, str]], Iterator[Item]]
"""What makes items of a file's rows: :func:`columns_of` or :func:`texts_of`."""


def lines(file: BinaryIO, name: str, span: Range, form: Form) -> Iterator[Line | Rejected]:
    """The lines that begin in a range."""
    for block in line_blocks(file, name, *span, form):
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


def columns_of(
    name: str, unit: str, rows: Iterable[Row | Rejected], columns: Mapping[str, str]
) -> Iterator[pa.Table | Rejected]:
    """Rows as tables with their columns named by role, as :func:`omni_ray.sources.columns_by_role.by_role` gives them."""
    places: list[int] = []
    kept: list[list[Any]] = []
    held = 0
    roles = _roles(columns)

    def flushed() -> Iterator[pa.Table | Rejected]:
        arrays = _arrays(roles, kept)
        yield from by_role(name, unit, arrays, pa.array(places, pa.int64()), columns)

    for row in _values(name, unit, rows, columns):
        if isinstance(row, Rejected):
            yield row
            continue
        place, found = row
        places.append(place)
        kept.append(found)
        held += sum([len(value) if type(value) is str else 16 for value in found])
        if len(places) >= _ROWS_AT_ONCE or held >= _BYTES_AT_ONCE:
            yield from flushed()
            places, kept, held = [], [], 0
    yield from flushed()


def texts_of(
    name: str, unit: str, rows: Iterable[Row | Rejected], columns: Mapping[str, str]
) -> Iterator[Sequence[str | None] | Rejected]:
    """Rows as :func:`columns_of` tells them, but one by one: the values in the order of ``columns``, whose roles are all
    filled with strings."""
    roles = _roles(columns)
    needed = [(number, role) for number, role in enumerate(roles) if role in REQUIRED]
    for row in _values(name, unit, rows, columns):
        if isinstance(row, Rejected):
            yield row
            continue
        place, values = row
        lacking = next((role for number, role in needed if values[number] is None), None)
        if lacking is not None:
            yield rejected(name, unit, place, REQUIRED[lacking], f"column {columns[lacking]} is null")
            continue
        texts = [value if value is None or value.isascii() else encodable(value) for value in values]
        if "id" in columns:
            texts[roles.index("id")] = texts[roles.index("id")] or f"{name}:{place}"
        yield texts


def _roles(columns: Mapping[str, str]) -> list[str]:
    return [role for role in columns if role != EXTRA] + [EXTRA] * (EXTRA in columns)


def _values(
    name: str, unit: str, rows: Iterable[Row | Rejected], columns: Mapping[str, str]
) -> Iterator[tuple[int, list[Any]] | Rejected]:
    """Where each row begins, and its values in the order of :func:`_roles`."""
    others = [(role, column) for role, column in columns.items() if role != EXTRA]
    for row in rows:
        if isinstance(row, Rejected):
            yield row
            continue
        place, by_column = row
        found: list[Any] = []
        try:
            for role, column in others:
                value = by_column.get(column)
                found.append(value if type(value) is str else _value(role, column, by_column))
            if EXTRA in columns:
                found.append(extra_text(rest_of(by_column, used(columns, list(by_column)))))
        except ValueError as error:
            yield rejected(name, unit, place, "bad_row", str(error))
        else:
            yield place, found


def _value(role: str, column: str, row: Mapping[str, Any]) -> Any:
    """A row's value for a role: a string or None; for captions, what is there."""
    value, is_there = member(row, column)
    made = expression_of(column) if role == "text" and not is_there else None
    if made is not None:
        return made.text(row)
    if not is_there and role in REQUIRED:
        raise ValueError(f"no column {column}")
    try:
        return value if role == "captions" else as_role(role, value)
    except ValueError as error:
        raise ValueError(f"column {column} holds {error}") from None


def _arrays(roles: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[str, pa.Array]:
    """Values of rows, in the order of ``roles``, as columns."""
    arrays: dict[str, pa.Array] = {}
    for number, role in enumerate(roles):
        values = [row[number] for row in rows]
        if role == "captions":
            arrays |= caption_columns(values)
            continue
        arrays[role] = pa.array(_encoded(values), pa.large_binary()).view(pa.large_string())
    return arrays


def _encoded(values: Sequence[str | None]) -> list[bytes | None]:
    """In UTF-8: Arrow would keep its encoded copy with the strings, which takes three times as long."""
    try:
        return [None if value is None else value.encode() for value in values]
    except UnicodeEncodeError:
        return [None if value is None else encodable(value).encode() for value in values]
