"""The commands of the README and of the other pages run as printed, in the folder of somebody who has what they name."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from omni_ray import api
from omni_ray.pipeline.session import ray_session
from omni_ray.synth import native
from omni_ray.synth.native import CorpusToWrite, write_corpus
from tests.docs import made
from tests.docs.transcripts import DOCS, commands
from tests.sources.test_huggingface import Hub, parquet, serving

pytestmark = pytest.mark.slow
PROJECT = DOCS.parent
ELSEWHERE = {"submit"}
"""Commands that want a cluster's head; tests/cluster runs them."""


@pytest.fixture(scope="module")
def hub() -> Iterator[type[Hub]]:
    with pytest.MonkeyPatch.context() as monkeypatch, serving(monkeypatch) as (kind, endpoint):
        monkeypatch.setenv("HF_ENDPOINT", endpoint)  # for the workers
        yield kind


@pytest.fixture(scope="module")
def ray_here(hub: type[Hub]) -> Iterator[None]:
    with ray_session(num_cpus=2):
        yield


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Small corpora in their native layouts, by name."""
    folder = tmp_path_factory.mktemp("corpora")

    def written(name: str) -> Path:
        write_corpus(CorpusToWrite(name, str(folder), 42, 0.1, "tones"))
        return folder / name

    return written


def run(page: Path, folder: Path) -> None:
    """Every command of a page, in its order; none is wrong, and none fails. Nothing is fetched: corpora are there."""
    done = 0
    for command in commands(page.read_text("utf-8")):
        if command.words[0] not in ELSEWHERE:
            if command.words[0] == "prepare" and "--source" not in command.words:
                command = replace(command, words=(*command.words, "--skip-download"))
            code, printed = command.run(folder)
            assert code == 0, (command.words, printed)
            done += 1
    assert done


@pytest.mark.usefixtures("ray_here")
def test_the_readme(
    hub: type[Hub], corpora: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    shutil.copytree(corpora("coco"), tmp_path / "home/coco")
    shutil.copytree(corpora("librispeech"), tmp_path / "data/downloads/librispeech")
    dump = next(corpora("wikipedia").rglob("*.xml*"))
    shutil.copy(dump, tmp_path / "enwiki-latest-pages-articles.xml.bz2")
    made.text(tmp_path)
    (tmp_path / "my.jsonl").write_bytes((tmp_path / "chats.jsonl").read_bytes().replace(b'"messages"', b'"other"'))
    lines = [json.dumps({"body": f"A line of mine, number {n}, is as good as another one."}) for n in range(30)]
    (tmp_path / "my.jsonl").write_text("\n".join(lines) + "\n")
    made.long_recordings(tmp_path / "talks")
    shutil.copytree(PROJECT / "configs", tmp_path / "configs")
    hub.files |= {"sample/10BT/a.parquet": parquet([f"Web page {n} says this and that." for n in range(20)])}
    hub.files |= {"clean/train.100/0000.parquet": made.spoken_table()}
    prepared(tmp_path, corpora, "mjsynth")
    run(PROJECT / "README.md", tmp_path)
    written = json.loads((tmp_path / "configs/thinker_tiny.json").read_text())
    assert written["train_text"] == "data/text/production_corpus.txt"


def prepared(folder: Path, corpora: Callable[[str], Path], *names: str) -> None:
    """A project of these corpora, with its training files."""
    for name in names:
        modality = MODALITY[name]
        api.prepare(folder, modality, dataset=name, source=str(corpora(name)), combine=True, max_quarantine=1)


MODALITY = {
    "books": "text",
    "wikipedia": "text",
    "librispeech": "audio",
    "ljspeech": "audio",
    "coco": "images",
    "mjsynth": "ocr",
}


@pytest.mark.usefixtures("no_ray")
def test_exports(corpora: Callable[[str], Path], tmp_path: Path) -> None:
    prepared(tmp_path, corpora, "librispeech", "ljspeech")
    run(DOCS / "export.md", tmp_path)


@pytest.mark.usefixtures("no_ray")
@pytest.mark.parametrize("page", [PROJECT / "deploy/package.md", DOCS / "index.md"], ids=lambda page: page.stem)
def test_the_first_pages(page: Path, corpora: Callable[[str], Path], tmp_path: Path) -> None:
    shutil.copytree(corpora("librispeech"), tmp_path / "LibriSpeech")
    run(page, tmp_path)


@pytest.mark.usefixtures("no_ray")
def test_a_corpus_of_ones_own(tmp_path: Path) -> None:
    page = (DOCS / "adding-a-corpus.md").read_text("utf-8")
    [code] = re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)
    (tmp_path / "subtitles.py").write_text(code)
    (tmp_path / "films").mkdir()
    time = "00:00:01,000 --> 00:00:02,000"
    (tmp_path / "films/a.srt").write_text(f"1\n{time}\nWhat is said here\ngoes on.\n\n2\n{time}\nAnd ends.\n")
    run(DOCS / "adding-a-corpus.md", tmp_path)
    assert sorted((tmp_path / "data/text/production_corpus.txt").read_text().splitlines()) == [
        "And ends.", "What is said here goes on.",
    ]  # fmt: skip


def test_every_page_with_commands_is_tried() -> None:
    """Here, or as a guide, or made from the code."""
    pages = {page.relative_to(DOCS) for page in DOCS.rglob("*.md") if any(commands(page.read_text("utf-8")))}
    apart = {page for page in pages if page.parts[0] in ("guides", "reference")}
    assert {page.stem for page in pages - apart} == {"index", "adding-a-corpus", "export", "plan", "quality", "recipes"}


@pytest.mark.usefixtures("no_ray")
def test_cleaning(hub: type[Hub], corpora: Callable[[str], Path], tmp_path: Path) -> None:
    prepared(tmp_path, corpora, *MODALITY)
    asked = [f"How many apples are left of {n} when each of three children has eaten two of them?" for n in range(20)]
    hub.files |= {"main/test.parquet": parquet(asked)}
    (tmp_path / "my_tests.jsonl").write_text("".join(json.dumps({"text": each}) + "\n" for each in asked))
    shutil.copytree(corpora("coco"), tmp_path / "data/downloads/coco")
    shutil.copytree(corpora("librispeech"), tmp_path / "data/downloads/librispeech")
    page = (DOCS / "quality.md").read_text("utf-8")
    rule = next(code for code in re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S) if "omni_ray" in code)
    (tmp_path / "my_rules.py").write_text(rule)
    run(DOCS / "quality.md", tmp_path)


@pytest.mark.usefixtures("no_ray")
def test_planning(corpora: Callable[[str], Path], tmp_path: Path) -> None:
    prepared(tmp_path, corpora, "books", "librispeech", "coco", "mjsynth")
    run(DOCS / "plan.md", tmp_path)


@pytest.mark.usefixtures("no_ray")
def test_recipes(corpora: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = native.write_native
    monkeypatch.setattr(native, "write_native", lambda folder, seed, scale, run: write(folder, seed, 0.1, run=run))
    shutil.copytree(PROJECT / "configs", tmp_path / "configs")
    made.text(tmp_path)
    (tmp_path / "my.jsonl").write_bytes((tmp_path / "articles.jsonl").read_bytes())
    (tmp_path / "recipe.yaml").write_text(
        "prepare: {modality: text, dataset: text_files, source: my.jsonl, columns: text=body, name: mine}\n"
    )
    run(DOCS / "recipes.md", tmp_path)
