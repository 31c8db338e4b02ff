"""Kill a run at seeded moments, run it again until it ends by itself: the result is the undisturbed one, byte for byte."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.harness import Stage, Storm, make_source, run_clean, run_node_storm, run_storm, stages

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Undisturbed:
    """What an undisturbed run made, as digests after its first stage and after all, and its stages with their times."""

    first: str
    whole: str
    way: Sequence[Stage]


@pytest.fixture(scope="module")
def undisturbed(corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """The stages of which storms are blown here; what follows is left to `make faults`."""
    source = make_source(corpora, tmp_path_factory.mktemp("source"))
    way = [s for s in stages(source) if s.name in {"prepare", "combine", "plan", "export"}]
    root = tmp_path_factory.mktemp("clean") / "project"
    first, prepare = run_clean(way[:1], root)
    whole, others = run_clean(way[1:], root)
    return Undisturbed(first, whole, [*prepare, *others])


def left_no_trace(storm: Storm, digest: str) -> bool:
    killed = ", ".join(f"{kill.victim} in {kill.stage} at {kill.after:.1f} s" for kill in storm.kills)
    print(f"\nstorm {storm.seed}: {killed}; commands started {storm.starts} times")
    assert storm.kills, "nothing was hit"
    return storm.digest == digest and storm.leftovers == ()


@pytest.mark.parametrize("seed", range(int(os.environ.get("OMNI_RAY_STORMS", "1"))))
def test_kills_of_driver_worker_and_raylet_leave_no_trace(undisturbed: Undisturbed, tmp_path: Path, seed: int) -> None:
    kills = {"prepare": 2, "combine": 1, "plan": 1, "export": 1}
    storm = run_storm(undisturbed.way, tmp_path / "project", seed=seed, kills=kills)
    assert left_no_trace(storm, undisturbed.whole)


def test_a_lost_node_leaves_no_trace(undisturbed: Undisturbed, tmp_path: Path) -> None:
    storm = run_node_storm(undisturbed.way[:1], tmp_path / "project", seed=0, kills={"prepare": 1})
    assert left_no_trace(storm, undisturbed.first)
