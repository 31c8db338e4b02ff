"""Steps, epochs and frequencies: the specification's example to the digit, and small runs that stay sane."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_ray.training import schedule


@pytest.mark.parametrize(
    ("samples", "batch", "per_epoch", "steps", "warmup"),
    [(2_000_000, 4, 500_000, 1_000_000, 40_000), (1_000_000, 8, 125_000, 250_000, 10_000)],
)
def test_specification_by_samples(samples: int, batch: int, per_epoch: int, steps: int, warmup: int) -> None:
    spe = schedule.steps_per_epoch_by_rows(samples // batch, samples, batch)
    epochs = schedule.epochs(samples, "samples")
    total = schedule.max_steps(spe.value, epochs.value)
    assert (spe.value, epochs.value, total.value) == (per_epoch, 2, steps)
    assert schedule.warmup(total.value).value == warmup


def test_specification_by_tokens() -> None:
    spe = schedule.steps_per_epoch_by_tokens(200_000_000, 2_500_000, 2_500_000, 8, 512)
    epochs = schedule.epochs(200_000_000, "tokens")
    total = schedule.max_steps(spe.value, epochs.value)
    assert (spe.value, epochs.value, total.value, schedule.warmup(total.value).value) == (48_828, 2, 97_656, 3_906)


@pytest.mark.parametrize(
    ("rows", "effective_batch", "steps"),
    [(46_962, 4, 73_962), (591_753, 8, 199_716), (1_000_000, 8, 225_000), (46_962, 8, 36_981)],
)
def test_reference_figures(rows: int, effective_batch: int, steps: int) -> None:
    # The reference takes nine tenths of the rows for training instead of looking at which they are.
    train = rows * 9 // 10
    spe = schedule.steps_per_epoch_by_rows(train // effective_batch, train, effective_batch)
    assert schedule.max_steps(spe.value, schedule.epochs(rows, "samples").value).value == steps


@pytest.mark.parametrize(
    ("count", "unit", "expected"),
    [
        (1_000_000, "samples", 2), (999_999, "samples", 3), (500_000, "samples", 3), (499_999, "samples", 4),
        (100_000, "samples", 4), (99_999, "samples", 7), (100_000_000, "tokens", 2), (50_000_000, "tokens", 3),
        (10_000_000, "tokens", 4), (9_999_999, "tokens", 7),
    ],
)  # fmt: skip
def test_epoch_tiers(count: int, unit: str, expected: int) -> None:
    assert schedule.epochs(count, unit).value == expected  # type: ignore[arg-type]


@given(st.integers(1, 10**9))
def test_warmup_ends_well_before_the_run(steps: int) -> None:
    warmup = schedule.warmup(steps).value
    assert warmup <= max(steps * 4 // 100, steps // 10)
    assert warmup >= min(100, steps // 10)
    assert steps < 2500 or warmup == steps * 4 // 100


@given(st.integers(1, 10**6), st.integers(1, 7))
def test_validation_happens_in_every_epoch_or_never(per_epoch: int, epochs: int) -> None:
    steps = per_epoch * epochs
    assert schedule.validation_frequency(per_epoch, steps, True).value <= per_epoch
    assert schedule.validation_frequency(per_epoch, steps, False).value > steps


@given(st.integers(1, 10**7), st.integers(1, 10**6), st.integers(1, 7), st.integers(1, 8))
def test_all_steps_can_be_reached(steps: int, batches: int, epochs: int, accumulation: int) -> None:
    passes = schedule.max_epochs(steps, batches, epochs, accumulation).value
    assert passes >= epochs
    assert passes * batches >= steps * accumulation


def test_token_rule_only_where_lines_are_packed() -> None:
    assert schedule.choose_rule(1000, 1000 * 500, 512)[0] == "tokens"
    assert schedule.choose_rule(2_500_000, 200_000_000, 512)[0] == "lines"
    assert schedule.choose_rule(0, 0, 512)[0] == "lines"


def test_chinchilla() -> None:
    figure = schedule.chinchilla(20_318_464, 200_000_000)
    assert figure.inputs["optimum_tokens"] == 406_369_280
    assert figure.inputs["upper_tokens"] == 4_063_692_800
    assert (figure.value, figure.inputs["upper_epochs"]) == (3, 21)
