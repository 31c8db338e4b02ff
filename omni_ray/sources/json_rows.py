"""JSON Lines, and JSON files of every other shape, as rows by role."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson

from omni_ray.records import Rejected, SourceOptions
from omni_ray.sources.cells import member
from omni_ray.sources.chats import expression_of
from omni_ray.sources.encoding import HINT
from omni_ray.sources.extra import REST
from omni_ray.sources.form import Form
from omni_ray.sources.json_ahead import Exactness
from omni_ray.sources.json_objects import DECODER, may_be_ambiguous
from omni_ray.sources.json_shapes import as_row, cuts, rows
from omni_ray.sources.json_values import BrokenValue, Values
from omni_ray.sources.line_blocks import RANGE_BYTES, rejected
from omni_ray.sources.packed import unpack_proven
from omni_ray.sources.packed_ranges import open_range, plain_size
from omni_ray.sources.rows import Gather, Item, Line, Range, Row, lines
from omni_ray.sources.tree import Tree

_GREAT = float(1 << 62)
_CLOSING = {"[": "]", "{": "}", "": ""}
_SEPARATORS = b" \t\r\n,\x1e\0"


def read_lines(
    tree: Tree, name: str, span: Range, columns: Mapping[str, str], form: Form, gather: Gather[Item]
) -> Iterator[Item]:
    """The rows of a range of a JSON Lines file, by role, as ``gather`` gives them."""
    with open_range(tree, name, *span, form) as (file, form):
        rows = _line_rows(name, lines(file, name, span, form), _exactness(columns))
        yield from gather(name, "byte", rows, columns)


def read_shape(tree: Tree, name: str, table: Mapping[str, Any], form: Form, gather: Gather[Item]) -> Iterator[Item]:
    """The rows of a file of another shape, or of one of :func:`shape_ranges` of it, by role, as ``gather`` gives them; ``table``
    is a unit's payload."""
    shape, path, columns = table["shape"], table["path"], table["columns"]
    # Several arrays of one file have the same row numbers.
    place = ":".join([name, *path])
    start, end = table.get("start", 0), table.get("end")
    within = table.get("within", ("[", "]"))
    chunks = _part(tree, name, form, start, end, *within)
    items = rows(shape, path, chunks, _exactness(columns), within=within[0] if start else "")
    yield from gather(place, "row", _numbered(place, items, table.get("row", 0)), columns)


def shape_ranges(
    tree: Tree, name: str, shape: str, path: Sequence[str], form: Form, options: SourceOptions
) -> Iterator[dict[str, Any]]:
    """Ranges of a file of another shape, as parts of payloads; empty for one that is read whole.

    A large file is read once here, arrays at some hundred MB/s; each range knows where it begins, which brackets enclose it,
    and the number of its first row.
    """
    size, step = plain_size(tree, name, options, form), options.scaled(RANGE_BYTES)
    if size is None or size <= step:
        yield {}
        return
    start, row, opening = 0, 0, "["
    for end, rows_before, within in cuts(shape, path, _part(tree, name, form, 0, None), step):
        yield _range(start, end, row, opening, within)
        start, row, opening = end, rows_before, within
    yield _range(start, None, row, opening, opening) if start else {}


def _range(start: int, end: int | None, row: int, opening: str, within: str) -> dict[str, Any]:
    brackets = [opening, _CLOSING[within]]
    return {"start": start, "end": end, "row": row, **({} if brackets == ["[", "]"] else {"within": brackets})}


def _part(
    tree: Tree, name: str, form: Form, start: int, end: int | None, opening: str = "", closing: str = ""
) -> Iterator[bytes]:
    """Bytes [start, end) of a file, unpacked, as UTF-8, between the brackets they are cut from.

    A byte order mark becomes white space, so that no byte moves. Raises BrokenStream after all that could be read.
    """
    with open_range(tree, name, start, end, form) as (file, form):
        if start:
            file.seek(start)
            yield opening.encode()
        left = None if end is None else end - start
        for chunk in form.plain(unpack_proven(file, name)):
            if start == 0 and chunk.startswith(codecs.BOM_UTF8):
                chunk = b"   " + chunk[len(codecs.BOM_UTF8) :]
            start += len(chunk)
            yield chunk[:left]
            left = None if left is None else left - len(chunk)
            if left is not None and left <= 0:
                yield closing.encode()
                return


def _exactness(columns: Mapping[str, str]) -> Exactness | None:
    """For the columns that are read; None where all are."""
    if REST in columns.values():
        return None
    made = {column: expression_of(column) for column in columns.values()}
    wanted = tuple({part: None for column, each in made.items() for part in (column, *(each.columns if each else ()))})

    def are_numbers_exact(row: Any) -> bool:
        if type(row) is not dict:
            return True
        for column in wanted:
            value = row.get(column)
            if value is None and "." in column:
                value, _ = member(row, column)
            if type(value) is float and not -_GREAT < value < _GREAT:
                return False
        return True

    return lambda data, rows: all(map(are_numbers_exact, rows)) and not may_be_ambiguous(data, rows)


def _line_rows(name: str, source: Iterable[Line | Rejected], is_exact: Exactness | None) -> Iterator[Row | Rejected]:
    for line in source:
        if isinstance(line, Rejected):
            yield line
            continue
        try:
            row = orjson.loads(line[1])
        except ValueError:
            yield from _odd_line(name, line)
            continue
        if type(row) is dict and is_exact is not None and is_exact(line[1], [row]):
            yield line[0], row
        else:
            yield from _odd_line(name, line)


def _odd_line(name: str, line: Line) -> Iterator[Row | Rejected]:
    """What orjson refuses or changes: NaN, large numbers, half surrogates, names given twice; several values or none on a
    line; faults."""
    place, data = line
    data = data.strip(_SEPARATORS)
    if not data:
        return
    try:
        items: Iterator[Any] = iter([DECODER.decode(data.decode())])
    except (ValueError, RecursionError):
        items = Values(iter([data])).items()
    found = list(items)
    is_broken = any(isinstance(item, BrokenValue) for item in found)
    for number, item in enumerate(found):
        # Text beside what is no JSON is no row, but the name of a member whose object is on several lines.
        row = item if is_broken and isinstance(item, str) else as_row(item)
        if isinstance(row, dict):
            yield place + number, row
        else:
            is_cut = isinstance(row, BrokenValue) and row.reason == "truncated"
            row = BrokenValue("bad_row", "not JSON: the line ends within the value") if is_cut else row
            yield _fault(name, "byte", place + number, row, "the line")


def _numbered(name: str, items: Iterable[Any], first: int) -> Iterator[Row | Rejected]:
    for number, item in enumerate(items, first):
        if isinstance(item, dict):
            yield number, item
        else:
            yield _fault(name, "row", number, item, "the item")


def _fault(name: str, unit: str, place: int, item: Any, what: str) -> Rejected:
    if not isinstance(item, BrokenValue):
        return rejected(name, unit, place, "bad_row", f"{what} is a {type(item).__name__}, not an object")
    hint = f"; {HINT}" if item.reason == "bad_encoding" else ""
    return rejected(name, unit, place, item.reason, f"{what} is {item.detail}{hint}" if hint else item.detail)
