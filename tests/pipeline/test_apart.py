"""Every sample has a media file and an id of its own, and one odd value costs one record."""

from __future__ import annotations

import csv
import json
import unicodedata
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from omni_ray import api
from omni_ray.corpora.base import SourceOptions
from omni_ray.media_names import is_safe_name, media_file, safe_name
from omni_ray.modalities.audio import _path
from omni_ray.modalities.images import media_path
from omni_ray.pipeline.apart import kept_apart
from omni_ray.pipeline.stages import raw_rows
from tests.made_store import clip, picture

NAMES = ["cat.jpg", "cat.png", "cat.png.jpg", "cat", "CAT.jpg", "cat.JPG", "scan.001", "scan.002", "x/cat.jpg", ".jpg"]
NAMES += ["a" * 300 + end for end in (".jpg", ".png", "b.jpg")] + ["ä.jpg", unicodedata.normalize("NFD", "ä.jpg")]
NAMES += [
    "c:drive.jpg",
    "c_drive.jpg",
    "a\\b.jpg",
    "a_b.jpg",
    "a\0b.jpg",
    "../a.jpg",
    "a.jpg",
    "a/../a.jpg",
    "\udcff.jpg",
]
NAMES += ["dir /a.jpg", "dir/a.jpg", "dir./a.jpg", "日本" * 60 + ".jpg", "/a.jpg", "a b.jpg", "a+b.jpg", "-.jpg", ""]


def on_disk(name: str) -> str:
    """What a disk makes of a name that takes A for a and one way of writing an accent for another."""
    return unicodedata.normalize("NFC", name).casefold()


@pytest.mark.parametrize("made", [".jpg", ".png"])
def test_different_names_give_different_files_that_any_disk_can_hold(made: str) -> None:
    for native in (".jpg", ".flac"):
        named = [media_file(name, native) for name in NAMES]
        files = [media_path(n, made) if native == ".jpg" else _path(n, made[1:]) for n in named]
        assert len({on_disk(file) for file in files}) == len(NAMES)
        assert all(is_safe_name(file) and file.isprintable() for file in files)
        assert all(len(part.encode()) <= 200 for file in files for part in file.split("/"))
    assert media_file("x/cat.jpg", ".jpg") == "x/cat.jpg" and media_file("x/cat.png", ".jpg") == "x/cat.png.jpg"


@given(st.lists(st.text(st.sampled_from("aA.bjpg/ -1"), max_size=8), unique=True, max_size=6))
@example(["a", "a.jpg"])
@example(["a.b", "a.b.jpg"])
def test_no_two_names_meet(names: list[str]) -> None:
    assert len({on_disk(media_file(name, ".jpg")) for name in names}) == len(names)
    assert len({safe_name(name) for name in names}) == len(names)


def test_rows_of_a_shard_are_kept_apart() -> None:
    paths, ids = ["a.jpg", "A.jpg", "b.jpg", "a.jpg"], ["1", "2", "2", "1"]
    media = [{"bytes": path.encode(), "path": path} for path in paths]
    rows = pa.table({"id": ids, "image": media, "text": list("wxyz")})
    apart = kept_apart(rows, "image")
    found = [image["path"] for image in apart["image"].to_pylist()]
    assert found[0] == "a.jpg" and found[2] == "b.jpg" and len({p.casefold() for p in found}) == 4
    assert [image["bytes"] for image in apart["image"].to_pylist()] == [p.encode() for p in paths]
    assert apart["id"].to_pylist() == ["1", "2", "2@b.jpg", f"1@{found[3]}"]
    assert kept_apart(apart, "image") is apart and kept_apart(rows, "image").equals(apart)


def test_one_odd_value_costs_one_record() -> None:
    columns = pa.schema([("id", pa.string()), ("where", pa.string()), ("records", pa.int32()), ("text", pa.string())])
    rows = [{"id": "a", "where": "f:1", "text": "x"}, {"id": "b\udcff", "where": "\udcff.txt", "text": "y"}]
    odd = [{"id": "c", "where": "f:3", "text": {"a": 1}, "records": 2}, {"id": "d", "where": "f:4", "text": "\ud800"}]
    batch = raw_rows([*rows, *odd], columns)
    kept, rejected = batch.rows, batch.rejected
    assert kept["id"].to_pylist() == ["a", "b\\udcff"]
    assert [(r.id, r.reason, r.records) for r in rejected] == [("c", "bad_row", 2), ("d", "bad_encoding", 1)]


@pytest.mark.usefixtures("no_ray")
def test_clips_that_share_a_stem_or_the_id_of_their_sentence(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for number, name in enumerate(("a.flac", "a.wav", "A.flac", "b c.flac", "b_c.flac")):
        (source / name).write_bytes(clip(number))
    listed = [("1", "a.flac", "one"), ("1", "a.wav", "one"), ("2", "A.flac", "two"), ("2", "b c.flac", "two")]
    listed += [("2", "b_c.flac", "two"), ("1", "a.flac", "one")]
    (source / "list.csv").write_text("\n".join(["id,audio,text", *(",".join(row) for row in listed)]))
    report = api.prepare(
        tmp_path / "project", "audio", dataset="audio_files", source=str(source), combine=True,
        options=SourceOptions(unit_scale=2 / 256), max_quarantine=1,
    )  # fmt: skip
    assert dict(report.summaries[0].reasons) == {"duplicate_id": 1} and report.summaries[0].kept == 5
    with open(tmp_path / "project/data/audio/production_asr.csv", newline="") as file:
        wavs = [row["wav"] for row in csv.DictReader(file)]
    assert len({on_disk(wav) for wav in wavs}) == 5
    assert sorted((tmp_path / "project" / wav).read_bytes() for wav in wavs) == sorted(clip(n) for n in range(5))


@pytest.mark.usefixtures("no_ray")
def test_no_picture_is_on_both_sides_however_its_rows_lie(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for number in range(12):
        (source / f"{number}.jpg").write_bytes(picture(number))
        (source / f"again-{number}.jpg").write_bytes(picture(number))
    rows = [f"{name}{n}.jpg,{name}{n} said {turn}" for turn in "ab" for name in ("", "again-") for n in range(12)]
    (source / "list.csv").write_text("\n".join(["image,caption", *rows]))
    api.prepare(
        tmp_path / "project", "images", dataset="image_captions", source=str(source), combine=True, holdout=0.4,
        options=SourceOptions(unit_scale=5 / 1024),
    )  # fmt: skip
    sides = []
    for name in ("production", "heldout"):
        entries = json.loads((tmp_path / f"project/data/images/{name}_annotations.json").read_text())
        sides.append({(tmp_path / "project/data/images" / e["image"]).read_bytes() for e in entries})
    assert sides[0] and sides[1] and not sides[0] & sides[1]
