"""The specification's scripts, run as it writes them: files of each corpus, and with --combine those of all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


def script(name: str, *arguments: str, root: Path) -> str:
    done = subprocess.run(
        [sys.executable, str(ROOT / "jobs" / f"{name}.py"), *arguments],
        cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def files(root: Path, folder: str) -> set[str]:
    return {path.name for path in (root / "data" / folder).iterdir() if path.is_file()}


def test_without_combine_there_are_the_corpora_s_own_files(corpora: Path, tmp_path: Path) -> None:
    source = ["--dataset", "books", "--source", str(corpora / "books"), "--max-samples", "50"]
    assert "--combine" in script("download_production_text", *source, root=tmp_path)  # says what the trainers need
    assert files(tmp_path, "text") == {"books.txt"}
    assert len((tmp_path / "data/text/books.txt").read_text("utf-8").splitlines()) == 50


ALL_IN_ONE_PROCESS = """
import runpy, sys
from contextlib import nullcontext
from unittest.mock import patch
from omni_ray import interrupts
from tests.conftest import without_ray

scripts, *more = sys.argv[1:]
with without_ray(), patch.object(interrupts, "at_once", nullcontext):  # which ends the process with the first script
    for modality in ("text", "audio", "image", "ocr"):
        sys.argv[1:] = ["--dataset", "all", "--combine", *more]
        try:
            runpy.run_path(f"{scripts}/download_production_{modality}.py", run_name="__main__")
        except SystemExit as ended:
            if ended.code:
                raise
    sys.argv[1:] = []
    runpy.run_path(f"{scripts}/update_configs_from_data.py", run_name="__main__")
"""


@pytest.fixture(scope="module")
def by_scripts(corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that the scripts made, one after the other, without Ray."""
    root = tmp_path_factory.mktemp("scripts") / "project"
    root.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", ALL_IN_ONE_PROCESS, str(ROOT / "jobs"), "--source", str(corpora), "--max-samples", "12"],
        cwd=root, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return root


@pytest.mark.parametrize(
    ("folder", "own", "production"),
    [
        ("text", {"wikipedia.txt", "books.txt"}, {"production_corpus.txt"}),
        ("audio", {"librispeech_asr.csv", "ljspeech_asr.csv"}, {"production_asr.csv", "production_tts.csv"}),
        ("images", {"coco_annotations.json"}, {"production_annotations.json"}),
        ("ocr", {"mjsynth_ocr.csv", "textocr_ocr.csv"}, {"production_ocr.csv"}),
    ],
)
def test_combine_writes_what_the_trainers_read(
    by_scripts: Path, folder: str, own: set[str], production: set[str]
) -> None:
    assert own | production <= files(by_scripts, folder)


def test_the_recipe_of_the_whole_run_makes_the_same_bytes_on_ray(
    by_scripts: Path, corpora: Path, tmp_path: Path
) -> None:
    ours = tmp_path / "project"
    changes = [f"prepare.source={corpora}", "prepare.max_samples=12", "report=false", f"where.root={ours}"]
    done = subprocess.run(
        [sys.executable, "-m", "omni_ray", "run", str(ROOT / "configs/recipes/spec.yaml"), "-q"]
        + [word for change in changes for word in ("--set", change)],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    made = {root: everything(root) for root in (ours, by_scripts)}
    (recipe,) = made[ours].keys() - made[by_scripts].keys()
    assert recipe == "data/recipe.yaml"
    del made[ours][recipe]
    assert made[ours] == made[by_scripts]


def everything(root: Path) -> dict[str, bytes]:
    """All files of a project but its working files."""
    files = [path for path in root.rglob("*") if path.is_file() and ".omni" not in path.parts]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}
