"""Which of several things hold a key: a sorted table of numbers, twelve bytes for each key that one holds."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

import numpy as np


class Holders:
    """The table.

    Args:
        table: its bytes, as :func:`table_of` made them; may be a file that processes share.
    """

    def __init__(self, table: bytes | memoryview) -> None:
        view = memoryview(table)
        count = len(view) // 12
        self._keys, self._holders = view[: 8 * count].cast("Q"), view[8 * count :].cast("i")

    def of(self, key: int) -> Sequence[int]:
        """The numbers of those that hold a key, ascending; once for each time that one does."""
        begin = bisect_left(self._keys, key)
        return self._holders[begin : bisect_right(self._keys, key, begin)]


def table_of(keys_of_each: Iterable[Iterable[int]]) -> bytes:
    """From the keys that each thing holds, of 64 bits: all of them, ascending, then who holds each."""
    keys, holders = array("Q"), array("i")
    for number, held in enumerate(keys_of_each):
        keys.extend(held)
        holders.extend([number] * (len(keys) - len(holders)))
    order = np.argsort(keys, kind="stable")
    return np.asarray(keys)[order].tobytes() + np.asarray(holders)[order].tobytes()
