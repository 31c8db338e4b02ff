"""TextOCR as people have it: odd values, folders with other names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omni_ray.corpora.textocr import TextOcr
from tests.list_sources import Source, kept, lost
from tests.made_store import picture

BOX = [1, 2, 11, 2, 11, 8, 1, 8]


def listed(words: dict[str, Any]) -> dict[str, Any]:
    images = {"a": {"width": 640, "height": 480, "file_name": "train/a.jpg"}, "b": {"file_name": None}, "c": 7}
    return {"imgs": images, "anns": words}


def test_odd_values_cost_themselves(tmp_path: Path) -> None:
    source = Source(tmp_path)
    source.put("Train_Images/a.jpg", picture(1))
    words: dict[str, Any] = {
        "good": {"image_id": "a", "utf8_string": "RED", "points": BOX},
        "null points": {"image_id": "a", "utf8_string": "RED", "points": [None] * 8},
        "no points": {"image_id": "a", "utf8_string": "RED", "points": None},
        "words for points": {"image_id": "a", "utf8_string": "RED", "points": ["1"] * 8},
        "infinite": {"image_id": "a", "utf8_string": "RED", "points": [1e999] * 8},
        "number": {"image_id": "a", "utf8_string": 7, "points": BOX},
        "object": {"image_id": "a", "utf8_string": {"a": 1}, "points": BOX},
        "half": {"image_id": "a", "utf8_string": "\ud83d", "points": BOX},
        "no text": {"image_id": "a", "utf8_string": None, "points": BOX},
        "no image": {"utf8_string": "RED", "points": BOX},
        "image without a file": {"image_id": "b", "utf8_string": "RED", "points": BOX},
        "image that is a number": {"image_id": "c", "utf8_string": "RED", "points": BOX},
        "null": None,
    }
    source.put("TextOCR_0.1_train.json", listed(words))
    rows = source.rows(TextOcr())
    [row] = kept(rows)
    assert [(word["id"], word["text"]) for word in row["words"]] == [("good", "RED"), ("no text", "")]
    assert row["frame"] == [640, 480]
    reasons = dict(lost(rows))
    assert set(reasons) == set(words) - {"good", "no text"}
    assert {key for key, reason in reasons.items() if reason == "bad_geometry"} == {
        "null points",
        "no points",
        "words for points",
        "infinite",
    }
    assert reasons["half"] == "bad_encoding"


def test_photographs_that_are_not_there(tmp_path: Path) -> None:
    source = Source(tmp_path)
    source.put("textocr_0.1_val.json", listed({"w": {"image_id": "a", "utf8_string": "RED", "points": BOX}}))
    assert lost(source.rows(TextOcr())) == [("w", "missing_media")]
