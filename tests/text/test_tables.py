"""Tables of every kind: columns by role, rows in slices, and damage that costs itself only."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from table_rows import ROLES, faults, read

from omni_ray.corpora.base import SourceOptions
from omni_ray.errors import SourceError
from omni_ray.sources.tables import table_format, table_units
from omni_ray.sources.tree import FolderTree

TABLE = pa.table(
    {"id": ["a", None, "c"], "text": ["One.", 'Two\nlines, "quoted"', "Drei ß"], "title": ["A", "B", None]}
)


def as_arrow(path: Path, kind: Callable[..., Any]) -> None:
    with kind(str(path), TABLE.schema) as writer:
        writer.write_table(TABLE)


def as_csv(path: Path, delimiter: str = ",") -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(TABLE.column_names)
        writer.writerows([[v or "" for v in row.values()] for row in TABLE.to_pylist()])


def as_lines(path: Path) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in TABLE.to_pylist()), encoding="utf-8")


WRITERS: dict[str, Callable[[Path], None]] = {
    "t.parquet": lambda path: pq.write_table(TABLE, path),
    "t.arrow": lambda path: as_arrow(path, pa.ipc.new_stream),
    "t.feather": lambda path: as_arrow(path, pa.ipc.new_file),
    "t.jsonl": as_lines,
    "t.json": lambda path: path.write_text(json.dumps(TABLE.to_pylist(), indent=1), encoding="utf-8") and None,
    "lines.json": as_lines,
    "t.csv": as_csv,
    "semicolons.csv": lambda path: as_csv(path, ";"),
    "t.jsonl.gz": lambda path: path.write_bytes(gzip.compress(json_bytes())) and None,
    "t.jsonl.bz2": lambda path: path.write_bytes(bz2.compress(json_bytes())) and None,
}


def json_bytes() -> bytes:
    return "".join(json.dumps(row) + "\n" for row in TABLE.to_pylist()).encode()


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    WRITERS[name](tmp_path / name)
    rows, rejected = read(tmp_path)
    assert not rejected
    assert [(row["text"], row["title"] or None) for row in rows] == [
        (row["text"], row["title"]) for row in TABLE.to_pylist()
    ]
    assert [row["id"] for row in rows if row["id"] in "ac"] == ["a", "c"]
    assert rows[1]["id"].startswith(f"{name}:") and rows[1]["where"].startswith(f"{name}, ")


@pytest.mark.parametrize("name", ["t.parquet", "t.arrow", "t.feather", "t.jsonl", "t.csv"])
def test_any_slicing_gives_the_same_rows_and_ids(tmp_path: Path, name: str) -> None:
    table = pa.table({"text": [f"Row {n}, " + "long\n" * (n % 7) + 'é"' for n in range(500)]})
    if name == "t.parquet":
        pq.write_table(table, tmp_path / name, row_group_size=40)
    elif name in ("t.arrow", "t.feather"):
        with (pa.ipc.new_stream if name == "t.arrow" else pa.ipc.new_file)(
            str(tmp_path / name), table.schema
        ) as writer:
            writer.write_table(table, max_chunksize=30)
    elif name == "t.jsonl":
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))
    else:
        with (tmp_path / name).open("w", newline="") as file:
            csv.writer(file).writerows([["text"], *([text] for text in table["text"].to_pylist())])
    rows, _ = read(tmp_path)
    assert [row["text"] for row in rows] == table["text"].to_pylist()
    for scale in (1e-4, 7e-6):
        assert len(list(table_units(FolderTree(tmp_path), ROLES, SourceOptions(unit_scale=scale)))) > 1
        assert read(tmp_path, unit_scale=scale) == (rows, [])


def test_a_giant_row_group_is_cut(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": [f"row {n}" for n in range(1000)]}), tmp_path / "t.parquet")
    units = list(table_units(FolderTree(tmp_path), ROLES, SourceOptions(unit_scale=1e-5)))
    assert len(units) > 5 and sum(u.records or 0 for u in units) == 1000
    assert [row["text"] for row in read(tmp_path, unit_scale=1e-5)[0]] == [f"row {n}" for n in range(1000)]


def test_a_missing_column_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"txt": "a", "label": 1}\n')
    with pytest.raises(SourceError, match=r"t\.jsonl: no column text or content; it has txt, label\..*text=txt"):
        read(tmp_path)
    assert [row["text"] for row in read(tmp_path, columns={"text": "txt"})[0]] == ["a"]
    with pytest.raises(SourceError, match="no column txxt"):
        read(tmp_path, columns={"text": "txxt"})
    with pytest.raises(SourceError, match="there is no role body here; choose from text, id, title"):
        read(tmp_path, columns={"body": "txt"})


def test_a_table_without_the_column_is_set_aside_where_others_have_it(tmp_path: Path) -> None:
    (tmp_path / "good.csv").write_text("id,text\n1,a\n")
    (tmp_path / "labels.csv").write_text("id,label\n1,x\n")
    tree = FolderTree(tmp_path)
    assert [unit.inputs for unit in table_units(tree, ROLES, SourceOptions())] == [("good.csv",)]
    assert tree.aside == {"labels.csv": "column"}


def test_nested_columns_of_parquet(tmp_path: Path) -> None:
    docs = [{"text": "a", "n": 1}, {"text": "b", "n": 2}, None]
    parts = [[{"text": "x"}, {"text": "y"}], [], [{"text": "z"}]]
    pq.write_table(pa.table({"doc": docs, "parts": parts, "title": [["t"]] * 3}), tmp_path / "t.parquet")
    found, rejected = read(tmp_path, columns={"text": "doc.text"})
    assert [row["text"] for row in found] == ["a", "b"] and [r.reason for r in rejected] == ["missing_text"]
    assert [row["text"] for row in read(tmp_path, columns={"text": "parts.text"})[0]] == ["x\ny", "", "z"]
    with pytest.raises(
        SourceError, match=r"column doc holds struct.*fields \(doc\.text, doc\.n\).*--columns text=doc\.text"
    ):
        read(tmp_path, columns={"text": "doc"})


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_classes_are_read_by_their_names(tmp_path: Path, kind: str) -> None:
    features = {
        "text": {"names": ["no", "yes, please"], "_type": "ClassLabel"},
        "n": {"dtype": "int64", "_type": "Value"},
    }
    schema = pa.schema(
        {"text": pa.int64(), "n": pa.int64()}, {"huggingface": json.dumps({"info": {"features": features}})}
    )
    table = pa.table({"text": [1, 0, -1, 2, None], "n": range(5)}, schema)
    if kind == "parquet":
        pq.write_table(table, tmp_path / "t.parquet")
    else:
        with pa.ipc.new_file(str(tmp_path / "t.arrow"), schema) as writer:
            writer.write_table(table)
    rows, rejected = read(tmp_path, keep_columns=True)
    assert [(row["text"], row["extra"]) for row in rows] == [("yes, please", '{"n":0}'), ("no", '{"n":1}')]
    assert [r.reason for r in rejected] == ["missing_text"] * 3


def test_nan_is_no_text(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": [1.5, float("nan")]}), tmp_path / "a.parquet")
    (tmp_path / "b.jsonl").write_text('{"text": NaN}\n{"text": ["one", NaN]}\n{"text": "NaN"}\n')
    rows, rejected = read(tmp_path)
    assert [row["text"] for row in rows] == ["1.5", "one", "NaN"]
    assert [r.reason for r in rejected] == ["missing_text"] * 2


def test_pages_of_parquet_are_held_against_their_checksums(tmp_path: Path) -> None:
    table = pa.table({"text": [f"text {n}" for n in range(1000)]})
    where = tmp_path / "t.parquet"
    pq.write_table(table, where, write_page_checksum=True, compression="none", use_dictionary=False)
    where.write_bytes(where.read_bytes().replace(b"text 500", b"text 5oo"))
    rows, rejected = read(tmp_path)
    assert not rows and [r.reason for r in rejected] == ["decode_error"]


def test_columns_that_differ_in_case_alone_are_not_guessed(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("Text,TEXT,n\none,two,3\n")
    with pytest.raises(SourceError, match="Text and TEXT could be its text; say which: --columns text=Text"):
        read(tmp_path)
    assert [row["text"] for row in read(tmp_path, columns={"text": "TEXT"})[0]] == ["two"]
    (tmp_path / "t.csv").write_text("Text,text,n\none,two,3\n")
    assert [row["text"] for row in read(tmp_path)[0]] == ["two"]


def test_columns_are_found_whatever_their_case(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("Text,TITLE\na,b\n")
    assert read(tmp_path)[0][0]["title"] == "b"


def test_truncated_parquet_and_arrow_are_named_in_one_line(tmp_path: Path) -> None:
    for name in ("t.parquet", "t.arrow"):
        WRITERS[name](tmp_path / name)
        data = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(data[: len(data) // 2])
        with pytest.raises(SourceError, match=rf"^{name}: not a whole (Parquet|Arrow) file"):
            read(tmp_path)
        (tmp_path / name).unlink()


def test_a_damaged_row_group_costs_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    table = pa.table({"text": [f"text number {n * 7919 % 1009}" for n in range(3000)]})
    pq.write_table(table, path, row_group_size=1000, compression="zstd", use_dictionary=False)
    column = pq.ParquetFile(path).metadata.row_group(1).column(0)
    data = bytearray(path.read_bytes())
    middle = column.data_page_offset + column.total_compressed_size // 2
    data[middle : middle + 40] = bytes(40)
    path.write_bytes(data)
    rows, rejected = read(tmp_path)
    assert [row["text"] for row in rows] == table["text"].to_pylist()[:1000] + table["text"].to_pylist()[2000:]
    assert [(r.id, r.reason, r.records) for r in rejected] == [("t.parquet:1000", "decode_error", 1000)]


def test_nulls_and_bad_encodings_in_parquet_cost_their_row(tmp_path: Path) -> None:
    text = pa.array([b"ok", b"latin \xe9", None, b"\xc3\xa9"], pa.binary())
    unchecked = pa.Array.from_buffers(pa.string(), 4, text.buffers())
    pq.write_table(pa.table({"text": unchecked}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"text": text}), tmp_path / "b.parquet")
    rows, rejected = read(tmp_path)
    assert [(row["id"], row["text"]) for row in rows] == [
        *(("a.parquet:0", "ok"), ("a.parquet:3", "é"), ("b.parquet:0", "ok"), ("b.parquet:3", "é")),
    ]
    assert faults(rejected) == [
        *(("a.parquet:1", "bad_encoding"), ("a.parquet:2", "missing_text")),
        *(("b.parquet:1", "bad_encoding"), ("b.parquet:2", "missing_text")),
    ]


def test_arrow_files_with_wild_offsets_are_not_followed(tmp_path: Path) -> None:
    offsets = pa.py_buffer(b"".join(n.to_bytes(4, "little") for n in (0, 900_000_000, 3, 5)))
    wild = pa.Array.from_buffers(pa.string(), 3, [None, offsets, pa.py_buffer(b"hello")])
    with pa.ipc.new_stream(str(tmp_path / "t.arrow"), pa.schema([("text", pa.string())])) as writer:
        writer.write_batch(pa.record_batch([wild], ["text"]))
        writer.write_batch(pa.record_batch([pa.array(["fine"])], ["text"]))
    rows, rejected = read(tmp_path)
    assert [row["text"] for row in rows] == ["fine"]
    assert [(r.reason, r.records) for r in rejected] == [("decode_error", 3)]


def test_arrow_streams_that_cat_joined(tmp_path: Path) -> None:
    def stream(**columns: list[Any]) -> bytes:
        sink = io.BytesIO()
        table = pa.table(columns)
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        return sink.getvalue()

    (tmp_path / "t.arrow").write_bytes(stream(text=["one", "two"]) + stream(text=["three"]))
    rows, rejected = read(tmp_path)
    assert [row["text"] for row in rows] == ["one", "two", "three"] and not rejected
    (tmp_path / "t.arrow").write_bytes(stream(text=["one"]) + stream(n=[1]))
    with pytest.raises(SourceError, match="other columns is joined"):
        read(tmp_path)


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
@pytest.mark.parametrize("texts", [["c", "d"], ["e"] * 5000, []])
def test_parquet_and_arrow_files_that_cat_joined_are_refused(tmp_path: Path, kind: str, texts: list[str]) -> None:
    def write(path: Path, texts: list[str]) -> bytes:
        table = pa.table({"text": pa.array(texts, pa.string())})
        if kind == "parquet":
            pq.write_table(table, path, write_page_index=True)
        else:
            with pa.ipc.new_file(str(path), table.schema) as writer:
                writer.write_table(table)
        return path.read_bytes()

    path = tmp_path / f"t.{kind}"
    path.write_bytes(write(path, ["a", "b"]) + write(path, texts))
    with pytest.raises(SourceError, match=rf"t\.{kind}: {kind.capitalize()} files are joined in it; part them"):
        read(tmp_path)


def test_media_pass_through_unchanged(tmp_path: Path) -> None:
    roles = {"audio": ("audio",), "text": ("sentence",), "speaker": ("speaker_id",)}
    table = pa.table(
        {
            "audio": [{"bytes": b"RIFF\xff", "path": "a.wav"}, {"bytes": None, "path": None}, None],
            "sentence": ["one", "two", "three"],
            "speaker_id": [19, 20, 21],
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    rows, rejected = read(tmp_path, roles)
    assert rows == [
        {
            "id": "t.parquet:0",
            "where": "t.parquet, row 0",
            "audio": {"bytes": b"RIFF\xff", "path": "a.wav"},
            "text": "one",
            "speaker": "19",
        }
    ]
    assert [r.reason for r in rejected] == ["missing_media", "missing_media"]


def test_captions_are_lists(tmp_path: Path) -> None:
    roles = {"image": ("file_name", "image"), "captions": ("caption", "captions")}
    (tmp_path / "metadata.jsonl").write_text(
        '{"file_name": "1.jpg", "caption": "a dog"}\n{"file_name": "2.jpg", "caption": ["b", "c"]}\n'
        '{"file_name": "3.jpg", "caption": null}\n{"file_name": "4.jpg", "caption": 4}\n'
    )
    rows, rejected = read(tmp_path, roles)
    found = [(row["image"], row["captions"], [each["reason"] for each in row["captions_lost"]]) for row in rows]
    assert found == [("1.jpg", ["a dog"], []), ("2.jpg", ["b", "c"], []), ("4.jpg", [], ["bad_row"])]
    assert [r.reason for r in rejected] == ["missing_text"]


def test_splits_choose_files(tmp_path: Path) -> None:
    for name in ("train-00000-of-00001.jsonl", "validation.jsonl", "trained.jsonl"):
        (tmp_path / name).write_text(json.dumps({"text": name}) + "\n")
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "x.jsonl").write_text('{"text": "in folder"}\n')
    assert [row["text"] for row in read(tmp_path, splits=("train",))[0]] == ["train-00000-of-00001.jsonl", "in folder"]


def test_a_saved_dataset_is_read(tmp_path: Path) -> None:
    as_arrow(tmp_path / "data-00000-of-00001.arrow", pa.ipc.new_stream)
    (tmp_path / "cache-1234.arrow").write_bytes(b"x")
    (tmp_path / "dataset_info.json").write_text('{\n"features": {}\n}')
    (tmp_path / "state.json").write_text("{}")
    assert len(read(tmp_path)[0]) == 3


def test_other_files_are_no_tables(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "annotations.json").write_text('{"images": [], "annotations": []}')
    (tmp_path / "empty.csv").write_text("")
    assert list(table_units(FolderTree(tmp_path), ROLES, SourceOptions())) == []
    assert table_format("a/b.JSONL.gz") == "lines" and table_format("b.parquet.gz") == "parquet"


def test_rubbish_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b'"' + b"x" * 300_000)
    with pytest.raises(SourceError, match=r"t\.csv: the first line is not a header"):
        read(tmp_path)


def test_a_parquet_file_that_lies_about_its_rows_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": pa.nulls(3_000_000, pa.string())}), tmp_path / "t.parquet")
    with pytest.raises(SourceError, match="more rows than a file of its size can hold"):
        read(tmp_path)


def with_columns(names: list[str], kind: str) -> bytes:
    """A table of one row, whose values are 1, 2, ..., in a format that lets columns share a name."""
    values = [str(n) for n in range(1, len(names) + 1)]
    if kind == "csv":
        return f"{','.join(names)}\n{','.join(values)}\n".encode()
    if kind == "json":
        return json.dumps({"columns": names, "data": [values]}).encode()
    sink, table = io.BytesIO(), pa.Table.from_arrays([pa.array([value]) for value in values], names)
    if kind == "parquet":
        pq.write_table(table, sink)
    else:
        with pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
    return sink.getvalue()


@pytest.mark.parametrize("kind", ["csv", "json", "parquet", "arrow"])
def test_columns_that_share_a_name_are_refused_where_they_are_read(tmp_path: Path, kind: str) -> None:
    table = tmp_path / f"t.{kind}"
    table.write_bytes(with_columns(["text", "n", "n"], kind))
    assert [row["text"] for row in read(tmp_path)[0]] == ["1"]
    if kind in ("csv", "json"):
        assert read(tmp_path, keep_columns=True)[0][0]["extra"] == '{"n":"2","n (3)":"3"}'
        table.write_bytes(with_columns(["text", "n", "n (4)", "n"], kind))
        assert read(tmp_path, keep_columns=True)[0][0]["extra"] == '{"n":"2","n (4)":"3","n (5)":"4"}'
    else:
        with pytest.raises(SourceError, match="2 of its columns are called n, which is read as extra"):
            read(tmp_path, keep_columns=True)
    table.write_bytes(with_columns(["text", "n", "text"], kind))
    with pytest.raises(SourceError, match="2 of its columns are called text, which is read as text"):
        read(tmp_path)
