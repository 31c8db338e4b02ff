"""What a command or a worker imports decides how long it takes to start: heavy packages only where they are used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from omni_ray import api

HEAVY = {
    "ray",
    "torch",
    "torchaudio",
    "datasets",
    "pandas",
    "pyarrow",
    "numpy",
    "PIL",
    "scipy",
    "soundfile",
    "av",
    "sentencepiece",
}


def imported(code: str, *arguments: str) -> set[str]:
    """Top-level packages that a fresh interpreter has after ``code``."""
    tail = "\nimport sys; print('IMPORTED', *{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code + tail, *arguments], capture_output=True, text=True, check=True
    )  # fmt: skip
    _, said, names = done.stdout.rpartition("IMPORTED ")
    assert said, done.stdout
    return set(names.split())


COMMAND = """
import sys
from omni_ray.cli import commands, running
try:
    running.run(commands.app)
except SystemExit:
    pass
"""


@pytest.mark.parametrize(
    "arguments", [["--help"], ["prepare", "--help"], ["plan", "--help"], ["verify", "--list"]], ids=" ".join
)
def test_help_and_lists_import_nothing_heavy(arguments: list[str]) -> None:
    assert imported(COMMAND, *arguments) & HEAVY == set()


@pytest.mark.slow
def test_the_list_of_corpora_imports_no_more_than_their_readers() -> None:
    assert imported(COMMAND, "list") & HEAVY <= {"numpy", "pyarrow"}


def test_what_a_run_imports_before_its_ray_begins_is_light() -> None:
    """Ray comes up beside what is imported after that."""
    assert imported("import omni_ray.api.preparing") & HEAVY == set()


def test_every_name_of_the_api_is_found_and_offered() -> None:
    assert all(callable(getattr(api, name)) or name.isupper() for name in api.__all__)
    assert set(api.__all__) <= set(dir(api))


@pytest.mark.slow
def test_status_of_nothing_starts_no_ray(tmp_path: Path) -> None:
    assert "ray" not in imported(COMMAND, "status", "--root", str(tmp_path))


TRANSFORM = """
from omni_ray.modalities.registry import modality
kind = modality(sys.argv[1])
kind.transform(kind.raw_schema.empty_table(), "corpus", kind.params_type())
"""


@pytest.mark.slow
@pytest.mark.parametrize("modality", ["text", "audio"])
def test_a_worker_for_text_or_audio_never_imports_torch(modality: str) -> None:
    found = imported("import sys" + TRANSFORM, modality)
    assert found & {"torch", "torchaudio", "ray", "datasets"} == set()
