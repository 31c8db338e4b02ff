"""Without torch, torchaudio and datasets, and without what Linux alone has: text and audio work, and whatever needs more says
so in one line."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from omni_ray.doctor import examine
from tests.made_store import clip, picture

REPOSITORY = Path(__file__).parents[2]
HEAVY = {"torch", "torchaudio", "datasets"}
HIDDEN = f"""
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {HEAVY}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Hidden())
"""
NO_LINUX = """
import os, pathlib, sys
for name in ("sched_getaffinity", "sched_setaffinity", "posix_fadvise", "posix_fallocate", "copy_file_range", "splice",
             "memfd_create", "eventfd", "pidfd_open", "fdatasync", "getrandom", "setns", "unshare", "getxattr", "O_PATH", "O_TMPFILE",
             "O_DIRECT"):
    if hasattr(os, name):
        delattr(os, name)
def is_ours():
    frame = sys._getframe(2)
    while frame is not None and frame.f_code.co_filename.rpartition("/")[2] in ("pathlib.py", "_local.py", "_abc.py"):
        frame = frame.f_back
    return frame is not None and "/omni_ray/" in frame.f_code.co_filename
def hidden(event, arguments):
    if event in ("open", "os.listdir", "os.scandir") and str(arguments[0]).startswith(("/proc", "/sys")) and is_ours():
        raise FileNotFoundError(2, "not there", str(arguments[0]))
sys.addaudithook(hidden)
glob = pathlib.Path.glob
pathlib.Path.glob = lambda path, *more, **options: iter(()) if str(path).startswith("/proc") else glob(path, *more, **options)
"""
"""What macOS lacks, for our own code: Python for Linux, and the packages made for it, cannot do without."""


def requirements(lines: list[str]) -> dict[str, str]:
    return {re.split(r"[\[<>=]", line)[0]: line for line in lines}


def test_the_light_requirements_are_all_but_the_heavy_ones() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    listed = (REPOSITORY / "requirements-light.txt").read_text().splitlines()
    light = requirements([line for line in listed if not line.startswith("#")])
    assert light == {name: line for name, line in requirements(project["dependencies"]).items() if name not in HEAVY}


@pytest.fixture
def light(tmp_path: Path) -> dict[str, str]:
    """A Mac, nearly: nothing heavy can be imported, and nothing of Linux alone used, on the workers neither."""
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "sitecustomize.py").write_text(HIDDEN + NO_LINUX)
    return {**os.environ, "PYTHONPATH": f"{tmp_path / 'hidden'}:{REPOSITORY}"}


def omni_ray(*arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "omni_ray", *arguments], env=env, capture_output=True, text=True, check=False
    )


def test_the_doctor_takes_a_light_machine_for_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = metadata.version

    def version(name: str) -> str:
        if name in HEAVY:
            raise metadata.PackageNotFoundError(name)
        return whole(name)

    monkeypatch.setattr("omni_ray.doctor.metadata.version", version)
    probes = {probe.name: probe for probe in examine(tmp_path)}
    assert all(not probes[name].ok and not probes[name].required for name in HEAVY)
    assert probes["torch"].advice == "pictures and words need it: `pip install torch`"
    assert probes["ray"].required


@pytest.mark.slow
def test_text_and_audio_work(tmp_path: Path, light: dict[str, str]) -> None:
    source = tmp_path / "mine"
    source.mkdir()
    (source / "words.txt").write_text("One line of text.\nAnother line of text.\n")
    for number in range(3):
        (source / f"{number}.flac").write_bytes(clip(number, 1.5))
        (source / f"{number}.lab").write_text(f"said in clip {number}")
    (tmp_path / "recipe.yaml").write_text(
        f"where: {{root: {tmp_path}/out}}\nprepare:\n"
        f"- {{modality: text, dataset: text_files, source: {source}}}\n- {{modality: audio, dataset: audio_files, source: {source}}}\n"
        "combine:\nverify:\n"
    )
    done = omni_ray("run", str(tmp_path / "recipe.yaml"), env=light)
    assert "Traceback" not in done.stderr and done.returncode in (0, 1), done.stdout + done.stderr
    assert "the trainers lose nothing" in done.stdout, done.stdout + done.stderr
    assert "not there" not in omni_ray("doctor", "--root", str(tmp_path), env=light).stderr
    assert len((tmp_path / "out/data/text/production_corpus.txt").read_text().splitlines()) == 2
    assert len((tmp_path / "out/data/audio/production_asr.csv").read_text().splitlines()) == 4


@pytest.mark.slow
def test_what_needs_torch_says_so_in_one_line(tmp_path: Path, light: dict[str, str]) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.jpg").write_bytes(picture(1, 300))
    (tmp_path / "pictures" / "a.txt").write_text("a picture")
    done = omni_ray(
        "prepare", "images", "--dataset", "image_captions", "--source", str(tmp_path / "pictures"), "-q", "--root",
        str(tmp_path / "out"), env=light,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        "omni-ray: this needs torch, which is not installed; pip install torch, on every machine that takes part"
    )


def test_the_specification_s_scripts_are_in_the_package() -> None:
    names = {path.stem for path in (REPOSITORY / "jobs").glob("*.py")}
    assert names == {path.stem for path in (REPOSITORY / "omni_ray" / "jobs").glob("[a-z]*.py")}
