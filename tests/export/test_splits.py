"""Exports and ``api.dataset`` have what ``combine`` would train on as one split, and what it holds out as the other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import webdataset
from datasets import Audio, Image, get_dataset_split_names, load_dataset
from huggingface_hub import DatasetCard

from omni_ray import api
from omni_ray.errors import OmniError
from omni_ray.materialize.combine import TrainingFileOptions, combine
from omni_ray.pipeline.engine import inline
from omni_ray.pipeline.store import Store
from omni_ray.trainers.files import all_modalities
from tests.export.test_mds import read as read_mds
from tests.export.test_samples import texts, written
from tests.made_store import ROWS, audio_row, commit
from tests.materialize.test_hold_out import grouped_rows, in_shards

SIDES = {"train": "production", "heldout": "heldout"}


def project(root: Path, modality: str, holdout: float | None = 0.3) -> Path:
    """Two combined corpora: one with splits to measure on, one that is cut within a shard and, of speech, by one speaker."""
    commit(root, modality, "first", in_shards(grouped_rows(modality)), held_from=4)
    rows = [audio_row(n, speaker="she") if modality == "audio" else ROWS[modality](n) for n in range(50, 62)]
    commit(root, modality, "second", [rows[:5], rows[5:]], limit=10)
    combine(Store(root), modality, TrainingFileOptions(seed=None, holdout=holdout), run=inline)
    return root


def hugging_face(root: Path, modality: str, split: str) -> list[dict[str, Any]]:
    out = root / "hf"
    api.export(root, "hf", out)
    name = "train" if split == "train" else "validation"
    rows = load_dataset(str(out), modality, split=name, cache_dir=str(root / "cache"))
    for column, kind in (("audio", Audio), ("image", Image)):
        if column in rows.column_names:
            rows = rows.cast_column(column, kind(decode=False))
    return rows.to_list()  # type: ignore[no-any-return]


def tars(root: Path, modality: str, split: str) -> list[dict[str, Any]]:
    out = root / "wds"
    api.export(root, "webdataset", out, samples_per_shard=3)
    start = modality if split == "train" else f"heldout-{modality}"
    files = sorted(str(path) for path in out.glob(f"{start}-*.tar"))
    index = json.loads((out / "index.json").read_bytes())
    listed = {each["dataset"] for each in index["corpora"] if each["split"] == split}
    assert {each["dataset"] for each in index["shardlist"] if Path(out, each["url"]).as_posix() in files} == listed
    return [
        json.loads(each["json"]) | {"text": each["txt"].decode()}
        for each in webdataset.WebDataset(files, shardshuffle=False)
    ]


def mds(root: Path, modality: str, split: str) -> list[dict[str, Any]]:
    out = root / "mds"
    api.export(root, "mds", out, samples_per_shard=3)
    start = modality if split == "train" else f"heldout-{modality}"
    return [row for folder in sorted(out.glob(f"{start}-*")) for row in read_mds(folder)]


def dataset(root: Path, modality: str, split: Any) -> list[dict[str, Any]]:
    return api.dataset(root, modality, split=split).as_arrow().read_all().to_pylist()  # type: ignore[no-any-return]


@pytest.mark.slow
@pytest.mark.parametrize("modality", all_modalities())
@pytest.mark.parametrize("read", [hugging_face, tars, mds, dataset])
def test_the_sides_are_those_of_the_training_files(tmp_path: Path, modality: str, read: Any) -> None:
    root = project(tmp_path / "p", modality)
    for split, side in SIDES.items():
        wanted = written(root, modality, side)
        assert wanted and texts(read(root, modality, split)) == wanted


@pytest.mark.slow
@pytest.mark.parametrize("modality", all_modalities())
@pytest.mark.parametrize("read", [hugging_face, tars, mds, dataset])
def test_splits_to_measure_on_are_not_trained_on(tmp_path: Path, modality: str, read: Any) -> None:
    root = project(tmp_path / "p", modality, None)
    for split, side in SIDES.items():
        assert texts(read(root, modality, split)) == written(root, modality, side)


def test_card_and_report_say_what_the_splits_are(tmp_path: Path) -> None:
    root, out = project(tmp_path / "p", "audio"), tmp_path / "out"
    report = api.export(root, "hf", out)
    assert get_dataset_split_names(str(out), "audio") == ["train", "validation"]
    rows = {(each.name, each.split): each.rows for each in report.corpora}
    assert sum(rows.values()) == 50 and {split for _, split in rows} == {"train", "validation"}
    assert api.export(root, "hf", out).corpora == report.corpora
    card = DatasetCard.load(out / "README.md")
    told = {split["name"]: split["num_examples"] for split in card.data.dataset_info[0]["splits"]}
    held = sum(count for (_, split), count in rows.items() if split == "validation")
    assert told == {"train": 50 - held, "validation": held}
    assert f"held out from it, as split `validation`: `audio` {held}" in card.text


def test_another_share_is_another_export(tmp_path: Path) -> None:
    root, out = project(tmp_path / "p", "text"), tmp_path / "out"
    api.export(root, "hf", out)
    combine(Store(root), "text", TrainingFileOptions(seed=None), run=inline)
    assert not api.export(root, "hf", out).was_there
    commit(root, "text", "first", in_shards(grouped_rows("text")))
    combine(Store(root), "text", TrainingFileOptions(seed=None), run=inline)
    api.export(root, "hf", out)
    assert get_dataset_split_names(str(out), "text") == ["train"]


def test_what_is_held_out_is_not_exported_as_training_data_where_the_note_on_it_is_gone(tmp_path: Path) -> None:
    project(tmp_path, "text")
    (tmp_path / "data/.omni/combine/text.json").unlink()
    for read in (lambda: api.dataset(tmp_path, "text"), lambda: api.export(tmp_path, "hf", tmp_path / "hf")):
        with pytest.raises(OmniError, match=r"heldout_corpus\.txt is there.*omni-ray combine text --replace"):
            read()
    assert "count_mismatch" in {each.code for each in api.verify(tmp_path, ["text"]).findings}
    assert api.dataset(tmp_path, "text", holdout=0.3).slices
