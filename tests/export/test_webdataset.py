"""``omni-ray export webdataset``: what the ``webdataset`` package reads is what was committed."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile
import webdataset
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from omni_ray import api
from omni_ray.errors import OmniError
from omni_ray.export.names import KEY_BYTES, sample_key
from omni_ray.export.run import export
from omni_ray.pipeline.engine import inline
from omni_ray.pipeline.store import Store
from omni_ray.quality.clean_shards import clean_shards
from omni_ray.quality.preset import Settings
from tests.examples import examples
from tests.made_store import ROWS, commit, make_store, text_row


def read(folder: Path, prefix: str) -> Iterator[dict[str, Any]]:
    tars = sorted(str(path) for path in folder.glob(f"{prefix}-*.tar"))
    return iter(webdataset.WebDataset(tars, shardshuffle=False))


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    api.export(make_store(tmp_path / "project"), "webdataset", tmp_path / "out", samples_per_shard=4)
    return tmp_path / "out"


def test_samples_come_back_in_order_with_media_text_and_the_rest(exported: Path) -> None:
    clips = list(read(exported, "audio-audio_corpus"))
    assert [each["__key__"] for each in clips] == [f"19-198-{n:04d}" for n in range(10)]
    samples, rate = soundfile.read(io.BytesIO(clips[3]["flac"]))
    assert (len(samples), rate, clips[3]["txt"]) == (8000, 16_000, b"words of clip 3")
    assert json.loads(clips[3]["json"]) == {
        "id": "19-198-0003", "corpus": "audio_corpus", "text": "words of clip 3", "speaker": "s0",
        "num_samples": 8000, "duration": 0.5, "source_sampling_rate": 22_050,
    }  # fmt: skip
    pictures = list(read(exported, "images-images_corpus"))
    assert Image.open(io.BytesIO(pictures[9]["jpg"])).size == (32, 32)
    assert json.loads(pictures[9]["json"])["captions"] == [f"Caption {n} of picture 9" for n in range(3)]
    assert pictures[9]["txt"] == b"Caption 0 of picture 9"
    words = list(read(exported, "ocr-ocr_corpus"))
    assert [each["txt"].decode() for each in words] == [f"Wörd{n}" for n in range(10)]
    assert all("png" in each for each in words)
    lines = list(read(exported, "text-text_corpus"))
    assert lines[4]["txt"] == b"Line 4 of the corpus." and json.loads(lines[4]["json"])["lang"] == "en"


def test_files_are_as_long_as_asked_for_and_indexed(exported: Path) -> None:
    sizes = json.loads((exported / "sizes.json").read_bytes())
    assert {name: count for name, count in sizes.items() if name.startswith("audio")} == {
        "audio-audio_corpus-000000.tar": 4, "audio-audio_corpus-000001.tar": 4, "audio-audio_corpus-000002.tar": 2,
    }  # fmt: skip
    index = json.loads((exported / "index.json").read_bytes())
    assert index["__kind__"] == "wids-shard-index-v1"
    for shard in index["shardlist"]:
        assert (exported / shard["url"]).stat().st_size == shard["filesize"]
        with tarfile.open(exported / shard["url"]) as tar:
            assert len({name.partition(".")[0] for name in tar.getnames()}) == shard["nsamples"] == sizes[shard["url"]]
    [corpus] = [each for each in index["corpora"] if each["modality"] == "images"]
    assert (corpus["tar_samples"], corpus["samples"]) == (10, 30)
    assert corpus["records"] == {"in": 31, "kept": 30, "quarantined": 1, "beyond": 0, "beyond_share": 0}


def test_the_index_says_what_cleaning_removed(tmp_path: Path) -> None:
    rows = [text_row(n, text="All lines say the same thing here.") for n in range(4)]
    commit(tmp_path / "p", "text", "books", [rows])
    clean_shards(Store(tmp_path / "p"), "text", Settings("off", {}, ("document",)), run=inline)
    api.export(tmp_path / "p", "webdataset", tmp_path / "out")
    [corpus] = json.loads((tmp_path / "out" / "index.json").read_bytes())["corpora"]
    assert (corpus["samples"], corpus["removed"]) == (1, {"duplicate_document": 3})


def test_members_tell_nothing_of_when_and_by_whom(exported: Path) -> None:
    for path in exported.glob("*.tar"):
        with tarfile.open(path) as tar:
            for member in tar:
                assert member.isfile()
                assert (member.mtime, member.uid, member.gid, member.uname, member.gname, member.mode) == (
                    0, 0, 0, "", "", 0o644,
                )  # fmt: skip


def test_the_same_shards_give_the_same_bytes_in_any_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_store(tmp_path / "p", 9)

    def backwards(function: Any, items: Any) -> Iterator[Any]:
        todo = list(items)
        return iter([function(item) for item in todo[::-1]][::-1])

    monkeypatch.setattr("omni_ray.export.run._SMALL_BYTES", 0)
    digests = []
    for number, run in enumerate([map, backwards]):
        out = tmp_path / f"out{number}"
        export(Store(root), "webdataset", out, samples_per_shard=2, run=run)
        digests.append(
            {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in out.iterdir() if path.is_file()}
        )
    assert digests[0] == digests[1]


@pytest.mark.parametrize("limit", [1, 5, 14])
def test_the_limit_is_exact(tmp_path: Path, limit: int) -> None:
    row = ROWS["images"]
    commit(tmp_path / "p", "images", "coco", [[row(n) for n in range(3)], [row(n) for n in range(3, 6)]], limit=limit)
    api.export(tmp_path / "p", "webdataset", tmp_path / "out")
    captions = [c for each in read(tmp_path / "out", "images-coco") for c in json.loads(each["json"])["captions"]]
    assert captions == [f"Caption {n} of picture {i}" for i in range(6) for n in range(3)][:limit]


def test_shard_bytes_is_about_the_size(tmp_path: Path) -> None:
    commit(tmp_path / "p", "audio", "talk", [[ROWS["audio"](n) for n in range(40)]])
    api.export(tmp_path / "p", "webdataset", tmp_path / "out", shard_bytes=60_000)
    sizes = [path.stat().st_size for path in sorted((tmp_path / "out").glob("*.tar"))]
    assert len(sizes) > 3 and all(30_000 < size < 90_000 for size in sizes[:-1])
    with pytest.raises(OmniError, match="give one of them"):
        api.export(tmp_path / "p", "webdataset", tmp_path / "out", shard_bytes=1, samples_per_shard=1)


def test_equal_ids_lose_no_sample(tmp_path: Path) -> None:
    commit(tmp_path / "p", "text", "twins", [[text_row(n, id="same") for n in range(3)], [text_row(3, id="same")]])
    api.export(tmp_path / "p", "webdataset", tmp_path / "out")
    assert [each["txt"] for each in read(tmp_path / "out", "text")] == [
        f"Line {n} of the corpus.".encode() for n in range(4)
    ]


@given(st.lists(st.text(), min_size=2, max_size=20, unique=True))
def test_keys_are_safe_and_different_ids_stay_apart(ids: list[str]) -> None:
    keys = [sample_key(each) for each in ids]
    assert len(set(keys)) == len({each.encode("utf-8", "surrogatepass") for each in ids})
    for key in keys:
        assert 1 <= len(key) <= KEY_BYTES
        assert all(sign.isascii() and (sign.isalnum() or sign in "_-+") for sign in key)


@given(st.text(min_size=KEY_BYTES, max_size=300), st.text(min_size=1, max_size=3))
def test_long_ids_that_begin_alike_stay_apart(start: str, end: str) -> None:
    assert sample_key(start + end) != sample_key(start)


@settings(max_examples=examples(30))
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=6, unique=True))
def test_the_package_reads_any_key_we_write(ids: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        commit(root / "p", "text", "odd", [[text_row(n, id=each) for n, each in enumerate(ids)]])
        api.export(root / "p", "webdataset", root / "out")
        found = list(read(root / "out", "text-odd"))
        assert [json.loads(each["json"])["id"] for each in found] == ids
        assert [each["__key__"] for each in found] == [sample_key(each) for each in ids]
