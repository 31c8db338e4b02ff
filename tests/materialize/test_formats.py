"""Whatever text a sample holds, the trainers' own parsers read it back unchanged."""

from __future__ import annotations

import csv
import io
import json

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from omni_ray.materialize.formats import format_of
from omni_ray.modalities.lines import one_line
from omni_ray.trainers.files import FlatFile

lines = st.lists(st.text().map(one_line).filter(bool), min_size=1, max_size=8)
names = st.lists(st.text(alphabet="abc,\"' é/_-.0", min_size=1, max_size=12), min_size=8, max_size=8)


def written(file: FlatFile, records: pa.LargeBinaryArray) -> bytes:
    return file.head + b"".join(records.to_pylist()).removesuffix(file.separator) + file.tail


def as_trainers_open(data: bytes) -> io.StringIO:
    """UTF-8 with bad bytes dropped and universal newlines, as the trainers open text and CSV."""
    return io.StringIO(data.decode("utf-8", "ignore"), newline=None)


@given(lines)
def test_a_line_of_the_corpus_is_a_sample(texts: list[str]) -> None:
    rows = pa.table({"text": pa.array(texts, pa.large_string())})
    form = format_of("text")
    data = written(form.files[0], form.records(rows, "books")["text"])
    assert [line.strip() for line in as_trainers_open(data)] == [text.strip() for text in texts]


@given(lines, names)
def test_csv_rows_come_back_in_both_column_orders(texts: list[str], paths: list[str]) -> None:
    paths = paths[: len(texts)]
    texts = texts[: len(paths)]
    rows = pa.table({"audio": [{"bytes": b"", "path": p} for p in paths], "text": texts})
    form = format_of("audio")
    records = form.records(rows, "lj")
    for file in form.files:
        read = list(csv.DictReader(as_trainers_open(written(file, records[file.kind]))))
        assert [row["text"] for row in read] == texts
        assert [row["wav"] for row in read] == [f"data/audio/lj/{p}" for p in paths]
    assert written(form.files[0], records["asr"]).startswith(b"wav,text\n")
    assert written(form.files[1], records["tts"]).startswith(b"text,wav\n")


@given(st.lists(lines, min_size=1, max_size=4))
def test_each_caption_is_an_object_of_one_list(captions: list[list[str]]) -> None:
    rows = pa.table(
        {
            "image": [{"bytes": b"", "path": f"{i}.jpg"} for i in range(len(captions))],
            "captions": captions,
            "category": pa.nulls(len(captions), pa.string()),
        }
    )
    form = format_of("images")
    data = written(form.files[0], form.records(rows, "coco")["images"])
    expected = [
        {"image": f"coco/{i}.jpg", "caption": caption, "category": "coco"}
        for i, each in enumerate(captions)
        for caption in each
    ]
    assert json.loads(data.decode()) == expected


def test_a_list_without_records_is_a_list() -> None:
    [file] = format_of("images").files
    assert json.loads(written(file, pa.array([], pa.large_binary()))) == []
