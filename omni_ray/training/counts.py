"""What there is to train on, in numbers: rows, tokens, characters, lengths. Plain functions on units of work.

A unit is a byte range of a text corpus (it owns the lines that begin in it) or of a CSV file (whole rows), a JSON list,
or a shard. Files are read as the trainers read them, streaming; no unit holds more than a range in memory. Each result
carries the digest of the very bytes it was counted from, so that a cached one is never taken for changed data.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from functools import lru_cache
from itertools import islice, pairwise
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from omni_ray.errors import OmniError, said_by
from omni_ray.modalities.registry import modality as modality_of
from omni_ray.pipeline.parts import Part, read_rows
from omni_ray.trainers.files import IMAGE, TRANSCRIPT, files_of
from omni_ray.trainers.lines import RANGE_BYTES, read_lines, split_lines
from omni_ray.trainers.reading import json_list, open_csv, row_starts
from omni_ray.training.skipped_rows import Gap, gap, moved
from omni_ray.training.tokens import TokenCounter

_BATCH = 20_000


@dataclass(frozen=True)
class Counts:
    """Sums over a data set, or over a part of it.

    Attributes:
        rows: rows as the trainers number them (blank lines and unusable rows too).
        usable: rows that hold what a trainer needs; the media behind them are not looked at.
        gaps: which rows are not usable.
        fatal: rows on which a trainer stops: a column missing, a caption that is no text.
        imageless: elements of a manifest without an image; the multimodal stage stops on them, the image stage does not.
        cut_rows: rows with more tokens than fit a context after the start mark.
        unseen_tokens: tokens beyond it.
        characters: the distinct characters of transcripts or labels, sorted; "" for other data.
        lengths: rows by length in characters, of transcripts and labels that are not blank.
    """

    rows: int = 0
    usable: int = 0
    fatal: int = 0
    tokens: int = 0
    cut_rows: int = 0
    unseen_tokens: int = 0
    characters: str = ""
    lengths: tuple[tuple[int, int], ...] = ()
    imageless: int = 0
    gaps: tuple[Gap, ...] = field(default=(), repr=False)

    def __add__(self, other: Counts) -> Counts:
        sums = {
            name: getattr(self, name) + getattr(other, name)
            for name in ("rows", "usable", "fatal", "tokens", "cut_rows", "unseen_tokens", "imageless")
        }
        characters = "".join(sorted({*self.characters, *other.characters}))
        lengths = Counter(dict(self.lengths)) + Counter(dict(other.lengths))
        gaps = (*self.gaps, *moved(other.gaps, self.rows))
        return Counts(**sums, characters=characters, lengths=tuple(sorted(lengths.items())), gaps=gaps)

    @property
    def longest(self) -> int:
        """The longest transcript or label, in characters."""
        return max((length for length, _ in self.lengths), default=0)

    def as_json(self) -> dict[str, Any]:
        """For the cache."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Counts:
        """Raises TypeError or ValueError where ``value`` is not one."""
        lengths = tuple((int(length), int(rows)) for length, rows in value["lengths"])
        gaps = tuple((int(first), int(rows), str(bits)) for first, rows, bits in value["gaps"])
        return cls(**{**value, "lengths": lengths, "gaps": gaps})


@dataclass(frozen=True)
class CountedSource:
    """One data set: a flat file, or the shards it will be made from.

    Attributes:
        kind: "text", "csv" or "json".
        path: the file, absolute.
        column: of a CSV file, the names its text column may have; none where the text does not matter.
        media: of a CSV file, the names its media column may have.
        shards: instead of the file, what counts of each shard.
        holdout: of the shards, the share of groups that takes no part in training a tokenizer.
    """

    kind: str
    path: str
    column: tuple[str, ...] = ()
    media: tuple[str, ...] = ()
    shards: tuple[Part, ...] = ()
    holdout: float = 0.0


@dataclass(frozen=True)
class CountItem:
    """One task's worth of counting.

    Attributes:
        source: the data set it is a part of; of its shards, only the one to count.
        start, end: the byte range of text, or of a CSV file in parts; both 0 where a unit is a whole file or shard.
        tokenizer: the serialized tokenizer; b"" where tokens are not wanted.
        ctx_len: tokens of a row that a trainer sees, the start mark included.
        known: digest and counts of an earlier run.
    """

    source: CountedSource
    start: int = 0
    end: int = 0
    tokenizer: bytes = field(default=b"", repr=False)
    ctx_len: int = 0
    known: tuple[str, Counts] | None = None

    @property
    def part(self) -> str:
        """Names the part of the source that the unit is."""
        if self.source.shards:
            shard = self.source.shards[0]
            return f"{shard.storage.shown}|{shard.file}"
        return f"{self.start}-{self.end}"

    @property
    def question(self) -> str:
        """Names what is counted of it. That tokens are counted too is another question, with another answer."""
        return f"{','.join(self.source.column)}|{self.ctx_len if self.tokenizer else 'rows'}"


@dataclass(frozen=True)
class Outcome:
    """What became of a unit: counts with the digest of what was counted ("" where it changed meanwhile), or a
    sentence about what is wrong with it."""

    digest: str
    counts: Counts
    problem: str = ""


def units_of(source: CountedSource) -> list[CountItem]:
    """The units of a data set. Raises OSError where its file cannot be looked at."""
    if source.shards:
        return [CountItem(replace(source, shards=(shard,))) for shard in source.shards]
    size = os.stat(source.path).st_size
    if source.kind == "text":
        return [CountItem(source, start, min(start + RANGE_BYTES, size)) for start in range(0, size, RANGE_BYTES)]
    starts = row_starts(source.path, RANGE_BYTES) if source.kind == "csv" and size > RANGE_BYTES else []
    starts = [start for start in starts if start < size]
    if not starts:
        return [CountItem(source)]
    return [CountItem(source, start, end) for start, end in pairwise((0, *starts, size))]


def cut(source: CountedSource) -> tuple[list[CountItem], str]:
    """The units of a data set, or a sentence about what is wrong with it."""
    try:
        return units_of(source), ""
    except OSError as error:
        return [], f"{source.path}: {said_by(error)}"


def count(unit: CountItem) -> Outcome:
    """Count one unit, or take what is known of the same bytes. Never raises, whatever the data are like."""
    try:
        if unit.source.shards:
            return _count_shard(unit)
        if unit.source.kind == "text":
            return _count_text(unit)
        return _count_rows(unit) if unit.end else _count_file(unit)
    except OmniError as error:
        return Outcome("", Counts(), str(error))
    except OSError as error:
        return Outcome("", Counts(), f"{unit.source.path}: {said_by(error)}")


@lru_cache(maxsize=2)
def _counter(tokenizer: bytes) -> TokenCounter:
    """A worker's counter: what it has learnt about words serves every unit that the worker gets."""
    return TokenCounter(tokenizer)


def _tally(unit: CountItem, texts: Iterable[str], *, characters: bool) -> Counts:
    """Tokens, and if wanted characters and lengths, of usable rows. ``rows`` and ``usable`` are their number."""
    usable = tokens = cut_rows = unseen = 0
    seen: set[str] = set()
    lengths: Counter[int] = Counter()
    rows = iter(texts)
    while batch := list(islice(rows, _BATCH)):
        usable += len(batch)
        if unit.tokenizer:
            counted = _counter(unit.tokenizer).count(batch)
            beyond = np.maximum(counted - (unit.ctx_len - 1), 0)
            tokens, cut_rows = tokens + int(counted.sum()), cut_rows + int(np.count_nonzero(beyond))
            unseen += int(beyond.sum())
        if characters:
            seen.update("".join(batch))
            lengths.update(map(len, batch))
    del lengths[0]
    return Counts(
        usable, usable, tokens=tokens, cut_rows=cut_rows, unseen_tokens=unseen, characters="".join(sorted(seen)),
        lengths=tuple(sorted(lengths.items())),
    )  # fmt: skip


# --- text ---


def _count_text(unit: CountItem) -> Outcome:
    data = read_lines(unit.source.path, unit.start, unit.end)
    digest = hashlib.sha256(data).hexdigest()
    if unit.known is not None and unit.known[0] == digest:
        return Outcome(*unit.known)
    lines = list(map(str.strip, split_lines(data)))
    del data
    counts = _tally(unit, (line for line in lines if line), characters=False)
    blank = np.flatnonzero(np.fromiter((not line for line in lines), np.bool_, len(lines)))
    return Outcome(digest, replace(counts, rows=len(lines), gaps=gap(blank, len(lines))))


# --- CSV and JSON ---


def _count_file(unit: CountItem) -> Outcome:
    with open(unit.source.path, "rb") as file:
        before = os.fstat(file.fileno())
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        if unit.known is not None and unit.known[0] == digest:
            return Outcome(*unit.known)
        file.seek(0)
        is_csv = unit.source.kind == "csv"
        rows = _texts(*_open_source(file, unit.source), unit.source) if is_csv else _captions(file, unit.source.path)
        counts = _count_all(unit, rows)
    is_same = _identity(before) == _identity(os.stat(unit.source.path))
    return Outcome(digest if is_same else "", counts)


def _identity(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns


def _count_rows(unit: CountItem) -> Outcome:
    """Count the rows of a CSV file in a byte range."""
    source = unit.source
    with open(source.path, "rb") as file:
        _, places = _open_source(file, source)
        file.seek(unit.start)
        data = file.read(unit.end - unit.start)
    # The same bytes say something else under another header.
    digest = hashlib.sha256(f"{places}\n".encode() + data).hexdigest()
    if unit.known is not None and unit.known[0] == digest:
        return Outcome(*unit.known)
    reader = csv.reader(io.TextIOWrapper(io.BytesIO(data), "utf-8", errors="ignore"))
    if not unit.start:
        next(reader)
    return Outcome(digest, _count_all(unit, _texts(reader, places, source, unit.start)))


class _Useless(Enum):
    """Why a row gives no sample."""

    PASSED_OVER = 0
    IMAGELESS = 1
    FATAL = 2


class _Rows:
    """Texts of usable rows; all rows and the unusable ones are counted as they pass."""

    def __init__(self, rows: Iterator[str | _Useless]) -> None:
        self._rows, self.rows = rows, 0
        self.useless = array("q")
        self.by_kind: Counter[_Useless] = Counter()

    def __iter__(self) -> Iterator[str]:
        for row in self._rows:
            if isinstance(row, str):
                yield row
            else:
                self.useless.append(self.rows)
                self.by_kind[row] += 1
            self.rows += 1


def _count_all(unit: CountItem, texts: Iterator[str | _Useless]) -> Counts:
    rows = _Rows(texts)
    counts = _tally(unit, rows, characters=unit.source.kind == "csv" and bool(unit.source.column))
    return replace(
        counts,
        rows=rows.rows,
        fatal=rows.by_kind[_Useless.FATAL],
        imageless=rows.by_kind[_Useless.IMAGELESS],
        gaps=gap(np.asarray(rows.useless, np.int64), rows.rows),
    )


def _open_source(file: IO[bytes], source: CountedSource) -> tuple[Any, list[int]]:
    try:
        return open_csv(file, source.path, [names for names in (source.media, source.column) if names])
    except csv.Error as error:
        raise OmniError(f"{source.path}: line 1: {error}; the trainers stop there") from error


def _texts(reader: Any, places: Sequence[int], source: CountedSource, start: int = 0) -> Iterator[str | _Useless]:
    """For each row its text, or what is wrong with it. Messages count lines from byte ``start``."""
    is_label, is_asr = source.media == IMAGE, source.column == TRANSCRIPT
    needed = max(places) + 1
    try:
        for row in reader:
            if not row:
                continue
            if is_asr and len(row) < needed:
                yield _Useless.FATAL
            elif len(row) <= places[0] or not row[places[0]].strip():
                yield _Useless.PASSED_OVER
            else:
                # To the OCR trainer a label that is missing is a blank one.
                text = row[places[-1]] if source.column and len(row) >= needed else ""
                yield text if is_label else text.strip()
    except csv.Error as error:
        place = f"line {reader.line_num}" + (f" after byte {start:,}" if start else "")
        raise OmniError(f"{source.path}: {place}: {error}; the trainers stop there") from error


def _captions(file: IO[bytes], path: str) -> Iterator[str | _Useless]:
    """For each element its caption, or what is wrong with it."""
    for item in json_list(file, path):
        image = item.get("image") if isinstance(item, dict) else None
        if not isinstance(image, str) or not image:
            yield _Useless.IMAGELESS
        elif "caption" not in item:
            yield _Useless.PASSED_OVER
        else:
            yield item["caption"] if isinstance(item["caption"], str) else _Useless.FATAL


# --- shards ---


def _count_shard(unit: CountItem) -> Outcome:
    shard = unit.source.shards[0]
    digest = f"{shard.sha256}:{shard.samples}"
    if unit.known is not None and unit.known[0] == digest:
        return Outcome(*unit.known)
    is_csv = files_of(shard.modality)[0].form == "csv"
    return Outcome(digest, _tally(unit, shard_texts(shard), characters=is_csv))


def shard_texts(shard: Part) -> Iterator[str]:
    """The samples of a shard that count: lines, transcripts, labels or captions."""
    column = modality_of(shard.modality).said
    for rows in read_rows(shard, columns=[column]):
        values = rows[column]
        yield from (pc.list_flatten(values) if pa.types.is_list(values.type) else values).to_pylist()


def is_file(path: str | Path) -> bool:
    """Whether ``path`` is a regular file with something in it."""
    try:
        return os.path.isfile(path) and os.stat(path).st_size > 0
    except OSError:
        return False
