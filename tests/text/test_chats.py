"""Conversations, and questions with their answers, as documents."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from omni_ray.corpora.text_files import TextFiles
from omni_ray.errors import SourceError
from tests.text.test_tables import faults, read

ROLES = TextFiles.columns
OPENAI = [
    {"id": "a", "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Wie spät?"}]},
    {"id": "b", "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Two\nlines"}]},
]
SHAREGPT = [
    {"system": "Be kind.", "conversations": [{"from": "human", "value": "Wie spät?"}]},
    {"system": "", "conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Two\nlines"}]},
]
ALPACA = [
    {"instruction": "Add.", "input": "1 and 2", "output": "3"},
    {"instruction": "Say hi.", "input": "", "output": "Hi."},
]
PLAIN = ["Be kind.\nWie spät?", "Hi\nTwo\nlines"]
BY_ROLE = ["System: Be kind.\nUser: Wie spät?", "User: Hi\nAssistant: Two\nlines"]


def put(folder: Path, kind: str, rows: list[dict[str, Any]]) -> None:
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), folder / "t.parquet")
    elif kind == "arrow":
        table = pa.Table.from_pylist(rows)
        with pa.ipc.new_stream(str(folder / "t.arrow"), table.schema) as writer:
            writer.write_table(table)
    elif kind == "json":
        (folder / "t.json").write_text(json.dumps(rows, indent=2))
    elif kind == "wrapped":
        (folder / "t.json").write_text(json.dumps({"conversations": rows, "version": 1}))
    else:
        (folder / "t.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


@pytest.mark.parametrize("kind", ["parquet", "arrow", "json", "jsonl", "wrapped"])
@pytest.mark.parametrize("rows", [OPENAI, SHAREGPT], ids=["openai", "sharegpt"])
def test_conversations_are_known_by_their_columns(tmp_path: Path, kind: str, rows: list[dict[str, Any]]) -> None:
    put(tmp_path, kind, rows)
    for template, wanted in [("plain", PLAIN), ("roles", BY_ROLE)]:
        found, rejected = read(tmp_path, ROLES, chat_template=template)
        assert [row["text"] for row in found] == wanted and not rejected


@pytest.mark.parametrize("kind", ["parquet", "json", "jsonl", "csv"])
def test_questions_with_answers_are_known_by_their_columns(tmp_path: Path, kind: str) -> None:
    if kind == "csv":
        with (tmp_path / "t.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(ALPACA[0]))
            writer.writeheader()
            writer.writerows(ALPACA)
    else:
        put(tmp_path, kind, ALPACA)
    found, rejected = read(tmp_path, ROLES)
    assert [row["text"] for row in found] == ["Add.\n1 and 2\n3", "Say hi.\nHi."] and not rejected
    found, _ = read(tmp_path, ROLES, chat_template="chatml")
    assert found[0]["text"] == "<|im_start|>user Add.\n1 and 2<|im_end|>\n<|im_start|>assistant 3<|im_end|>"


def test_a_column_of_text_is_the_text_whatever_else_is_there(tmp_path: Path) -> None:
    put(tmp_path, "jsonl", [{**row, "text": "whole"} for row in ALPACA])
    assert [row["text"] for row in read(tmp_path, ROLES)[0]] == ["whole", "whole"]


def test_named_columns_are_joined_and_take_the_template(tmp_path: Path) -> None:
    put(tmp_path, "jsonl", [{"talk": SHAREGPT[1]["conversations"], "q": "Why?", "a": "So."}])
    found, _ = read(tmp_path, ROLES, columns={"text": "talk"}, chat_template="roles")
    assert found[0]["text"] == BY_ROLE[1]
    assert read(tmp_path, ROLES, columns={"text": "q+a"})[0][0]["text"] == "Why?\nSo."
    with pytest.raises(SourceError, match=r"no column q\+b"):
        read(tmp_path, ROLES, columns={"text": "q+b"})


def test_an_object_of_one_conversation_is_a_record(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text(json.dumps({"messages": OPENAI[1]["messages"]}, indent=1))
    assert [row["text"] for row in read(tmp_path, ROLES)[0]] == [PLAIN[1]]


@pytest.mark.parametrize("kind", ["json", "jsonl"])
def test_an_odd_turn_costs_its_conversation(tmp_path: Path, kind: str) -> None:
    odd = [
        {"messages": [{"role": "user", "content": "Hi"}, {"content": "who said it?"}]},
        {"messages": [{"role": "user", "content": {"deep": 1}}]},
        {"messages": None},
        {"messages": []},
        {"other": 1},
    ]
    put(tmp_path, kind, [OPENAI[0], *odd, OPENAI[1]])
    found, rejected = read(tmp_path, ROLES, chat_template="roles")
    assert [row["text"] for row in found] == BY_ROLE
    assert sorted(reason for _, reason in faults(rejected)) == ["bad_row"] * 3 + ["missing_text"] * 2


def test_lists_without_speakers_are_no_conversations(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text(json.dumps({"messages": [{"text": "one"}, {"text": "two"}]}))
    assert [row["text"] for row in read(tmp_path, ROLES)[0]] == ["one", "two"]
