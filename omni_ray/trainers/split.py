"""Which rows the trainers hold out for validation, and how many batches each part makes.

A row's place in the file decides: row ``i`` is held out when ``hash((i, seed)) % 100 < val_split * 100``. That hash of
a pair of integers is the same in every CPython process from 3.8 on (xxHash's scheme; ``PYTHONHASHSEED`` does not
touch integers), so the split can be computed in advance. Here it is computed for millions of rows at a time.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

# Objects/tupleobject.c of CPython: _PyHASH_XXPRIME_1, 2 and 5, and what the length is mixed with.
_PRIME_1, _PRIME_2, _PRIME_5 = 11400714785074694791, 14029467366897019727, 2870177450012600261
_LENGTH_MIX = 3527539
_IF_MINUS_ONE = 1546275796
_CHUNK = 1 << 22


def held_out(first: int, last: int, seed: int, val_split: float) -> NDArray[np.bool_]:
    """For rows ``first`` to ``last`` (exclusive), whether each is held out (bool, one a row).

    Raises ValueError for rows beyond 2**61 - 2, whose integers hash to something else.
    """
    if last > sys.hash_info.modulus:
        raise ValueError(f"row {last} is beyond what the split can tell")
    return _are_held_out(np.arange(first, last, dtype=np.uint64), seed, val_split)


def _are_held_out(rows: NDArray[np.uint64], seed: int, val_split: float) -> NDArray[np.bool_]:
    held: NDArray[np.bool_] = _pair_hashes(rows, seed) % 100 < val_split * 100
    return held


def _pair_hashes(rows: NDArray[np.uint64], seed: int) -> NDArray[np.int64]:
    """``hash((row, seed))`` of each row."""
    with np.errstate(over="ignore"):
        mixed = np.full(rows.shape, _PRIME_5, np.uint64)
        for lane in (rows, np.uint64(hash(seed) & 0xFFFF_FFFF_FFFF_FFFF)):
            mixed += lane * np.uint64(_PRIME_2)
            mixed = (mixed << np.uint64(31)) | (mixed >> np.uint64(33))
            mixed *= np.uint64(_PRIME_1)
        mixed += np.uint64(2 ^ (_PRIME_5 ^ _LENGTH_MIX))
    hashes = mixed.view(np.int64)
    return np.where(hashes == -1, _IF_MINUS_ONE, hashes)


def rows_by_worker(
    rows: int,
    *,
    seed: int,
    val_split: float,
    num_workers: int = 0,
    without: Iterable[NDArray[np.int64]] = (),
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Training and validation rows of each worker (int64, one a worker). With ``val_split`` 0 nothing is held out.

    Args:
        rows: rows in the file.
        seed, val_split, num_workers: the configuration's. With several workers, row ``i`` goes to worker
            ``i % num_workers``.
        without: rows that give no sample, in ascending parts. They keep their numbers, so that every row after them keeps its
            side and worker.
    """
    workers = max(1, num_workers)
    every = (rows - np.arange(workers) + workers - 1) // workers
    val = np.zeros(workers, np.int64)
    for first in range(0, rows, _CHUNK):
        last = min(rows, first + _CHUNK)
        held = np.flatnonzero(held_out(first, last, seed, val_split)) + first
        val += np.bincount(held % workers, minlength=workers)
    for part in without:
        every -= np.bincount(part % workers, minlength=workers)
        held = part[_are_held_out(part.astype(np.uint64), seed, val_split)]
        val -= np.bincount(held % workers, minlength=workers)
    return every - val, val


def batches(rows: NDArray[np.int64], batch_size: int, drop_last: bool) -> int:
    """Batches that ``rows`` (one number a worker) make."""
    return int((rows // batch_size if drop_last else -(-rows // batch_size)).sum())
