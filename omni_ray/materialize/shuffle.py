"""A global shuffle that needs no memory and no luck: the order of the rows is the order of their hashed numbers.

Row i of the canonical order (corpora by name, units, rows) gets the key ``splitmix64(seed, i)``; the production
file is sorted by key. Keys are spread over buckets of equal key range, each small enough to be sorted in memory,
so that the result depends on the seed and the data alone: not on workers, buckets or timing.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_ROWS_PER_BUCKET = 200_000


def keys(seed: int, start: int, count: int) -> npt.NDArray[np.uint64]:
    """Keys of rows ``start`` to ``start + count``: uint64, shape (count,).

    SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014), which is a
    bijection of 64-bit numbers: no two rows of one file share a key.
    """
    with np.errstate(over="ignore"):
        state = np.arange(start + 1, start + 1 + count, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        state += np.uint64(seed & 0xFFFFFFFFFFFFFFFF)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return state ^ (state >> np.uint64(31))


def bucket_count(rows: int) -> int:
    """How many buckets a file of ``rows`` rows is sorted in."""
    return max(1, -(-rows // _ROWS_PER_BUCKET))


def buckets(row_keys: npt.NDArray[np.uint64], count: int) -> npt.NDArray[np.int64]:
    """The bucket of each key, int64 of the keys' shape: the key range cut into ``count`` equal parts."""
    # The upper 32 bits decide: 32 bits times a small count stays exact in 64.
    return ((row_keys >> np.uint64(32)) * np.uint64(count) >> np.uint64(32)).astype(np.int64)
