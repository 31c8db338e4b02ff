"""The validation split is the interpreter's own hash of (row, seed)."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_ray.trainers.split import batches, held_out, rows_by_worker

SEEDS = st.one_of(st.just(42), st.integers(-(2**70), 2**70))


@given(st.integers(0, 2**60), SEEDS, st.floats(0, 0.99))
def test_same_rows_as_the_trainers(first: int, seed: int, share: float) -> None:
    rows = range(first, first + 50)
    expected = [hash((row, seed)) % 100 < share * 100 for row in rows]
    assert held_out(first, first + 50, seed, share).tolist() == expected


@pytest.mark.parametrize("hash_seed", ["0", "1", "12345"])
def test_the_hash_does_not_depend_on_the_process(hash_seed: str) -> None:
    code = "print([i for i in range(400) if hash((i, 42)) % 100 < 10])"
    run = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONHASHSEED": hash_seed}, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == str(np.flatnonzero(held_out(0, 400, 42, 0.1)).tolist())


@pytest.mark.parametrize(
    ("batch", "train_rows", "val_rows"),
    [(1, 1, 17), (2, 2, 21), (4, 4, 34), (8, 8, 77), (16, 16, 169), (32, 36, 278)],
)
def test_rows_needed_for_one_batch(batch: int, train_rows: int, val_rows: int) -> None:
    def dealt(rows: int) -> tuple[int, int]:
        train, val = rows_by_worker(rows, seed=42, val_split=0.1)
        return batches(train, batch, True), batches(val, batch, True)

    assert dealt(train_rows)[0] == 1 and dealt(train_rows - 1)[0] == 0
    assert dealt(val_rows)[1] == 1 and dealt(val_rows - 1)[1] == 0


@given(
    st.integers(0, 500), st.integers(0, 5), st.integers(1, 40), st.booleans(), st.sampled_from([0, 0.1, 0.5]),
    st.sets(st.integers(0, 499)), st.integers(0, 500),
)  # fmt: skip
def test_batches_by_worker_without_the_rows_that_give_no_sample(
    rows: int, workers: int, batch: int, drop_last: bool, share: float, useless: set[int], cut: int
) -> None:
    gone = sorted(row for row in useless if row < rows)
    parts: dict[bool, list[int]] = {True: [0] * max(1, workers), False: [0] * max(1, workers)}
    for row in range(rows):
        if row not in useless:
            parts[hash((row, 42)) % 100 < share * 100][row % max(1, workers)] += 1
    without = [np.array([row for row in gone if (row < cut) is is_first], np.int64) for is_first in (True, False)]
    train, val = rows_by_worker(rows, seed=42, val_split=share, num_workers=workers, without=without)
    assert (train.tolist(), val.tolist()) == (parts[False], parts[True])
    for side, is_val in ((train, False), (val, True)):
        made = sum(n // batch if drop_last else -(-n // batch) for n in parts[is_val])
        assert batches(side, batch, drop_last) == made


def test_nothing_is_held_out_at_a_split_of_zero() -> None:
    train, val = rows_by_worker(1000, seed=42, val_split=0)
    assert (train.sum(), val.sum()) == (1000, 0)


def test_a_million_rows() -> None:
    train, val = rows_by_worker(1_000_000, seed=42, val_split=0.1)
    assert (train.sum(), val.sum()) == (899_917, 100_083)
