"""Kill a run at seeded moments, rerun it until it ends by itself: the result is the undisturbed one, byte for byte."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.harness import leftovers, run_clean, run_storm, tree_digest

pytestmark = pytest.mark.slow

COPIES = 6
COMMAND = ("prepare", "text", "audio", "--combine", "--cpus", "2", "-q")


@pytest.fixture(scope="module")
def source(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real corpora, repeated under other names until they take tens of units."""
    root = tmp_path_factory.mktemp("source")
    shutil.copytree(shared_data / "books" / "bookcorpus", root / "books")
    lines = (root / "books" / "books_large_p1.txt").read_text("utf-8")
    (root / "books" / "books_large_p1.txt").write_text(lines * 40, "utf-8")
    original = shared_data / "librispeech" / "LibriSpeech" / "test-other"
    for copy in range(COPIES):
        for file in original.rglob("*"):
            if not file.is_file():
                continue
            speaker, chapter = file.relative_to(original).parts[:2]
            renamed = file.name.replace(f"{speaker}-{chapter}", f"{speaker}{copy}-{chapter}")
            target = root / "librispeech" / "LibriSpeech" / "test-other" / f"{speaker}{copy}" / chapter / renamed
            target.parent.mkdir(parents=True, exist_ok=True)
            if file.name.endswith(".trans.txt"):
                target.write_text(file.read_text("utf-8").replace(f"{speaker}-{chapter}", f"{speaker}{copy}-{chapter}"))
            else:
                shutil.copyfile(file, target)
    return root


@pytest.fixture(scope="module")
def undisturbed(source: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    return run_clean([*COMMAND, "--source", str(source)], tmp_path_factory.mktemp("clean"))


@pytest.mark.parametrize("seed", range(int(os.environ.get("OMNI_RAY_STORMS", "2"))))
def test_kills_of_driver_worker_and_raylet_leave_no_trace(
    source: Path, undisturbed: str, tmp_path: Path, seed: int
) -> None:
    storm = run_storm([*COMMAND, "--source", str(source)], tmp_path, seed=seed, kills=3, length_s=8.0)
    print(f"\nstorm {storm.seed}: killed {', '.join(storm.kills)}; started {storm.starts} times")
    assert storm.digest == undisturbed
    assert leftovers(tmp_path) == []


def test_an_output_that_cannot_be_written_is_one_sentence_and_can_be_mended(
    source: Path, undisturbed: str, tmp_path: Path
) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (root / "data").write_text("a file where a folder should be")
    command = [*COMMAND, "--source", str(source), "--root", str(root)]
    done = subprocess.run([sys.executable, "-m", "omni_ray", *command], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1
    (root / "data").unlink()
    assert subprocess.run([sys.executable, "-m", "omni_ray", *command], check=False).returncode == 0
    assert tree_digest(root) == undisturbed
