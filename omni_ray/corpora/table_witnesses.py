"""Tables of which each has a text that is in no other, told without reading their rows: some words of it are looked for in
the bytes of the others.

Words are letters, digits and blanks, which CSV and JSON write as they are; JSON that writes them otherwise is recognised.
So a table that had the text would have the words, and where they are not found, no row can be the same. Nothing follows from
words that are found.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import numpy as np

from omni_ray.corpora.base import Rejected, UnitDraft
from omni_ray.sources.byte_pairs import places_of
from omni_ray.sources.chats import PLAIN, expression_of
from omni_ray.sources.form import form_in, plain_chunks
from omni_ray.sources.packed import BrokenStream
from omni_ray.sources.tables import read_table_unit, read_texts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from omni_ray.sources.tree import Tree

_PIECES, _PER_ROW, _CHARS = 16, 4, 256
"""How many pieces of a table's texts words are taken from, how many of one row, and of how many characters."""
_ENOUGH_WORDS = 3
"""A table may share some of its rows, or parts of them, with others: as many words as this are looked for."""
_LEAST, _MOST = 12, 64
"""Letters, digits and blanks that are looked for together."""
_RUN = re.compile(rf"[A-Za-z0-9 ]{{{_LEAST},}}")
_BEGIN = re.compile(rb"(?<![A-Za-z0-9])[A-Za-z]{2}")
"""No number begins with letters: JSON may write those in several ways."""
_IS_PLAIN = np.array([re.match(r"[A-Za-z0-9 ]", chr(code)) is not None for code in range(128)])
_MOST_ANCHORS = 4
_HEAD = slice(4, 12)
"""Which bytes of words are compared at once; those before are an anchor."""
_SLOT_BITS, _STIR = 20, np.uint64(0x9E3779B97F4A7C15)
"""Heads are looked for by a hash of so many bits first."""
_ESCAPE_BYTES = 6
_TWO_ZEROS = int.from_bytes(b"00", "little")
"""ASCII has them as its first digits, as halves of pairs have D."""
_DIGITS = np.array(
    [int(chr(byte), 16) if chr(byte) in "0123456789abcdefABCDEF" else 0 for byte in range(256)], np.uint16
)
_PADDING = b"\n" * _MOST

Words = dict[bytes, list[bytes]]
"""Anchor, the two letters that words begin with -> such words, each of another piece of a text."""


def is_each_alone(tree: Tree, drafts: Mapping[str, Sequence[UnitDraft]]) -> bool:
    """Whether each of these tables surely has a text that no other one has; False where that cannot be told.

    Args:
        drafts: the units of each table.
    """
    tables = {name: [draft.payload["table"] for draft in parts] for name, parts in drafts.items()}
    if not all(_is_as_written(part) for parts in tables.values() for part in parts):
        return False
    words = _of_one_table({name: _words(tree, parts[0]) for name, parts in tables.items()})
    anchors = _anchors(words)
    own = {name: {each for anchor in anchors for each in there.get(anchor, ())} for name, there in words.items()}
    if not all(own.values()):
        return False
    wanted = _Wanted(set[bytes]().union(*own.values()))
    count: Counter[bytes] = Counter()
    here: dict[str, set[bytes]] = {}
    for name, parts in tables.items():
        found = _found(tree, parts, anchors, wanted)
        if found is None:
            return False
        count.update(found)
        here[name] = found & own[name]
    return all(any(count[each] == (each in here[name]) for each in own[name]) for name in tables)


def _is_as_written(table: Mapping[str, Any]) -> bool:
    """Whether nothing but line feeds comes between what is joined to a text."""
    column = table["columns"].get("text")
    joined = expression_of(column) if column is not None else None
    return column is not None and (joined is None or joined.template == PLAIN)


def _words(tree: Tree, table: Mapping[str, Any]) -> Words:
    """Words of the first rows of a table."""
    found: Words = {}
    only_text = {**table, "columns": {"text": table["columns"]["text"]}}
    pieces = _PIECES
    for row in islice(read_texts(tree, {"table": only_text}), _PIECES):
        text = "" if isinstance(row, Rejected) else row[0] or ""
        for start in range(0, len(text), max(_CHARS, -(-len(text) // _PER_ROW))):
            for anchor, each in _words_of(text[start : start + _CHARS]).items():
                found.setdefault(anchor, []).append(each)
            pieces -= 1
            if not pieces:
                return found
    return found


def _words_of(text: str) -> dict[bytes, bytes]:
    """Anchor -> the longest words in a text that begin with it."""
    longest: dict[bytes, bytes] = {}
    for run in _RUN.findall(text):
        data = run.encode()
        for begin in _BEGIN.finditer(data, 0, len(data) - _LEAST + 2):
            words = data[begin.start() : begin.start() + _MOST]
            longest[begin[0]] = max(words, longest.get(begin[0], b""), key=len)
    return longest


def _of_one_table(words: Mapping[str, Words]) -> dict[str, Words]:
    """The words that no other table has among its own; only anchors with enough of them."""
    count = Counter(each for there in words.values() for each in {each for some in there.values() for each in some})
    found: dict[str, Words] = {}
    for name, there in words.items():
        alone = {anchor: [each for each in some if count[each] == 1] for anchor, some in there.items()}
        enough = min(_ENOUGH_WORDS, max(map(len, alone.values()), default=0))
        found[name] = {anchor: some for anchor, some in alone.items() if len(some) >= max(1, enough)}
    return found


def _anchors(words: Mapping[str, Words]) -> list[bytes]:
    """A few anchors of which each table has one, rare ones first; not for all tables where that takes many."""
    sample = b"\n".join([b"", *(each for there in words.values() for some in there.values() for each in some), b""])
    often = np.bincount(_at_each_byte(sample, "<u2"), minlength=1 << 16)
    chosen: list[bytes] = []
    left = list(words.values())

    def rarity(anchor: bytes) -> tuple[int, int, bytes]:
        return -tables[anchor], int(often[int.from_bytes(anchor, "little")]), anchor

    while left and len(chosen) < _MOST_ANCHORS:
        tables = Counter(anchor for there in left for anchor in there)
        best = min(tables, key=rarity, default=None)
        if best is None:
            break
        chosen.append(best)
        left = [there for there in left if best not in there]
    return chosen


class _Wanted:
    """Words that are looked for, by their heads."""

    def __init__(self, words: Iterable[bytes]) -> None:
        self._by_head: dict[bytes, list[bytes]] = {}
        for each in words:
            self._by_head.setdefault(each[_HEAD], []).append(each)
        self._may_be = np.zeros(1 << _SLOT_BITS, np.bool_)
        self._may_be[_slots(np.frombuffer(b"".join(self._by_head), "<u8"))] = True

    def at(self, data: bytes, places: NDArray[np.int64]) -> Iterator[bytes]:
        """Those of the words that begin at one of these places."""
        places = places[places <= len(data) - _HEAD.stop]
        likely = self._may_be[_slots(_at_each_byte(data, "<u8")[places + _HEAD.start])]
        for place in places[likely].tolist():
            for each in self._by_head.get(data[place + _HEAD.start : place + _HEAD.stop], ()):
                if data.startswith(each, place):
                    yield each


def _slots(heads: NDArray[np.uint64]) -> NDArray[np.uint64]:
    return (heads * _STIR) >> np.uint64(64 - _SLOT_BITS)


def _found(
    tree: Tree, parts: Sequence[Mapping[str, Any]], anchors: Sequence[bytes], wanted: _Wanted
) -> set[bytes] | None:
    """Those of the words that are in a table; None where it may have them in another form."""
    found: set[bytes] = set()
    may_escape = parts[0]["format"] in ("json", "lines")
    try:
        for data in _blocks(_bytes(tree, parts)):
            values = np.frombuffer(data, np.uint8)
            if may_escape and _is_escaped(data, values):
                return None
            for anchor in anchors:
                found.update(wanted.at(data, places_of(data, anchor)))
    except BrokenStream:
        return None
    return found


def _bytes(tree: Tree, parts: Sequence[Mapping[str, Any]]) -> Iterator[bytes]:
    """The bytes of a table in which each of its texts is, in UTF-8; texts joined from several columns in pieces."""
    table = parts[0]
    if table["format"] not in ("parquet", "arrow"):
        yield from plain_chunks(tree, table["file"], form_in(table))
        return
    for part in parts:
        for item in read_table_unit(tree, {"table": {**part, "columns": {"text": part["columns"]["text"]}}}):
            if not isinstance(item, Rejected):
                for chunk in item["text"].chunks:
                    yield from filter(None, [chunk.buffers()[2]])


def _blocks(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Chunks, each with the end of the one before, so that nothing as long as words is cut everywhere."""
    rest = _PADDING
    for chunk in chain(chunks, [_PADDING]):
        data = b"".join((rest, chunk))
        yield data
        rest = data[-len(_PADDING) :]


def _at_each_byte(data: bytes, kind: str) -> NDArray[Any]:
    """The numbers that begin at each byte."""
    return np.ndarray((len(data) - np.dtype(kind).itemsize + 1,), kind, data, strides=(1,))


def _is_escaped(data: bytes, values: NDArray[np.uint8]) -> bool:
    """Whether JSON has one of our characters as an escape, or half a surrogate pair, which is left out of texts. What is near the
    ends of a block is in another one, too."""
    places = places_of(data, b"\\u")
    places = places[places <= len(data) - _ESCAPE_BYTES]
    digits = _at_each_byte(data, "<u4")[places + 2]
    places = np.sort(places[(digits & 0xFFFF == _TWO_ZEROS) | (digits & 0xDF == ord("D"))])
    code = np.zeros(len(places), np.int64)
    for digit in range(2, _ESCAPE_BYTES):
        code = code << 4 | _DIGITS[values[places + digit]]
    high, low = code >> 10 == 0xD800 >> 10, code >> 10 == 0xDC00 >> 10
    are_pairs = (np.diff(places) == _ESCAPE_BYTES) & high[:-1] & low[1:]
    lone = high | low
    lone[:-1] &= ~are_pairs
    lone[1:] &= ~are_pairs
    lone &= (places >= _ESCAPE_BYTES) & (places <= len(data) - 2 * _ESCAPE_BYTES)
    return bool(lone.any() or _IS_PLAIN[np.minimum(code, len(_IS_PLAIN) - 1)].any())
