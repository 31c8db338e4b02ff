"""Media that tables hold in base64, beside media that they name."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from omni_ray.corpora.audio_files import AudioFiles
from omni_ray.corpora.base import Corpus
from omni_ray.corpora.image_captions import ImageCaptions
from omni_ray.corpora.ocr_images import OcrImages
from omni_ray.sources.inline_media import inline_media
from tests.list_sources import Source, kept, lost
from tests.made_store import clip, picture

ENCODED: dict[str, Callable[[bytes], str]] = {
    "plain": lambda data: base64.b64encode(data).decode(),
    "in lines": lambda data: base64.encodebytes(data).decode(),
    "for addresses": lambda data: base64.urlsafe_b64encode(data).decode().rstrip("="),
    "data URI": lambda data: f"data:image/png;base64,{base64.b64encode(data).decode()}",
}


@pytest.mark.parametrize("how", ENCODED)
@pytest.mark.parametrize("corpus", [ImageCaptions(), OcrImages(), AudioFiles()], ids=lambda corpus: corpus.name)
def test_json_lines_with_media_inside(tmp_path: Path, corpus: Corpus, how: str) -> None:
    role, make = ("audio", clip) if corpus.modality == "audio" else ("image", picture)
    source = Source(tmp_path)
    lines = [{role: ENCODED[how](make(n)), "text": f"number {n}"} for n in range(3)]
    source.put("list.jsonl", "".join(f"{json.dumps(line)}\n" for line in lines))
    rows = source.rows(corpus)
    assert [row[role] for row in kept(rows)] == [make(n) for n in range(3)] and not lost(rows)


def test_some_inside_and_some_in_files(tmp_path: Path) -> None:
    source = Source(tmp_path)
    source.put("one.png", picture(1))
    source.put("list.csv", f"image,text\none.png,a file\n{ENCODED['plain'](picture(2))},inside\ngone.png,nowhere\n")
    rows = source.rows(OcrImages())
    assert [(row["image"], row["words"][0]["text"]) for row in kept(rows)] == [
        (picture(1), "a file"),
        (picture(2), "inside"),
    ]
    assert [reason for _, reason in lost(rows)] == ["missing_media"]


def test_a_struct_of_text_in_parquet(tmp_path: Path) -> None:
    source = Source(tmp_path)
    source.put("one.png", picture(1))
    images = [{"bytes": ENCODED["plain"](picture(2)), "path": "x.png"}, {"bytes": None, "path": "one.png"}]
    pq.write_table(pa.table({"image": images, "text": ["inside", "a file"]}), source.folder / "list.parquet")
    assert [row["image"] for row in kept(source.rows(OcrImages()))] == [picture(2), picture(1)]


def test_what_is_no_name_of_a_file_costs_its_row(tmp_path: Path) -> None:
    source = Source(tmp_path)
    source.put("one.png", picture(1))
    names = ["a/" * 3000 + "x.png", "b" * 300, "data:image/png;base64,%%%", "one.png"]
    source.put("list.jsonl", "".join(f"{json.dumps({'image': name, 'text': 'x'})}\n" for name in names))
    rows = source.rows(OcrImages())
    assert [row["image"] for row in kept(rows)] == [picture(1)]
    assert [reason for _, reason in lost(rows)] == ["missing_media"] * 3


@pytest.mark.parametrize("path", ["a.png", "iVBORw0KGgo/a.png", "R0lGODlh" * 20 + ".gif", "9j/4AAQ" * 20, "data:", ""])
def test_paths_are_paths(path: str) -> None:
    assert inline_media(path) is None
