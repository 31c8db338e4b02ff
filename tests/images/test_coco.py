"""COCO as people have it: folders moved, lists merged, odd values in them."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest

from omni_ray.corpora.coco import Coco
from omni_ray.errors import SourceError
from tests.list_sources import Source, kept, lost
from tests.made_store import picture


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path)


def listed(names: list[str], captions: list[Any] | None = None) -> dict[str, Any]:
    return {
        "images": [{"id": n, "file_name": name} for n, name in enumerate(names)],
        "annotations": captions
        if captions is not None
        else [{"id": n, "image_id": n, "caption": f"caption {n}"} for n in range(len(names))],
    }


NAMES = ["1.jpg", "2.jpg", "3.jpg"]


@pytest.mark.parametrize(
    "split, folder, prefix",
    [
        ("train2017", "train2017", ""),
        ("Train2017", "Train2017", ""),
        ("train2017", "TRAIN2017", ""),
        ("train2017", "images/train2017", ""),
        ("train2017", "train2017/train2017", ""),
        ("train2017", "images", ""),
        ("train2017", "", ""),
        ("train2017", "train2017", "train2017/"),
        ("train2017", "train2017", "train2017\\"),
        ("train2017", "images/train2017", "coco/images/train2017/"),
    ],
)
def test_the_folder_that_has_the_pictures_is_found(source: Source, split: str, folder: str, prefix: str) -> None:
    source.put("a/train2017/empty.txt", "")
    source.put("annotations/train2017/1_labels.png", picture(0))
    source.put(f"annotations/captions_{split}.json", listed([prefix + name for name in NAMES]))
    for n, name in enumerate(NAMES):
        source.put(f"{folder}/{name}".lstrip("/"), picture(n))
    rows = source.rows(Coco())
    assert [row["captions"] for row in kept(rows)] == [["caption 0"], ["caption 1"], ["caption 2"]]
    assert not lost(rows)
    assert all("\\" not in row["path"] for row in kept(rows))
    if folder.lower().endswith("train2017") and not prefix.startswith("coco"):
        assert [row["path"] for row in kept(rows)] == [f"{split}/{name}" for name in NAMES]


def test_pictures_in_two_folders(source: Source) -> None:
    source.put("annotations/captions_val.json", listed(NAMES))
    source.put("val/1.jpg", picture(1))
    source.put("val/3.jpg", picture(3))
    source.put("more/2.jpg", picture(2))
    found = [row["where"].partition(": ")[2] for row in kept(source.rows(Coco()))]
    assert found == ["val/1.jpg", "more/2.jpg", "val/3.jpg"]


def test_a_missing_picture_is_not_taken_from_another_split(source: Source) -> None:
    for split in ("train", "val"):
        source.put(f"annotations/captions_{split}.json", listed(NAMES))
        for n, name in enumerate(NAMES):
            if (split, n) != ("train", 1):
                source.put(f"{split}/{name}", picture(n + (10 if split == "val" else 0)))
    rows = source.rows(Coco())
    assert [row["path"] for row in kept(rows)] == ["train/1.jpg", "train/3.jpg", "val/1.jpg", "val/2.jpg", "val/3.jpg"]
    assert lost(rows) == [("train/2", "missing_media")]


def test_2014_and_2017_side_by_side(source: Source) -> None:
    for split in ("train2014", "train2017", "val2014"):
        source.put(f"annotations/captions_{split}.json", listed(["1.jpg"]))
        source.put(f"{split}/1.jpg", picture(1))
    assert [row["id"] for row in kept(source.rows(Coco()))] == ["train2014/1", "train2017/1", "val2014/1"]
    assert [row["id"] for row in kept(source.rows(Coco(), splits=("train2017",)))] == ["train2017/1"]


def test_two_lists_of_one_split(source: Source) -> None:
    source.put("train2017/1.jpg", picture(1))
    source.put("annotations/captions_train2017.json", listed(["1.jpg"]))
    source.put("old/captions_train2017.json", listed(["1.jpg"]))
    assert len(kept(source.rows(Coco()))) == 1  # a copy
    source.put("old/captions_train2017.json", listed(["1.jpg", "2.jpg"]))
    with pytest.raises(SourceError, match=r"two lists of train2017 that differ, annotations/.*old/captions"):
        source.rows(Coco())


def test_a_list_whose_pictures_are_nowhere(source: Source) -> None:
    source.put("annotations/captions_train2017.json", listed(NAMES))
    source.put("train2017/other.jpg", picture(1))
    with pytest.raises(SourceError, match=r"annotations/captions_train2017.json, but the pictures .* in no folder"):
        source.rows(Coco())


def test_a_zip_of_a_mac(source: Source, tmp_path: Path) -> None:
    import json

    source.folder.mkdir()
    with zipfile.ZipFile(source.folder / "coco.zip", "w") as archive:
        for n, name in enumerate(NAMES):
            archive.writestr(f"__MACOSX/coco/train2017/._{name}", b"\0\5\x16\7")
            archive.writestr(f"coco/train2017/{name}", picture(n))
        archive.writestr("coco/annotations/captions_train2017.json", json.dumps(listed(NAMES)))
    rows = source.rows(Coco())
    assert len(kept(rows)) == 3 and not lost(rows)


def test_odd_values_cost_themselves(source: Source) -> None:
    for n, name in enumerate(NAMES):
        source.put(f"val/{name}", picture(n))
    content = {
        "images": [
            {"id": 1, "file_name": "1.jpg"},
            {"id": "2", "file_name": "2.jpg"},
            {"id": [3], "file_name": "3.jpg"},
            {"id": 4, "file_name": None},
            {"file_name": "5.jpg"},
            None,
        ],
        "annotations": [
            {"id": None, "image_id": 1, "caption": ["one", "two", 3]},
            {"id": "x", "image_id": "1", "caption": {"raw": "three"}},
            {"id": [7], "image_id": 2.0, "caption": "four"},
            {"id": 1, "image_id": 2, "caption": None},
            {"id": 2, "image_id": 2, "caption": 17},
            {"id": 3, "image_id": 2, "caption": {"mask": 1}},
            {"id": 4, "image_id": 2, "caption": "half \ud83d"},
            {"id": 5, "image_id": [3], "caption": "five"},
            {"id": 6, "image_id": 99, "caption": "six"},
            {"id": 7, "image_id": 2, "caption": []},
            {"id": 8, "image_id": 2},
            "nine",
        ],
    }
    source.put("captions_val.json", content)
    rows = source.rows(Coco())
    assert [row["captions"] for row in kept(rows)] == [["three", "one", "two"], ["half ", "four"], ["five"]]
    assert sorted(lost(rows)) == [
        ("val/annotation 11", "bad_row"),
        ("val/caption 1", "empty_text"),
        ("val/caption 2", "bad_row"),
        ("val/caption 3", "bad_row"),
        ("val/caption 6", "bad_row"),
        ("val/caption 7", "empty_text"),
        ("val/caption 8", "missing_text"),
        ("val/caption None", "bad_row"),
        ("val/image 3", "bad_row"),
        ("val/image 4", "bad_row"),
        ("val/image 5", "bad_row"),
    ]
