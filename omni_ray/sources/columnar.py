"""Parquet and Arrow files in slices of rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from omni_ray.corpora.base import Options, Rejected
from omni_ray.errors import SourceError
from omni_ray.sources.roles import NOT_STRINGS, by_role, is_text_type

if TYPE_CHECKING:
    from omni_ray.sources.tree import Tree

SLICE_BYTES = 64 << 20
"""Bytes of the wanted columns in a slice, decoded: some seconds of work."""
SLICE_ROWS = 1 << 20
_MAX_GROUP_BYTES = 256 << 20
_BATCH_BYTES = 8 << 20
_MAX_ROWS_PER_BYTE = 100
"""No table packs more rows than this into a byte of file: one that says so lies, to make its reader run for ever."""


@dataclass(frozen=True)
class Slice:
    """Rows [start, end) of a file."""

    start: int
    end: int


def parquet_columns(tree: Tree, name: str) -> list[str]:
    """The columns of a Parquet file. Raises SourceError where its footer cannot be read or does not fit the file."""
    with _parquet(tree, name) as file:
        return list(file.schema_arrow.names)


def parquet_slices(tree: Tree, name: str, columns: Mapping[str, str], options: Options) -> Iterator[Slice]:
    """Slices along row groups; a row group of more than 256 MB is cut, since its parts can be worked on apart."""
    with _parquet(tree, name) as file:
        _check_types(name, file.schema_arrow, columns)
        sizes = _group_sizes(file.metadata, set(columns.values()))
    yield from _slices(sizes, options)


def read_parquet(tree: Tree, name: str, columns: Mapping[str, str], rows: Slice) -> Iterator[pa.Table | Rejected]:
    """Rows of a slice by role. A row group that cannot be decoded is one rejection for all the rows it still owed."""
    with _parquet(tree, name) as file:
        first = 0
        for group, (count, size) in enumerate(_group_sizes(file.metadata, set(columns.values()))):
            start, end = max(rows.start, first), min(rows.end, first + count)
            if start < end:
                batches = file.iter_batches(
                    batch_size=int(np.clip(_BATCH_BYTES * count // max(size, 1), 1, 1 << 16)),
                    row_groups=[group],
                    columns=sorted(set(columns.values())),
                    use_threads=False,
                )
                yield from _rows(name, batches, first, Slice(start, end), columns)
            first += count


def arrow_columns(tree: Tree, name: str) -> list[str]:
    """The columns of an Arrow file or stream. Raises SourceError where it cannot be read."""
    return list(next(_batches(tree, name)).names)


def arrow_slices(tree: Tree, name: str, columns: Mapping[str, str], options: Options) -> Iterator[Slice]:
    """Slices along record batches."""
    sizes = []
    for batch in _batches(tree, name):
        if isinstance(batch, pa.Schema):
            _check_types(name, batch, columns)
        else:
            sizes.append((batch.num_rows, batch.select(sorted(set(columns.values()))).get_total_buffer_size()))
    if sum(count for count, _ in sizes) > _MAX_ROWS_PER_BYTE * tree.size(name):
        raise SourceError(f"{name}: says it has more rows than a file of its size can hold; it is not read")
    yield from _slices(sizes, options)


def holds_strings(tree: Tree, name: str, kind: str, column: str) -> bool:
    """Whether a column of a Parquet or Arrow file is of text."""
    schema = _parquet(tree, name).schema_arrow if kind == "parquet" else next(_batches(tree, name))
    found = schema.field(column).type
    value = found.value_type if pa.types.is_dictionary(found) else found
    return bool(pa.types.is_string(value) or pa.types.is_large_string(value))


def read_arrow(tree: Tree, name: str, columns: Mapping[str, str], rows: Slice) -> Iterator[pa.Table | Rejected]:
    """Rows of a slice by role. A record batch that is not well formed is one rejection for all its rows."""
    first = 0
    for batch in _batches(tree, name):
        if isinstance(batch, pa.Schema):
            continue
        start, end = max(rows.start, first), min(rows.end, first + batch.num_rows)
        if start < end:
            yield from _rows(name, iter([batch]), first, Slice(start, end), columns)
        first += batch.num_rows
        if first >= rows.end:
            return


def _parquet(tree: Tree, name: str) -> pq.ParquetFile:
    path = tree.local_path(name)
    try:
        file = pq.ParquetFile(path if path is not None else tree.open(name), pre_buffer=False)
        _check_footer(file.metadata, tree.size(name))
    except (pa.ArrowException, ValueError, OSError) as error:
        if isinstance(error, FileNotFoundError | PermissionError):
            raise
        raise SourceError(f"{name}: not a whole Parquet file ({_first_line(error)}); fetch it again") from None
    return file


def _check_footer(footer: pq.FileMetaData, size: int) -> None:
    groups = [footer.row_group(i) for i in range(footer.num_row_groups)]
    if min((g.num_rows for g in groups), default=0) < 0 or sum(g.num_rows for g in groups) != footer.num_rows:
        raise ValueError("its row groups do not add up to its rows")
    if footer.num_rows > _MAX_ROWS_PER_BYTE * size:
        raise ValueError("it says it has more rows than a file of its size can hold")
    for group in groups:
        for i in range(group.num_columns):
            column = group.column(i)
            begin = column.dictionary_page_offset or column.data_page_offset
            if begin < 0 or column.total_compressed_size < 0 or begin + column.total_compressed_size > size:
                raise ValueError("its footer points outside the file")


def _first_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:160]


def _check_types(name: str, schema: pa.Schema, columns: Mapping[str, str]) -> None:
    for role, column in columns.items():
        kind = schema.field(column).type
        if role not in NOT_STRINGS and not is_text_type(kind):
            raise SourceError(f"{name}: column {column} holds {str(kind)[:80]}, not text; --columns {role}=...")


def _group_sizes(footer: pq.FileMetaData, columns: set[str]) -> list[tuple[int, int]]:
    """Rows and decoded bytes of the wanted columns, of each row group."""
    sizes = []
    for index in range(footer.num_row_groups):
        group = footer.row_group(index)
        chunks = (group.column(i) for i in range(group.num_columns))
        wanted = (c for c in chunks if c.path_in_schema in columns or c.path_in_schema.split(".")[0] in columns)
        sizes.append((group.num_rows, sum(max(0, c.total_uncompressed_size) for c in wanted)))
    return sizes


def _slices(sizes: list[tuple[int, int]], options: Options) -> Iterator[Slice]:
    """Neighbours joined up to the size of a slice, giants cut."""
    wanted_bytes, wanted_rows = options.records_per_unit(SLICE_BYTES), options.records_per_unit(SLICE_ROWS)
    giant = options.records_per_unit(_MAX_GROUP_BYTES)
    start = first = held = 0
    for rows, size in sizes:
        if first > start and (held + size > wanted_bytes or first + rows - start > wanted_rows):
            yield Slice(start, first)
            start, held = first, 0
        parts = max(-(-size // wanted_bytes) if size > giant else 1, -(-rows // wanted_rows), 1)
        for part in range(parts - 1):
            cut = first + rows * (part + 1) // parts
            if cut > start:
                yield Slice(start, cut)
                start = cut
        first += rows
        held = size // parts if parts > 1 else held + size
    if first > start:
        yield Slice(start, first)


def _batches(tree: Tree, name: str) -> Iterator[Any]:
    """The schema, then the record batches, of an Arrow file or stream."""
    path = tree.local_path(name)
    try:
        source = pa.memory_map(str(path)) if path is not None else pa.PythonFile(tree.open(name), "r")
        try:
            reader = pa.ipc.open_file(source)
        except pa.ArrowInvalid:
            source.seek(0)
            reader = pa.ipc.open_stream(source)
            yield reader.schema
            yield from reader
            return
        yield reader.schema
        for index in range(reader.num_record_batches):
            yield reader.get_batch(index)
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, FileNotFoundError | PermissionError):
            raise
        raise SourceError(f"{name}: not a whole Arrow file ({_first_line(error)}); fetch it again") from None


def _rows(
    name: str, batches: Iterator[pa.RecordBatch], first: int, rows: Slice, columns: Mapping[str, str]
) -> Iterator[pa.Table | Rejected]:
    """``rows`` of some batches that follow each other, the first of them beginning at row ``first``."""
    while first < rows.end:
        try:
            batch = next(batches, None)
            if batch is None:
                yield _lost(
                    name, max(first, rows.start), rows.end, "truncated", "rows that the footer counts are not there"
                )
                return
            count = batch.num_rows
            batch = batch.slice(max(0, rows.start - first), min(rows.end, first + count) - max(rows.start, first))
            table = {role: batch.column(column) for role, column in columns.items()}
            places = pa.array(np.arange(max(first, rows.start), max(first, rows.start) + batch.num_rows))
            found = list(by_role(name, "row", table, places, columns))
        except (pa.ArrowException, OSError, ValueError) as error:
            yield _lost(name, max(first, rows.start), rows.end, "decode_error", _first_line(error))
            return
        yield from found
        first += count


def _lost(name: str, start: int, end: int, reason: str, detail: str) -> Rejected:
    where = f"{name}, rows {start} to {end - 1}"
    return Rejected(f"{name}:{start}", where, reason, detail, records=min(end - start, 2**31 - 1))
