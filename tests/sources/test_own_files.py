"""The training files of one project as the source of another: every row once, as it was."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from omni_ray import api
from omni_ray.corpora.base import Rejected, SourceOptions
from omni_ray.corpora.locate import locate
from omni_ray.corpora.registry import select
from omni_ray.errors import SourceError
from omni_ray.materialize.combine import combine
from omni_ray.pipeline.engine import inline
from omni_ray.pipeline.store import Store
from omni_ray.verify.run import verify
from tests.made_store import audio_row, commit, image_row, make_store, text_row, word_row

CORPORA = {"text": "text_files", "audio": "audio_files", "images": "image_captions", "ocr": "ocr_images"}
FILES = {
    "text": ["production_corpus.txt"],
    "audio": ["production_asr.csv", "production_tts.csv"],
    "images": ["production_annotations.json"],
    "ocr": ["production_ocr.csv"],
}
ODD = "say \"so\", 'and'; # no | comment — 你好"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = make_store(tmp_path_factory.mktemp("first"))
    commit(root, "text", "more", [[text_row(n, text=f"More {ODD} {n}") for n in range(40, 44)]])
    commit(root, "audio", "more", [[audio_row(n, text=f"more {ODD} {n}") for n in range(40, 44)]])
    commit(root, "images", "more", [[image_row(n, captions=2) for n in range(40, 44)]])
    commit(root, "ocr", "more", [[word_row(n, text=f"{n},{ODD}") for n in range(40, 44)]])
    for modality in CORPORA:
        combine(Store(root), modality, run=inline)
    return root


def items(modality: str, source: Path, root: Path) -> Iterator[Any]:
    (corpus,) = select(modality, CORPORA[modality])
    found = locate(corpus, root, str(source), SourceOptions(), cache=root / "index")
    for draft in found.drafts:
        for item in found.reader.read(found.tree, draft.payload):
            yield from item.to_pylist() if isinstance(item, pa.Table) else [item]
    assert not any(group.fault for group in found.files().unread)


def samples(modality: str, rows: Iterator[Any]) -> Counter[Any]:
    found: Counter[Any] = Counter()
    for row in rows:
        assert not isinstance(row, Rejected)
        if modality == "text":
            found[row["text"].removesuffix("\n")] += 1
        elif modality == "images":
            found.update((bytes(row["image"]), caption) for caption in row["captions"])
        elif modality == "audio":
            found[bytes(row["audio"]), row["text"]] += 1
        else:
            found.update((bytes(row["image"]), word["text"]) for word in row.get("words", [row]))
    return found


def committed(modality: str, root: Path) -> Counter[Any]:
    shards = sorted((root / "data" / "shards" / modality).glob("*/part-*[0-9].parquet"))
    rows = [row for shard in shards for row in pq.read_table(shard).to_pylist()]
    inner = {"audio": "audio", "images": "image", "ocr": "image"}.get(modality)
    return samples(modality, iter([{**row, inner: row[inner]["bytes"]} if inner else row for row in rows]))


@pytest.mark.parametrize(("modality", "file"), [(m, file) for m in FILES for file in ["", "data", "folder", *FILES[m]]])
def test_every_row_comes_back_once(project: Path, tmp_path: Path, modality: str, file: str) -> None:
    folder = project / "data" / modality
    source = {"": project, "data": project / "data", "folder": folder}.get(file, folder / file)
    assert samples(modality, items(modality, source, tmp_path)) == committed(modality, project)


def test_other_texts_beside_the_training_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "production_corpus.txt").write_text("one\ntwo\n")
    (tmp_path / "mine.txt").write_text("one\n")
    with pytest.raises(SourceError, match="name the one that is meant"):
        list(items("text", tmp_path, tmp_path / "second"))


def rows_of(root: Path, modality: str, name: str = "production") -> list[str]:
    """The texts of a training file, sorted."""
    content = (root / "data" / modality / f"{name}_{FILES[modality][0].partition('_')[2]}").read_text("utf-8")
    if modality == "text":
        return sorted(content.splitlines())
    if modality == "images":
        return sorted(f"{entry['caption']} {entry['category']}" for entry in json.loads(content))
    return sorted(row["text"] for row in csv.DictReader(content.splitlines()))


@pytest.mark.usefixtures("no_ray")
@pytest.mark.parametrize("modality", FILES)
@pytest.mark.parametrize("file", ["file", "project"])
def test_a_second_project_has_the_rows_of_the_first(project: Path, tmp_path: Path, modality: str, file: str) -> None:
    """The whole way: training files of one project as the source of another give the same training files."""
    source = project if file == "project" else project / "data" / modality / FILES[modality][-1]
    report = api.prepare(tmp_path, modality, dataset=CORPORA[modality], source=str(source), combine=True)
    assert report.exit_code == 0 and not report.summaries[0].reasons
    assert rows_of(tmp_path, modality) == rows_of(project, modality)
    assert verify(tmp_path, modalities=[modality]).exit_code == 0
