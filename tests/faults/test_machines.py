"""Machines that fall short: a full disk, a read-only one, no memory, a killed driver. One sentence, and it goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from omni_ray import api
from omni_ray.corpora import registry
from omni_ray.pipeline.own_processes import end_orphans
from omni_ray.pipeline.session import ray_session
from tests.faults.harness import Stage, descendants, make_source, omni_ray, run_clean, stages, tree_digest
from tests.faults.nodes import PROJECT

pytestmark = pytest.mark.slow
POISON = str(Path(__file__).with_name("poison.py"))


def one_line(said: str) -> str:
    """Standard error, which must be one sentence of ours."""
    lines = said.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("omni-ray: "), said
    return lines[0]


def test_a_disk_that_fills_up_or_is_read_only_can_be_mended(corpora: Path, tmp_path: Path) -> None:
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no right to mount a small disk here (unshare -rm)")
    source = make_source(corpora, tmp_path / "source")
    way = [Stage("prepare", (*stages(source)[0].command, "--combine"))]
    undisturbed, _ = run_clean(way, tmp_path / "clean")
    megabytes = sum(path.stat().st_size for path in (tmp_path / "clean").rglob("*") if path.is_file()) / 1e6
    folder = tmp_path / "disk"
    folder.mkdir()
    sizes = [str(max(1, round(megabytes * share))) for share in (0.25, 0.7, 8)]
    done = subprocess.run(
        ["unshare", "-rm", sys.executable, "-m", "tests.faults.full_disk", str(folder), str(source), *sizes],
        capture_output=True, text=True, check=False, cwd=PROJECT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    small, larger, large, read_only, again = found["runs"]
    for _, code, said in (small, larger):
        assert code == 2 and "the disk is full" in one_line(said)
    assert large[1:] == [0, ""]
    assert read_only[1] == 2 and "read-only" in one_line(read_only[2]).lower()
    assert again[1:] == [0, ""]
    assert found["digest"] == undisturbed and found["leftovers"] == []


@pytest.fixture(scope="module")
def ray_here() -> Iterator[None]:
    registry.add_file(Path(POISON))
    with ray_session(num_cpus=2):
        yield


def poisoned(source: Path, harm: str) -> list[str]:
    """The command that prepares the corpus with one bad line."""
    source.mkdir(exist_ok=True)
    (source / "harm").write_text(harm)
    corpus = ["--dataset", "poison", "--corpus-file", POISON, "--source", str(source)]
    return ["prepare", "text", *corpus, "--combine", "-q", "--max-quarantine", "0.5"]


def poisoned_here(source: Path, root: Path, harm: str) -> None:
    """What that command does, on the Ray of this module."""
    poisoned(source, harm)
    api.prepare(root, "text", dataset="poison", source=str(source), combine=True, max_quarantine=0.5)


@pytest.mark.usefixtures("ray_here")
def test_a_unit_without_enough_memory_ends_the_run_and_not_the_rest(tmp_path: Path) -> None:
    source, root = tmp_path / "source", tmp_path / "project"
    done = omni_ray(*poisoned(source, "allocate"), "--cpus", "2", "--root", str(root))
    assert done.returncode == 1
    said = one_line(done.stderr)
    assert "a worker ran out of memory" in said and "at unit 3 of poison" in said
    for place in (root, tmp_path / "clean"):
        poisoned_here(source, place, "")
    assert tree_digest(root) == tree_digest(tmp_path / "clean")


@pytest.mark.usefixtures("ray_here")
@pytest.mark.parametrize(("harm", "lost"), [("decode", [("3-1", 1)]), ("kill", [("unit 3", 2)])])
def test_a_record_that_kills_its_worker_is_quarantined_by_name_and_the_run_goes_on(
    tmp_path: Path, harm: str, lost: list[tuple[str, int]]
) -> None:
    source, root = tmp_path / "source", tmp_path / "project"
    poisoned_here(source, root, harm)
    listed = [(row["id"], row["records"]) for row in api.quarantine(root) if row["reason"] == "crashes_decoder"]
    assert listed == lost
    lines = (root / "data/text/poison.txt").read_text().splitlines()
    assert len(lines) == 18 - sum(records for _, records in lost) and "Line 0 of unit 3." in lines
    # Where and how often anything died does not show, nor what Ray says of it.
    done = omni_ray(*poisoned(source, harm), "--cpus", "1", "--root", str(tmp_path / "again"))
    assert done.returncode == 0, done.stderr
    assert tree_digest(root) == tree_digest(tmp_path / "again")


WORK = """
from omni_ray.pipeline.session import ray_session
with ray_session(num_cpus=1):
    import ray, time
    ray.get(ray.remote(lambda: 1).remote())
    print("up", flush=True)
    time.sleep(600)
"""


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def start_work() -> tuple[subprocess.Popen[str], list[int]]:
    process = subprocess.Popen([sys.executable, "-c", WORK], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "up\n"
    below = list(descendants(process.pid))
    assert len(below) >= 5  # the control store, the raylet, a worker, two that stand in for agents
    return process, below


def test_what_is_left_of_a_killed_driver_s_ray_ends_and_another_driver_s_is_left_alone() -> None:
    process, below = start_work()
    for pid in below:
        os.kill(pid, signal.SIGSTOP)  # so that none of them ends by itself
    process.kill()
    process.communicate()
    process, another = start_work()
    assert not any(is_alive(pid) for pid in below)
    end_orphans()
    assert is_alive(process.pid) and all(is_alive(pid) for pid in another)
    process.send_signal(signal.SIGTERM)
    process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_takes_its_ray_along_and_says_how_to_go_on(tmp_path: Path, number: signal.Signals) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "harm").write_text("wait")
    command = ["prepare", "text", "--dataset", "poison", "--corpus-file", POISON, "--source", str(source), "-q"]
    process = subprocess.Popen(
        [sys.executable, "-m", "omni_ray", *command, "--cpus", "1", "--root", str(tmp_path / "project")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    shards = tmp_path / "project" / "data" / "shards" / "accounts" / "text" / "poison"
    while not list(shards.glob("part-*.json")) and process.poll() is None:
        time.sleep(0.05)
    below = list(descendants(process.pid))
    os.kill(process.pid, number)
    _, said = process.communicate()
    assert process.returncode == 130
    assert "run the same command again to go on" in one_line(said)
    assert not any(is_alive(pid) for pid in below)
