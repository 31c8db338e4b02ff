"""``omni-ray export hf``: what ``datasets`` makes of it is what was committed."""

from __future__ import annotations

import io
import os
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from datasets import Audio, Image, get_dataset_config_names, load_dataset, load_dataset_builder
from huggingface_hub import DatasetCard

from omni_ray import api
from omni_ray.errors import OmniError
from omni_ray.export.card import licence_ids, size_category, source_name
from omni_ray.pipeline.engine import inline
from omni_ray.pipeline.store import Store
from omni_ray.quality.clean_shards import clean_shards
from omni_ray.quality.preset import Settings
from tests.made_store import ROWS, commit, image_row, make_store, text_row


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No way out of this machine, and a cache of its own."""

    def refuse(*args: Any, **more: Any) -> None:
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    api.export(make_store(tmp_path / "project"), "hf", tmp_path / "out")
    return tmp_path / "out"


def load(folder: Path, *config: str) -> Any:
    return load_dataset(str(folder), *config, split="train", cache_dir=str(folder.parent / "cache"))


@pytest.mark.slow
def test_every_configuration_loads_and_its_media_decode(exported: Path) -> None:
    assert get_dataset_config_names(str(exported)) == sorted([*ROWS, *(f"{m}-{m}_corpus" for m in ROWS)])
    assert load(exported)["text"] == [f"Line {n} of the corpus." for n in range(10)]  # text is the default
    audio = load(exported, "audio-audio_corpus")
    assert isinstance(audio.features["audio"], Audio) and len(audio) == 10
    pictures = load(exported, "images")
    assert isinstance(pictures.features["image"], Image)
    assert pictures[7]["image"].size == (32, 32)
    assert pictures[7]["captions"] == [f"Caption {n} of picture 7" for n in range(3)]
    words = load(exported, "ocr-ocr_corpus")
    assert words["text"][:2] == ["Wörd0", "Wörd1"] and words[3]["image"].mode == "RGB"


def test_the_card_says_what_the_files_hold(exported: Path) -> None:
    card = DatasetCard.load(exported / "README.md")
    assert card.data.license == "cc-by-4.0" and card.data.language == ["en"]
    assert card.data.size_categories == ["n<1K"] and card.data.pretty_name == "project"
    for info in card.data.dataset_info:
        builder = load_dataset_builder(str(exported), info["config_name"])
        assert builder.info.splits["train"].num_examples == info["splits"][0]["num_examples"] == 10
        assert info["splits"][0]["num_bytes"] > 0 and info["download_size"] > 0
    text = card.text
    assert "| images-images_corpus | 31 | 30 | 1 | 0 | `decode_error` 1 |" in text
    assert "https://example.org" in text and "/somewhere" not in text  # no path of this machine is published


def test_audio_is_read_from_its_bytes_where_datasets_cannot_decode_it(exported: Path) -> None:
    clips = load(exported, "audio").cast_column("audio", Audio(decode=False))
    samples, rate = soundfile.read(io.BytesIO(clips[3]["audio"]["bytes"]))
    assert (len(samples), rate, clips[3]["num_samples"]) == (8000, 16_000, 8000) and np.abs(samples).max() > 0.2


def test_the_card_says_what_cleaning_removed(tmp_path: Path) -> None:
    rows = [text_row(n, text=f"Line {n % 3} says this and nothing else.") for n in range(10)]
    commit(tmp_path / "p", "text", "books", [rows])
    clean_shards(Store(tmp_path / "p"), "text", Settings("off", {}, ("document",)), run=inline)
    api.export(tmp_path / "p", "hf", tmp_path / "out")
    card = DatasetCard.load(tmp_path / "out" / "README.md").text
    assert "| text-books | 10 | 10 | 0 | 0 |  | 3 | 0 | 7 | `duplicate_document` 7 |" in card


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 14, 15, 16, 17, 29, 30])
def test_the_limit_is_exact_to_the_caption(tmp_path: Path, limit: int) -> None:
    shards = [[image_row(n) for n in range(5)], [image_row(n) for n in range(5, 10)]]
    commit(tmp_path / "project", "images", "coco", shards, limit=limit)
    report = api.export(tmp_path / "project", "hf", tmp_path / "out")
    rows = load(tmp_path / "out")
    captions = [caption for row in rows["captions"] for caption in row]
    assert captions == [f"Caption {n} of picture {i}" for i in range(10) for n in range(3)][:limit]
    assert report.corpora[0].samples == limit and report.corpora[0].rows == len(rows)


def test_whole_shards_are_links_to_the_store(tmp_path: Path) -> None:
    store = commit(tmp_path / "p", "text", "books", [[text_row(0)], [text_row(1), text_row(2)]], limit=2)
    api.export(tmp_path / "p", "hf", tmp_path / "out")
    first, second = sorted((tmp_path / "out/text/books").iterdir())
    assert os.path.samefile(first, store.storage.local_root / "part-00000.parquet")
    assert pq.read_metadata(second).num_rows == 1


def test_a_shard_on_another_disk_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def other_disk(*args: Any) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", other_disk)
    store = commit(tmp_path / "p", "text", "books", [[text_row(0)]])
    api.export(tmp_path / "p", "hf", tmp_path / "out")
    [copy] = (tmp_path / "out/text/books").iterdir()
    assert copy.read_bytes() == (store.storage.local_root / "part-00000.parquet").read_bytes()


def test_only_what_was_asked_for(tmp_path: Path) -> None:
    root = make_store(tmp_path / "p", 2)
    report = api.export(root, "hf", tmp_path / "out", modalities=["audio", "ocr"], names=["ocr_corpus"])
    assert [each.name for each in report.corpora] == ["ocr-ocr_corpus"]
    with pytest.raises(OmniError, match="nonesuch is not prepared here; there are: text_corpus"):
        api.export(root, "hf", tmp_path / "other", names=["nonesuch"])
    with pytest.raises(OmniError, match="--modality video: choose one of text, audio, images, ocr"):
        api.export(root, "hf", tmp_path / "other", modalities=["video"])
    with pytest.raises(OmniError, match="nothing is prepared here"):
        api.export(tmp_path / "empty", "hf", tmp_path / "other")


def test_odd_names_and_corpora_without_samples(tmp_path: Path) -> None:
    commit(tmp_path / "p", "text", "a b*[c].d", [[text_row(0)], []])
    commit(tmp_path / "p", "text", "none", [[]])
    report = api.export(tmp_path / "p", "hf", tmp_path / "out")
    assert [each.name for each in report.corpora] == ["text-a+20b+2A+5Bc+5D+2Ed"]
    assert len(load(tmp_path / "out", report.corpora[0].name)) == 1


def test_licences_sizes_and_sources_are_named_as_the_hub_names_them() -> None:
    assert licence_ids(["CC BY 4.0", "CC0", "annotations CC BY 4.0; each picture its own"]) == [
        "cc-by-4.0", "cc0-1.0", "other",
    ]  # fmt: skip
    assert [size_category(n) for n in (0, 999, 1000, 10**6, 10**9)] == [
        "n<1K", "n<1K", "1K<n<10K", "1M<n<10M", "1B<n<10B",
    ]  # fmt: skip
    assert source_name("/home/me/LibriSpeech") == "LibriSpeech"
    assert source_name("org/dataset") == "org/dataset" and source_name("s3://b/x") == "s3://b/x"
