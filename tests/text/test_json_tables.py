"""Tables in JSON: lines, arrays and objects of every shape, and bad items that cost themselves only."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from table_rows import faults, read

from omni_ray.errors import SourceError


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
    place = f"{name}:{found[5]['id'].rpartition(':')[2]}"
    assert len(found) == 10 and found[5]["id"] == (place if value in ("half", "nan") else json.dumps(ODD[value]))


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


@pytest.mark.parametrize("name", ["t.jsonl", "t.json"])
def test_an_object_that_gives_a_name_twice_costs_itself_where_that_is_read(tmp_path: Path, name: str) -> None:
    items = [f'{{"text": "row {n}", "n": 1, "n": 2}}' for n in range(2000)]
    items[1000] = '{"text": "one", "n": 1, "text": "two"}'
    ends = ("", "\n", "") if name == "t.jsonl" else ("[", ",\n", "]")
    (tmp_path / name).write_text(ends[0] + ends[1].join(items) + ends[2])
    for keep in (False, True):
        rows, rejected = read(tmp_path, keep_columns=keep)
        assert [row["text"] for row in rows] == [f"row {n}" for n in range(2000) if n != 1000]
        assert [(r.reason, r.detail) for r in rejected] == [("bad_row", "an object with several members called text")]
    assert {row["extra"] for row in rows} == {'{"n":1,"n (3)":2}'}


@pytest.mark.parametrize("name", ["t.jsonl", "t.json"])
@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (r'{"text": "one", "te\u0078t": "two"}', "an object with several members called text"),
        (r'{"text" : "one", "text": "\": two"}', "an object with several members called text"),
        (r'{"n\\": 1, "text": "\":", "text": "two"}', "an object with several members called text"),
    ],
)
def test_a_name_that_is_given_twice_in_two_spellings(tmp_path: Path, name: str, row: str, fault: str) -> None:
    items = [json.dumps({"text": f"row {n}"}) for n in range(200)]
    items[100] = row
    ends = ("", "\n", "") if name == "t.jsonl" else ("[", ",\n", "]")
    (tmp_path / name).write_text(ends[0] + ends[1].join(items) + ends[2])
    rows, rejected = read(tmp_path)
    assert len(rows) == 199 and [r.detail for r in rejected] == [fault]


@pytest.mark.parametrize("template", ["plain", "roles"])
def test_a_turn_that_gives_a_name_twice_costs_its_conversation(tmp_path: Path, template: str) -> None:
    turns = ['{"role": "user", "content": "one"}', '{"role": "user", "content": "one", "content": "two"}']
    (tmp_path / "t.jsonl").write_text("\n".join(f'{{"messages": [{turn}], "n": [1]}}' for turn in turns))
    rows, rejected = read(tmp_path, columns={"text": "messages"}, chat_template=template)
    assert [row["text"].endswith("one") for row in rows] == [True]
    detail = "an object with several members called content"
    assert [r.detail.removeprefix("column messages holds ") for r in rejected] == [detail]


@pytest.mark.parametrize(
    "table", ['{"text": ["a"], "text": ["b"]}', '{"n": 1, "n": 2, "data": [{"text": "a"}], "data": [{"text": "b"}]}']
)
def test_members_of_one_name_that_hold_rows_are_refused(tmp_path: Path, table: str) -> None:
    (tmp_path / "t.json").write_text(table)
    with pytest.raises(SourceError, match=r"t\.json: .*give each a name of its own"):
        read(tmp_path)


def test_an_object_on_several_lines_of_json_lines_is_not_taken_for_text(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"text": "a"}\n{\n"text": "b"\n}\n{"text": "c"}\n')
    rows, rejected = read(tmp_path)
    assert [row["text"] for row in rows] == ["a", "c"] and {r.reason for r in rejected} == {"bad_row"}


@pytest.mark.parametrize("words", [100_000, 400_000], ids=["the third row is cut at 1 MB", "the first one is"])
@pytest.mark.parametrize("name", ["lines.jsonl", "lines.json", "array.json"])
def test_columns_are_those_of_whole_rows(tmp_path: Path, name: str, words: int) -> None:
    rows = [{"notes": [{"text": "a part of a row"}], "document": "word " * words + str(n)} for n in range(3)]
    array = json.dumps(rows)
    (tmp_path / name).write_text(array if name == "array.json" else "\n".join(map(json.dumps, rows)))
    found, rejected = read(tmp_path, {"text": ("text", "document")})
    assert [row["text"] for row in found] == [row["document"] for row in rows] and not rejected


def test_parts_of_a_broken_line_have_no_columns(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"document": "a"}\n{"notes": [{"text": "b"}], "document\n{"document": "c"}\n')
    found, rejected = read(tmp_path, {"text": ("text", "document")})
    assert [row["text"] for row in found] == ["a", "c"] and {r.reason for r in rejected} == {"bad_row"}
