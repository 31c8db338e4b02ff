"""Units of a list: written beside each other, acknowledged in their order."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from omni_ray.errors import SourceError
from omni_ray.pipeline import unit_stage
from omni_ray.pipeline.unit_stage import MakeUnits


class Number:
    """A unit on its way that is a number, and is committed as such."""

    kept: tuple[Any, ...] = ()

    def __init__(self, job: Any, unit: int) -> None:
        self.unit = unit

    def commit(self) -> int:
        return self.unit


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> MakeUnits:
    """Of units that are numbers, of which nothing is read."""

    def read_unit(job: Any, unit: Any, rows_at_once: int) -> Iterator[Any]:
        if unit == 7:
            raise SourceError("the source is gone")
        yield from ()

    monkeypatch.setattr(unit_stage, "read_unit", read_unit)
    monkeypatch.setattr(unit_stage, "Making", Number)
    job: Any = SimpleNamespace(storage=SimpleNamespace(sync_names=lambda: None))
    return MakeUnits([job])


def test_units_are_written_beside_each_other(stage: MakeUnits, monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(4, timeout=60)

    def commit(making: Any) -> Any:
        together.wait()  # for ever, were they written one after the other
        return making.unit

    monkeypatch.setattr(Number, "commit", commit)
    units: Any = [(0, number) for number in (0, 1, 2, 3)]
    made: list[Any] = list(stage.make_each(units))
    assert made == [0, 1, 2, 3]


def test_what_was_made_before_a_failure_counts(stage: MakeUnits) -> None:
    units: Any = [(0, number) for number in (3, 4, 7, 8)]
    made: Iterator[Any] = stage.make_each(units)
    assert [next(made), next(made)] == [3, 4]
    with pytest.raises(SourceError):
        next(made)
