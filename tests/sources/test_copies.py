"""One file in several forms is read once; files that only share a name are not one file."""

from __future__ import annotations

import bz2
import gzip
from pathlib import Path

import pytest

from omni_ray.sources import copies
from omni_ray.sources.copies import names_once
from omni_ray.sources.mediawiki import told_twice
from omni_ray.sources.tree import FolderTree

ROWS = b"".join(b'{"text": "Row %d."}\n' % number for number in range(1000))


def test_the_plain_form_is_read_and_the_packed_ones_are_set_aside(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(ROWS)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(ROWS))
    (tmp_path / "a.jsonl.bz2").write_bytes(bz2.compress(ROWS))
    (tmp_path / "b.txt.bz2").write_bytes(bz2.compress(ROWS))
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(ROWS))
    tree = FolderTree(tmp_path)
    assert list(names_once(tree)) == ["a.jsonl", "b.txt.gz"]
    assert tree.aside == dict.fromkeys(("a.jsonl.bz2", "a.jsonl.gz", "b.txt.bz2"), "copy")


def test_files_of_one_name_and_other_content_are_all_read(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(ROWS)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(ROWS.replace(b"Row 999", b"Row 9999")))
    assert list(names_once(FolderTree(tmp_path))) == ["a.jsonl", "a.jsonl.gz"]


@pytest.mark.parametrize("whole", ["a.txt", "a.txt.gz"])
def test_of_an_interrupted_copy_the_whole_one_is_read(tmp_path: Path, whole: str) -> None:
    plain, packed = ROWS, gzip.compress(ROWS, mtime=0)
    (tmp_path / "a.txt").write_bytes(plain if whole == "a.txt" else plain[:5000])
    (tmp_path / "a.txt.gz").write_bytes(packed if whole == "a.txt.gz" else packed[:500])
    assert list(names_once(FolderTree(tmp_path))) == [whole]


def test_beyond_a_size_the_beginnings_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "_COMPARED_BYTES", 1)
    (tmp_path / "a.txt").write_bytes(ROWS)
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(ROWS))
    assert list(names_once(FolderTree(tmp_path))) == ["a.txt"]


def test_dumps_that_tell_the_same_pages() -> None:
    wiki = "x/enwiki-20240101-pages-"
    parts = [f"{wiki}articles{n}.xml-p{n}p{n}9.bz2" for n in (1, 2)]
    streams = [f"{wiki}articles-multistream{n}.xml-p{n}p{n}9.bz2" for n in (1, 2, 3)]
    assert told_twice([*parts, *streams]) == set(streams[:2])
    assert told_twice([f"{wiki}articles.xml.bz2", *parts]) == set(parts)
    assert told_twice([f"{wiki}articles.xml.bz2", f"{wiki}meta-current.xml.bz2", "a1.xml", "a.xml"]) == set()
