"""Words in pictures: every word is kept or counted, one bad one costs one."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from omni_ray.modalities.ocr import Ocr
from omni_ray.modalities.params import PictureParams
from omni_ray.modalities.word_frames import placing
from omni_ray.quality.clean import clean_table
from omni_ray.trainers.files import MAX_FIELD_CHARS
from tests.examples import examples

OCR = Ocr()


def jpeg(width: int, height: int, colour: str = "teal") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(buffer, "JPEG")
    return buffer.getvalue()


PHOTO = jpeg(120, 80)
BOX = [10.0, 10.0, 60.0, 10.0, 60.0, 30.0, 10.0, 30.0]


def word(ident: str, text: str | None = "STOP", quad: list[float] | None = BOX) -> dict[str, Any]:
    return {"id": ident, "text": text, "quad": quad}


def transform(*rows: dict[str, Any], **params: Any) -> Any:
    full = []
    for number, row in enumerate(rows):
        made = {"id": f"photo{number}", "where": f"list:{number}", "path": f"a/{number}.jpg", "image": PHOTO}
        full.append({**made, "source": "test", "records": len(row["words"] or []), **row})
    raw = pa.Table.from_pylist(full, schema=OCR.raw_schema)
    done = OCR.transform(raw, "mine", PictureParams(**params))
    assert done.kept.schema.equals(OCR.schema)
    kept = sum(OCR.records_per_row(done.kept))
    assert kept + sum(r.records for r in done.rejected) == (pc.sum(raw["records"]).as_py() or 0)
    return done


def test_every_word_of_a_photograph_is_a_picture_of_its_own() -> None:
    done = transform({"words": [word("w1"), word("w/2", "GO")]}, size=32)
    rows = done.kept.to_pylist()
    assert [(r["id"], r["text"], r["image"]["path"]) for r in rows] == [
        ("w1", "STOP", "a/0/w1.jpg"),
        ("w/2", "GO", "a/0/w_2.jpg"),
    ]
    for row in rows:
        assert Image.open(io.BytesIO(row["image"]["bytes"])).size == (32, 32)


def test_the_size_of_a_word_is_told_from_before_it_was_made_square() -> None:
    slanted = [10.0, 40.0, 50.0, 10.0, 62.0, 26.0, 22.0, 56.0]  # 50 by 20, turned
    done = transform(
        {"words": [word("box"), word("slanted", quad=slanted)]},
        {"words": [word("whole", quad=None)], "image": jpeg(900, 300)},
        size=32,
    )
    sizes = [(row["id"], row["source_width"], row["source_height"]) for row in done.kept.to_pylist()]
    assert sizes == [("box", 50, 20), ("slanted", 50, 20), ("whole", 900, 300)]


def test_words_that_were_tiny_or_fit_their_label_badly_go_when_cleaned() -> None:
    tiny = [10.0, 10.0, 60.0, 10.0, 60.0, 15.0, 10.0, 15.0]
    long = [5.0, 10.0, 115.0, 10.0, 115.0, 20.0, 5.0, 20.0]
    rows = transform({"words": [word("good"), word("tiny", quad=tiny), word("long", "no", quad=long)]}).kept
    only = {"word_edge": True, "character_width": True}
    removed = clean_table(rows, "ocr", "off", only).removed.to_pylist()
    assert [(row["id"], row["reason"]) for row in removed] == [("tiny", "small_source"), ("long", "label_mismatch")]


def test_a_word_without_corners_is_the_whole_image() -> None:
    done = transform({"words": [word("w", "Fine", None)], "path": "1/2.png"})
    [row] = done.kept.to_pylist()
    assert (row["image"]["path"], row["text"]) == ("1/2.png.jpg", "Fine")


@pytest.mark.parametrize(
    "text, reason",
    [
        ("", "empty_text"),
        ("  \n", "empty_text"),
        (None, "empty_text"),
        (".", "illegible"),
        ("###", "illegible"),
        ("x" * (MAX_FIELD_CHARS + 1), "text_too_long"),
    ],
)
def test_words_without_a_label_are_counted(text: str | None, reason: str) -> None:
    done = transform({"words": [word("bad", text), word("good", "...")]})
    assert [(r.id, r.reason, r.records) for r in done.rejected] == [("bad", reason, 1)]
    assert done.kept["id"].to_pylist() == ["good"]


def test_a_bad_outline_costs_its_word() -> None:
    quads = [[0.0] * 8, [500.0, 500, 600, 500, 600, 520, 500, 520], [1.0, 2.0], []]
    done = transform({"words": [word("a"), *(word(f"bad{n}", quad=q) for n, q in enumerate(quads)), word("b")]})
    assert done.kept["id"].to_pylist() == ["a", "b"]
    assert {r.reason for r in done.rejected} == {"bad_geometry"}


@pytest.mark.parametrize("image", [b"", None, b"junk", PHOTO[:300]])
def test_a_bad_photograph_costs_each_of_its_words_once(image: bytes | None) -> None:
    done = transform({"image": image, "words": [word("a"), word("b"), word("c", ".")]}, {"words": [word("d")]})
    assert done.kept["id"].to_pylist() == ["d"]
    assert sorted((r.id, r.reason == "illegible") for r in done.rejected) == [("a", False), ("b", False), ("c", True)]


def test_a_photograph_of_illegible_words_is_not_decoded() -> None:
    done = transform({"image": b"junk", "words": [word("a", "."), word("b", "###")]})
    assert [r.reason for r in done.rejected] == ["illegible", "illegible"]


@pytest.mark.parametrize("words", [None, []])
def test_a_photograph_without_words(words: list[Any] | None) -> None:
    assert transform({"words": words}).rejected == []
    [lost] = transform({"words": words, "records": 1}).rejected
    assert (lost.reason, lost.records) == ("missing_text", 1)


def test_words_of_a_large_photograph_are_cut_at_full_size() -> None:
    x = np.mgrid[0:900, 0:1200][1]
    stripes = Image.fromarray(np.dstack([(x // 2 % 2 * 255).astype(np.uint8)] * 3))
    buffer = io.BytesIO()
    stripes.save(buffer, "PNG")
    quad = [400.0, 300.0, 432.0, 300.0, 432.0, 332.0, 400.0, 332.0]
    done = transform({"image": buffer.getvalue(), "words": [word("w", quad=quad)]}, size=32, image_format="png")
    made = np.asarray(Image.open(io.BytesIO(done.kept["image"][0].as_py()["bytes"])))
    assert np.array_equal(made, np.asarray(stripes)[300:332, 400:432])


UPRIGHT = np.arange(80 * 120 * 3).reshape(120, 80, 3).astype(np.uint8)
"""A picture that looks different in every orientation: 80 wide, 120 high."""
UNDO = [None, "FLIP_LEFT_RIGHT", "ROTATE_180", "FLIP_TOP_BOTTOM", "TRANSPOSE", "ROTATE_90", "TRANSVERSE", "ROTATE_270"]
"""What a picture that EXIF orientation 1, 2, ... 8 makes upright was made from the upright one by."""


def turned(orientation: int) -> bytes:
    """:data:`UPRIGHT` as a camera that was held otherwise stores it."""
    undo = UNDO[orientation - 1]
    stored = Image.fromarray(UPRIGHT)
    stored = stored.transpose(Image.Transpose[undo]) if undo else stored
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    stored.save(buffer, "PNG", exif=exif)
    return buffer.getvalue()


def stored_box(orientation: int) -> list[float]:
    """:data:`BOX` of the upright picture in the one that is stored, as pixels say."""
    undo = UNDO[orientation - 1]
    mark = Image.new("L", (80, 120))
    mark.paste(255, (10, 10, 60, 30))
    stored = np.asarray(mark.transpose(Image.Transpose[undo]) if undo else mark)
    rows, columns = np.flatnonzero(stored.any(axis=1)), np.flatnonzero(stored.any(axis=0))
    left, top, right, bottom = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    return [float(each) for each in (left, top, right, top, right, bottom, left, bottom)]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_of_a_turned_photograph_as_it_is_stored(orientation: int) -> None:
    place = placing([120, 80] if orientation >= 5 else [80, 120], (80, 120), 1 if orientation < 5 else orientation)
    if orientation >= 5:
        corners = np.array(place(stored_box(orientation))).reshape(4, 2)
        assert sorted(map(tuple, corners)) == sorted(map(tuple, np.array(BOX).reshape(4, 2)))
    row = {"image": turned(orientation), "words": [word("w", quad=stored_box(orientation))]}
    row["frame"] = [120, 80] if orientation >= 5 else [80, 120]
    done = transform(row, size=20, image_format="png")
    # Mirrored, or turned by half, a picture has the size it had: the list cannot tell.
    assert [r.reason for r in done.rejected] == (["bad_geometry"] if orientation in {2, 3, 4} else [])


@pytest.mark.parametrize("orientation", [1, 5, 6, 7, 8])
def test_boxes_of_a_turned_photograph_as_it_is_seen(orientation: int) -> None:
    row = {"image": turned(orientation), "words": [word("w")], "frame": [80, 120]}
    plain = {"image": turned(1), "words": [word("w")]}
    done, as_is = transform(row, size=20, image_format="png"), transform(plain, size=20, image_format="png")
    assert done.kept["image"].to_pylist() == as_is.kept["image"].to_pylist()


def test_boxes_of_another_size_and_of_another_picture() -> None:
    double = word("double", quad=[2 * each for each in BOX])
    done = transform({"image": turned(1), "words": [double], "frame": [160, 241]}, size=20)
    assert [(r["source_width"], r["source_height"]) for r in done.kept.to_pylist()] == [(50, 20)]
    done = transform({"image": turned(1), "words": [word("w")], "frame": [120, 80]}, size=20)
    assert [(r.reason, r.detail) for r in done.rejected] == [
        ("bad_geometry", "list:0: the list is of a picture of 120 x 80 pixels, and this one has 80 x 120 pixels")
    ]
    done = transform({"image": turned(6), "words": [word("w")]}, size=20)
    assert [r.reason for r in done.rejected] == ["bad_geometry"]


def test_real_scene_words(corpora: Path) -> None:
    rows = []
    for listing in sorted((corpora / "textocr").glob("TextOCR*.json")):
        listed = json.loads(listing.read_text("utf-8"))
        for image in list(listed["imgs"].values())[:4]:
            words = []
            for ident in listed["imgToAnns"][image["id"]]:
                points = listed["anns"][ident]["points"]
                words.append(word(ident, listed["anns"][ident]["utf8_string"], points if len(points) == 8 else None))
            [file] = (corpora / "textocr").rglob(Path(image["file_name"]).name)
            rows.append({"image": file.read_bytes(), "words": words})
    done = transform(*rows, size=64)
    assert done.kept.num_rows > 20
    assert {r.reason for r in done.rejected} <= {"illegible", "bad_geometry"}
    spread = [np.asarray(Image.open(io.BytesIO(i["bytes"]))).std() for i in done.kept["image"].to_pylist()]
    assert np.median(spread) > 15  # words, not blank walls


def test_real_word_images(corpora: Path) -> None:
    files = sorted((corpora / "mjsynth").rglob("*.jpg"))
    done = transform(*({"image": f.read_bytes(), "words": [word(f.stem, "W", None)]} for f in files))
    assert done.kept.num_rows == len(files) == 16


@settings(max_examples=examples(80))
@given(
    st.lists(
        st.tuples(
            st.sampled_from([PHOTO, b"", None, PHOTO[:200]]),
            st.lists(
                st.tuples(
                    st.one_of(st.none(), st.text(max_size=4), st.just(".")),
                    st.one_of(st.none(), st.just(BOX), st.lists(st.floats(-50, 200, width=32), max_size=9)),
                ),
                max_size=4,
            ),
        ),
        max_size=5,
    )
)
def test_records_always_add_up(rows: list[tuple[bytes | None, list[tuple[str | None, list[float] | None]]]]) -> None:
    made = []
    for number, (image, words) in enumerate(rows):
        listed = [word(f"{number}-{n}", text, quad) for n, (text, quad) in enumerate(words)]
        made.append({"image": image, "words": listed})
    transform(*made, size=8)
