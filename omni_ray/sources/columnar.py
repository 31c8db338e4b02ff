"""Parquet and Arrow files in slices of rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from omni_ray.errors import NoColumn, SourceError
from omni_ray.records import EXTRA, Rejected, SourceOptions
from omni_ray.sources.captions import caption_columns
from omni_ray.sources.cells import as_role, member
from omni_ray.sources.chats import expression_of, parts_of, used
from omni_ray.sources.columns_by_role import (
    BYTES_OR_TEXT,
    NOT_STRINGS,
    by_role,
    check_names,
    choose_columns,
    is_text_type,
    is_valid,
)
from omni_ray.sources.extra import REST, extra_text, rest_of
from omni_ray.sources.footers import is_joined_arrow, is_joined_parquet
from omni_ray.sources.hive import partition
from omni_ray.sources.tree import Tree
from omni_ray.sources.unpacked import at_any_place

SLICE_BYTES = 64 << 20
"""Decoded bytes of the wanted columns in a slice: some seconds of work."""
SLICE_ROWS = 1 << 20
_PARQUET_TAIL_BYTES = 8
"""What follows a footer: its length, and PAR1."""
_MAX_GROUP_BYTES = 256 << 20
_BATCH_BYTES = 8 << 20
_MAX_ROWS_PER_BYTE = 100
"""No table packs more rows than this into a byte of file: one that claims more lies, to make its reader run forever."""


Folders = Mapping[str, str | None]
_DISPENSABLE = frozenset({"id", "title", "url", "lang"})
"""Roles that are left empty where their column cannot fill them."""


def schema_of(tree: Tree, name: str, kind: str) -> pa.Schema:
    """The columns of a file of the format ``kind``: "parquet", or "arrow" for a file or a stream.

    Raises:
        SourceError: it is not a whole file of that format.
    """
    if kind == "arrow":
        return next(_batches(tree, name))
    with _parquet(tree, name) as file:
        return file.schema_arrow


def slices(
    tree: Tree, name: str, kind: str, columns: Mapping[str, str], options: SourceOptions
) -> Iterator[tuple[int, int]]:
    """Rows [start, end) of each slice: row groups or record batches that are neighbours, up to the size of a slice. Giants are
    cut, since their parts can be processed separately."""
    wanted_bytes, wanted_rows = options.scaled(SLICE_BYTES), options.scaled(SLICE_ROWS)
    giant = options.scaled(_MAX_GROUP_BYTES)
    start = first = held = 0
    for rows, size in (_group_sizes if kind == "parquet" else _batch_sizes)(tree, name, columns):
        if first > start and (held + size > wanted_bytes or first + rows - start > wanted_rows):
            yield start, first
            start, held = first, 0
        parts = max(-(-size // wanted_bytes) if size > giant else 1, -(-rows // wanted_rows), 1)
        for part in range(parts - 1):
            cut = first + rows * (part + 1) // parts
            if cut > start:
                yield start, cut
                start = cut
        first += rows
        held = size // parts if parts > 1 else held + size
    if first > start:
        yield start, first


def read(
    tree: Tree, name: str, kind: str, columns: Mapping[str, str], start: int, end: int, folders: Folders
) -> Iterator[pa.Table | Rejected]:
    """Rows [start, end) by role; ``folders`` are the columns that its folders stand for. A row group or record batch that
    cannot be decoded is one rejection for all the rows it still owed."""
    first = 0
    for count, batches in (_groups if kind == "parquet" else _single_batches)(tree, name, columns):
        begin, stop = max(start, first), min(end, first + count)
        if begin < stop:
            yield from _rows(name, batches, first, begin, stop, columns, folders)
        first += count
        if first >= end:
            return


def holds_strings(tree: Tree, name: str, kind: str, column: str) -> bool:
    """Whether a column of a Parquet or Arrow file is of text."""
    found = _type_of(schema_of(tree, name, kind), column)
    if found is None:
        return False
    value = found.value_type if pa.types.is_dictionary(found) else found
    return bool(pa.types.is_string(value) or pa.types.is_large_string(value))


def _parquet(tree: Tree, name: str) -> pq.ParquetFile:
    try:
        place, size = at_any_place(tree, name)
        file = pq.ParquetFile(place, pre_buffer=False, page_checksum_verification=True)
        end = _end_of_values(file.metadata, size)
        footer_at = size - _PARQUET_TAIL_BYTES - file.metadata.serialized_size
        with open(place, "rb") if isinstance(place, Path) else nullcontext(place) as data:
            is_joined = is_joined_parquet(data, footer_at, end)
    except (pa.ArrowException, ValueError, OSError) as error:
        if isinstance(error, FileNotFoundError | PermissionError):
            raise
        raise SourceError(f"{name}: not a whole Parquet file ({_first_line(error)}); fetch it again") from None
    if is_joined:
        raise SourceError(f"{name}: Parquet files are joined in it; part them, or fetch it again")
    return file


def _end_of_values(footer: pq.FileMetaData, size: int) -> int:
    """Where the values end that a footer tells of. Raises ValueError where it is not one of a file of ``size`` bytes."""
    groups = [footer.row_group(i) for i in range(footer.num_row_groups)]
    if min((g.num_rows for g in groups), default=0) < 0 or sum(g.num_rows for g in groups) != footer.num_rows:
        raise ValueError("its row groups do not add up to its rows")
    if footer.num_rows > _MAX_ROWS_PER_BYTE * size:
        raise ValueError("it says it has more rows than a file of its size can hold")
    end = len("PAR1")
    for group in groups:
        for i in range(group.num_columns):
            column = group.column(i)
            begin = column.dictionary_page_offset or column.data_page_offset
            if begin < 0 or column.total_compressed_size < 0 or begin + column.total_compressed_size > size:
                raise ValueError("its footer points outside the file")
            end = max(end, begin + column.total_compressed_size)
    return end


def _first_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:160]


def choose(
    tree: Tree, name: str, kind: str, roles: Mapping[str, tuple[str, ...]], options: SourceOptions
) -> dict[str, str]:
    """Role -> column. Raises SourceError where the file cannot be read, or a column is missing or cannot fill its role."""
    schema = schema_of(tree, name, kind)
    there = [path for field in schema for path in _paths(field)]
    folders = [column for column in partition(name) if column not in there]
    columns = choose_columns(name, [*there, *folders], roles, options)
    if columns.get("id") in folders and "id" not in options.columns:
        del columns["id"]  # what all rows of a file share is no id
    for role, column in columns.items():
        if column == REST:
            check_names(name, role, schema.names, schema.names)
    for role, column in [each for each in columns.items() if each[0] != EXTRA and each[1] not in folders]:
        held = _type_of(schema, column)
        if held is not None and not _can_fill(role, held):
            if role in _DISPENSABLE and role not in options.columns:
                del columns[role]
                continue
            inside = [path for path in there if path.startswith(f"{column}.")]
            what = ": a list" if pa.types.is_list(held) else f": fields ({', '.join(inside[:5])})" if inside else ""
            hint = next(
                (path for path in inside if path.endswith(("text", "content", "value"))), (inside or ["NAME"])[0]
            )
            raise NoColumn(f"{name}: column {column} holds {str(held)[:80]}{what}, not {role}; --columns {role}={hint}")
    return columns


def _paths(field: pa.Field, prefix: str = "", depth: int = 3) -> Iterator[str]:
    """A column's name, and the names of what is within it: doc, doc.text, ..."""
    name = prefix + field.name
    yield name
    kind = field.type.value_type if _is_list(field.type) else field.type
    if pa.types.is_struct(kind) and depth:
        for inside in kind:
            yield from _paths(inside, f"{name}.", depth - 1)


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _type_of(schema: pa.Schema, column: str) -> pa.DataType | None:
    """The type of a column, or of a field within one; None for fields of a list's items, and for joined columns."""
    if column in schema.names:
        return schema.field(column).type
    if expression_of(column) is not None:
        return None
    first, *keys = column.split(".")
    kind = schema.field(first).type
    for key in keys:
        if not pa.types.is_struct(kind):
            return None
        kind = kind.field(key).type
    return kind


def _can_fill(role: str, kind: pa.DataType) -> bool:
    """Whether values of a type can be what a role needs; which of them are is checked row by row."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if role in ("audio", "image"):
        names = {field.name for field in kind} if pa.types.is_struct(kind) else set()
        return bool(names & {"bytes", "path"} or pa.types.is_null(kind) or kind in BYTES_OR_TEXT)
    if role == "captions":
        return bool(kind in BYTES_OR_TEXT or _is_list(kind) or pa.types.is_struct(kind) or pa.types.is_null(kind))
    return bool(is_text_type(kind) or (role == "text" and _is_list(kind)))


def _stored(schema: pa.Schema, columns: Mapping[str, str]) -> set[str]:
    """The names under which Parquet files keep the columns: fields of a list's items are read with the whole list; what only
    the folders of a file say is none."""
    every = [part for column in columns.values() for part in parts_of(column, schema.names)]
    parts = [part for part in every if part in schema.names or part.partition(".")[0] in schema.names]
    return {part if _type_of(schema, part) is not None else part.partition(".")[0] for part in parts}


def _group_sizes(tree: Tree, name: str, columns: Mapping[str, str]) -> list[tuple[int, int]]:
    """Rows and decoded bytes of the wanted columns, of each row group of a Parquet file."""
    with _parquet(tree, name) as file:
        return _sizes(file, _stored(file.schema_arrow, columns))


def _sizes(file: pq.ParquetFile, columns: set[str]) -> list[tuple[int, int]]:
    sizes = []
    for index in range(file.num_row_groups):
        group = file.metadata.row_group(index)
        chunks = (group.column(i) for i in range(group.num_columns))
        wanted = (c for c in chunks if any(f"{c.path_in_schema}.".startswith(f"{column}.") for column in columns))
        sizes.append((group.num_rows, sum(max(0, c.total_uncompressed_size) for c in wanted)))
    return sizes


def _groups(tree: Tree, name: str, columns: Mapping[str, str]) -> Iterator[tuple[int, Iterator[pa.RecordBatch]]]:
    """Of each row group of a Parquet file, its rows and its batches."""
    with _parquet(tree, name) as file:
        stored = _stored(file.schema_arrow, columns)
        for group, (count, size) in enumerate(_sizes(file, stored)):
            at_once = int(np.clip(_BATCH_BYTES * count // max(size, 1), 1, 1 << 16))
            yield count, file.iter_batches(at_once, row_groups=[group], columns=sorted(stored), use_threads=False)


def _batch_sizes(tree: Tree, name: str, columns: Mapping[str, str]) -> list[tuple[int, int]]:
    """The same of each record batch of an Arrow file."""
    sizes = []
    for batch in islice(_batches(tree, name), 1, None):
        parts = {part for column in columns.values() for part in parts_of(column, batch.schema.names)}
        wanted = sorted({part.partition(".")[0] for part in parts} | parts)
        there = [column for column in wanted if column in batch.schema.names]
        sizes.append((batch.num_rows, batch.select(there).get_total_buffer_size()))
    if sum(count for count, _ in sizes) > _MAX_ROWS_PER_BYTE * at_any_place(tree, name)[1]:
        raise SourceError(f"{name}: says it has more rows than a file of its size can hold; it is not read")
    return sizes


def _single_batches(tree: Tree, name: str, _: object) -> Iterator[tuple[int, Iterator[pa.RecordBatch]]]:
    for batch in islice(_batches(tree, name), 1, None):
        yield batch.num_rows, iter([batch])


def _batches(tree: Tree, name: str) -> Iterator[Any]:
    """The schema, then the record batches, of an Arrow file or stream."""
    try:
        place, size = at_any_place(tree, name)
        source = pa.memory_map(str(place)) if isinstance(place, Path) else pa.PythonFile(place, "r")
        try:
            reader = pa.ipc.open_file(source)
        except pa.ArrowInvalid:
            yield from _stream_batches(source)
            return
        if is_joined_arrow(source, size):
            raise SourceError(f"{name}: Arrow files are joined in it; part them, or fetch it again")
        yield reader.schema
        for index in range(reader.num_record_batches):
            yield reader.get_batch(index)
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, FileNotFoundError | PermissionError):
            raise
        raise SourceError(f"{name}: not a whole Arrow file ({_first_line(error)}); fetch it again") from None


def _stream_batches(source: Any) -> Iterator[Any]:
    """The schema, then the record batches, of an Arrow stream, and of those that are joined to it."""
    source.seek(0)
    reader = pa.ipc.open_stream(source)
    schema = reader.schema
    yield schema
    yield from reader
    while source.tell() < source.size():
        reader = pa.ipc.open_stream(source)
        if not reader.schema.equals(schema):
            raise pa.ArrowInvalid("another one with other columns is joined to it")
        yield from reader


def _rows(
    name: str,
    batches: Iterator[pa.RecordBatch],
    first: int,
    start: int,
    end: int,
    columns: Mapping[str, str],
    folders: Folders,
) -> Iterator[pa.Table | Rejected]:
    """Rows [start, end) of consecutive batches, the first beginning at row ``first``."""
    while first < end:
        try:
            batch = next(batches, None)
            if batch is None:
                yield _lost(name, max(first, start), end, "truncated", "rows that the footer counts are not there")
                return
            count = batch.num_rows
            if first + count <= start:
                first += count
                continue
            batch = _with_classes(batch.slice(max(0, start - first), min(end, first + count) - max(start, first)))
            faults: dict[int, tuple[str, str]] = {}
            others = {role: column for role, column in columns.items() if role not in ("captions", EXTRA)}
            batch = _with_folders(batch, columns, folders)
            table = {role: _values(batch, role, column, faults) for role, column in others.items()}
            if "captions" in columns:
                table |= caption_columns(_captions(batch, columns["captions"], faults))
            if EXTRA in columns:
                table[EXTRA] = _rest(batch, columns)
            places = pa.array(np.arange(max(first, start), max(first, start) + batch.num_rows))
            found = list(by_role(name, "row", table, places, columns, faults))
        except (pa.ArrowException, OSError, ValueError) as error:
            yield _lost(name, max(first, start), end, "decode_error", _first_line(error))
            return
        yield from found
        first += count


def _with_folders(batch: pa.RecordBatch, columns: Mapping[str, str], folders: Folders) -> pa.RecordBatch:
    """The same with those columns that its folders stand for, and that are asked for."""
    wanted = [
        name for name in folders if name not in batch.schema.names and (EXTRA in columns or name in columns.values())
    ]
    for name in wanted:
        batch = batch.append_column(name, pa.array([folders[name]] * batch.num_rows, pa.string()))
    return batch


def _with_classes(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The same with the names of classes for their numbers, where datasets' own metadata say that a column is a ``ClassLabel``;
    null for a number without a name, as -1 is where labels are withheld."""
    for column, names in _class_names((batch.schema.metadata or {}).get(b"huggingface", b"")).items():
        place = batch.schema.get_field_index(column)
        if place >= 0 and pa.types.is_integer(batch.column(place).type):
            numbers = batch.column(place).cast(pa.int64())
            is_named = pc.and_(pc.greater_equal(numbers, 0), pc.less(numbers, len(names)))
            named = pa.array(names, pa.string()).take(pc.if_else(is_named, numbers, None))
            batch = batch.set_column(place, column, named)
    return batch


@lru_cache(maxsize=64)
def _class_names(metadata: bytes) -> dict[str, list[str]]:
    """The names of the classes in each such column."""
    try:
        features = json.loads(metadata)["info"]["features"]
        classes = {name: each for name, each in features.items() if each.get("_type") == "ClassLabel"}
        return {name: list(map(str, each["names"])) for name, each in classes.items()}
    except (ValueError, LookupError, TypeError, AttributeError):
        return {}


def _values(batch: pa.RecordBatch, role: str, column: str, faults: dict[int, tuple[str, str]]) -> pa.Array:
    """The values of a column, or of several joined to a text, for a role; ``faults`` gets those that cannot be used."""
    fill: Callable[[Any], Any]
    joined = expression_of(column) if role == "text" and column not in batch.schema.names else None
    if joined is not None:
        firsts = {part.partition(".")[0] for part in parts_of(column, batch.schema.names)}
        values, fill, said = batch.select(sorted(firsts)), joined.text, ""
    else:
        values, path = _column(batch, column)
        if not path and (role in NOT_STRINGS or not pa.types.is_nested(values.type)):
            return values
        fill, said = lambda value: as_role(role, member({"": value}, path)[0]), f"column {column} holds "
    values.validate(full=True)
    made: list[Any] = []
    for row, value in enumerate(values.to_pylist()):
        try:
            made.append(fill(value))
        except ValueError as error:
            made.append("")
            faults[row] = ("bad_row", f"{said}{error}")
    return pa.array(made, pa.large_string())


def _column(batch: pa.RecordBatch, column: str) -> tuple[pa.Array, str]:
    """A column, or what is within one, and the path that is left, within the items of lists: ".text"; "" for none."""
    first = column if column in batch.schema.names else column.partition(".")[0]
    values = batch.column(first)
    keys = [] if first == column else column.split(".")[1:]
    while keys and pa.types.is_struct(values.type):
        values = pc.struct_field(values, keys.pop(0))
    return values, ".".join(["", *keys])


def _captions(batch: pa.RecordBatch, column: str, faults: dict[int, tuple[str, str]]) -> Iterator[Any]:
    """What each row of a column of captions holds; None, and a fault, where it is not UTF-8."""
    values, path = _column(batch, column)
    there = (
        iter(values.to_pylist()) if is_valid(values) else (_or_none(values.slice(row, 1)) for row in range(len(values)))
    )
    for row, value in enumerate(there):
        if value is None and values[row].is_valid:
            faults[row] = ("bad_encoding", f"column {column} is not valid UTF-8")
        yield member({"": value}, path)[0]


def _or_none(one: pa.Array) -> Any:
    return one.to_pylist()[0] if is_valid(one) else None


def _rest(batch: pa.RecordBatch, columns: Mapping[str, str]) -> pa.Array:
    """The columns that fill no role."""
    others = used(columns, batch.schema.names)
    rest = batch.select([name for name in batch.schema.names if name not in others])
    rest.validate(full=True)
    return pa.array([extra_text(rest_of(values, others)) for values in rest.to_pylist()], pa.large_string())


def _lost(name: str, start: int, end: int, reason: str, detail: str) -> Rejected:
    where = f"{name}, rows {start} to {end - 1}"
    return Rejected(f"{name}:{start}", where, reason, detail, records=min(end - start, 2**31 - 1))
