"""Kill a run at seeded moments, run it again until it ends by itself: the result is the undisturbed one, byte for byte."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.faults.harness import Stage, Storm, make_source, run_clean, run_node_storm, run_storm, stages

pytestmark = pytest.mark.slow


Undisturbed = tuple[str, Sequence[Stage]]


@pytest.fixture(scope="module")
def undisturbed(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """The digest of an undisturbed run, and its stages; what follows is left to `make faults`."""
    source = make_source(shared_data, tmp_path_factory.mktemp("source"))
    return run_clean(
        [s for s in stages(source) if s.name in {"prepare", "combine", "plan", "export"}],
        tmp_path_factory.mktemp("clean") / "project",
    )


def left_no_trace(storm: Storm, digest: str) -> bool:
    killed = ", ".join(f"{kill.victim} in {kill.stage} at {kill.after:.1f} s" for kill in storm.kills)
    print(f"\nstorm {storm.seed}: {killed}; commands started {storm.starts} times")
    assert storm.kills, "nothing was hit"
    return storm.digest == digest and storm.leftovers == ()


@pytest.mark.parametrize("seed", range(int(os.environ.get("OMNI_RAY_STORMS", "1"))))
def test_kills_of_driver_worker_and_raylet_leave_no_trace(undisturbed: Undisturbed, tmp_path: Path, seed: int) -> None:
    digest, way = undisturbed
    storm = run_storm(way, tmp_path / "project", seed=seed, kills={"prepare": 2, "combine": 1, "plan": 1, "export": 1})
    assert left_no_trace(storm, digest)


def test_a_lost_node_leaves_no_trace(undisturbed: Undisturbed, tmp_path: Path) -> None:
    digest, way = undisturbed
    storm = run_node_storm(way, tmp_path / "project", seed=0, kills={"prepare": 1})
    assert left_no_trace(storm, digest)
