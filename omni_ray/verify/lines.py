"""The text corpus, one sample on each line, in byte ranges that are scanned independently of each other.

A range owns the lines that begin in it, and sees each to its end, but no further than a line may be long: memory
does not grow with the file, whatever it holds. Bytes are looked at with NumPy and the codecs, never one by one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from omni_ray.trainers.lines import MAX_LINE_BYTES, RANGE_BYTES, lines_in
from omni_ray.trainers.reading import BOM
from omni_ray.verify.characters import INVISIBLE, INVISIBLE_BMP
from omni_ray.verify.pieces import FileCheck, Piece, PieceFindings
from omni_ray.verify.report import EXAMPLES, Notes
from omni_ray.verify.sightings import Sightings, in_file, keys_of

TOKENS_UP_TO = 64 << 20
"""Bytes of a corpus whose lines are tokenized; counting the tokens of a larger one is not a quick check."""
_LINE_BITS = 32
"""A line is seen at ``range << 32 | line``: how many come before the range is known later."""
_MARGIN = MAX_LINE_BYTES + 4
_LF, _CR = 10, 13
_ODD = np.zeros(256, bool)
_ODD[[*range(_LF), 11, 12, *range(14, 32), 127]] = True
_SHOWN = 60
_GROUP = 1000

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Tokenizer:
    """A SentencePiece model on disk, and the tokens of a line that a trainer sees, the start mark included."""

    path: str
    ctx_len: int


class LinesCheck(FileCheck):
    """A text file."""

    def __init__(
        self, key: str, path: Path, *, tokenizer: Tokenizer | None = None, range_bytes: int = RANGE_BYTES
    ) -> None:
        super().__init__(key, "text")
        self._path = path
        self._tokenizer = tokenizer
        self._range_bytes = range_bytes
        self._lines_before = [0]

    def pieces(self) -> Iterator[Piece]:
        size = os.stat(self._path).st_size
        self.report.facts["bytes"] = size
        if "," in self.key:
            self.notes.add("comma_in_path")
        if size == 0:
            self.notes.add("empty")
        tokenizer = self._tokenizer if size <= TOKENS_UP_TO else None
        for number, start in enumerate(range(0, size, self._range_bytes)):
            end = min(start + self._range_bytes, size)
            yield LinesPiece(self.key, str(self._path), start, end, size, tokenizer, self.side, number)

    def line_at(self, place: int) -> int:
        """The line, from 0, that was seen at ``place``, of a range that is absorbed."""
        return self._lines_before[place >> _LINE_BITS] + (place & (1 << _LINE_BITS) - 1)

    def absorb(self, part: PieceFindings) -> None:
        self.notes.merge(part.notes, lines=self._lines_before[-1])
        self._lines_before.append(self._lines_before[-1] + part.lines)
        self.report.rows += part.rows
        self.report.lost += part.lost
        self.sums += part.sums

    def finish(self) -> None:
        super().finish()
        if self.sums["tokens_beyond"]:
            self.report.facts["tokens_never_seen"] = self.sums["tokens_beyond"]


@dataclass(frozen=True)
class LinesPiece(Piece):
    """The lines that begin in the bytes from ``start`` to ``end`` of a file of ``size`` bytes."""

    key: str
    path: str
    start: int
    end: int
    size: int
    tokenizer: Tokenizer | None = None
    side: int = 0
    number: int = 0

    @property
    def weight(self) -> int:
        """A megabyte takes about as long as five clips; its tokens take longer."""
        return 1 + (self.end - self.start >> 20) * (500 if self.tokenizer else 5)

    def check(self) -> PieceFindings:
        data, is_whole = lines_in(self.path, self.start, self.end, _MARGIN)
        part = PieceFindings(self.key, Notes("text"), progress=self.end / self.size)
        if self.start == 0 and data.startswith(BOM):
            part.notes.add("bom", line=1)
        scan = _Scan(data, is_whole, part)
        scan.run(self.tokenizer)
        if self.side:
            part.sightings["sample"] = scan.sightings(self.side).moved(self.number << _LINE_BITS)
        return part


class _Scan:
    """Lines, judged into ``part`` and numbered from 1; of one that goes on beyond ``data`` only that it is over-long."""

    def __init__(self, data: bytes, is_whole: bool, part: PieceFindings) -> None:
        self.part = part
        line_ends = np.flatnonzero(np.frombuffer(data, np.uint8) == _LF)
        if data and not data.endswith(b"\n"):
            line_ends = np.append(line_ends, len(data))
        self.ends: Places = line_ends
        self.starts: Places = np.concatenate([np.zeros(1, np.int64), line_ends + 1])[: len(line_ends)]
        part.rows = part.lines = len(line_ends)
        self.lost = np.zeros(part.lines, bool)
        self.long = self.ends - self.starts > MAX_LINE_BYTES
        self.whole = part.lines - (not is_whole)
        self.data = memoryview(data)[: len(data) if is_whole else int(self.starts[-1])]
        self.bytes: Bytes = np.frombuffer(self.data, np.uint8)

    def run(self, tokenizer: Tokenizer | None) -> None:
        """Judge everything."""
        part = self.part
        self._note_lines("long_line", np.flatnonzero(self.long))
        self._returns()
        self._controls()
        self._encoding()
        self._blank()
        if tokenizer is not None:
            self._tokens(tokenizer)
        part.lost = int(self.lost.sum())

    def sightings(self, side: int) -> Sightings:
        """The lines, but for blank ones; places count them from 0."""
        lines = [line.strip() for line in bytes(self.data).split(b"\n")[: self.whole]]
        said = np.flatnonzero(np.array([line != b"" for line in lines], bool))
        return in_file(keys_of(lines)[said], side, said)

    def _note_lines(self, code: str, lines: Places, *, is_loss: bool = True) -> None:
        """Note ``code`` for lines given by their numbers in this scan, sorted, each once."""
        if len(lines) == 0:
            return
        for number in lines[:EXAMPLES].tolist():
            self.part.notes.add(code, self._shown(number), line=1 + number)
        self.part.notes.counts[code] += len(lines) - min(len(lines), EXAMPLES)
        if is_loss:
            self.lost[lines] = True

    def _note_places(self, code: str, places: Places, *, is_loss: bool = True) -> None:
        """Note ``code`` for the lines that hold these byte offsets."""
        if len(places):
            self._note_lines(code, np.unique(np.searchsorted(self.starts, places, "right") - 1), is_loss=is_loss)

    def _shown(self, number: int) -> str:
        text = bytes(self.data[self.starts[number] : self.starts[number] + _SHOWN]).split(b"\n")[0]
        return repr(text.decode("utf-8", "replace"))

    def _returns(self) -> None:
        places = np.flatnonzero(self.bytes == _CR)
        if len(places) == 0:
            return
        following = np.append(self.bytes, _LF)[places + 1]
        is_lone = following != _LF
        self._note_places("cr", places[is_lone])
        self._note_places("line_ends", places[~is_lone], is_loss=False)
        self.part.rows += int(is_lone.sum())

    def _controls(self) -> None:
        data = self.bytes
        # Comparing whole arrays takes a tenth of the time of one look-up for each byte.
        breaks = np.count_nonzero(data == _LF) + np.count_nonzero(data == _CR)
        if np.count_nonzero(data < 32) > breaks or (data == 127).any():
            odd = np.flatnonzero(_ODD[data])
            is_nul = data[odd] == 0
            self._note_places("nul", odd[is_nul])
            self._note_places("control", odd[~is_nul], is_loss=False)
        lead = np.flatnonzero(data[:-1] == 0xC2)
        follow = data[lead + 1]
        is_next_line = follow == 0x85
        self._note_places("control", lead[(follow >= 0x80) & (follow < 0xA0) & ~is_next_line], is_loss=False)
        three = np.flatnonzero(data[:-2] == 0xE2)
        is_separator = (data[three + 1] == 0x80) & ((data[three + 2] == 0xA8) | (data[three + 2] == 0xA9))
        separators = np.sort(np.concatenate([lead[is_next_line], three[is_separator]]))
        self._note_places("line_separator", separators, is_loss=False)

    def _encoding(self) -> None:
        if _is_utf8(self.data):
            return
        bad = []
        for group in range(0, self.whole, _GROUP):
            last = min(group + _GROUP, self.whole)
            if _is_utf8(self.data[self.starts[group] : self.ends[last - 1]]):
                continue
            bad += [n for n in range(group, last) if not _is_utf8(self.data[self.starts[n] : self.ends[n]])]
        self._note_lines("invalid_utf8", np.array(bad, np.int64))
        self.part.rows += sum(self._misjudged(n) for n in bad)

    def _misjudged(self, number: int) -> int:
        """How many rows more, or fewer, a line gives once what is not UTF-8 has vanished from it."""
        line = bytes(self.data[self.starts[number] : self.ends[number] + 1])
        counted = 1 + line.removesuffix(b"\n")[:-1].count(b"\r")
        left = line.decode("utf-8", "ignore").replace("\r\n", "\n").replace("\r", "\n")
        return left.count("\n") + (not left.endswith("\n") and left != "") - counted

    def _blank(self) -> None:
        starts, ends = self.starts[: self.whole], self.ends[: self.whole]
        is_blank = starts == ends
        invisible = []
        for number in np.flatnonzero(~is_blank & _may_be_invisible(self.bytes, starts)).tolist():
            text = bytes(self.data[starts[number] : ends[number]]).decode("utf-8", "ignore")
            if not text.strip():
                is_blank[number] = True
            elif not INVISIBLE.sub("", text).strip():
                invisible.append(number)
        self._note_lines("blank_line", np.flatnonzero(is_blank))
        self._note_lines("invisible_line", np.array(invisible, np.int64))

    def _tokens(self, tokenizer: Tokenizer) -> None:
        limit = tokenizer.ctx_len - 1
        # A token is hardly ever less than a byte (NFKC may expand a character), so short lines need no counting.
        long = np.flatnonzero(self.ends[: self.whole] - self.starts[: self.whole] > limit)
        if len(long) == 0:
            return
        encoder = _encoder(tokenizer.path)
        cut = []
        for number in long.tolist():
            text = bytes(self.data[self.starts[number] : self.ends[number]]).decode("utf-8", "ignore").strip()
            beyond = len(encoder.encode(text)) - limit
            if beyond > 0:
                cut.append(number)
                self.part.sums["tokens_beyond"] += beyond
        self._note_lines("cut_line", np.array(cut, np.int64), is_loss=False)


def _is_utf8(data: memoryview) -> bool:
    try:
        str(data, "utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _may_be_invisible(data: Bytes, starts: Places) -> npt.NDArray[np.bool_]:
    """For each line that begins at ``starts``, whether its first character is white space or invisible; shape as
    ``starts``. Only of characters beyond U+FFFF and of broken ones a "yes" may be wrong."""
    padded = np.concatenate([data, np.zeros(3, np.uint8)])
    a, b, c = (padded[np.minimum(starts, len(data)) + i].astype(np.int32) for i in range(3))
    two = ((a & 0x1F) << 6) | (b & 0x3F)
    three = ((a & 0x0F) << 12) | ((b & 0x3F) << 6) | (c & 0x3F)
    code = np.select([a < 0x80, a < 0xE0, a < 0xF0], [a, two, three], 0x200B)
    found: npt.NDArray[np.bool_] = INVISIBLE_BMP[code]
    return found


@lru_cache(maxsize=1)
def _encoder(path: str) -> Any:
    import sentencepiece

    return sentencepiece.SentencePieceProcessor(model_file=path)
