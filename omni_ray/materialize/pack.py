"""Packing: neighbouring lines of a document become one, up to the length the trainer reads.

The text trainer reads ``ctx_len - 1`` tokens of a line and pads the rest: short lines waste most of every batch, and of
longer ones it never sees the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import compress
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from omni_ray.errors import OmniError
from omni_ray.modalities.documents import document_starts
from omni_ray.modalities.lines import split_line

Counter = Callable[[list[str]], list[int]]
Ints = npt.NDArray[np.int64]


def pack_rows(rows: pa.Table, count_tokens: Counter, ctx_len: int) -> tuple[pa.Table, Ints]:
    """Join neighbouring lines of each document with a blank, for as long as they fit the trainer's window.

    A line that does not fit on its own is cut at the ends of its sentences, or between words where a sentence is too long;
    a word that does not fit stays whole. Nothing crosses documents. A document's rows joined with blanks are what its
    lines joined with blanks were.

    Args:
        rows: text shard rows, whole documents.
        count_tokens: tokens of each text of a list.
        ctx_len: the trainer's window; it holds a start token and ``ctx_len - 1`` others.

    Returns:
        Rows of the same columns, and the number of the given row in which each begins (int64, never falling). A row has
        the ``id`` and other columns of that one, and ``tokens`` (int32) is set.

    Raises:
        OmniError: ``ctx_len`` is under 2.
    """
    if ctx_len < 2:
        raise OmniError(f"ctx_len {ctx_len}: a window holds a start token and at least one more")
    lines: list[str] = rows["text"].to_pylist()
    pieces = _Pieces(lines, count_tokens, ctx_len - 1)
    pieces.cut_long_lines()
    begins = np.zeros(len(lines), bool)
    begins[document_starts(rows["id"])] = True
    windows = pieces.windows(begins.tolist())
    texts = [window.text for window in windows]
    places = np.array([pieces.rows[window.start] for window in windows], np.int64)
    packed = rows.take(pa.array(places))
    place = packed.column_names.index("text")
    packed = packed.set_column(place, packed.schema.field(place), pa.array(texts, packed.schema.field(place).type))
    counts = pa.array([window.tokens for window in windows], pa.int32())
    if "tokens" in packed.column_names:
        return packed.set_column(packed.column_names.index("tokens"), "tokens", counts), places
    return packed.append_column("tokens", counts), places


class _Window(NamedTuple):
    """What the trainer sees at once: the piece it begins with, its text, its tokens."""

    start: int
    text: str
    tokens: int


class _Pieces:
    """Lines, or pieces of them, on the way into windows of ``room`` tokens.

    Attributes:
        texts, tokens: of each piece.
        rows: the line each comes from.
    """

    def __init__(self, lines: list[str], count_tokens: Counter, room: int) -> None:
        self._count = count_tokens
        self._room = room
        self.texts = lines
        self.tokens = count_tokens(lines) if lines else []
        self.rows: Sequence[int] = range(len(lines))

    def cut_long_lines(self) -> None:
        """Replace every line that does not fit by pieces that do."""
        if max(self.tokens, default=0) <= self._room:
            return
        texts: list[str] = []
        tokens: list[int] = []
        rows: list[int] = []
        for row, (text, count) in enumerate(zip(self.texts, self.tokens, strict=True)):
            pieces = [(text, count)] if count <= self._room else self._cut(text, count)
            for piece, size in pieces:
                texts.append(piece)
                tokens.append(size)
                rows.append(row)
        self.texts, self.tokens, self.rows = texts, tokens, rows

    def _cut(self, text: str, count: int) -> list[tuple[str, int]]:
        """Pieces of a line that fit, with their tokens; words that do not fit are left whole."""
        length = len(text.encode())
        # Tokens are spread unevenly: a piece that is still too long is cut again.
        parts = split_line(text, max(1, min(length * self._room // count, length - 1)), max(4, length))
        if len(parts) < 2:
            return [(text, count)]
        found: list[tuple[str, int]] = []
        for part, size in zip(parts, self._count(parts), strict=True):
            found += [(part, size)] if size <= self._room else self._cut(part, size)
        return found

    def windows(self, begins: Sequence[bool]) -> list[_Window]:
        """What the trainer is to see, in order; ``begins`` says which lines begin a document."""
        starts: list[int] = []
        total = 0
        previous = -1
        for number, (count, row) in enumerate(zip(self.tokens, self.rows, strict=True)):
            if (begins[row] and row != previous) or total + count > self._room:
                starts.append(number)
                total = 0
            total += count
            previous = row
        ends = [*starts[1:], len(self.texts)] if starts else []
        return sorted(self._fitting(list(zip(starts, ends, strict=True))))

    def _fitting(self, runs: list[tuple[int, int]]) -> Iterator[_Window]:
        """Windows of those runs of pieces. Some tokenizers look beyond a blank: what is too long together is halved."""
        while runs:
            texts = [" ".join(self.texts[start:end]) for start, end in runs]
            is_joined = [end - start > 1 for start, end in runs]
            counts = iter(self._count(list(compress(texts, is_joined))))
            halves: list[tuple[int, int]] = []
            for (start, end), text, joined in zip(runs, texts, is_joined, strict=True):
                tokens = next(counts) if joined else self.tokens[start]
                if joined and tokens > self._room:
                    middle = (start + end) // 2
                    halves += [(start, middle), (middle, end)]
                else:
                    yield _Window(start, text, tokens)
            runs = halves
