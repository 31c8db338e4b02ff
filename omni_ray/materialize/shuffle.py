"""A global shuffle that needs no memory and no luck: the order of the rows is the order of their hashed numbers.

Row i of the canonical order (corpora by name, units, rows) gets the key ``splitmix64(seed, i)``; the training file is
sorted by key. Ranges of keys are sorted one by one, each small enough for memory, so that the result depends on the seed
and the data alone: not on workers, buckets or timing.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

KEYS = 1 << 64
"""Keys are below this."""
_RANGE_BYTES = 4 << 20
_MAX_BITS = 13
"""Every group of shards says how many bytes it has in each range: 64 KiB to send."""
_GOLDEN, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
"""What SplitMix64 multiplies with."""


def keys(seed: int, start: int, count: int) -> npt.NDArray[np.uint64]:
    """Keys of rows ``start`` to ``start + count``: uint64, shape (count,).

    SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014), which is a
    bijection of 64-bit numbers: no two rows of one file share a key.
    """
    with np.errstate(over="ignore"):
        state = np.arange(start + 1, start + 1 + count, dtype=np.uint64) * np.uint64(_GOLDEN)
        state += np.uint64(seed % KEYS)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(_FIRST)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(_SECOND)
        return state ^ (state >> np.uint64(31))


def rows_of(seed: int, keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The numbers of the rows that have ``keys``: the inverse of :func:`keys`, step by step; uint64, the same shape."""
    with np.errstate(over="ignore"):
        state: npt.NDArray[np.uint64] = keys ^ (keys >> np.uint64(31)) ^ (keys >> np.uint64(62))
        state *= np.uint64(pow(_SECOND, -1, KEYS))
        state = (state ^ (state >> np.uint64(27)) ^ (state >> np.uint64(54))) * np.uint64(pow(_FIRST, -1, KEYS))
        state = state ^ (state >> np.uint64(30)) ^ (state >> np.uint64(60))
        state -= np.uint64(seed % KEYS)
        state *= np.uint64(pow(_GOLDEN, -1, KEYS))
        state -= np.uint64(1)
        return state


def range_bits(size: int) -> int:
    """Into how many equal ranges of keys, as a power of two, ``size`` bytes are counted: some 4 MiB to a range."""
    return min(_MAX_BITS, max(0, -(-size // _RANGE_BYTES) - 1).bit_length())


def buckets(sizes: npt.NDArray[np.int64], limit: int) -> Iterator[tuple[int, int]]:
    """Runs of neighbouring ranges of keys to be sorted together: (first, end), which cover all ranges.

    Args:
        sizes: the bytes of each range; shape (ranges,).
        limit: bytes that a run should hold at most; a single range may have more.
    """
    first, held = 0, 0
    for number, size in enumerate(sizes.tolist()):
        if held + size > limit and number > first:
            yield first, number
            first, held = number, 0
        held += size
    yield first, len(sizes)
