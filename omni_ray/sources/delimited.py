"""CSV and TSV: delimited rows, some of which may be broken."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import BinaryIO

from omni_ray.records import Rejected, SourceOptions
from omni_ray.sources.cells import SURROGATE
from omni_ray.sources.chats import parts_of
from omni_ray.sources.dialect import QUOTED, Dialect, is_whole, next_row, reader
from omni_ray.sources.extra import REST, numbered
from omni_ray.sources.form import Form
from omni_ray.sources.line_blocks import RANGE_BYTES, byte_ranges, rejected
from omni_ray.sources.packed import unpack
from omni_ray.sources.packed_ranges import open_range, plain_size
from omni_ray.sources.rows import Gather, Item, Line, Range, Row, lines
from omni_ray.sources.tree import Tree


def table_ranges(tree: Tree, name: str, dialect: Dialect, form: Form, options: SourceOptions) -> Iterator[Range]:
    """Ranges of a CSV or TSV file, cut between rows.

    A quoted field may hold line ends, so only a parser knows where rows begin. A file without quotation marks, or
    with marks that are text, is cut anywhere; another large file is parsed once here, at about 100 MB/s.
    """
    size = plain_size(tree, name, options, form)
    step = options.scaled(RANGE_BYTES)
    if size is None:
        yield 0, None
    elif size <= step or dialect.quoting == "plain" or not _has_quotes(tree, name, dialect):
        first = _first_record(tree, name, dialect, form)
        for start, end in byte_ranges(size, options, first):
            yield 0 if start == first else start, end
    else:
        start = 0
        with tree.open(name) as file:
            for row in _table_rows(name, lines(file, name, (0, None), form), dialect, form, from_start=True):
                if not isinstance(row, Rejected) and row[0] - start >= step:
                    yield start, row[0]
                    start = row[0]
        yield start, None


def read_table(
    tree: Tree,
    name: str,
    span: Range,
    dialect: Dialect,
    columns: Mapping[str, str],
    form: Form,
    gather: Gather[Item],
) -> Iterator[Item]:
    """The rows of a range of a CSV or TSV file, by role, as ``gather`` gives them. A row must have as many fields as the header."""
    wanted = _fields(dialect.header, columns)

    def rows(file: BinaryIO, form: Form) -> Iterator[Row | Rejected]:
        for row in _table_rows(name, lines(file, name, span, form), dialect, form, from_start=span[0] == 0):
            if isinstance(row, Rejected):
                yield row
            else:
                # CSV has no null but the empty field.
                yield row[0], {column: row[1][index] or None for column, index in wanted}

    with open_range(tree, name, *span, form) as (file, form):
        yield from gather(name, "byte", rows(file, form), columns)


def _fields(header: Sequence[str], columns: Mapping[str, str]) -> list[tuple[str, int]]:
    """The fields that are wanted, in their order."""
    needed = {part for column in columns.values() for part in parts_of(column, header)}
    is_all = REST in columns.values()
    return [(name, n) for n, name in enumerate(numbered(header)) if name in needed or is_all]


def _first_record(tree: Tree, name: str, dialect: Dialect, form: Form) -> int:
    """Where the first record begins, so the header is in one range with it; 0 where there is none."""
    if not dialect.skip and not dialect.preamble:
        return 0
    with tree.open(name) as file:
        rows = _table_rows(name, lines(file, name, (0, None), form), dialect, form, from_start=True)
        return next((row[0] for row in rows if not isinstance(row, Rejected)), 0)


def _has_quotes(tree: Tree, name: str, dialect: Dialect) -> bool:
    mark = b"'" if dialect.quoting == "single" else b'"'
    with tree.open(name) as file:
        return any(mark in chunk for chunk in unpack(file, name))


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
        """Gives out the lines of the row that was just parsed again, except the first one."""
        self._back.extendleft(reversed(self.pending[1:]))


def _table_rows(
    name: str, source: Iterable[Line | Rejected], dialect: Dialect, form: Form, *, from_start: bool
) -> Iterator[tuple[int, Sequence[str]] | Rejected]:
    """Rows with where they begin; ``from_start``: without what comes before the first record of a file."""
    skip = dialect.skip if from_start else 0
    feed = _Feed(islice(source, dialect.preamble if from_start else 0, None))
    for number, (fields, fault) in enumerate(_parsed(feed, dialect)):
        yield from feed.rejected
        feed.rejected.clear()
        if number < skip or not feed.pending:
            continue
        start = feed.pending[0][0]
        if fault:
            # A quotation mark that is never closed swallows the rows after it: only its own line is given up.
            yield rejected(name, "byte", start, "bad_row", f"its quotation marks: {fault}")
            feed.take_back_all_but_the_first()
        elif feed.not_utf8 and any(map(SURROGATE.search, fields)):
            yield rejected(name, "byte", start, "bad_encoding", f"the row is {form.fault}")
        elif dialect.quoting == "plain" and any(map(_is_doubled, fields)):
            said = "a field in quotation marks, with doubled ones in it, where quotation marks are text elsewhere"
            yield rejected(name, "byte", start, "bad_row", said)
        elif (row := is_whole(fields, dialect.header)) is None:
            # Where marks are out of step a row may have swallowed others: each of its lines counts.
            said = f"{len(fields)} fields, and the header has {len(dialect.header)} columns"
            yield from (rejected(name, "byte", place, "bad_row", said) for place, _ in feed.pending)
        elif dialect.names_columns and [field.strip() for field in row] == list(dialect.header):
            yield rejected(name, "byte", start, "bad_row", "the header once more: another table is joined to it")
        else:
            yield start, row


def _parsed(feed: _Feed, dialect: Dialect) -> Iterator[tuple[list[str], str]]:
    """The fields of each row, or what breaks the rules in it; ``feed.pending`` are its lines. An empty row at the end."""
    rows = reader(feed, dialect.delimiter, dialect.quoting)
    while True:
        feed.pending.clear()
        try:
            fields, fault = next_row(rows), ""
        except csv.Error as error:
            fields, fault = _plain_row(feed.pending, dialect), str(error)
        if fields or fault or not feed.pending:
            yield fields, "" if fields else fault
        if not feed.pending:
            return


def _plain_row(lines: Sequence[Line], dialect: Dialect) -> list[str]:
    """A row on one line, in which quotation marks are text: they come in pairs, and none is doubled; else []."""
    if len(lines) != 1 or dialect.quoting != "double" or lines[0][1].count(b'"') % 2:
        return []
    fields = next_row(reader([lines[0][1].decode("utf-8", "surrogateescape")], dialect.delimiter, "plain"))
    is_enclosed = any(QUOTED.fullmatch(field) for field in fields)
    return [] if is_enclosed or is_whole(fields, dialect.header) is None else fields


def _is_doubled(field: str) -> bool:
    return field.startswith('"') and '""' in field[1:-1] and QUOTED.fullmatch(field) is not None
