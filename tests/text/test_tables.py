"""Tables of every kind: columns by role, rows in slices, and bad rows that cost themselves only."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omni_ray.corpora.base import Rejected, SourceOptions
from omni_ray.errors import SourceError
from omni_ray.sources.tables import read_table_unit, table_format, table_units
from omni_ray.sources.tree import FolderTree

ROLES = {"text": ("text", "content"), "id": ("id",), "title": ("title",)}


def read(
    folder: Path, roles: Mapping[str, tuple[str, ...]] = ROLES, **options: Any
) -> tuple[list[dict[str, Any]], list[Rejected]]:
    tree = FolderTree(folder)
    rows: list[dict[str, Any]] = []
    rejected: list[Rejected] = []
    for unit in table_units(tree, roles, SourceOptions(**options)):
        payload = json.loads(json.dumps(unit.payload))
        before = len(rows) + sum(r.records for r in rejected)
        for item in read_table_unit(tree, payload):
            if isinstance(item, Rejected):
                rejected.append(item)
            else:
                rows += item.to_pylist()
        if unit.records is not None:
            assert len(rows) + sum(r.records for r in rejected) - before == unit.records
    return rows, rejected


def faults(rejected: list[Rejected]) -> list[tuple[str, str]]:
    return [(r.id, r.reason) for r in rejected]


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


def test_bad_json_lines_cost_themselves_only(tmp_path: Path) -> None:
    lines = [
        b'{"text": "first"}',
        b'{"text": "cut',
        b'{"text": "latin \xe9"}',
        b'{"text": null}',
        b'{"title": "no text"}',
        b"[1]",
        b"",
        b"[" * 100_000,
        b'{"text": ["a", "b"]}',
        b'{"text": 7, "title": "\\ud800x", "id": 12}',
        b'{"text": "last"}',
    ]
    (tmp_path / "t.jsonl").write_bytes(b"\n".join(lines))
    rows, rejected = read(tmp_path)
    assert [(row["id"], row["text"]) for row in rows if row["id"] == "12"] == [("12", "7")]
    assert [row["text"] for row in rows] == ["first", "a\nb", "7", "last"]
    assert rows[2]["title"] == "x"
    assert [r.reason for r in rejected] == [
        *("bad_row", "bad_encoding", "bad_row", "bad_row", "bad_row", "missing_text"),
    ]
    assert all(int(r.id.split(":")[1]) >= 0 for r in rejected)


@pytest.mark.parametrize("bad_line", [0, 10, 5000, 9999])
def test_one_latin_1_byte_loses_one_of_ten_thousand_lines(tmp_path: Path, bad_line: int) -> None:
    lines = [json.dumps({"text": f"document {n}"}).encode() for n in range(10_000)]
    lines[bad_line] = lines[bad_line].replace(b"document", b"docum\xe9nt")
    (tmp_path / "t.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    rows, rejected = read(tmp_path)
    assert len(rows) == 9_999 and [r.reason for r in rejected] == ["bad_encoding"]


def test_bad_csv_rows_cost_themselves_only(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(
        b"id,text,title\n"
        b"1,first,A\n"
        b"2,short\n"
        b"3,too,many,fields\n"
        b"4,latin \xe9,B\n"
        b"5,,C\n"
        b'6,"never closed,D\n'
        b'7,5" disk,E\n'
        b'8,"two\nlines",F\n'
        b"\n"
        b'9,"cut'
    )  # fmt: skip
    for scale in (1.0, 1e-6):
        rows, rejected = read(tmp_path, unit_scale=scale)
        assert [(r["id"], r["text"]) for r in rows] == [("1", "first"), ("7", '5" disk'), ("8", "two\nlines")]
        assert sorted(r.reason for r in rejected) == ["bad_encoding"] + ["bad_row"] * 4 + ["missing_text"]
        assert [r.id for r in rejected if r.reason == "missing_text"] == ["5"]


def test_a_tsv_has_no_quoting(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text('text\ttitle\n"Unbalanced\tA\nsaid "so"\tB\n')
    rows, rejected = read(tmp_path)
    assert [row["text"] for row in rows] == ['"Unbalanced', 'said "so"'] and not rejected


FIELD = st.text(st.sampled_from("ab,\";\n\r 'é"), max_size=8)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(FIELD.map(lambda s: "x" + s), FIELD), min_size=1, max_size=20), st.integers(1, 60))
def test_what_the_csv_module_writes_is_read_back(tmp_path: Path, rows: list[tuple[str, str]], step: int) -> None:
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows([("text", "title"), *rows])
    (tmp_path / "t.csv").write_bytes(buffer.getvalue().encode())
    found, rejected = read(tmp_path, unit_scale=step / (16 << 20) * 1.000001)
    assert [(row["text"], row["title"] or "") for row in found] == rows and not rejected


BROKEN = {
    "no quotation marks": lambda row: row.replace('"text"', "text"),
    "a quotation mark in text": lambda row: row.replace("words", 'wo"rds'),
    "a line end in text": lambda row: row.replace("words", "wo\nrds"),
    "never closed": lambda row: row.replace('words"', "words"),
    "a cut escape": lambda row: row.replace("words", r"\u12"),
    "no value": lambda row: row.replace('"t', "t", 1),
    "huge number": lambda row: row.replace('"n": 50', '"n": ' + "9" * 5000),
    "bracket too many": lambda row: row + "}",
}


@pytest.mark.parametrize("fault", BROKEN)
@pytest.mark.parametrize("indent", [None, 1])
def test_a_broken_item_of_an_array_costs_itself_only(tmp_path: Path, fault: str, indent: int | None) -> None:
    rows = [{"text": f"t{n} words", "n": n, "turns": [{"text": "a"}, {"text": "b"}]} for n in range(100)]
    texts = [json.dumps(row, indent=indent) for row in rows]
    texts[50] = BROKEN[fault](texts[50])
    (tmp_path / "t.json").write_text("[" + ", ".join(texts) + "]")
    found, rejected = read(tmp_path)
    kept = [row["text"] for row in found]
    assert kept[:50] == [row["text"] for row in rows[:50]] and kept[-49:] == [row["text"] for row in rows[51:]]
    assert [r.reason for r in rejected] == ["bad_row"] and len(kept) in (99, 100)


ODD = {"nan": float("nan"), "infinity": float("inf"), "great": 2**64, "greater": 10**40, "half": "\ud83d"}


@pytest.mark.parametrize("value", ODD)
@pytest.mark.parametrize("name", ["t.json", "t.jsonl"])
def test_odd_values_lose_nothing(tmp_path: Path, name: str, value: str) -> None:
    rows = [{"text": f"t{n}", "score": ODD[value] if n == 5 else 1.5} for n in range(10)]
    dumped = json.dumps(rows) if name == "t.json" else "\n".join(map(json.dumps, rows))
    (tmp_path / name).write_text(dumped)
    found, rejected = read(tmp_path)
    assert [row["text"] for row in found] == [f"t{n}" for n in range(10)] and not rejected
    found, rejected = read(tmp_path, columns={"id": "score"})
    assert len(found) == 10 and found[5]["id"] == {"half": f"{name}:{found[5]['id'].rpartition(':')[2]}"}.get(
        value, json.dumps(ODD[value])
    )


def test_one_odd_byte_in_an_array_costs_its_item(tmp_path: Path) -> None:
    data = json.dumps([{"text": f"document number {n} of some words"} for n in range(1000)]).encode()
    (tmp_path / "t.json").write_bytes(data.replace(b"number 960", b"num\xe9ro 960"))
    found, rejected = read(tmp_path)
    assert len(found) == 999 and faults(rejected) == [("t.json:960", "bad_encoding")]


def test_a_cut_array_gives_its_whole_items(tmp_path: Path) -> None:
    good = json.dumps([{"text": f"t{n}"} for n in range(100)])
    (tmp_path / "t.json").write_text(good[:-40])
    found, rejected = read(tmp_path)
    assert [row["text"] for row in found] == [f"t{n}" for n in range(97)] and [r.reason for r in rejected] == [
        "truncated"
    ]
    (tmp_path / "t.json").write_text('[{"text": "a"}, 7, {"text": null}, {"text": "b"}]')
    found, rejected = read(tmp_path)
    assert [(row["id"], row["text"]) for row in found] == [("t.json:0", "a"), ("t.json:3", "b")]
    assert faults(rejected) == [("t.json:1", "bad_row"), ("t.json:2", "missing_text")]


ROWS = [{"text": f"t{n}", "title": f"T{n}", "doc": {"body": f"b{n}"}} for n in range(5)]
SHAPES = {
    "array.json": json.dumps(ROWS),
    "array.jsonl": json.dumps(ROWS),
    "pretty array.jsonl": json.dumps(ROWS, indent=2),
    "lines.json": "\n".join(map(json.dumps, ROWS)),
    "lines with commas.jsonl": ",\n".join(map(json.dumps, ROWS)),
    "pretty.jsonl": "\n".join(json.dumps(row, indent=2) for row in ROWS),
    "pretty.json": "\n".join(json.dumps(row, indent=2) for row in ROWS),
    "glued.jsonl": "".join(map(json.dumps, ROWS)),
    "two arrays.json": json.dumps(ROWS[:2]) + json.dumps(ROWS[2:]),
    "separated.jsonl": "".join(f"\x1e{json.dumps(row)}\n" for row in ROWS),
    "wrapped.json": json.dumps({"version": 1, "tags": ["x"], "data": ROWS}),
    "deeply.json": json.dumps({"response": {"count": 5, "docs": ROWS}}),
    "splits.json": json.dumps({"train": ROWS[:3], "test": ROWS[3:]}),
    "columns.json": json.dumps({key: [row[key] for row in ROWS] for key in ROWS[0]}),
    "columns of pandas.json": json.dumps({key: {str(n): row[key] for n, row in enumerate(ROWS)} for key in ROWS[0]}),
    "split of pandas.json": json.dumps({"columns": list(ROWS[0]), "data": [list(row.values()) for row in ROWS]}),
    "index of pandas.json": json.dumps({str(n): row for n, row in enumerate(ROWS)}),
}


@pytest.mark.parametrize("codec", ["utf-8", "utf-16", "utf-8-sig"])
@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_of_json(tmp_path: Path, name: str, codec: str) -> None:
    (tmp_path / name).write_bytes(SHAPES[name].encode(codec))
    for columns in ({}, {"text": "doc.body"}):
        found, rejected = read(tmp_path, columns=columns)
        assert [row["text"] for row in found] == [row["doc"]["body"] if columns else row["text"] for row in ROWS]
        assert [row["title"] for row in found] == [row["title"] for row in ROWS] and not rejected
        assert len({row["id"] for row in found}) == 5


def test_a_file_of_one_object_is_a_record(tmp_path: Path) -> None:
    for n in range(3):
        (tmp_path / f"{n}.json").write_text(json.dumps({"id": f"d{n}", "text": f"One.\nTwo {n}."}, indent=1))
    (tmp_path / "3.json").write_text(json.dumps({"id": "d3", "text": ["One.", "Two 3."], "tags": ["x"]}))
    assert [(row["id"], row["text"]) for row in read(tmp_path)[0]] == [(f"d{n}", f"One.\nTwo {n}.") for n in range(4)]


def test_strings_paragraphs_and_conversations_are_documents(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(["one", "two"]))
    assert [row["text"] for row in read(tmp_path)[0]] == ["one", "two"]
    turns = [
        [{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": [{"type": "text", "text": "Yes."}]}],
        [{"from": "human", "value": "Hello?"}, {"from": "gpt", "value": "Yes."}],
        [{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": None, "tool_calls": []}],
        [{"role": "user"}],
        "not a list",
    ]
    lines = "\n".join(json.dumps({"messages": each}) for each in turns)
    (tmp_path / "a.json").write_text(lines)
    found, rejected = read(tmp_path, columns={"text": "messages"})
    assert [row["text"] for row in found] == ["Hello?\nYes.", "Hello?\nYes.", "Hello?", "not a list"]
    assert [(r.reason, r.detail) for r in rejected] == [("bad_row", "column messages holds an object of role")]
    (tmp_path / "a.json").unlink()
    simple = [[{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "Yes."}]] * 2
    pq.write_table(pa.table({"messages": simple, "list": [["a", "b"], None]}), tmp_path / "a.parquet")
    assert [row["text"] for row in read(tmp_path, columns={"text": "messages"})[0]] == ["Hello?\nYes."] * 2
    found, rejected = read(tmp_path, columns={"text": "list"})
    assert [row["text"] for row in found] == ["a\nb"] and [r.reason for r in rejected] == ["missing_text"]


def test_a_missing_column_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"txt": "a", "label": 1}\n')
    with pytest.raises(SourceError, match=r"t\.jsonl: no column text or content; it has txt, label\..*text=txt"):
        read(tmp_path)
    assert [row["text"] for row in read(tmp_path, columns={"text": "txt"})[0]] == ["a"]
    with pytest.raises(SourceError, match="no column txxt"):
        read(tmp_path, columns={"text": "txxt"})
    with pytest.raises(SourceError, match="there is no role body here; there are text, id, title"):
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
