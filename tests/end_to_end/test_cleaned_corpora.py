"""Cleaning on Ray, on real corpora: the same bytes as without Ray, and training files of what is left."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from omni_ray import api
from omni_ray.pipeline.engine import inline
from omni_ray.pipeline.session import ray_session
from omni_ray.pipeline.store import Store
from omni_ray.quality.clean_shards import clean_shards
from omni_ray.quality.preset import Settings
from omni_ray.trainers.files import all_modalities
from omni_ray.verify.run import verify
from tests.folders import files_in

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def ray_here() -> Iterator[None]:
    with ray_session(num_cpus=2):
        yield


def test_clean_corpora_lose_next_to_nothing(corpora: Path, tmp_path: Path) -> None:
    root, twin = tmp_path / "on_ray", tmp_path / "here"
    api.prepare(root, all_modalities(), source=str(corpora))
    shutil.copytree(root, twin)
    report = api.clean(root, preset="default")
    for modality in all_modalities():
        assert clean_shards(Store(twin), modality, Settings("default"), run=inline)
    assert files_in(root / "data/shards") == files_in(twin / "data/shards")
    assert report.changed == list(all_modalities())
    removed = {summary.name: summary.removed for summary in report.summaries if summary.removed}
    assert set(removed) == {"books"}, "captions, transcripts, words and pages of good corpora are all kept"
    assert set(removed["books"]) <= {"duplicate_document", "near_duplicate"}


def test_combine_cleans_what_came_new(corpora: Path, tmp_path: Path) -> None:
    api.prepare(tmp_path, "text", dataset="wikipedia", source=str(corpora / "wikipedia"), clean="default")
    report = api.prepare(tmp_path, "text", dataset="books", source=str(corpora / "books"), combine=True)
    samples = {summary.name: summary.samples for summary in api.status(tmp_path)}
    files = {file.path: file.records for file in report.files}
    assert files["data/text/production_corpus.txt"] == sum(samples.values())
    assert samples["books"] < report.summaries[0].samples, "this text has duplicates"
    assert verify(tmp_path).ok
    back = api.prepare(tmp_path, "text", dataset="books", source=str(corpora / "books"), combine=True, clean="off")
    assert back.files[-1].records == sum(summary.samples for summary in api.status(tmp_path)) > sum(samples.values())
