"""What stands where a caption should be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from omni_ray.corpora.image_captions import ImageCaptions
from omni_ray.sources.captions import caption_texts
from tests.list_sources import Source, kept, lost
from tests.made_store import picture


@pytest.mark.parametrize(
    "value, texts, faults",
    [
        ("a dog", ["a dog"], []),
        ("", [""], []),
        ("[sic] a dog", ["[sic] a dog"], []),
        ("[1984]", ["[1984]"], []),
        ('["a dog", "a cat"]', ["a dog", "a cat"], []),
        ("['a dog', \"the dog's\"]", ["a dog", "the dog's"], []),
        ('["broken', ['["broken'], []),
        (["a", ["b", None]], ["a", "b"], ["empty_text"]),
        ({"raw": "a dog", "sentid": 3}, ["a dog"], []),
        ([{"raw": "a"}, {"caption": "b"}], ["a", "b"], []),
        ("[{'raw': 'a', 'sentid': 3}, {'caption': 'b'}]", ["a", "b"], []),
        ("[{'raw': 'a', 'raw': 'b'}, {'raw': 'c'}]", ["c"], ["bad_row"]),
        ('[{"raw": "a", "raw": "b"}, {"raw": "c"}]', ["c"], ["bad_row"]),
        ("[{**a}]", ["[{**a}]"], []),
        ("[{[]: 1}]", ["[{[]: 1}]"], []),
        ({"bbox": [1]}, [], ["bad_row"]),
        (7, [], ["bad_row"]),
        (True, [], ["bad_row"]),
        (None, [], ["empty_text"]),
        ([], [], []),
    ],
)
def test_captions_of_a_value(value: Any, texts: list[str], faults: list[str]) -> None:
    found, lost = caption_texts(value)
    assert (found, [reason for reason, _ in lost]) == (texts, faults)


def test_a_table_of_structures_and_of_lists_in_cells(tmp_path: Path) -> None:
    source = Source(tmp_path)
    source.put("p/1.jpg", picture(1))
    source.put("ann.csv", 'raw,filename\n"[""Two people."", ""A map.""]",p/1.jpg\n')
    [row] = kept(source.rows(ImageCaptions(), "image=filename,captions=raw"))
    assert row["captions"] == ["Two people.", "A map."]
    sentences = [{"raw": "A lamp.", "sentid": 1}, {"raw": "Two cups.", "sentid": 2}, {"raw": None, "sentid": 3}]
    table = pa.table({"image": [picture(n) for n in range(3)], "sentences": sentences})
    pq.write_table(table, source.folder / "t.parquet")
    (source.folder / "ann.csv").unlink()
    rows = source.rows(ImageCaptions())
    assert [row["captions"] for row in kept(rows)] == [["A lamp."], ["Two cups."]]
    assert [reason for _, reason in lost(rows)] == ["bad_row"]


ODD: list[tuple[Any, list[str], list[str]]] = [
    ("a lamp", ["a lamp"], []),
    (["one", {"raw": "two"}, None, {"mask": "1"}, ""], ["one", "two", ""], ["empty_text", "bad_row"]),
    ({"caption": "in a structure"}, ["in a structure"], []),
    ({"mask": "1"}, [], ["bad_row"]),
    ("['in', 'a cell']", ["in", "a cell"], []),
    ([], [], ["missing_text"]),
    (None, [], ["missing_text"]),
    ([None], [], ["empty_text"]),
    ("half \ud83d", ["half "], []),
]


@pytest.mark.parametrize("form", ["json", "jsonl"])
@pytest.mark.parametrize("value, texts, reasons", ODD)
def test_what_is_no_caption_costs_itself(
    tmp_path: Path, form: str, value: Any, texts: list[str], reasons: list[str]
) -> None:
    source = Source(tmp_path)
    source.put("1.jpg", picture(1))
    source.put("2.jpg", picture(2))
    rows = [{"image": "1.jpg", "captions": value}, {"image": "2.jpg", "captions": "the next"}]
    source.put(f"t.{form}", json.dumps(rows) if form == "json" else "\n".join(map(json.dumps, rows)))
    found = source.rows(ImageCaptions())
    assert [row["captions"] for row in kept(found)] == [*([texts] if texts else []), ["the next"]]
    assert [reason for _, reason in lost(found)] == reasons


def test_captions_of_parquet_are_read_as_those_of_json(tmp_path: Path) -> None:
    source = Source(tmp_path)
    source.folder.mkdir()
    for name, column in (
        ("lists", [["one", None, "two"], ["three"]]),
        ("structures", [[{"raw": "one"}, {"raw": None}, {"raw": "two"}], [{"raw": "three"}]]),
        ("bytes", [b"one", b"caf\xe9"]),
    ):
        pq.write_table(pa.table({"image": [picture(0), picture(1)], "captions": column}), source.folder / "t.parquet")
        found = source.rows(ImageCaptions())
        wanted = [["one"]] if name == "bytes" else [["one", "two"], ["three"]]
        assert [row["captions"] for row in kept(found)] == wanted, name
        assert len(lost(found)) == 1, name


def test_texts_beside_pictures(tmp_path: Path) -> None:
    source = Source(tmp_path)
    for number in range(5):
        source.put(f"{number}.jpg", picture(number))
    source.put("0.txt", "one line\u2028still\r\ntwo\n\n")
    source.put("1.txt", "0 0.5 0.5 0.2 0.3\n")
    source.put("2.json", {"caption": "of WebDataset", "width": 640})
    source.put("3.json", '{"caption"')
    source.put("4.txt", "\n")
    rows = source.rows(ImageCaptions())
    assert [row["captions"] for row in kept(rows)] == [["one line\u2028still", "two"], ["of WebDataset"]]
    assert lost(rows) == [("1", "bad_row"), ("3", "bad_row"), ("4", "empty_text")]
