"""CSV and TSV: delimited rows, some of which may be broken."""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

import pyarrow as pa

from omni_ray.corpora.base import Options, Rejected
from omni_ray.errors import SourceError
from omni_ray.sources.line_blocks import MAX_LINE_BYTES, RANGE_BYTES, byte_ranges
from omni_ray.sources.packed import CHUNK_BYTES, is_packed
from omni_ray.sources.rows import BOM, SURROGATE, Line, Range, Row, columns_of, lines, lines_of, rejected

if TYPE_CHECKING:
    from omni_ray.sources.tree import Tree


def table_header(data: bytes, name: str) -> tuple[list[str], str, int]:
    """The columns of a CSV or TSV file, its delimiter, and how many bytes the header takes.

    A .tsv has tabs and no quoting; a .csv has the one of comma, semicolon, tab and bar that its header has.

    Raises:
        SourceError: the first line is no header.
    """
    mark = len(BOM) if data.startswith(BOM) else 0
    first = data[mark:].partition(b"\n")[0]
    delimiter = "\t" if _is_tsv(name) else next((d for d in ",;\t|" if d.encode() in first), ",")
    feed = _Feed(lines_of(0, data[mark:]))
    try:
        fields = next(_reader(feed, delimiter, name), [])
    except csv.Error as error:
        raise SourceError(f"{name}: the first line is not a header of column names ({error})") from None
    return [field.strip() for field in fields], delimiter, mark + sum(len(line) for _, line in feed.pending)


def table_ranges(tree: Tree, name: str, delimiter: str, header: int, options: Options) -> Iterator[Range]:
    """Ranges of a CSV or TSV file, cut between rows.

    A quoted field may hold line ends, so only a parser knows where rows begin. A file without quotation marks, and
    any TSV, is cut anywhere; another large file is parsed once here, at about 100 MB/s.
    """
    size = tree.size(name)
    step = options.records_per_unit(RANGE_BYTES)
    if is_packed(tree, name):
        yield 0, None
    elif size <= step or _is_tsv(name) or not _has_quotes(tree, name):
        yield from byte_ranges(size, options, header)
    else:
        start = header
        with tree.open(name) as file:
            for row in _table_rows(name, lines(file, name, (header, None)), delimiter, None):
                if not isinstance(row, Rejected) and row[0] - start >= step:
                    yield start, row[0]
                    start = row[0]
        yield start, None


def read_table(
    tree: Tree, name: str, span: Range, header: Sequence[str], delimiter: str, columns: Mapping[str, str]
) -> Iterator[pa.Table | Rejected]:
    """The rows of a range of a CSV or TSV file, by role. A row must have as many fields as the header."""
    wanted = [(column, header.index(column)) for column in set(columns.values())]

    def rows(file: BinaryIO) -> Iterator[Row | Rejected]:
        parsed = _table_rows(name, lines(file, name, span), delimiter, len(header))
        for row in islice(parsed, 1 if span[0] == 0 else 0, None):
            # CSV has no null but the empty field.
            yield row if isinstance(row, Rejected) else (row[0], {c: row[1][i] or None for c, i in wanted})

    with tree.open(name) as file:
        yield from columns_of(name, "byte", rows(file), columns)


def _is_tsv(name: str) -> bool:
    return re.search(r"\.(?:tsv|tab)(?:\.\w+)?$", name, re.IGNORECASE) is not None


def _has_quotes(tree: Tree, name: str) -> bool:
    with tree.open(name) as file:
        return any(b'"' in chunk for chunk in iter(lambda: file.read(CHUNK_BYTES), b""))


class _Feed:
    """Lines for a CSV parser, which takes several for a row with line ends in it."""

    def __init__(self, lines: Iterable[Line | Rejected]) -> None:
        self._lines = iter(lines)
        self._back: deque[Line] = deque()
        self.pending: list[Line] = []
        self.rejected: list[Rejected] = []
        self.not_utf8 = False

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        while True:
            line = self._back.popleft() if self._back else next(self._lines)
            if isinstance(line, Rejected):
                self.rejected.append(line)
                continue
            self.pending.append(line)
            try:
                return line[1].decode()
            except UnicodeDecodeError:
                self.not_utf8 = True
                return line[1].decode("utf-8", "surrogateescape")

    def take_back_all_but_the_first(self) -> None:
        """The lines of the row that was just parsed are given out once more, but for its first one."""
        self._back.extendleft(reversed(self.pending[1:]))


def _reader(lines: Iterable[str], delimiter: str, name: str, strict: bool = False) -> Iterator[list[str]]:
    if _is_tsv(name):
        return csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE, strict=strict)
    return csv.reader(lines, delimiter=delimiter, strict=strict)


def _table_rows(
    name: str, source: Iterable[Line | Rejected], delimiter: str, width: int | None
) -> Iterator[tuple[int, list[str]] | Rejected]:
    """Rows with where they begin. ``width`` is the number of fields a row must have, None for any."""
    feed = _Feed(source)
    reader = _reader(feed, delimiter, name, strict=True)
    while True:
        feed.pending.clear()
        fault = ""
        try:
            fields = _next(reader)
        except csv.Error as error:
            fields = _lenient(feed.pending, delimiter, name)
            fault = "" if fields else str(error)
        yield from feed.rejected
        feed.rejected.clear()
        if not feed.pending:
            return
        start = feed.pending[0][0]
        if fault:
            # A quotation mark that nothing closes takes in the rows behind it: only its own line is given up.
            yield rejected(name, "byte", start, "bad_row", fault)
            feed.take_back_all_but_the_first()
        elif not fields:
            continue
        elif feed.not_utf8 and any(map(SURROGATE.search, fields)):
            yield rejected(name, "byte", start, "bad_encoding", "the row is not UTF-8")
        elif width is not None and len(fields) != width:
            yield rejected(name, "byte", start, "bad_row", f"{len(fields)} fields; the header has {width}")
        else:
            yield start, fields


def _lenient(lines: Sequence[Line], delimiter: str, name: str) -> list[str]:
    """A row on one line, on which every quotation mark has its fellow, as less strict programs read it; else []."""
    if len(lines) != 1 or lines[0][1].count(b'"') % 2:
        return []
    try:
        return _next(_reader([lines[0][1].decode("utf-8", "surrogateescape")], delimiter, name))
    except csv.Error:
        return []


def _next(reader: Iterator[list[str]]) -> list[str]:
    """The next row, [] for a blank line and at the end."""
    # The limit is the process's, and 128 KB: documents are longer, and other code may count on it.
    limit = csv.field_size_limit(MAX_LINE_BYTES)
    try:
        return next(reader, [])
    finally:
        csv.field_size_limit(limit)
