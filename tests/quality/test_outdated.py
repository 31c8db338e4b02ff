"""Training files that are older than what is prepared are said to be so, wherever one looks before training."""

from __future__ import annotations

from pathlib import Path

import pytest

from omni_ray import api
from omni_ray.materialize.combine import TrainingFileOptions, combine
from omni_ray.pipeline.engine import inline
from omni_ray.pipeline.store import Store
from omni_ray.quality.clean_shards import clean_shards
from omni_ray.quality.preset import Settings
from omni_ray.training.plan import plan
from omni_ray.verify.run import verify
from tests.made_store import ROWS, commit, text_row


@pytest.fixture
def root(tmp_path: Path) -> Path:
    commit(tmp_path, "text", "books", [[text_row(number) for number in range(4)]])
    combine(Store(tmp_path), "text", run=inline)
    return tmp_path


def said(root: Path) -> list[str]:
    """What ``status`` says; ``plan`` says the same where there are training files."""
    found = list(api.status(root).outdated)
    planned = plan(root, configs=["thinker"], dry_run=True)
    assert planned.outdated == (found if planned.data[0].file.origin == "production" else [])
    assert all(sentence in "\n".join(planned.lines()) for sentence in planned.outdated)
    assert all(sentence in api.status(root).lines() for sentence in found)
    return found


def test_what_was_prepared_after_combine(root: Path) -> None:
    assert said(root) == []
    commit(root, "text", "web", [[text_row(9)]])
    [sentence] = said(root)
    assert "other shards" in sentence and "`omni-ray combine text`" in sentence
    assert "Out of date:" in api.write_report(root).path.read_text("utf-8")
    combine(Store(root), "text", run=inline)
    assert said(root) == []
    assert "Out of date:" not in api.write_report(root).path.read_text("utf-8")


def test_what_was_prepared_after_cleaning(root: Path) -> None:
    settings = Settings("default")
    clean_shards(Store(root), "text", settings, run=inline)
    assert "combine" in said(root)[0]
    combine(Store(root), "text", run=inline)
    assert said(root) == []
    commit(root, "text", "web", [[text_row(9)]])
    [sentence] = said(root)
    assert "since they were cleaned" in sentence and "`omni-ray clean text`" in sentence


def test_a_unit_that_is_missing_is_no_second_finding_of_status(root: Path) -> None:
    for shard in (root / "data/shards/text/books").glob("*.parquet"):
        shard.unlink()
    assert api.status(root).outdated == []
    [sentence] = plan(root, configs=["thinker"], dry_run=True).outdated
    assert "not committed" in sentence


@pytest.mark.parametrize("modality", [*ROWS])
def test_files_of_a_share_held_out_are_not_older(tmp_path: Path, modality: str) -> None:
    commit(tmp_path, modality, "one", [[ROWS[modality](number) for number in range(6)]])
    combine(Store(tmp_path), modality, TrainingFileOptions(holdout=0.3), run=inline)
    assert api.status(tmp_path).outdated == []


def test_without_training_files_nothing_is_older(root: Path) -> None:
    (root / "data/text/production_corpus.txt").unlink()
    commit(root, "text", "web", [[text_row(9)]])
    assert said(root) == []


def test_verify_tells_what_is_not_cleaned_from_what_is_not_prepared(root: Path) -> None:
    clean_shards(Store(root), "text", Settings("default"), run=inline)
    combine(Store(root), "text", run=inline)
    commit(root, "text", "web", [[text_row(9)]])
    assert {each.code for each in verify(root).findings} == {"uncleaned_unit", "outdated"}
    for manifest in (root / "data/shards").rglob("web/*.json"):
        if manifest.name.startswith("part-"):
            manifest.unlink()
    assert {each.code for each in verify(root).findings} == {"missing_unit"}
