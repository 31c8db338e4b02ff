"""Tables whose rows others have are found however each is written, and read only where they may be there."""

from __future__ import annotations

import bz2
import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from omni_ray.corpora import table_repeats
from omni_ray.corpora.base import Rejected, SourceOptions
from omni_ray.corpora.text_files import TextFiles
from omni_ray.sources.packed import CHUNK_BYTES
from omni_ray.sources.tables import read_table_unit, read_texts, table_units
from omni_ray.sources.tree import FolderTree

TEXTS = [
    f"Of the {word} table, one sentence\nand a line with the word {word}." for word in ("first", "second", "third")
]
MANY = [f"Before those come lines of the {number}th row,\nof which there are enough." for number in range(40)]
OTHERS = [f"Words that are found nowhere else: {word} {word}." for word in ("fourth", "fifth", "sixth")]


def json_lines(texts: list[str], **how: Any) -> bytes:
    return "".join(json.dumps({"text": text}, **how) + "\n" for text in texts).encode()


def escaped(texts: list[str]) -> bytes:
    rows = ["".join(f"\\u{ord(each):04X}" for each in text) for text in texts]
    return "".join(f'{{"text": "{row}"}}\n' for row in rows).encode()


def halved(texts: list[str]) -> bytes:
    """With half a surrogate pair in the middle of each word, which is left out when it is read."""
    rows = [text.replace("or", "o\ud83dr").replace("en", "e\ude00n") for text in texts]
    return json_lines(rows)


def parquet(texts: list[str], **more: list[str]) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"text": texts, **more}), sink)
    return bytes(sink.getvalue())


def delimited(texts: list[str]) -> bytes:
    return ("id,text\n" + "".join(f'{number},"{text}"\n' for number, text in enumerate(texts))).encode()


def conversations(texts: list[str]) -> bytes:
    turns = [[{"role": "user", "content": line} for line in text.split("\n")] for text in texts]
    return "".join(json.dumps({"messages": each}) + "\n" for each in turns).encode()


WRITERS: dict[str, Callable[[list[str]], bytes]] = {
    "a.jsonl": json_lines,
    "b.jsonl": lambda texts: json_lines(texts, separators=(",", ":"), ensure_ascii=False),
    "c.jsonl": escaped,
    "d.jsonl": halved,
    "e.jsonl": conversations,
    "f.jsonl": lambda texts: json_lines(texts).decode().encode("utf-16"),
    "g.jsonl.gz": lambda texts: gzip.compress(json_lines(texts)),
    "h.json": lambda texts: json.dumps([{"text": text.split("\n")} for text in texts], indent=1).encode(),
    "i.csv": delimited,
    "j.csv.bz2": lambda texts: bz2.compress(delimited(texts)),
    "k.parquet": parquet,
}


def told(row: Any) -> str:
    """A row's values, or why it cannot be used."""
    if isinstance(row, Rejected):
        return f"{row.where}: {row.reason}, {row.detail}"
    return str([each.as_py() if isinstance(each, pa.Scalar) else each for each in row])


def kept(folder: Path) -> set[str]:
    return {draft.inputs[0] for draft in TextFiles().units(FolderTree(folder), SourceOptions())}


@pytest.mark.parametrize("whole", WRITERS)
@pytest.mark.parametrize("part", ["a.jsonl", "c.jsonl", "i.csv", "k.parquet"])
def test_a_table_that_another_one_covers_is_found_however_they_are_written(
    tmp_path: Path, whole: str, part: str
) -> None:
    (tmp_path / f"whole-{whole}").write_bytes(WRITERS[whole]([*MANY, *TEXTS]))
    (tmp_path / f"part-{part}").write_bytes(WRITERS[part](TEXTS))
    assert kept(tmp_path) == {f"whole-{whole}"}


@pytest.mark.parametrize("before", [1, 10, 20])
def test_words_that_two_blocks_share_are_found(tmp_path: Path, before: int) -> None:
    text = "Words of which one block has the first"
    lead, row = json_lines(MANY), json_lines([text])
    place = CHUNK_BYTES - before - row.index(text.encode())
    filler = b'{"text": "%b"}\n' % (b"." * (place - len(lead) - len(json_lines([""]))))
    (tmp_path / "whole.jsonl").write_bytes(lead + filler + row)
    (tmp_path / "part.jsonl").write_bytes(row)
    assert kept(tmp_path) == {"whole.jsonl"}


@pytest.mark.parametrize("how", [{}, {"ensure_ascii": False}])
def test_tables_with_texts_of_their_own_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: dict[str, Any]
) -> None:
    def nothing(*_: Any) -> Iterator[int | None]:
        raise AssertionError("a table is read for its rows")

    (tmp_path / "a.jsonl").write_bytes(json_lines(["The same in both tables", "“Écrit” 😀", *TEXTS], **how))
    (tmp_path / "b.csv").write_bytes(delimited(["The same in both tables", *OTHERS]))
    (tmp_path / "c.jsonl").write_bytes(
        json_lines([f"Long text of a third table, {number}: " * 99 for number in range(999)])
    )
    monkeypatch.setattr(table_repeats, "_keys_of_slice", nothing)
    assert kept(tmp_path) == {"a.jsonl", "b.csv", "c.jsonl"}
    (tmp_path / "d.jsonl").write_bytes(json_lines(OTHERS[:1], **how))
    with pytest.raises(AssertionError):
        kept(tmp_path)


@pytest.mark.slow
def test_a_table_that_several_others_cover_together(tmp_path: Path) -> None:
    """Their rows lie far from where words are taken from, and across the ends of what is read at once."""
    rows = [f"{word} number {number} of many rows" for number in range(30000) for word in ("Sentence", "Paragraph")]
    (tmp_path / "a.jsonl").write_bytes(json_lines([*TEXTS, *rows[::2]]))
    (tmp_path / "b.jsonl").write_bytes(json_lines([*OTHERS, *rows[1::2]]))
    (tmp_path / "c.jsonl").write_bytes(json_lines(rows[40000:]))
    assert kept(tmp_path) == {"a.jsonl", "b.jsonl"}
    (tmp_path / "c.jsonl").write_bytes(json_lines([*rows[40000:], "Sentence number 7 of no other rows"]))
    assert kept(tmp_path) == {"a.jsonl", "b.jsonl", "c.jsonl"}


@pytest.mark.parametrize("name", WRITERS)
def test_rows_one_by_one_are_those_of_columns(tmp_path: Path, name: str) -> None:
    roles = {"id": ("id",), "text": ("text",), "title": ("title",)}
    (tmp_path / name).write_bytes(WRITERS[name]([*TEXTS, "", "“Écrit” 😀"]))
    if name.endswith(".jsonl"):
        with open(tmp_path / name, "a", encoding="utf-16-le" if name[0] == "f" else "utf-8") as file:
            file.write(
                '{"text": null}\n{"text": 1.50, "id": 7}\n{"text": "a\\ud800b", "id": ""}\nnone\n{"text": {"a": 1}}\n'
            )
    tree = FolderTree(tmp_path)
    options = SourceOptions(columns={"text": "messages"} if name[0] == "e" else {})
    for draft in table_units(tree, roles, options):
        roles_there = draft.payload["table"]["columns"]
        expected: list[Any] = []
        for item in read_table_unit(tree, draft.payload):
            rows = [item] if isinstance(item, Rejected) else zip(*map(item.column, roles_there), strict=True)
            expected += map(told, rows)
        found = [told(row) for row in read_texts(tree, draft.payload)]
        assert sorted(found) == sorted(expected) and len(found) >= len(TEXTS)
