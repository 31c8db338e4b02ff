"""``api.dataset``: whatever reads it gets the samples that ``combine`` writes, each once and in order."""

from __future__ import annotations

import csv
import io
import json
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from datasets import Audio
from torch.utils.data import DataLoader

from omni_ray import api
from omni_ray.errors import OmniError
from omni_ray.export.samples import Samples
from omni_ray.materialize.combine import TrainingFileOptions, combine
from omni_ray.pipeline.engine import inline
from omni_ray.pipeline.session import ray_session
from omni_ray.pipeline.store import Store
from omni_ray.quality.clean_shards import clean_shards
from omni_ray.quality.preset import Settings
from tests.made_store import ROWS, commit, text_row

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def ray_here() -> Iterator[None]:
    with ray_session(num_cpus=2):
        yield


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two corpora of each modality in shards of a few row groups; the second is cut within a shard, and within a picture."""
    root = tmp_path / "project"
    for modality, row in ROWS.items():
        commit(root, modality, f"a_{modality}", [[row(n) for n in range(6)], [], [row(n) for n in range(6, 9)]])
        limit = 10 if modality == "images" else 5
        commit(
            root, modality, "second", [[row(n) for n in range(20, 24)], [row(n) for n in range(24, 29)]], limit=limit
        )
    return root


def written(root: Path, modality: str, side: str) -> list[str]:
    """The texts of the training files."""
    folder = root / "data" / modality
    if modality == "text":
        name = "production_corpus.txt" if side == "production" else "heldout_corpus.txt"
        return (folder / name).read_text().splitlines()
    if modality == "images":
        return [each["caption"] for each in json.loads((folder / f"{side}_annotations.json").read_text())]
    with open(folder / f"{side}_{'asr' if modality == 'audio' else 'ocr'}.csv", newline="") as file:
        return [row["text"] for row in csv.DictReader(file)]


def texts(rows: list[dict[str, Any]]) -> list[str]:
    return [text for row in rows for text in (row["captions"] if "captions" in row else [row["text"]])]


@pytest.mark.parametrize("modality", ROWS)
def test_it_is_what_combine_writes(root: Path, modality: str) -> None:
    if modality == "text":
        assert clean_shards(Store(root), "text", Settings("off", {}, ("document",)), run=inline)
    combine(Store(root), modality, TrainingFileOptions(seed=None, holdout=0.3), run=inline)
    sides = {"train": "production", "heldout": "heldout"}
    for split, side in sides.items():
        samples = api.dataset(root, modality, split=split)  # type: ignore[arg-type]
        wanted = written(root, modality, side)
        assert wanted
        assert texts(samples.as_arrow().read_all().to_pylist()) == wanted
        assert texts(list(samples.as_torch())) == wanted
        assert texts(list(samples.as_hf().select_columns(["captions" if modality == "images" else "text"]))) == wanted
    both = [texts(api.dataset(root, modality, holdout=0).as_arrow().read_all().to_pylist())]
    assert sorted(both[0]) == sorted(written(root, modality, "production") + written(root, modality, "heldout"))


def test_media_are_decoded(root: Path) -> None:
    clip = next(iter(api.dataset(root, "a_audio").as_torch()))
    assert clip["audio"].dtype == torch.float32 and clip["audio"].shape == (8000,)
    hf = api.dataset(root, "a_audio").as_hf()
    assert hf.features["audio"] == Audio(sampling_rate=16_000)
    data = hf.cast_column("audio", Audio(decode=False))[0]["audio"]["bytes"]  # decoding takes torchcodec
    assert np.array_equal(soundfile.read(io.BytesIO(data), dtype="float32")[0], clip["audio"])
    word = next(iter(api.dataset(root, "ocr").as_torch()))
    assert word["image"].dtype == torch.uint8 and word["image"].shape == (3, 32, 32)
    assert np.array_equal(np.asarray(api.dataset(root, "ocr").as_hf()[0]["image"]), word["image"].permute(1, 2, 0))


def ids(samples: Samples) -> list[str]:
    return samples.as_arrow().read_all()["id"].to_pylist()  # type: ignore[no-any-return]


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # more workers than this machine has CPUs
@pytest.mark.parametrize("workers", [2, 5])
def test_workers_of_a_loader_share_the_rows(root: Path, workers: int) -> None:
    samples = api.dataset(root, "text")
    loader = DataLoader(samples.as_torch(), batch_size=None, num_workers=workers, multiprocessing_context="fork")
    assert sorted(row["id"] for row in loader) == sorted(ids(samples))


def test_workers_that_are_not_forked_know_the_rank_they_work_for(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = api.dataset(root, "text")
    sent = []
    for rank in range(2):
        with monkeypatch.context() as group:
            group.setattr("torch.distributed.is_initialized", lambda: True)
            group.setattr("torch.distributed.get_rank", lambda rank=rank: rank)
            group.setattr("torch.distributed.get_world_size", lambda: 2)
            sent.append(pickle.dumps(samples.as_torch()))  # as to a worker that is spawned
    rows = [row["id"] for data in sent for row in pickle.loads(data)]
    assert sorted(rows) == sorted(ids(samples))


@pytest.mark.usefixtures("ray_here")
def test_ray_reads_it_in_order(root: Path) -> None:
    for modality in ROWS:
        samples = api.dataset(root, modality)
        assert [row["id"] for row in samples.as_ray().iter_rows()] == ids(samples)
    assert api.dataset(root, "text").as_ray().schema().names == samples_names("text")


def samples_names(modality: str) -> list[str]:
    from omni_ray.modalities.registry import modality as modality_of

    return list(modality_of(modality).schema.names)


def test_the_copy_for_hugging_face_follows_the_shards(root: Path) -> None:
    first = api.dataset(root, "a_text").as_hf()
    copies = list((root / "data/.omni/hf").rglob("*.arrow"))
    assert len(api.dataset(root, "a_text").as_hf()) == 9 and list((root / "data/.omni/hf").rglob("*.arrow")) == copies
    commit(root, "text", "a_text", [[text_row(n, text="another") for n in range(3)]])
    assert len(api.dataset(root, "a_text").as_hf()) == 3
    assert len(list((root / "data/.omni/hf").rglob("*.arrow"))) == 1 and len(first) == 9


def test_a_damaged_copy_for_hugging_face_is_made_again(root: Path) -> None:
    wanted = list(api.dataset(root, "a_text").as_hf())
    [copy] = (root / "data/.omni/hf").rglob("*.arrow")
    data = bytearray(copy.read_bytes())
    data[data.index(b"Line 4")] ^= 32
    copy.write_bytes(data)
    assert list(api.dataset(root, "a_text").as_hf()) == wanted


def test_it_is_small_and_travels(root: Path) -> None:
    samples = api.dataset(root, "images")
    assert ids(pickle.loads(pickle.dumps(samples))) == ids(samples)
    assert "second" in repr(samples) and "<td>second</td>" in samples._repr_html_()


def test_a_damaged_shard_is_refused(root: Path) -> None:
    shard = root / "data/shards/text/a_text/part-00002.parquet"
    samples = api.dataset(root, "text")
    data = bytearray(shard.read_bytes())
    data[20] ^= 1
    shard.write_bytes(data)
    with pytest.raises(OmniError, match=r"a_text/part-00002\.parquet is damaged"):
        samples.as_arrow().read_all()
    with pytest.raises(OmniError, match="is damaged"):
        samples.as_hf()
    assert not list((root / "data/.omni/hf").rglob("*.arrow"))


@pytest.mark.parametrize(
    ("what", "more", "said"),
    [
        ("second", {}, "several modalities have a corpus of that name; choose one of text/second and audio/second"),
        ("nothing", {}, "nothing is not prepared under .*; there are: text/a_text, text/second"),
        ("text", {"split": "test"}, "choose train or heldout"),
        ("text", {"split": "heldout"}, "text: nothing is held out; give holdout=0.01"),
        ("text", {"holdout": 1.5}, "give a share between 0 and 1"),
    ],
)
def test_what_cannot_be_is_one_sentence(root: Path, what: str, more: dict[str, Any], said: str) -> None:
    with pytest.raises(OmniError, match=said):
        api.dataset(root, what, **more)
    assert ids(api.dataset(root, "text/second")) == [f"page {n}#0" for n in range(20, 25)]


def test_stale_or_unfinished_shards_are_refused(root: Path, tmp_path: Path) -> None:
    assert clean_shards(Store(root), "text", Settings("default"), run=inline)
    commit(root, "text", "late", [[text_row(1)]])
    with pytest.raises(OmniError, match="run `omni-ray clean text`"):
        api.dataset(root, "text")
    with pytest.raises(OmniError, match="run `omni-ray prepare` first"):
        api.dataset(tmp_path / "empty", "text")


@pytest.mark.slow
def test_the_examples_of_the_page_run_as_printed(tmp_path: Path) -> None:
    page = DOCS / "python.md"
    assert page.read_text("utf-8").count(">>> ") > 15
    done = subprocess.run([sys.executable, "-m", "doctest", page], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_a_clip_is_what_the_training_file_names(root: Path) -> None:
    combine(Store(root), "audio", TrainingFileOptions(seed=None), run=inline)
    with open(root / "data/audio/production_asr.csv", newline="") as file:
        paths = [row["wav"] for row in csv.DictReader(file)]
    for path, row in zip(paths, api.dataset(root, "audio").as_torch(), strict=True):
        samples, _ = soundfile.read(root / path, dtype="float32")
        assert np.array_equal(samples, row["audio"])
