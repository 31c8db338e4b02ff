"""A small corpus of the kind users write, and one Ray for the module."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from omni_ray.corpora import registry
from omni_ray.pipeline.session import ray_session

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="session")
def subtitles_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The worked example of docs/adding-a-corpus.md, as the file a reader would save."""
    page = (DOCS / "adding-a-corpus.md").read_text("utf-8")
    code = page.split("```python\n", 1)[1].split("```", 1)[0]
    file = tmp_path_factory.mktemp("corpus") / "subtitles.py"
    file.write_text(code, "utf-8")
    registry.add_file(file)
    return file


@pytest.fixture
def films(tmp_path: Path) -> Callable[..., Path]:
    """Makes a folder of subtitle files: ``films(7, bad=(2,))`` has seven, the third of them not UTF-8."""

    def make(count: int, bad: tuple[int, ...] = (), lines: int = 5) -> Path:
        folder = tmp_path / "films"
        folder.mkdir(exist_ok=True)
        for i in range(count):
            blocks = [f"{n}\n00:00:{n:02d},000 --> 00:00:{n:02d},900\nFilm {i}, line {n}." for n in range(lines)]
            data = "\n\n".join(blocks).encode()
            (folder / f"film-{i:03d}.srt").write_bytes(b"\xff\xfe\xfa" if i in bad else data)
        return folder

    return make


@pytest.fixture(scope="module")
def ray_here() -> Iterator[None]:
    """One local Ray of two CPUs for every test of a module."""
    with ray_session(num_cpus=2):
        yield
