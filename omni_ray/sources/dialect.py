"""How a CSV or TSV file is written: what separates fields, how fields are quoted, whether it has a header."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from omni_ray.errors import SourceError
from omni_ray.sources.line_blocks import MAX_LINE_BYTES

_DELIMITERS = ",;\t|"
_NOTHING = "\x1f"
"""The delimiter of a table of one column."""
_SAMPLE_CHARS = 1 << 18
_SAMPLE_ROWS = 300
_MARKS = {"double": '"', "single": "'", "spaced": '"'}
_SEP_LINE = re.compile(r'"?sep=(.)"?[ ,;\t]*\r?\n', re.IGNORECASE)
_BLANK_OR_COMMENT = re.compile(r"[ \t]*(?:#[^\n]*)?\r?\n")
QUOTED = re.compile(r'"(?:[^"]|"")*"', re.DOTALL)
"""A field in quotation marks, with those inside it doubled."""
_LONE_BACKSLASH = re.compile(r'(?<!\\)(?:\\\\)*\\(?!["\\\r\n])')
_NUMBER = re.compile(r"[\s\d.,eE+%-]*")
_DATA = re.compile(r"[\d\W_]*|.{41,}|.*[.!?…。！？]|(?:\S+\s+){3,}\S.*|.*(?:://|[/\\]|\d{3}|\.\w{2,4}$).*", re.DOTALL)
"""A cell that is more likely data than a column's name: a number, a sentence, a path, ..."""


@dataclass(frozen=True)
class Dialect:
    """How a table is written.

    Attributes:
        delimiter: between fields.
        quoting: "double": a field may stand in quotation marks, and those within it are doubled (RFC 4180). "backslash":
            those within it, and backslashes, follow a backslash. "literal": the same, but other backslashes stand
            for themselves (Spark). "single": as "double", with single marks. "spaced": as "double", with blanks before fields. "plain": quotation marks are text.
        header: the columns' names; their numbers, from 1, where the table has no header.
        skip: rows before the first record: the header, and Excel's line that names the delimiter.
        preamble: lines before those: blank ones, and comments.
    """

    delimiter: str
    quoting: str
    header: tuple[str, ...]
    skip: int = 1
    preamble: int = 0

    @property
    def names_columns(self) -> bool:
        """Whether the header is a row of several names, which no record repeats by chance."""
        return len(self.header) > 1 and self.header != tuple(str(n + 1) for n in range(len(self.header)))

    def as_payload(self) -> dict[str, Any]:
        """Part of a unit's payload, for :func:`dialect_in`."""
        before = [self.preamble] if self.preamble else []
        return {"dialect": [self.delimiter, self.quoting, list(self.header), self.skip, *before]}


def dialect_in(payload: Mapping[str, Any]) -> Dialect:
    """The dialect that a unit's payload names."""
    delimiter, quoting, header, *rows = payload["dialect"]
    return Dialect(delimiter, quoting, tuple(header), *rows)


def dialect_of(text: str, name: str, has_header: bool, fits: Callable[[list[str]], bool]) -> Dialect:
    """The dialect in which most rows of a table have as many fields as its first one.

    Args:
        text: the beginning of the table, whole lines.
        name: the file; a .tsv has tabs where there are any.
        fits: whether a header names the columns that are needed.

    Raises:
        SourceError: it cannot be told which row is the first.
    """
    said = _SEP_LINE.match(text)
    start = said.end() if said else 0
    best: tuple[tuple[Any, ...], Dialect] | None = None
    beginnings = _beginnings(text, start)
    # Without a header, a line that has as many fields as the others is a record, whatever it begins with.
    decides = 1 if has_header else None
    for begin in beginnings if has_header else reversed(beginnings):
        found = _best(text[begin:], said[1] if said else _delimiters(text[begin:], name), has_header, fits)
        if found is not None and (best is None or found[0][:decides] > best[0][:decides]):
            is_first = begin == start
            before = 0 if is_first else text.count("\n", 0, begin)
            skip = int(has_header) + (said is not None and is_first)
            best = found[0], replace(found[1], skip=skip, preamble=before)
    if best is None:
        raise SourceError(f"{name}: the first line is not a header of column names")
    return best[1]


def _beginnings(text: str, start: int) -> list[int]:
    """Where a table may begin: most likely after blank lines and comments; else with a line that looks like a comment."""
    found, at = [start], start
    while match := _BLANK_OR_COMMENT.match(text, at):
        at = match.end()
        if not match[0].strip() and found[-1] == match.start():
            found.pop()
        found.append(at)
    return found[::-1] if at < len(text) else [start]


def _best(
    body: str, delimiters: Iterable[str], has_header: bool, fits: Callable[[list[str]], bool]
) -> tuple[tuple[Any, ...], Dialect] | None:
    """The dialect in which the rows fit best, and how well; None where there is no first row."""
    best: tuple[tuple[Any, ...], Dialect] | None = None
    for delimiter in delimiters:
        quoting = _quoting(body, delimiter)
        rows = list(islice(_parsed(body, delimiter, quoting), _SAMPLE_ROWS))
        if not rows or not rows[0]:
            continue
        widths = Counter(len(row) for row in rows if row)
        width = len(rows[0]) if has_header else widths.most_common(1)[0][0]
        names = [_name(field, quoting) for field in rows[0]] if has_header else [str(n + 1) for n in range(width)]
        good = sum(is_whole(row, names) is not None for row in rows) / len(rows)
        is_begun = fits(names) if has_header else is_whole(rows[0], names) is not None
        score = (is_begun, good >= 0.5, len(names) > 1, good, len(names))
        if best is None or score > best[0]:
            best = score, Dialect(delimiter, quoting, tuple(names))
    return best


def is_whole(row: Sequence[str], header: Sequence[str]) -> Sequence[str] | None:
    """A row with as many fields as the header, ignoring empty ones or unnamed columns at the end; else None."""
    while len(row) > len(header) and not row[-1]:
        row = row[:-1]
    missing = len(header) - len(row)
    if missing > 0 and not any(header[-missing:]):
        row = [*row, *[""] * missing]
    return row if len(row) == len(header) else None


def reader(lines: Iterable[str], delimiter: str, quoting: str) -> Iterator[list[str]]:
    """A parser of rows. Raises csv.Error for a row that breaks the rules; goes on with the next line."""
    if quoting == "plain":
        return (line.rstrip("\r\n").split(delimiter) if line.rstrip("\r\n") else [] for line in lines)
    if quoting in _MARKS:
        is_spaced = quoting == "spaced"
        return csv.reader(
            lines, delimiter=delimiter, quotechar=_MARKS[quoting], strict=True, skipinitialspace=is_spaced
        )
    # The parser drops every backslash but a doubled one.
    alone = re.compile(r"\\(?!\")" if quoting == "literal" else r"\\(?![\"\\])|\\\\")
    doubled = (alone.sub(lambda match: match[0] if len(match[0]) == 2 else r"\\", line) for line in lines)
    return csv.reader(doubled, delimiter=delimiter, strict=True, doublequote=False, escapechar="\\")


def next_row(rows: Iterator[list[str]]) -> list[str]:
    """The next row, [] for a blank line and at the end. Raises csv.Error."""
    # The limit is the process's, and 128 KB: documents are longer, and other code may rely on it.
    limit = csv.field_size_limit(MAX_LINE_BYTES)
    try:
        return next(rows, [])
    finally:
        csv.field_size_limit(limit)


def looks_like_data(header: Sequence[str]) -> bool:
    """Whether a first row is more likely a record than the names of columns."""
    return any(_DATA.fullmatch(field.strip()) for field in header) or len(set(header)) < len(header)


def _name(field: str, quoting: str) -> str:
    field = field.strip()
    return field[1:-1].replace('""', '"') if quoting == "plain" and QUOTED.fullmatch(field) else field


def _delimiters(text: str, name: str) -> list[str]:
    first = re.match(r"[^\r\n]*", text)[0]  # type: ignore[index]
    there = [delimiter for delimiter in _DELIMITERS if delimiter in first]
    if "\t" in there and is_tsv(name):
        return ["\t"]
    return there or [_NOTHING]


def is_tsv(name: str) -> bool:
    """Whether a file's ending says that tabs separate its fields."""
    return re.search(r"\.(?:tsv|tab)(?:\.\w+)?$", name, re.IGNORECASE) is not None


def _quoting(text: str, delimiter: str) -> str:
    """How fields are quoted: in the way that makes the fewest rows break the rules, or else as their fields look."""
    sample = text[:_SAMPLE_CHARS]
    found = _quoting_of_double_marks(sample, delimiter)
    return "single" if _are_marks_single(sample, delimiter, found) else found


def _are_marks_single(sample: str, delimiter: str, other: str) -> bool:
    """Whether single marks enclose fields: rows fit better then, and half of a column has them; or all of one has them."""
    if not re.search(rf"(?m)(?:^|{re.escape(delimiter)})'", sample):
        return False
    better = _faults(sample, delimiter, other) - _faults(sample, delimiter, "single")
    enclosed = re.compile(r"'(?:[^']|'')*'", re.DOTALL)
    shares = []
    for column in _columns(sample, delimiter, "'"):
        cells = [cell for cell in column[1:] if cell]
        shares.append(sum(enclosed.fullmatch(cell) is not None for cell in cells) / len(cells) if len(cells) > 1 else 0)
    return max(shares, default=0) >= (0.5 if better > 0 else 1) and better >= 0


def _quoting_of_double_marks(sample: str, delimiter: str) -> str:
    usual = "double" if delimiter in ",;" + _NOTHING else "plain"
    if '"' not in sample:
        return usual
    faults = {quoting: _faults(sample, delimiter, quoting) for quoting in ("double", "plain")}
    if '\\"' in sample and faults["double"]:
        escaped = "literal" if _LONE_BACKSLASH.search(sample) else "backslash"
        if _faults(sample, delimiter, escaped) <= min(faults["plain"], faults["double"] - 1):
            return escaped
    if usual == "double" and _are_spaced(sample, delimiter, faults):
        return "spaced"
    looks_quoted = _looks_quoted(sample, delimiter)
    if usual == "double":
        return "plain" if faults["plain"] < faults["double"] and not looks_quoted else "double"
    if faults["plain"] != faults["double"]:
        return min(faults, key=lambda quoting: faults[quoting])
    # Marks of two rows may enclose lines that are whole rows by themselves; a writer's marks are also doubled in its fields.
    inside = "".join(field for row in _parsed(sample, delimiter, "double") for field in row)
    return "double" if looks_quoted and ('"' in inside or "\n" not in inside) else "plain"


def _are_spaced(sample: str, delimiter: str, faults: Mapping[str, int]) -> bool:
    """Whether marks behind a blank enclose fields, as they do where people write tables by hand: ``1, "a, b"``."""
    if not re.search(rf'{re.escape(delimiter)} +"', sample):
        return False
    spaced, others = _faults(sample, delimiter, "spaced"), min(faults.values())
    fields = (field for row in islice(_parsed(sample, delimiter, "double"), _SAMPLE_ROWS) for field in row)
    return spaced < others or (spaced == others and any(re.fullmatch(r' +"[^"]*" *', field) for field in fields))


def _looks_quoted(sample: str, delimiter: str) -> bool:
    """Whether quotation marks enclose fields rather than being text.

    A writer encloses what would be misread, or all of a column, its name included; it never leaves a field with
    quotation marks in it as it is.
    """
    columns = _columns(sample, delimiter, '"')
    is_any = any(QUOTED.fullmatch(each) for column in columns for each in column)
    return is_any and all(map(_is_enclosed_or_plain, columns))


def _columns(sample: str, delimiter: str, mark: str) -> list[list[str]]:
    """The raw fields of a sample, column by column."""
    between = re.escape(delimiter)
    field = re.compile(rf"({mark}(?:[^{mark}]|{mark}{mark})*{mark}|[^{between}\n]*)({between}|\r?\n|\Z)")
    columns: dict[int, list[str]] = {}
    at = number = 0
    while at < len(sample):
        match = field.match(sample, at)
        if match is None:
            break
        columns.setdefault(number, []).append(match[1].rstrip("\r"))
        number = number + 1 if match[2] == delimiter else 0
        at = match.end()
    return list(columns.values())


def _is_enclosed_or_plain(column: Sequence[str]) -> bool:
    """Whether a column's quotation marks are a writer's."""
    enclosed = [each for each in column if QUOTED.fullmatch(each)]
    needless = [each for each in enclosed if not re.search(r'""|[\t\n,;|]', each[1:-1])]
    others = [each for each in column if not QUOTED.fullmatch(each)]
    is_throughout = QUOTED.fullmatch(column[0]) is not None and all(_NUMBER.fullmatch(each) for each in others)
    return not any('"' in each for each in others) and (not needless or is_throughout)


def _faults(text: str, delimiter: str, quoting: str) -> int:
    """How many rows break the rules, or have a different number of fields from the first."""
    rows = list(islice(_parsed(text, delimiter, quoting), _SAMPLE_ROWS))
    return sum(is_whole(row, rows[0]) is None for row in rows)


def _parsed(text: str, delimiter: str, quoting: str) -> Iterator[list[str]]:
    """The rows of a sample except blank ones; [] for each line of those that break the rules."""
    count = 0

    def lines() -> Iterator[str]:
        nonlocal count
        for line in text[:_SAMPLE_CHARS].split("\n"):
            count += 1
            yield line + "\n"

    rows = reader(lines(), delimiter, quoting)
    while True:
        before = count
        try:
            row = next_row(rows)
        except csv.Error:
            yield from [[]] * (count - before)
            continue
        if row:
            yield row
        elif count == before:
            return
