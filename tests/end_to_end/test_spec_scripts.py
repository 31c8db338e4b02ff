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
