"""The specification's scripts, run as it writes them: files of each corpus, and with --combine those of all."""

from __future__ import annotations

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


def test_without_combine_there_are_the_corpora_s_own_files(shared_data: Path, tmp_path: Path) -> None:
    source = ["--dataset", "books", "--source", str(shared_data / "books"), "--max-samples", "50"]
    assert "--combine" in script("download_production_text", *source, root=tmp_path)  # says what the trainers need
    assert files(tmp_path, "text") == {"books.txt"}
    assert len((tmp_path / "data/text/books.txt").read_text("utf-8").splitlines()) == 50


@pytest.mark.parametrize(
    ("modality", "folder", "own", "production"),
    [
        ("text", "text", {"wikipedia.txt", "books.txt"}, {"production_corpus.txt"}),
        ("audio", "audio", {"librispeech_asr.csv", "ljspeech_asr.csv"}, {"production_asr.csv", "production_tts.csv"}),
        ("image", "images", {"coco_annotations.json"}, {"production_annotations.json"}),
        ("ocr", "ocr", {"mjsynth_ocr.csv", "textocr_ocr.csv"}, {"production_ocr.csv"}),
    ],
)
def test_combine_writes_what_the_trainers_read(
    shared_data: Path, tmp_path: Path, modality: str, folder: str, own: set[str], production: set[str]
) -> None:
    source = ["--source", str(shared_data), "--max-samples", "12"]
    script(f"download_production_{modality}", "--dataset", "all", "--combine", *source, root=tmp_path)
    assert own | production <= files(tmp_path, folder)


def test_the_recipe_of_the_whole_run_makes_the_same_bytes(shared_data: Path, tmp_path: Path) -> None:
    ours, theirs = tmp_path / "recipe" / "project", tmp_path / "scripts" / "project"
    theirs.mkdir(parents=True)
    for modality in ("text", "audio", "image", "ocr"):
        source = ["--source", str(shared_data), "--max-samples", "12"]
        script(f"download_production_{modality}", "--dataset", "all", "--combine", *source, root=theirs)
    script("update_configs_from_data", root=theirs)
    changes = [f"prepare.source={shared_data}", "prepare.max_samples=12", "report=false", f"where.root={ours}"]
    done = subprocess.run(
        [sys.executable, "-m", "omni_ray", "run", str(ROOT / "configs/recipes/spec.yaml"), "-q"]
        + [word for change in changes for word in ("--set", change)],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    made = {root: everything(root) for root in (ours, theirs)}
    (recipe,) = made[ours].keys() - made[theirs].keys()
    assert recipe == "data/recipe.yaml"
    del made[ours][recipe]
    assert made[ours] == made[theirs]


def everything(root: Path) -> dict[str, bytes]:
    """All files of a project but its working files."""
    files = [path for path in root.rglob("*") if path.is_file() and ".omni" not in path.parts]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}
