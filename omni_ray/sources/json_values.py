"""JSON values that stand behind each other, in an array or bare, read one by one: a broken one costs itself only."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from omni_ray.sources.line_blocks import MAX_LINE_BYTES
from omni_ray.sources.packed import BrokenStream

_DECODE = json.JSONDecoder().raw_decode
_BETWEEN = re.compile(r"[\s,\x1e]*")
_NEXT: dict[type, re.Pattern[str]] = {
    dict: re.compile(r"[,\n\r\x1e\[]\s*(?=\{)|(?<=\})\s*(?=\{)"),
    list: re.compile(r"[,\n\r\x1e\[]\s*(?=\[)"),
    str: re.compile(r'[,\n\r\x1e\[]\s*(?=")'),
}
"""Where, behind something broken, a value may begin."""
_LONGEST_GAP = 4096
"""White space between values."""
BAD_BYTE = re.compile("[\udc80-\udcff]")
"""What a byte that is not UTF-8 becomes here."""
_LONGEST_LITERAL = 20
"""Characters of -Infinity, or of an escape: an error so near to the end of what is there may be the end's."""
_USED_CHARS = 1 << 20
"""When so much of the text is behind us, it is forgotten."""


@dataclass(frozen=True)
class Broken:
    """What stands where a value should.

    Attributes:
        reason: the reason code.
        detail: what is wrong.
    """

    reason: str
    detail: str


class _Malformed(Exception):
    pass


class Values:
    """The values of a file. What comes between them (commas, line ends, record separators) does not matter."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        """``chunks`` are UTF-8, with bytes here and there that are not."""
        self._chunks = chunks
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._text = ""
        self._at = 0
        self._ended = False
        self._fault = ""
        self._is_dirty = False
        self._is_cut = False
        self._arrays = 0
        self._kind: type = dict
        self._keys: set[str] = set()

    def items(self) -> Iterator[Any]:
        """The items of an array, or of arrays one behind the other; else the bare values. A :class:`Broken` for each that
        is no JSON, or not UTF-8."""
        while self._peek() == "[":
            yield from self.array()
        while self._peek():
            yield self._one()
        if self._fault and not self._is_cut:
            yield Broken(self._fault, "the rest of the file cannot be unpacked")

    def array(self) -> Iterator[Any]:
        """The items of the array that stands here, and no more."""
        self._arrays += 1
        self._at += 1
        while (character := self._peek()) != "]":
            if not character:
                if not self._is_cut:
                    yield Broken(self._fault or "truncated", "the array is not closed: the file is cut")
                self._is_cut, self._fault = True, ""
                return
            yield self._one()
        self._at += 1

    def members(self) -> Iterator[tuple[str, bool]]:
        """The keys of an object, and whether an array stands there, which :meth:`array` reads.

        Raises:
            ValueError: it is no object, or broken outside of its arrays.
        """
        if self._peek() != "{":
            raise ValueError("no object")
        self._at += 1
        while self._peek() not in ("}", ""):
            key = self._whole()
            if not isinstance(key, str) or self._peek() != ":":
                raise ValueError("no key")
            self._at += 1
            is_array = self._peek() == "["
            if not is_array:
                self._whole()
            arrays = self._arrays
            yield key, is_array
            if is_array and arrays == self._arrays:
                for _ in self.array():
                    pass

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

    def _one(self) -> Any:
        start = self._at
        try:
            value = self._value()
        except _Malformed as error:
            return self._pass_over(str(error))
        if self._is_dirty and BAD_BYTE.search(self._text, start, self._at):
            return Broken("bad_encoding", "not UTF-8")
        self._kind = type(value) if type(value) in _NEXT else self._kind
        if isinstance(value, dict):
            self._keys = set(value)
        return value

    def _value(self) -> Any:
        """The value that begins here; afterwards we are behind it. Raises _Malformed."""
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
                    self._at = end
                    return value
                fault, is_cut = "", True  # a number may go on
            if self._ended and is_cut:
                self._is_cut = True
                raise _Malformed("cut")
            if not is_cut:
                raise _Malformed(fault)
            if len(self._text) - self._at > MAX_LINE_BYTES:
                raise _Malformed("large")
            self._fill()

    def _pass_over(self, fault: str) -> Broken:
        """Go on at the next value that is like those before."""
        broken = _BROKEN.get(fault) or Broken("bad_row", f"not JSON: {fault}")
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
        """As much more text as there is from here on, or a chunk."""
        wanted = len(self._text) - self._at
        parts = [self._text]
        size = 0
        while size <= wanted and not self._ended:
            try:
                chunk = next(self._chunks, None)
            except BrokenStream as broken:
                chunk, self._fault = None, broken.reason
            self._ended = chunk is None
            text = self._decoder.decode(chunk or b"", self._ended)
            self._is_dirty = self._is_dirty or BAD_BYTE.search(text) is not None
            parts.append(text)
            size += len(text) + 1
        self._text = "".join(parts)


_BROKEN = {
    "cut": Broken("truncated", "the file ends within the value"),
    "large": Broken("too_large", f"a value of more than {MAX_LINE_BYTES} bytes"),
}
