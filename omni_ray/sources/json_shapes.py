"""How rows are arranged in a JSON file: lines, an array, bare objects, an array within an object, columns of values, ..."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import reduce
from itertools import islice
from operator import getitem
from typing import Any

import orjson

from omni_ray.errors import SourceError
from omni_ray.sources.chats import are_turns
from omni_ray.sources.extra import numbered
from omni_ray.sources.form import HEAD_BYTES
from omni_ray.sources.json_ahead import Exactness
from omni_ray.sources.json_objects import DECODER, Ambiguous, may_be_ambiguous
from omni_ray.sources.json_values import BAD_BYTE, BrokenValue, Values
from omni_ray.sources.packed import BrokenStream

MAX_OBJECT_BYTES = 64 << 20
"""A value that must be held as a whole may not be larger."""
_SAMPLE = 100
_DEEPEST = 3
"""How deep in objects an array of rows is looked for, and columns within columns."""
_STREAMED = ("values", "member", "index")
"""Shapes whose rows are read one by one; the others are held as a whole."""

Chooses = Callable[[list[str]], bool]
"""Whether the roles that must be filled find their columns among these."""


@dataclass(frozen=True)
class JsonShape:
    """Where the rows of a file are.

    Attributes:
        kind: "lines": one object per line. "values": the items of an array, or bare values. "member": the items of an array
            within an object. "columns": an object of columns. "split": column names and rows, as pandas writes them.
            "index": an object whose values are rows. "record": an object that is one.
        path: for "member", the keys that lead to it.
        columns: the columns of its first rows.
    """

    kind: str
    path: tuple[str, ...] = ()
    columns: list[str] = field(default_factory=list)


def shapes(
    name: str, head: bytes, whole: Callable[[], Iterator[bytes]], is_lines: bool, fits: Chooses
) -> list[JsonShape]:
    """Where the rows of a file are; several where an object has several arrays of rows, none where there are none.

    Args:
        head: its first MB, as UTF-8.
        whole: gives all of it, in chunks.
        is_lines: whether its ending says that each line is an object.
        fits: which columns make rows.

    Raises:
        SourceError: rows must be in it, but it is not JSON; or a name that leads to them is there twice.
    """
    start = head.lstrip()[:1]
    if start == b"{":
        head = _with_a_line(head, whole)
        lines = list(islice(io.BytesIO(head), 2))
        if _is_value(lines[0]) and (is_lines or (len(lines) > 1 and lines[1].strip())):
            return [_sampled_lines(head)]
        if not _is_alone(head):
            is_second = len(lines) > 1 and lines[1].lstrip().startswith(b"{")
            return [_sampled_lines(head) if is_second else _sampled_values(head, whole)]
        try:
            return _of_object(name, whole, fits)
        except ValueError as error:
            raise SourceError(f"{name}: {error}; give each a name of its own") from None
    if start == b"[":
        lines = list(islice(io.BytesIO(head), 2))
        is_rows = len(lines) > 1 and _is_value(lines[0]) and lines[1].lstrip()[:1] in (b"[", b"{")
        return [_sampled_lines(head) if is_rows else _sampled_values(head, whole)]
    if is_lines or start == b'"':
        return [_sampled_lines(head)]
    return []


def rows(
    shape: str,
    path: Sequence[str],
    chunks: Iterator[bytes],
    is_exact: Exactness | None = None,
    *,
    within: str = "",
) -> Iterator[Any]:
    """The rows of a file of any shape but lines. A :class:`BrokenValue` for each that is not JSON, or not UTF-8.

    ``is_exact`` is that of :class:`~omni_ray.sources.json_values.Values`; ``within``: ``chunks`` are those from one of :func:`cuts`
    on, after this bracket.
    """
    if shape in _STREAMED:
        try:
            yield from map(as_row, _items(shape, path, Values(chunks, is_exact), within))
        except ValueError as error:
            yield BrokenValue("truncated", f"the file cannot be read from here on ({error})")
    else:
        value = DECODER.decode(b"".join(chunks).decode("utf-8", "surrogateescape"))
        for row in map(as_row, _rows_within(shape, path, value)):
            is_good = BAD_BYTE.search(json.dumps(row, ensure_ascii=False)) is None
            yield row if is_good else BrokenValue("bad_encoding", "not UTF-8")


def cuts(shape: str, path: Sequence[str], chunks: Iterator[bytes], step: int) -> Iterator[tuple[int, int, str]]:
    """Where the rows of a large file can be split, as bytes and rows before that place, at least ``step`` bytes apart, and within
    which bracket that is, "" for none.

    There are none near anything broken, or in a file that has to be held as a whole.
    """
    if shape not in _STREAMED:
        return
    values, last = Values(chunks, lambda data, items: True), 0  # where items are, not what is in them
    try:
        for row, _ in enumerate(_items(shape, path, values)):
            if values.begins is not None and values.begins - last >= step:
                last = values.begins
                yield last, row, values.within
    except ValueError:
        return


def _items(shape: str, path: Sequence[str], values: Values, within: str = "") -> Iterator[Any]:
    if shape == "values":
        yield from values.items()
    elif shape == "index":
        yield from values.values()
    elif within:
        yield from values.array()
    else:
        yield from _at_path(path, values)


def _at_path(path: Sequence[str], values: Values) -> Iterator[Any]:
    """The items of the array to which keys lead."""
    for key, opening in values.members():
        if key == path[0] and opening == ("[" if len(path) == 1 else "{"):
            yield from values.array() if len(path) == 1 else _at_path(path[1:], values)
            return


def as_row(item: Any) -> Any:
    """An item as an object: bare text becomes its ``text``, and the values of a list are named by number, from 1."""
    if isinstance(item, str):
        return {"text": item}
    if isinstance(item, list):
        return {str(number): value for number, value in enumerate(item, 1)}
    return item


def columns_in(items: Sequence[Any]) -> list[str]:
    """The columns of some rows, in order of appearance, each followed by the columns within it."""
    found: dict[str, None] = {}
    for item in items:
        row = as_row(item)
        if isinstance(row, dict):
            found.update(dict.fromkeys(_names(row)))
    return list(found)


def _names(row: Mapping[str, Any], prefix: str = "", depth: int = _DEEPEST) -> Iterator[str]:
    for key, value in row.items():
        yield prefix + key
        first = value[0] if isinstance(value, list) and value else value
        if isinstance(first, dict) and depth:
            yield from _names(first, f"{prefix}{key}.", depth - 1)


def _is_value(line: bytes) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _with_a_line(head: bytes, whole: Callable[[], Iterator[bytes]]) -> bytes:
    """The same, and all of its first line where that is longer, with some of what follows."""
    if b"\n" in head.lstrip() or len(head) < HEAD_BYTES // 4:  # of UTF-32 a quarter is left
        return head
    parts: list[bytes] = []
    size, is_line = 0, False
    with suppress(BrokenStream):
        for chunk in whole():
            parts.append(chunk)
            size += len(chunk)
            if is_line or size > MAX_OBJECT_BYTES:
                break
            is_line = b"\n" in (chunk if size > len(chunk) else chunk.lstrip())
    return b"".join(parts) if is_line else head


def _is_alone(head: bytes) -> bool:
    """Whether nothing follows the first value of a file, as far as it was read: it may be larger than that."""
    first = list(islice(Values(iter([head])).items(), 2))
    return len(first) < 2 or (isinstance(first[0], BrokenValue) and first[0].reason == "truncated")


def _sampled_lines(head: bytes) -> JsonShape:
    return JsonShape("lines", (), columns_in([item for line in _lines(head) for item in _items_on(line)]))


def _sampled_values(head: bytes, whole: Callable[[], Iterator[bytes]]) -> JsonShape:
    items = list(islice(Values(iter([head])).items(), _SAMPLE))
    if items and isinstance(items[0], BrokenValue) and items[0].reason == "truncated":
        items = list(islice(Values(whole()).items(), 1))  # it is longer than the head, whose rest are parts of it
    return JsonShape("values", (), columns_in([item for item in items if not isinstance(item, BrokenValue)]))


def _lines(head: bytes) -> list[bytes]:
    """The first lines, without one that is cut off."""
    lines = list(islice(io.BytesIO(head), _SAMPLE))
    is_cut = len(lines) > 1 and not lines[-1].endswith(b"\n") and not _is_value(lines[-1])
    return lines[:-1] if is_cut else lines


def _items_on(line: bytes) -> list[Any]:
    """The values on a line; none where one is broken: what is found behind the fault may be a part of it."""
    with suppress(ValueError):
        row = orjson.loads(line)
        if type(row) is dict and not may_be_ambiguous(line, [row]):
            return [row]
    items = list(Values(iter([line])).items())
    return [] if any(isinstance(item, BrokenValue) for item in items) else items


def _of_object(name: str, whole: Callable[[], Iterator[bytes]], fits: Chooses) -> list[JsonShape]:
    data = _held(whole())
    try:
        value = DECODER.decode(data.decode("utf-8", "surrogateescape")) if data is not None else None
    except (ValueError, RecursionError):
        value = None
    if value is None:
        found = list(_of_stream(whole, fits))
        if not found:
            large = f"an object of more than {MAX_OBJECT_BYTES >> 20} MB; write it as JSON Lines"
            raise SourceError(f"{name}: {'not JSON, or cut' if data is not None else large}")
        if len({shape.path for shape in found}) < len(found):
            raise ValueError(f"an object with several members called {'.'.join(found[0].path)}")
        return found
    for kind, is_so in (("columns", _are_columns), ("record", lambda value: True), ("split", _is_split)):
        if is_so(value) and fits(there := columns_in(list(islice(_rows_within(kind, (), value), _SAMPLE)))):
            return [JsonShape(kind, (), there + _again(kind, value))]
    found = [
        JsonShape("member", path, there)
        for path, items in _arrays(value)
        if fits(there := columns_in([item for item in items[:_SAMPLE] if isinstance(item, dict)]))
    ]
    for shape in found:
        reduce(getitem, shape.path, value)  # a name that is there twice is a ValueError
    each = list(islice(value.values(), _SAMPLE))
    if not found and each and all(isinstance(row, dict) for row in each) and fits(there := columns_in(each)):
        return [JsonShape("index", (), there)]
    return found


def _again(kind: str, value: Mapping[str, Any]) -> list[str]:
    """The names that several columns have, of an object that is a table."""
    if kind == "split":
        names = list(map(str, value["columns"]))
        return [name for place, name in enumerate(names) if name in names[:place]]
    return value.again if kind == "columns" and isinstance(value, Ambiguous) else []


def _held(chunks: Iterator[bytes]) -> bytes | None:
    """All of a file; None if that would be too much."""
    data = b""
    try:
        for chunk in chunks:
            data += chunk
            if len(data) > MAX_OBJECT_BYTES:
                return None
    except BrokenStream:
        return b""
    return data


def _of_stream(whole: Callable[[], Iterator[bytes]], fits: Chooses) -> Iterator[JsonShape]:
    """The rows of an object that is large, or broken, most likely in one of its rows."""
    values = Values(whole())
    with suppress(ValueError):
        first = list(islice(values.values(), _SAMPLE))
        if len(first) == _SAMPLE and all(isinstance(row, dict) for row in first) and fits(there := columns_in(first)):
            yield JsonShape("index", (), there)
            return
    with suppress(ValueError):
        values = Values(whole(), lambda data, items: True)  # whose columns are wanted, not what is in them
        yield from _arrays_of_stream(values, fits)


def _arrays_of_stream(values: Values, fits: Chooses, path: tuple[str, ...] = ()) -> Iterator[JsonShape]:
    for key, opening in values.members():
        if opening == "[":
            sample: list[Any] = []
            for item in values.array():
                if isinstance(item, dict) and len(sample) < _SAMPLE:
                    sample.append(item)
            if fits(there := columns_in(sample)):
                yield JsonShape("member", (*path, key), there)
        elif opening == "{" and len(path) < _DEEPEST:
            yield from _arrays_of_stream(values, fits, (*path, key))


def _arrays(value: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], list[Any]]]:
    for key, inside in value.items():
        if isinstance(inside, list):
            yield (*path, key), inside
        elif isinstance(inside, dict) and len(path) < _DEEPEST:
            yield from _arrays(inside, (*path, key))


def _are_columns(value: Mapping[str, Any]) -> bool:
    """Whether the members of an object are columns: lists of one length, or objects with the same keys."""
    members = list(value.values())
    if any(map(are_turns, members)):
        return False
    if all(isinstance(each, list) for each in members):
        return len({len(each) for each in members}) == 1
    if all(isinstance(each, dict) for each in members):
        return len({tuple(each) for each in members}) == 1
    return False


def _is_split(value: Mapping[str, Any]) -> bool:
    return isinstance(value.get("columns"), list) and isinstance(value.get("data"), list)


def _rows_within(shape: str, path: Sequence[str], value: Any) -> Iterator[Any]:
    if shape == "columns":
        cells = [each if isinstance(each, list) else list(each.values()) for each in value.values()]
        yield from (dict(zip(value, row, strict=True)) for row in zip(*cells, strict=True))
    elif shape == "split":
        names = numbered(list(map(str, value["columns"])))
        for row in value["data"]:
            yield dict(zip(names, row, strict=True)) if isinstance(row, list) and len(row) == len(names) else row
    elif shape == "index":
        yield from value.values()
    elif shape == "record":
        yield value
    else:
        for key in path:
            value = value[key]
        yield from value
