"""Hashes of many values at once, the same on every machine and in every run."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Hashes = npt.NDArray[np.uint64]

_BASE = 0x9E3779B97F4A7C15
_MAX_POWER = 1 << 16


def mix(values: Any) -> Hashes:
    """splitmix64's finalizer (Steele, Lea and Flood 2014): every input bit reaches every output bit. A bijection."""
    x = np.asarray(values, np.uint64) + np.uint64(_BASE)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def begins(*columns: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Where equal rows of sorted columns begin: whether each row differs from the one before it."""
    fresh = np.ones(len(columns[0]), bool)
    fresh[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return fresh


def _powers() -> Hashes:
    steps = np.full(_MAX_POWER, np.uint64(_BASE), np.uint64)
    steps[0] = 1
    return np.cumprod(steps, dtype=np.uint64)


_POWERS = _powers()


def hash_strings(strings: pa.Array) -> Hashes:
    """64 bits for every string (string or large_string, no nulls): a polynomial over its bytes modulo 2**64, then mixed.

    Bytes beyond 65,536 do not count. Not for keys an adversary may choose.
    """
    strings = strings.cast(pa.large_string())
    if len(strings) == 0:
        return np.zeros(0, np.uint64)
    buffers = strings.buffers()
    offsets = np.frombuffer(buffers[1], np.int64)[strings.offset : strings.offset + len(strings) + 1]
    first, last = int(offsets[0]), int(offsets[-1])
    data = np.frombuffer(buffers[2], np.uint8)[first:last] if buffers[2] is not None else np.zeros(0, np.uint8)
    lengths = np.diff(offsets)
    place = np.arange(last - first) - np.repeat(offsets[:-1] - first, lengths)
    terms = (data.astype(np.uint64) + np.uint64(1)) * _POWERS[np.minimum(place, _MAX_POWER - 1)]
    running = np.concatenate([np.zeros(1, np.uint64), np.cumsum(terms, dtype=np.uint64)])
    sums: Hashes = running[offsets[1:] - first] - running[offsets[:-1] - first]
    return mix(sums ^ (lengths.astype(np.uint64) << np.uint64(40)))


def rolling(tokens: Hashes, width: int) -> Hashes:
    """A hash of every run of ``width`` neighbours in ``tokens``; shape (len(tokens) - width + 1,), empty if shorter."""
    count = max(0, len(tokens) - width + 1)
    result = np.zeros(count, np.uint64)
    for step in range(width):
        result *= np.uint64(_BASE)
        result += tokens[step : step + count]
    return result
