"""The validation split is the interpreter's own hash of (row, seed)."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_ray.training.split import held_out, split

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
        made = split(rows, seed=42, val_split=0.1, batch_size=batch)
        return made.train_batches, made.val_batches

    assert dealt(train_rows)[0] == 1 and dealt(train_rows - 1)[0] == 0
    assert dealt(val_rows)[1] == 1 and dealt(val_rows - 1)[1] == 0


@given(st.integers(0, 500), st.integers(0, 5), st.integers(1, 40), st.booleans(), st.sampled_from([0, 0.1, 0.5]))
def test_batches_by_worker(rows: int, workers: int, batch: int, drop_last: bool, share: float) -> None:
    parts: dict[bool, list[int]] = {True: [0] * max(1, workers), False: [0] * max(1, workers)}
    for row in range(rows):
        is_val = hash((row, 42)) % 100 < share * 100
        for side in {is_val} if share else {True, False}:
            parts[side][row % max(1, workers)] += 1
    made = split(rows, seed=42, val_split=share, batch_size=batch, num_workers=workers, drop_last=drop_last)
    size = (lambda n: n // batch) if drop_last else (lambda n: -(-n // batch))
    assert (made.train_rows, made.val_rows) == (sum(parts[False]), sum(parts[True]))
    assert (made.train_batches, made.val_batches) == (sum(map(size, parts[False])), sum(map(size, parts[True])))


def test_a_million_rows() -> None:
    made = split(1_000_000, seed=42, val_split=0.1, batch_size=8)
    assert (made.train_rows, made.val_rows) == (899_917, 100_083)
