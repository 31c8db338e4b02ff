"""The bytes of a JSON file that are still to be read, and many items of an array at a time where they are sound."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson

from omni_ray.sources.packed import BrokenStream

Exactness = Callable[[bytes, Sequence[Any]], bool]
"""Whether what orjson made of some bytes is right where it matters: it turns numbers beyond 64 bits into floats, and of the values
of a name that an object gives twice it takes the last."""

_BETWEEN = re.compile(rb"[\s,\x1e]*")
_STRETCH_BYTES = 1 << 16
"""Once parsed, this fits in a core's cache: orjson is twice as slow with a megabyte."""


class Ahead:
    """The bytes ahead of a reader, which may give back what it took.

    Attributes:
        fault: the reason code of what ended the file too early, or "".
    """

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._data = b""
        self._at = 0
        self._is_over = False
        self._read = 0
        self.fault = ""

    @property
    def place(self) -> int:
        """How many bytes have been read."""
        return self._read - len(self._data) + self._at

    def take(self, size: int) -> bytes:
        """The next bytes, as many or fewer; none at the end."""
        if self._at == len(self._data):
            self._more()
        taken = self._data[self._at : self._at + size]
        self._at += len(taken)
        return taken

    def give_back(self, data: bytes) -> None:
        """Put back what was taken last, before the rest."""
        self._data, self._at = data + self._data[self._at :], 0

    def items(self, seam: bytes, is_exact: Exactness) -> tuple[list[Any], int]:
        """The items of an array that begin here, up to the last ``seam`` of the next 64 KB.

        A prefix of items that is JSON once the array is closed after it holds those items and nothing else.

        Args:
            seam: what stands between two items: the end of one, and how the next one begins.

        Returns:
            The items, which are then read. None, and how many bytes are better read item by item, where they are not sound,
            not exact, or no seam is near.
        """
        while not (end := self._data.rfind(seam, self._at, self._at + _STRETCH_BYTES) + 1):
            if len(self._data) - self._at >= _STRETCH_BYTES or not self._more():
                return [], _STRETCH_BYTES
        data = self._data[self._at : end]
        try:
            found: list[Any] = orjson.loads(b"[%b]" % data)
        except ValueError:
            found = []
        if not found or not is_exact(data, found):
            return [], end - self._at
        self._at = _BETWEEN.match(self._data, end).end()  # type: ignore[union-attr]
        return found, 0

    def _more(self) -> bool:
        """Read one more chunk of the file; False at its end."""
        while not self._is_over:
            try:
                chunk = next(self._chunks, None)
            except BrokenStream as broken:
                chunk, self.fault = None, broken.reason
            self._is_over = chunk is None
            if chunk:
                self._read += len(chunk)
                self._data, self._at = self._data[self._at :] + chunk, 0
                return True
        return False
