"""Every command, killed where it changes the disk and run again, leaves what an undisturbed run leaves, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.crash_points import WAY, Bench, Command

pytestmark = pytest.mark.slow
SAMPLE = 3
"""Points of each command; `make crash-points` tries all."""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """The commands run one after the other, each from what the ones before it left."""
    with Bench(tmp_path_factory.mktemp("bench")) as made:
        yield made


@pytest.mark.parametrize("command", WAY, ids=lambda command: command.name)
def test_a_kill_at_any_point_leaves_no_trace(bench: Bench, command: Command) -> None:
    result = bench.try_command(command, SAMPLE)
    assert not result.wrong
    assert (result.points > 0) == (command.name != "verify")
