"""The user's own text: line files and tables."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import zipfile
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from omni_ray.corpora.base import SourceOptions
from omni_ray.corpora.text_files import TextFiles
from omni_ray.modalities.text import Text, TextParams
from omni_ray.sources.tree import FileTree, FolderTree
from tests.list_sources import Source, kept, lost
from tests.text.units import read_units

CORPUS = TextFiles()
read = partial(read_units, CORPUS)


def test_every_kind_of_file_beside_each_other(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"first line\r\n\r\nsecond line\n")
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(b"third\nfourth"))
    (tmp_path / "c.text.bz2").write_bytes(bz2.compress("fünfte\n".encode()))
    (tmp_path / "d.csv").write_text("sentence,label\nsixth,1\n")
    (tmp_path / "e.jsonl").write_text(json.dumps({"content": "seventh\nparagraph"}) + "\n")
    pq.write_table(pa.table({"text": ["eighth"]}), tmp_path / "f.parquet")
    (tmp_path / "notes.md").write_text("no")
    rows, rejected = read(FolderTree(tmp_path))
    assert not rejected
    assert [row["text"].strip() for row in rows] == [
        *("first line", "second line", "third", "fourth", "fünfte", "sixth", "seventh\nparagraph", "eighth"),
    ]
    assert [row["id"] for row in rows][:3] == ["a.txt:0", "a.txt:14", "b.txt.gz:0"]
    assert len({row["id"] for row in rows}) == len(rows)


def test_a_file_that_is_no_text_is_one_record_and_named(tmp_path: Path) -> None:
    (tmp_path / "a.txt.gz").write_bytes(b"\n<!DOCTYPE html>\n<html><body>Not found</body></html>\n")
    (tmp_path / "b.txt").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n")
    (tmp_path / "c.txt").write_bytes(b"%PDF-1.7\n\0\0")
    (tmp_path / "d.txt").write_bytes(b"PK\3\4\0\0\n\0")
    (tmp_path / "e.txt").write_bytes(b"<doc id=1>\nID3 is a tag. <html> too.\n")
    rows, rejected = read(FolderTree(tmp_path))
    assert [row["text"].strip() for row in rows] == ["<doc id=1>", "ID3 is a tag. <html> too."]
    assert [each.detail.partition(" is ")[2].partition(",")[0] for each in rejected] == [
        *("an HTML page", "a Git LFS pointer", "a PDF document", "a zip archive: unpack it"),
    ]


def test_packed_files_that_are_called_otherwise(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(gzip.compress(b"one\n"))
    (tmp_path / "b.txt.gz").write_bytes(b"two\n")
    (tmp_path / "c.jsonl").write_bytes(bz2.compress(b'{"text": "three"}\n'))
    (tmp_path / "d.csv.gz").write_bytes(b"text\nfour\n")
    rows, rejected = read(FolderTree(tmp_path), unit_scale=1e-9)
    assert [row["text"].strip() for row in rows] == ["one", "two", "three", "four"] and not rejected


def test_files_whose_names_do_not_say_what_they_hold(tmp_path: Path) -> None:
    (tmp_path / "part-00000.gz").write_bytes(gzip.compress(b"one\n"))
    (tmp_path / "part-00001").write_bytes(b"two\n")
    (tmp_path / "part-r-00002-ab12.gz").write_bytes(gzip.compress(b'{"text": "three"}\n'))
    (tmp_path / "corpus.bz2").write_bytes(bz2.compress(b"four\n"))
    (tmp_path / "dump.bz2").write_bytes(bz2.compress(b"<mediawiki>\n"))
    (tmp_path / "part-00003").write_bytes(b"%PDF-1.4\n")
    (tmp_path / "Makefile").write_bytes(b"all:\n")
    rows, rejected = read(FolderTree(tmp_path))
    assert [row["text"].strip() for row in rows] == ["four", "one", "two", "three"] and not rejected


def test_json_lines_called_txt(tmp_path: Path) -> None:
    lines = "".join(json.dumps({"text": f"line {n}", "n": n}) + "\n" for n in range(3))
    (tmp_path / "a.txt").write_text(f"\ufeff{lines}", "utf-8")
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(lines.replace("line", "packed").encode()))
    (tmp_path / "c.txt").write_text('{"text": "an object"}\n{and prose in braces}\n')
    rows, rejected = read(FolderTree(tmp_path))
    assert sorted(row["text"].strip() for row in rows) == [
        *("line 0", "line 1", "line 2", "packed 0", "packed 1", "packed 2"),
        *('{"text": "an object"}', "{and prose in braces}"),
    ]
    assert not rejected


def test_a_single_file_and_a_named_column(tmp_path: Path) -> None:
    (tmp_path / "data.tsv").write_text("words\tn\nhello there\t1\n")
    rows, _ = read(FileTree(tmp_path / "data.tsv"), columns={"text": "words"})
    assert [row["text"] for row in rows] == ["hello there"]


def test_ids_do_not_depend_on_how_the_work_is_cut(tmp_path: Path) -> None:
    lines = [f"line number {n} of the file" for n in range(2000)]
    (tmp_path / "a.txt").write_text("\n".join(lines))
    rows, _ = read(FolderTree(tmp_path))
    assert [row["text"].strip() for row in rows] == lines
    units = list(CORPUS.units(FolderTree(tmp_path), SourceOptions(unit_scale=1e-4)))
    assert len(units) > 10
    assert read(FolderTree(tmp_path), unit_scale=1e-4)[0] == rows


def test_lines_become_samples_one_to_one(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"One.\nTwo\ttabs.\n\xe2\x80\x8b\nbad \xff\nFour.\n")
    rows, rejected = read(FolderTree(tmp_path))
    raw = pa.Table.from_pylist([{**row, "records": 1} for row in rows], schema=Text().raw_schema)
    result = Text().transform(raw, "mine", TextParams())
    assert result.kept["text"].to_pylist() == ["One.", "Two tabs.", "Four."]
    assert [(r.id, r.reason) for r in [*rejected, *result.rejected]] == [
        ("a.txt:19", "bad_encoding"),
        ("a.txt:15", "empty_text"),
    ]


def test_it_is_taken_only_by_name() -> None:
    assert not CORPUS.in_all


def test_a_damaged_file_costs_itself_and_not_the_run(tmp_path: Path) -> None:
    data = bytearray(gzip.compress(b"".join(b"line %d\n" % (n * n) for n in range(2000))))
    data[len(data) // 2] ^= 4
    (tmp_path / "a.txt.gz").write_bytes(data)
    (tmp_path / "b.txt").write_text("sound\n")
    rows, rejected = read(FolderTree(tmp_path))
    assert [row["text"].strip() for row in rows] == ["sound"]
    assert [(r.id, r.reason) for r in rejected] == [("a.txt.gz:0", "decode_error")]


@pytest.mark.parametrize("scale", [1.0, 2e-4])
@pytest.mark.parametrize("in_memory", [8 << 20, 100])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_damaged_member_of_a_zip_costs_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: int, in_memory: int, scale: float
) -> None:
    monkeypatch.setattr("omni_ray.sources.zip_tree._IN_MEMORY", in_memory)
    source = Source(tmp_path)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("b.txt", b"".join(b"line %d\n" % (n * n) for n in range(2000)))
        archive.writestr("a.txt", "sound\n")
        archive.writestr("c.txt", "sound, too\n")
    data = bytearray(out.getvalue())
    size = zipfile.ZipFile(out).getinfo("b.txt").compress_size
    data[size // 2 : size // 2 + 9] = bytes(9)
    source.put("texts.zip", bytes(data))
    rows = source.rows(CORPUS, unit_scale=scale)
    assert [row["text"].strip() for row in kept(rows)] == ["sound", "sound, too"]
    assert lost(rows) == [("b.txt:0", "decode_error")]
