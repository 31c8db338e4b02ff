"""Numbers of the rows that give no sample: small to keep, quick to add up.

A gap covers one part of a file, and only parts that have such rows have one. Its bits, one a row, are compressed, so
that a corpus in which every other line is blank costs next to nothing.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

Gap = tuple[int, int, str]
"""The first row of a part, how many rows it has, and a bit for each (zlib, base64)."""


def gap(numbers: NDArray[np.int64], rows: int) -> tuple[Gap, ...]:
    """The gap of a part of ``rows`` rows in which those of ``numbers`` (int64) give no sample; none where all do."""
    if not len(numbers):
        return ()
    bits = np.zeros(rows, np.bool_)
    bits[numbers] = True
    return ((0, rows, base64.b64encode(zlib.compress(np.packbits(bits).tobytes())).decode()),)


def moved(gaps: Iterable[Gap], by: int) -> tuple[Gap, ...]:
    """The same gaps with ``by`` rows before them."""
    return tuple((first + by, rows, bits) for first, rows, bits in gaps)


def numbers_in(gaps: Iterable[Gap]) -> Iterator[NDArray[np.int64]]:
    """For each gap, the numbers of its rows (int64, ascending)."""
    for first, rows, bits in gaps:
        packed = np.frombuffer(zlib.decompress(base64.b64decode(bits)), np.uint8)
        yield np.flatnonzero(np.unpackbits(packed, count=rows)) + first
