"""Captioned pictures: every caption is kept or counted, one bad record costs one record."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from picture_files import encoded, raw_rows
from PIL import Image

from omni_ray.modalities.images import Images, media_path
from omni_ray.modalities.params import PictureParams
from omni_ray.trainers.files import MAX_FIELD_CHARS
from tests.examples import examples

PICTURE = encoded(Image.new("RGB", (60, 40), "navy"), "JPEG")
IMAGES = Images()


def transform(*rows: dict[str, Any], **params: Any) -> Any:
    raw = raw_rows(*rows)
    done = IMAGES.transform(raw, "mine", PictureParams(**params))
    assert done.kept.schema.equals(IMAGES.schema)
    kept = sum(IMAGES.records_per_row(done.kept))
    assert kept + sum(r.records for r in done.rejected) == (pc.sum(raw["records"]).as_py() or 0)
    return done


def test_every_caption_of_a_picture_is_a_sample() -> None:
    done = transform({"image": PICTURE, "captions": ["a", "b", "c"]}, {"image": PICTURE, "captions": ["d"]}, size=32)
    assert done.kept["captions"].to_pylist() == [["a", "b", "c"], ["d"]]
    assert IMAGES.samples_per_row(done.kept) == [3, 1]
    assert done.rejected == []


def test_captions_are_one_line_each_and_empty_ones_are_counted() -> None:
    captions = ["  two\nlines\t here ", "", "\u200b\ufeff ", None, "x" * (MAX_FIELD_CHARS + 1), "é"]
    done = transform({"image": PICTURE, "captions": captions})
    assert done.kept["captions"].to_pylist() == [["two lines here", "é"]]
    assert [r.reason for r in done.rejected] == ["empty_text"] * 3 + ["text_too_long"]


@pytest.mark.parametrize("captions", [None, []])
def test_a_picture_without_captions_is_one_record_without_text(captions: list[str] | None) -> None:
    done = transform({"image": PICTURE, "captions": captions})
    assert [(r.reason, r.records) for r in done.rejected] == [("missing_text", 1)]


def test_a_bad_picture_costs_its_captions_and_nothing_else() -> None:
    good = {"image": PICTURE}
    bad = [{"image": data, "captions": ["a", "b", " "]} for data in (b"", None, b"<html>", PICTURE[:200])]
    done = transform(good, *bad, good)
    assert done.kept["id"].to_pylist() == ["0", "5"]
    reasons = [(r.id, r.reason, r.records) for r in done.rejected if r.reason != "empty_text"]
    assert reasons == [(str(n), "truncated" if n == 4 else "decode_error", 2) for n in (1, 2, 3, 4)]


def test_a_picture_whose_captions_are_all_empty_is_not_decoded() -> None:
    done = transform({"image": b"broken", "captions": ["", " "]})
    assert [r.reason for r in done.rejected] == ["empty_text", "empty_text"]


@pytest.mark.parametrize(
    "path, kept",
    [
        ("train/1.jpg", "train/1.jpg"),
        ("train/1.JPG", "train/1.JPG.jpg"),
        ("1.png", "1.png.jpg"),
        ("dir.v2/scan 1.5", "dir.v2/scan 1.5.jpg"),
        ("a", "a.jpg"),
    ],
)
def test_paths_carry_the_ending_of_the_bytes_and_stay_apart(path: str, kept: str) -> None:
    assert media_path(path, ".jpg") == kept


def test_two_pictures_that_differ_in_their_ending_keep_a_file_each() -> None:
    done = transform(*({"image": PICTURE, "path": f"cat{end}"} for end in (".jpg", ".png", ".webp")))
    paths = [image["path"] for image in done.kept["image"].to_pylist()]
    assert len(set(paths)) == 3 and all(path.endswith(".jpg") for path in paths)


def test_what_a_file_is_called_does_not_matter(scene: Image.Image) -> None:
    files = [encoded(scene, kind) for kind in ("JPEG", "PNG", "WEBP")]
    done = transform(*({"image": file, "path": f"a/{n}.JPG"} for n, file in enumerate(files)))
    assert done.kept.num_rows == 3


@pytest.mark.parametrize("image_format, kind", [("jpeg", "JPEG"), ("png", "PNG")])
def test_shards_hold_square_rgb_files_and_the_upright_size(image_format: str, kind: str, scene: Image.Image) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    done = transform({"image": encoded(scene, "JPEG", exif=exif)}, size=48, image_format=image_format)
    [row] = done.kept.to_pylist()
    image = Image.open(io.BytesIO(row["image"]["bytes"]))
    assert (image.format, image.mode, image.size) == (kind, "RGB", (48, 48))
    assert (row["source_width"], row["source_height"]) == (64, 96)
    assert row["corpus"] == "mine"


def test_the_same_rows_give_the_same_bytes_however_they_are_cut(photos: list[bytes]) -> None:
    rows = raw_rows(*({"image": photo} for photo in [*photos[:8], *photos[:2]]))
    whole = IMAGES.transform(rows, "coco", PictureParams(size=64)).kept
    parts = [IMAGES.transform(rows.slice(n, 3), "coco", PictureParams(size=64)).kept for n in range(0, 10, 3)]
    assert whole.equals(pa.concat_tables(parts))


def test_real_photographs(photos: list[bytes]) -> None:
    done = transform(*({"image": photo, "captions": ["one", "two"]} for photo in photos))
    assert done.kept.num_rows == len(photos) >= 8
    for row, photo in zip(done.kept.to_pylist(), photos, strict=True):
        original = Image.open(io.BytesIO(photo))
        assert (row["source_width"], row["source_height"]) == original.size
        made = np.asarray(Image.open(io.BytesIO(row["image"]["bytes"]))).astype(int)
        close = np.asarray(original.convert("RGB").resize((224, 224), Image.Resampling.LANCZOS))
        assert np.abs(made - close).mean() < 9


@settings(max_examples=examples(60))
@given(
    st.lists(
        st.tuples(
            st.sampled_from([PICTURE, b"", None, PICTURE[:150], b"junk"]),
            st.one_of(st.none(), st.lists(st.one_of(st.none(), st.text(max_size=8)), max_size=4)),
        ),
        max_size=8,
    )
)
def test_records_always_add_up(rows: list[tuple[bytes | None, list[str | None] | None]]) -> None:
    transform(*({"image": image, "captions": captions} for image, captions in rows), size=16)


def test_every_quarantine_detail_names_its_file() -> None:
    done = transform(
        {"image": b"<html>", "where": "list.csv, row 1: a.jpg"},
        {"image": b"", "where": "b.jpg"},
        {"captions": [None, "x" * 200_000], "where": "c.jpg"},
    )
    assert [(r.reason, r.detail) for r in done.rejected] == [
        ("decode_error", "list.csv, row 1: a.jpg: it is an HTML page, not the file itself"),
        ("decode_error", "b.jpg: the file is empty"),
        ("empty_text", "c.jpg: caption 1 of 2 is empty"),
        ("text_too_long", "c.jpg: caption 2 has 200,000 characters"),
    ]


def test_pages_that_are_left_out_are_counted_and_said(scene: Image.Image) -> None:
    pages = {"image": encoded(scene, "TIFF", save_all=True, append_images=[scene, scene])}
    done = transform(pages, {**pages, "captions": [""]}, {"image": PICTURE}, pages)
    assert done.stats == {"pictures_of_several_pages": 2, "pages_left_out": 4}
    [said] = IMAGES.warnings(3, done.stats, PictureParams())
    assert "of 2 pictures" in said and "4 are left out" in said
    assert IMAGES.warnings(3, transform({"image": PICTURE}).stats, PictureParams()) == []
