"""CSV files as the trainers read them: ``csv`` on text with undecodable bytes dropped and every kind of line end.

One pass in the process that leads finds the records (only from the head of the file can it be known whether a quote is
open) and hands them on in pieces; the fields and the media behind them are judged there.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from omni_ray.trainers.files import FILES, MAX_FIELD_CHARS, TRANSCRIPT
from omni_ray.trainers.reading import place_of
from omni_ray.trainers.speech import SAMPLING_RATE
from omni_ray.verify.characters import is_blank, odd_characters
from omni_ray.verify.checks import checks_of
from omni_ray.verify.media import Judge, path_flaws, sightings_of
from omni_ray.verify.pieces import FileCheck, Piece, PieceFindings
from omni_ray.verify.report import Notes, is_loss
from omni_ray.verify.seen import SeenStrings

ROWS_PER_PIECE = 256
MAX_LINE_BYTES = 128 * MAX_FIELD_CHARS
"""A longer line would hold a field over csv's limit, or a million fields."""
_FIELD = '(?:"(?:[^"]++|"")*+"|[^",\n]*+)'
_PLAIN = re.compile(f"{_FIELD}(?:,{_FIELD})*+\n?")
"""A record whose quotes are around whole fields and are doubled inside; a sieve before csv's strict mode."""
Pick = Callable[[int], bool]
"""Whether the media of a row, given by its number, are to be decoded."""


class Row(NamedTuple):
    """One record of a CSV file.

    Attributes:
        number: as the trainers number it, from 0.
        line: its first line in the file, from 1.
        media: its path, or None where that column is missing.
        text: its transcript or label, or None where that column is missing.
        flaws: codes of what is wrong with the record as such.
        decode: whether its media are to be looked at.
    """

    number: int
    line: int
    media: str | None
    text: str | None
    flaws: tuple[str, ...] = ()
    decode: bool = True


class _Lines:
    """A file's lines as text, as a trainer's ``open`` gives them, with what was seen on the way."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offset = 0
        self.line = 0
        self.raw: list[str] = []
        self.is_invalid = self.has_returns = self.is_cut = False

    def __iter__(self) -> Iterator[str]:
        with open(self.path, "rb") as file:
            for raw in iter(lambda: file.readline(MAX_LINE_BYTES), b""):
                if len(raw) == MAX_LINE_BYTES and not raw.endswith(b"\n"):
                    self.is_cut = True
                    return
                self.offset += len(raw)
                self.line += 1
                try:
                    text = raw.decode()
                except UnicodeDecodeError:
                    self.is_invalid = True
                    text = raw.decode("utf-8", "ignore")
                if "\r" not in text:
                    self.raw.append(text)
                    yield text
                    continue
                self.has_returns = True
                for piece in io.StringIO(text, newline=None):
                    self.raw.append(piece)
                    yield piece

    def forget(self) -> None:
        """Start on the next record."""
        self.raw.clear()
        self.is_invalid = self.has_returns = False


class Table:
    """The records of a CSV file, and what is wrong with the file.

    Attributes:
        rows: records met so far, the header aside.
        offset: bytes read so far.
    """

    def __init__(self, path: Path, kind: str, notes: Notes) -> None:
        self._lines = _Lines(path)
        self._form = FILES[kind]
        self._notes = notes
        self.rows = 0

    @property
    def offset(self) -> int:
        return self._lines.offset

    def __iter__(self) -> Iterator[Row]:
        lines, notes = self._lines, self._notes
        reader = csv.reader(lines)
        header, flaws = self._header(reader)
        for code in flaws:
            notes.add(code, repr(",".join(header))[:80], line=1)
        media, text = (place_of(header, names) for names in (self._form.media, self._form.text or TRANSCRIPT))
        while True:
            first = lines.line + 1
            lines.forget()
            try:
                fields = next(reader)
            except StopIteration:
                break
            except csv.Error as error:
                notes.add("csv_error", str(error), line=first, row=self.rows)
                continue
            if not fields:
                notes.add("blank_row", line=first)
                continue
            flaws = tuple(self._flaws(fields, len(header)))
            yield Row(self.rows, first, _at(fields, media), _at(fields, text), flaws)
            self.rows += 1
        if lines.is_cut:
            notes.add("csv_error", f"a line of over {MAX_LINE_BYTES:,} bytes", line=lines.line + 1, row=self.rows)

    def _header(self, reader: Iterator[list[str]]) -> tuple[list[str], tuple[str, ...]]:
        try:
            header = next(reader, [])
        except csv.Error:
            return [], ("header",)
        if not header and not self._lines.offset:
            return [], ()
        flaws = []
        if header and header[0].startswith("\ufeff"):
            flaws.append("bom")
            header = [header[0].removeprefix("\ufeff"), *header[1:]]
        if any(place_of(header, names) < 0 for names in (self._form.media, self._form.text) if names):
            flaws.append("header")
        elif tuple(header) != self._form.header:
            flaws.append("header_form")
        if self._lines.has_returns:
            flaws.append("line_ends")
        return header, tuple(flaws)

    def _flaws(self, fields: list[str], width: int) -> list[str]:
        """Codes of what is wrong with the record just read."""
        lines, flaws = self._lines, []
        if len(fields) < width:
            flaws.append("missing_field")
        elif len(fields) > width:
            flaws.append("extra_field")
        if lines.is_invalid:
            flaws.append("invalid_utf8")
        if _PLAIN.fullmatch("".join(lines.raw)) is None and not _is_strict(lines.raw):
            flaws.append("quoting")
        if lines.has_returns and not flaws and not any("\n" in value for value in fields):
            flaws.append("line_ends")
        return flaws


def _is_strict(raw: list[str]) -> bool:
    try:
        for _ in csv.reader(raw, strict=True):
            pass
    except csv.Error:
        return False
    return True


def _at(fields: list[str], place: int) -> str | None:
    return fields[place] if 0 <= place < len(fields) else None


class TableCheck(FileCheck):
    """A CSV file with media behind it.

    Args:
        key, path: the file, relative to the project folder and absolute.
        kind: of the file, such as asr.
        judge: looks at a row's media; None where another file with the same media is checked.
        pick: which rows' media to decode.
        twin: for a TTS file, the ASR file that must hold the same rows.
    """

    def __init__(
        self, key: str, path: Path, kind: str, *, judge: Judge | None, pick: Pick, twin: Path | None = None
    ) -> None:
        super().__init__(key, kind)
        self._path = path
        self._judge = judge
        self._pick = pick
        self._twin = twin

    def pieces(self) -> Iterator[Piece]:
        size = os.stat(self._path).st_size
        table = Table(self._path, self.report.kind, self.notes)
        rows = self._unlike(table, self._twin) if self._twin else iter(table)
        seen = SeenStrings()
        batch: list[Row] = []
        for row in rows:
            batch.append(row)
            if len(batch) == ROWS_PER_PIECE:
                self.report.rows = table.rows
                yield self._piece(batch, seen, table.offset / size)
                batch = []
        if batch:
            yield self._piece(batch, seen, 1.0)
        self.report.rows = table.rows
        if table.rows == 0 and not self.notes.loses_all():
            self.notes.add("empty")

    def _piece(self, batch: list[Row], seen: SeenStrings, progress: float) -> Piece:
        if self.notes.loses_all():
            # No trainer gets as far as the rows.
            return RowsPiece(self.key, self.report.kind, (), None, progress)
        judge = self._judge
        if self._twin is None:
            fresh = seen.add([row.media or f"\0{row.number}" for row in batch])
            for i, (row, is_new) in enumerate(zip(batch, fresh, strict=True)):
                if not is_new:
                    batch[i] = row = row._replace(flaws=(*row.flaws, "duplicate_media"))
                if not self._pick(row.number):
                    batch[i] = row._replace(decode=False)
        return RowsPiece(self.key, self.report.kind, tuple(batch), judge, progress, self.side)

    def _unlike(self, table: Table, twin: Path) -> Iterator[Row]:
        """Rows of this TTS file that need a look: as records, or because the ASR file has others in their place."""
        kind = FILES[self.report.kind].twin
        twin_notes = Notes(kind)
        lines = 0
        for mine, other in zip_longest(table, Table(twin, kind, twin_notes)):
            if twin_notes.loses_all():
                if mine is not None and mine.flaws:
                    yield mine
                continue
            if mine is None:
                self.notes.add(
                    "differs", "the ASR file has this row, this file has not", line=lines + 1, row=other.number
                )
                continue
            lines = mine.line
            if other is None:
                self.notes.add("differs", "the ASR file has no such row", line=mine.line, row=mine.number)
                self.report.lost += not mine.flaws
            elif (mine.media, mine.text) != (other.media, other.text) and not (mine.flaws or other.flaws):
                detail = f"{mine.media!r} {mine.text!r}, there {other.media!r} {other.text!r}"
                self.notes.add("differs", detail, line=mine.line, row=mine.number)
                self.report.lost += 1
            if mine.flaws:
                yield mine

    def finish(self) -> None:
        super().finish()
        facts, sums = self.report.facts, self.sums
        if "samples" in sums:
            facts["hours"] = round(sums["samples"] / SAMPLING_RATE / 3600, 3)
            facts["ctc_infeasible_share"] = round(self.notes.counts["ctc_infeasible"] / self.report.decoded, 4)


@dataclass(frozen=True)
class RowsPiece(Piece):
    """A batch of rows."""

    key: str
    kind: str
    rows: tuple[Row, ...]
    judge: Judge | None
    progress: float
    side: int = 0

    @property
    def weight(self) -> int:
        """Rows whose media are decoded."""
        return sum(row.decode for row in self.rows) if self.judge else 1

    def check(self) -> PieceFindings:
        part = PieceFindings(self.key, Notes(self.kind), progress=self.progress)
        for row in self.rows:
            codes = self._check_row(row, part)
            part.lost += any(is_loss(self.kind, code) for code in codes)
        if self.side and self.judge is not None:
            media = [(row.number, row.media, row.decode) for row in self.rows if row.media]
            part.sightings = sightings_of(self.judge, self.side, media)
        return part

    def _check_row(self, row: Row, part: PieceFindings) -> list[str]:
        codes = []

        def note(code: str, detail: str = "") -> None:
            codes.append(code)
            part.notes.add(code, detail, line=row.line, row=row.number)

        for code in row.flaws:
            note(code, row.media or "")
        if any(is_loss(self.kind, code) for code in row.flaws):
            return codes  # what the fields hold is not what was meant
        form = FILES[self.kind]
        if self.judge is None and form.twin:
            return codes  # judged in the other file
        media, text = row.media or "", row.text
        for code in odd_characters(f"{media} {text or ''}"):
            note(code, media)
        if text is not None and not form.twin:
            if is_blank(text):
                note("blank_text", media)
            elif "padded_text" in checks_of(self.kind) and text != text.strip():
                note("padded_text", repr(text))
        flaws = path_flaws(media) if form.media else []
        for code in flaws:
            note(code, repr(media))
        if self.judge is not None and row.decode and not any(is_loss(self.kind, code) for code in flaws):
            verdict = self.judge.look(media, text or "")
            part.decoded += verdict.is_decoded
            part.sums.update(verdict.sums)
            for code, detail in verdict.flaws:
                note(code, f"{media}: {detail}" if detail else media)
        return codes
