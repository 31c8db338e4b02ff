"""JSON values one after the other, in an array or bare, read one by one: a broken one costs only itself.

Items of an array that are separated as the first two are, are read many at a time (:mod:`omni_ray.sources.json_ahead`);
a stretch that is not sound is read again item by item.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from omni_ray.sources.json_ahead import Ahead, Exactness
from omni_ray.sources.json_objects import DECODER
from omni_ray.sources.line_blocks import MAX_LINE_BYTES
from omni_ray.sources.packed import CHUNK_BYTES

_DECODE = DECODER.raw_decode
_BETWEEN = re.compile(r"[\s,\x1e]*")
_NEXT: dict[type, re.Pattern[str]] = {
    dict: re.compile(r"[,\n\r\x1e\[]\s*(?=\{)|(?<=\})\s*(?=\{)"),
    list: re.compile(r"[,\n\r\x1e\[]\s*(?=\[)"),
    str: re.compile(r'[,\n\r\x1e\[]\s*(?=")'),
}
"""Where a value may begin after something broken."""
_LONGEST_GAP = 4096
"""White space between values."""
BAD_BYTE = re.compile("[\udc80-\udcff]")
"""What a byte that is not UTF-8 becomes here."""
_LONGEST_LITERAL = 20
"""Characters of -Infinity, or of an escape: an error this close to the end of the data may come from the cut."""
_BEHIND = re.compile(r'\s*,\s*(?:\{\s*"(?:[^"\\]|\\.)*"|\[|")')
"""What separates an item from the next one, and how that one begins."""
_PIECE_BYTES = 1 << 14
"""How much is decoded at a time where only some items are read one by one."""
_USED_CHARS = 1 << 20
"""Once this much of the text has been read, it is dropped."""
_LEAST_RUN = 16
"""This many sound values before one are enough for another reader to begin at it."""
_LOOK_BYTES = 1 << 16
"""The byte position of a value is worked out once in this many."""


@dataclass(frozen=True)
class BrokenValue:
    """What is found where a value should be.

    Attributes:
        reason: the reason code.
        detail: what is wrong.
    """

    reason: str
    detail: str


class _Malformed(Exception):
    pass


class Values:
    """The values of a file. What comes between them (commas, line ends, record separators) does not matter.

    Attributes:
        begins: the byte at which the last value, or its key, begins, if another reader may begin there: it is
            sound, as many before it are. None for most.
        within: "[" in an array, "{" in an object, "" for bare values.
    """

    def __init__(self, chunks: Iterator[bytes], is_exact: Exactness | None = None) -> None:
        """
        Args:
            chunks: UTF-8, with bytes here and there that are not.
            is_exact: None where all of an item matters.
        """
        self._ahead = Ahead(chunks)
        self._is_exact = is_exact
        self._piece = CHUNK_BYTES if is_exact is None else _PIECE_BYTES
        self.begins: int | None = None
        self.within = ""
        self._run = 0
        self._looked = 0
        self._seam = b""
        self._one_by_one = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._text = ""
        self._at = 0
        self._ended = False
        self._is_dirty = False
        self._is_cut = False
        self._entered = 0
        self._kind: type = dict
        self._keys: set[str] = set()

    def items(self) -> Iterator[Any]:
        """The items of an array, or of arrays one after the other; else the bare values. A :class:`BrokenValue` for each that
        is no JSON, or not UTF-8."""
        while self._peek() == "[":
            yield from self.array()
        while self._peek():
            yield self._item(self._mark())
        if self._ahead.fault and not self._is_cut:
            yield BrokenValue(self._ahead.fault, "the rest of the file cannot be unpacked")

    def array(self) -> Iterator[Any]:
        """The items of the array that begins here, and no more."""
        self._entered += 1
        self._peek()
        self._at += 1
        outside, self.within = self.within, "["
        self._seam, self._one_by_one = b"", 0
        while (character := self._peek()) != "]":
            if not character:
                if not self._is_cut:
                    yield BrokenValue(self._ahead.fault or "truncated", "the array is not closed: the file is cut")
                self._is_cut, self._ahead.fault = True, ""
                break
            value = self._item(self._mark())
            if not self._seam and self._is_exact is not None and type(value) in _NEXT:
                behind = _BEHIND.match(self._text, self._at)
                self._seam = (
                    (self._text[self._at - 1] + behind[0]).encode("utf-8", "surrogateescape") if behind else b""
                )
            yield value
            if self._seam and self._one_by_one <= 0:
                yield from self._sound(self._seam)
        else:
            self._at += 1
        self.within = outside

    def _sound(self, seam: bytes) -> Iterator[Any]:
        """The next items, as long as they are sound."""
        assert self._is_exact is not None
        if not self._peek():
            return
        self._ahead.give_back(self._text[self._at :].encode("utf-8", "surrogateescape") + self._decoder.getstate()[0])
        self._decoder.reset()
        self._text, self._at, self._ended = "", 0, False
        goes_on = False
        while True:
            place = self._ahead.place
            found, self._one_by_one = self._ahead.items(seam, self._is_exact)
            if not found:
                return
            self._note(found[-1])
            self.begins = place if goes_on else None
            yield found[0]
            self.begins = None
            yield from islice(found, 1, None)
            goes_on = True

    def members(self) -> Iterator[tuple[str, str]]:
        """The keys of an object, and how each value begins: "[" for an array, which :meth:`array` reads, "{" for an object, which
        this reads; anything not read is skipped.

        Raises:
            ValueError: it is no object, or is broken outside its arrays.
        """
        for key, opening, _ in self._members():
            entered = self._entered
            yield key, opening
            if entered != self._entered:
                continue
            if opening == "[":
                for _ in self.array():
                    pass
            else:
                self._whole()

    def values(self) -> Iterator[Any]:
        """The values of an object, in which nothing is broken. Raises ValueError as :meth:`members`."""
        for _, _, place in self._members():
            value = self._item(place)
            if isinstance(value, BrokenValue) and value.reason != "bad_encoding":
                raise ValueError(value.detail)
            yield value

    def _members(self) -> Iterator[tuple[str, str, int | None]]:
        """The keys of an object, how the value after each begins, and :meth:`_mark` before the key."""
        if self._peek() != "{":
            raise ValueError("no object")
        self._entered += 1
        self._at += 1
        outside, self.within = self.within, "{"
        while self._peek() not in ("}", ""):
            place, key = self._mark(), self._whole()
            if not isinstance(key, str) or self._peek() != ":":
                raise ValueError("no key")
            self._at += 1
            yield key, self._peek(), place
        if not self._peek():
            raise ValueError("cut")
        self._at += 1
        self.within = outside

    def _peek(self) -> str:
        """The next character that matters; "" at the end."""
        if self._at > _USED_CHARS:
            self._text, self._at = self._text[self._at :], 0
        while True:
            self._at = _BETWEEN.match(self._text, self._at).end()  # type: ignore[union-attr]
            if self._at < len(self._text) or self._ended:
                return self._text[self._at : self._at + 1]
            self._text, self._at = "", 0
            self._fill()

    def _whole(self) -> Any:
        try:
            return self._value()
        except _Malformed as error:
            raise ValueError(str(error)) from None

    def _mark(self) -> int | None:
        """The byte we are at, if another reader may begin here, should the value be sound; not always worked out."""
        if self._run < _LEAST_RUN or self._ahead.place - self._looked < _LOOK_BYTES:
            return None
        self._looked = self._ahead.place
        rest = self._text[self._at :].encode("utf-8", "surrogateescape")
        return self._looked - len(rest) - len(self._decoder.getstate()[0])

    def _item(self, place: int | None) -> Any:
        """The value that begins here; it, or its key, begins at ``place``, as :meth:`_mark` gave it."""
        value = self._one()
        self._run = self._run + 1 if type(value) in _NEXT else 0
        self.begins = place if self._run else None
        return value

    def _one(self) -> Any:
        start = self._at
        try:
            value = self._value()
        except _Malformed as error:
            return self._pass_over(str(error))
        if self._is_dirty and BAD_BYTE.search(self._text, start, self._at):
            return BrokenValue("bad_encoding", "not UTF-8")
        self._note(value)
        return value

    def _note(self, value: Any) -> None:
        """Remember what values look like."""
        self._kind = type(value) if type(value) in _NEXT else self._kind
        if isinstance(value, dict):
            self._keys = set(value)

    def _value(self) -> Any:
        """The value that begins here; afterwards we are past it. Raises _Malformed."""
        while True:
            try:
                value, end = _DECODE(self._text, self._at)
            except json.JSONDecodeError as error:
                fault = error.msg
                margin = 0 if self._ended else _LONGEST_LITERAL
                is_cut = "Unterminated" in error.msg or error.pos >= len(self._text.rstrip()) - margin
            except (ValueError, RecursionError) as error:
                fault, is_cut = str(error), False
            else:
                if end < len(self._text) or self._ended:
                    self._one_by_one -= end - self._at
                    self._at = end
                    return value
                fault, is_cut = "", True  # a number may continue
            if self._ended and is_cut:
                self._is_cut = True
                raise _Malformed("cut")
            if not is_cut:
                raise _Malformed(fault)
            if len(self._text) - self._at > MAX_LINE_BYTES:
                raise _Malformed("large")
            self._fill()

    def _pass_over(self, fault: str) -> BrokenValue:
        """Continue at the next value that looks like those before."""
        broken = _BROKEN.get(fault) or BrokenValue("bad_row", f"not JSON: {fault}")
        self._at += 1
        while True:
            if self._at > _USED_CHARS:
                self._text, self._at = self._text[self._at - 1 :], 1
            found = _NEXT[self._kind].search(self._text, self._at)
            if found is None:
                if self._ended:
                    self._is_cut, self._at = True, len(self._text)
                    return broken
                self._at = max(self._at, len(self._text) - _LONGEST_GAP)
                self._fill()
                continue
            start = self._at = found.end()
            try:
                value = self._value()
            except _Malformed:
                self._is_cut, self._at = False, start + 1
                continue
            if self._is_like(value):
                self._is_cut, self._at = False, start
                return broken

    def _is_like(self, value: Any) -> bool:
        if type(value) is not self._kind:
            return False
        return not isinstance(value, dict) or 2 * len(self._keys & set(value)) >= len(self._keys)

    def _fill(self) -> None:
        """Read on: as much text again as is held from here on, or a piece."""
        wanted = len(self._text) - self._at
        parts = [self._text]
        size = 0
        while size <= wanted and not self._ended:
            piece = self._ahead.take(max(self._piece, wanted))
            self._ended = not piece
            text = self._decoder.decode(piece, self._ended)
            self._is_dirty = self._is_dirty or not _is_unicode(text)
            parts.append(text)
            size += len(text) + 1
        self._text = "".join(parts)


def _is_unicode(text: str) -> bool:
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


_BROKEN = {
    "cut": BrokenValue("truncated", "the file ends within the value"),
    "large": BrokenValue("too_large", f"a value of more than {MAX_LINE_BYTES} bytes"),
}
