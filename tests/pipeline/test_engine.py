"""Lists of items go out, acknowledgements come back: in order, once each, whatever dies on the way."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_ray.errors import FALLS_SHORT, OmniError, SourceError
from omni_ray.pipeline import drivers, engine
from omni_ray.pipeline.actors import RunLayout
from omni_ray.pipeline.engine import Stage, Worker, acknowledgements, expected, list_lengths, on_ray
from omni_ray.pipeline.unit_stage import ahead
from tests.pipeline.made_stages import Killing, KillingDrivers, refuse, twice


@given(st.integers(0, 10_000), st.integers(1, 600))
def test_lists_get_shorter_until_the_last_ones_are_single_items(count: int, cpus: int) -> None:
    lengths = list(list_lengths(count, cpus))
    assert sum(lengths) == count
    assert lengths == sorted(lengths, reverse=True)
    assert all(1 <= length <= engine.LONGEST_LIST for length in lengths)
    assert lengths[-cpus:] == [1] * min(cpus, len(lengths))


def test_a_cluster_that_starts_from_nothing_gets_single_items_to_grow_by() -> None:
    assert set(list_lengths(1_000, expected(0.0))) == {1}
    assert expected(16.0) == 16.0


class Keeping(Stage[int, int]):
    """Says what was kept when."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def make(self, item: int) -> int:
        self.log.append(f"made {item}")
        return item

    def keep(self) -> None:
        self.log.append("kept")


def test_what_is_acknowledged_was_kept_once_for_all_of_it() -> None:
    stage = Keeping()
    worker = Worker(stage, False, 3600.0)
    assert len(list(worker._said((item, stage.make(item)) for item in range(3)))) == 1
    assert stage.log == ["made 0", "made 1", "made 2", "kept"]
    stage.log.clear()
    said = Worker(stage, False, 0.0)._said((item, stage.make(item)) for item in range(2))
    next(said)
    assert stage.log == ["made 0", "kept"]
    assert stage(7) == 7 and stage.log[-2:] == ["made 7", "kept"]


@pytest.mark.usefixtures("ray_here")
@pytest.mark.parametrize("count", [0, 1, 3, 700])
def test_results_come_in_the_order_of_the_items(count: int) -> None:
    assert list(on_ray(twice, iter(range(count)))) == [2 * number for number in range(count)]


@pytest.mark.usefixtures("ray_here")
def test_long_lists_are_run_piece_by_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_ITEMS_AT_ONCE", 7)
    assert list(on_ray(twice, range(30))) == [2 * number for number in range(30)]


@pytest.mark.usefixtures("ray_here")
def test_an_error_of_ours_arrives_as_it_was_and_others_as_one_sentence() -> None:
    with pytest.raises(SourceError) as ours:
        list(on_ray(refuse, range(10)))
    assert type(ours.value) is SourceError and str(ours.value) == "the source is gone; bring it back"
    assert ours.value.exit_code == FALLS_SHORT
    with pytest.raises(OmniError, match=r"^a worker failed: ValueError: no such thing; what is") as other:
        list(on_ray(refuse, range(50, 60)))
    assert "\n" not in str(other.value) and "in refuse" in str(other.value.__cause__)


@pytest.mark.usefixtures("ray_here")
def test_a_worker_killed_in_the_middle_of_its_list_costs_the_item_it_was_at(tmp_path: Path) -> None:
    for item in (3, 17, 40):
        (tmp_path / f"fuse-{item}").touch()
    results = dict(acknowledgements(Killing(tmp_path), range(64), RunLayout()))
    assert [number for number, (item, _) in sorted(results.items()) if number == item] == list(range(64))
    assert [results[item][1] for item in (3, 17, 40)] == ["apart"] * 3
    assert all((tmp_path / f"made-{item}").read_text() == "." for item in range(64))


@pytest.mark.usefixtures("ray_here")
def test_a_worker_killed_after_it_acknowledged_something_loses_no_acknowledgement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_SAID_EVERY_S", 0.0)  # of every item by itself
    monkeypatch.setattr(engine, "_SAID_BY_ALL", 1e9)
    for item in (3, 6, 17):  # the first two in one list
        (tmp_path / f"fuse-{item}").touch()
    said = list(acknowledgements(Killing(tmp_path), range(64), RunLayout()))
    assert sorted(number for number, _ in said) == list(range(64))
    assert all(number == item for number, (item, _) in said)


def test_what_is_never_acknowledged_is_no_quiet_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drivers, "shared", lambda *given: iter([[(0, "made"), (2, "made")], [(0, "made")]]))
    with pytest.raises(OmniError, match=r"^1 of 3 pieces of work were lost on the way; run the same command again"):
        list(acknowledgements(Keeping(), range(3), RunLayout()))


@pytest.mark.parametrize(("deaths", "apart"), [(0, []), (1, [2]), (2, [2, 3, 4])])
def test_after_a_second_death_every_item_left_is_made_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deaths: int, apart: list[int]
) -> None:
    for item in (0, 1):
        (tmp_path / f"made-{item}").touch()
    monkeypatch.setattr(engine, "_deaths", lambda: deaths)
    results = dict(Worker(Killing(tmp_path), False, 0.0)._list([(item, item) for item in range(5)]))
    assert [item for item, how in results.values() if how == "apart"] == apart
    assert [item for item, how in results.values() if how == "found"] == ([0, 1] if deaths else [])


@pytest.mark.usefixtures("ray_here")
def test_sub_drivers_share_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drivers, "CPUS_PER_DRIVER", 1)
    assert list(on_ray(twice, range(100))) == [2 * number for number in range(100)]
    with pytest.raises(SourceError, match=r"^the source is gone"):
        list(on_ray(refuse, range(10)))


@pytest.mark.usefixtures("ray_here")
def test_a_killed_sub_driver_is_replaced_and_nothing_is_acknowledged_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drivers, "CPUS_PER_DRIVER", 1)
    for item in (5, 30):
        (tmp_path / f"fuse-{item}").touch()
    said = list(acknowledgements(KillingDrivers(tmp_path), range(64), RunLayout()))
    assert sorted(number for number, _ in said) == list(range(64))
    assert {item for item, _ in dict(said).values()} == set(range(64))


def test_one_driver_feeds_some_hundred_cpus_and_sub_drivers_more() -> None:
    assert [drivers.count(cpus) for cpus in (1, 500, 501, 16_000)] == [0, 0, 3, 64]


def test_what_is_made_ahead_comes_in_order_with_its_error() -> None:
    def items() -> Iterator[int]:
        yield from range(10)
        raise SourceError("gone")

    found: list[Any] = []
    with pytest.raises(SourceError, match="gone"):
        for each in ahead(items(), 2):
            found.append(each)
    assert found == list(range(10))
    assert list(itertools.islice(ahead(itertools.count(), 3), 4)) == [0, 1, 2, 3]
