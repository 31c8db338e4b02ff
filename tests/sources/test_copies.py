"""One file in several forms is read once; files that only share a name are not one file."""

from __future__ import annotations

import bz2
import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from omni_ray.corpora import table_repeats
from omni_ray.corpora.audio_files import AudioFiles
from omni_ray.corpora.base import Corpus, Rejected, SourceOptions
from omni_ray.corpora.librispeech import LibriSpeech
from omni_ray.corpora.locate import locate
from omni_ray.corpora.text_files import TextFiles
from omni_ray.sources.copies import names_once
from omni_ray.sources.mediawiki import told_twice
from omni_ray.sources.tree import FolderTree
from omni_ray.unread import Files
from tests.made_store import clip

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


def test_files_that_differ_late_are_both_read(tmp_path: Path) -> None:
    same = bytes(65 << 20)
    (tmp_path / "a.txt").write_bytes(same + b"one")
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(same + b"two", 1))
    assert list(names_once(FolderTree(tmp_path))) == ["a.txt", "a.txt.gz"]


def test_dumps_that_tell_the_same_pages() -> None:
    wiki = "x/enwiki-20240101-pages-"
    parts = [f"{wiki}articles{n}.xml-p{n}p{n}9.bz2" for n in (1, 2)]
    streams = [f"{wiki}articles-multistream{n}.xml-p{n}p{n}9.bz2" for n in (1, 2, 3)]
    assert told_twice([*parts, *streams]) == set(streams[:2])
    assert told_twice([f"{wiki}articles.xml.bz2", *parts]) == set(parts)
    assert told_twice([f"{wiki}articles.xml.bz2", f"{wiki}meta-current.xml.bz2", "a1.xml", "a.xml"]) == set()


def texts(tmp_path: Path, corpus: Corpus, **options: Any) -> tuple[list[str], list[str], Files]:
    found = locate(corpus, tmp_path, str(tmp_path / "source"), SourceOptions(**options), cache=tmp_path / "cache")
    items = [item for draft in found.drafts for item in found.reader.read(found.tree, draft.payload)]
    kept = [item["text"] for item in items if isinstance(item, dict)]
    return kept, [item.reason for item in items if isinstance(item, Rejected)], found.files()


def put(tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / "source" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def parquet(tmp_path: Path, name: str, numbers: range) -> None:
    path = tmp_path / "source" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    audio = [{"bytes": clip(number), "path": f"{number}.flac"} for number in numbers]
    rows = {"id": [str(n) for n in numbers], "audio": audio, "text": [f"Text {n}." for n in numbers]}
    pq.write_table(pa.table(rows), path)


def test_lists_of_splits_beside_the_list_of_all_clips(tmp_path: Path) -> None:
    for number in range(4):
        put(tmp_path, f"wavs/{number}.flac", clip(number))
    rows = [b"wavs/%d.flac,Text %d.\n" % (number, number) for number in range(4)]
    put(tmp_path, "metadata.csv", b"audio,text\n" + b"".join(rows))
    put(tmp_path, "train.csv", b"audio,text\n" + b"".join(rows[:3]))
    put(tmp_path, "val.csv", b"audio,text\n" + rows[3])
    kept, rejected, files = texts(tmp_path, AudioFiles())
    assert kept == [f"Text {number}." for number in range(4)] and not rejected
    assert [(group.reason, group.count, group.fault) for group in files.unread] == [("copy", 2, False)]
    put(tmp_path, "val.csv", b"audio,text\n" + rows[3] + b"wavs/3.flac,Said otherwise.\n")
    kept, rejected, _ = texts(tmp_path, AudioFiles())
    assert sorted(kept) == ["Said otherwise.", *(f"Text {number}." for number in range(4))]
    assert rejected == ["duplicate_id"]


def test_a_folder_that_holds_what_its_sisters_hold(tmp_path: Path) -> None:
    parquet(tmp_path, "all/train.clean.100/0000.parquet", range(4))
    parquet(tmp_path, "all/train.other.500/0000.parquet", range(4, 6))
    parquet(tmp_path, "clean/train.100/0000.parquet", range(2))
    parquet(tmp_path, "clean/train.100/0001.parquet", range(2, 4))
    parquet(tmp_path, "other/train.500/0000.parquet", range(4, 6))
    kept, _, files = texts(tmp_path, AudioFiles())
    assert kept == [f"Text {number}." for number in range(6)]
    assert files.read == 3 and files.unread_count == 2 and not files.faults
    kept, _, _ = texts(tmp_path, AudioFiles(), splits=("all",))
    assert len(kept) == 6


def test_a_table_under_two_names(tmp_path: Path) -> None:
    parquet(tmp_path, "data/train.parquet", range(2))
    put(tmp_path, "data/train (1).parquet", (tmp_path / "source/data/train.parquet").read_bytes())
    kept, _, files = texts(tmp_path, AudioFiles())
    assert len(kept) == 2 and files.unread[0].reason == "copy"


@pytest.mark.parametrize("corpus", [AudioFiles(), LibriSpeech()])
def test_of_a_folder_that_is_not_all_there_each_row_is_read_once(tmp_path: Path, corpus: Corpus) -> None:
    parquet(tmp_path, "all/train.clean.100/0000.parquet", range(3))
    parquet(tmp_path, "clean/train.100/0000.parquet", range(5))
    parquet(tmp_path, "other/train.500/0000.parquet", range(5, 7))
    kept, rejected, files = texts(tmp_path, corpus)
    assert kept == [f"Text {number}." for number in range(7)] and not rejected
    assert [(group.reason, group.count) for group in files.unread] == [("copy", 1)]
    parquet(tmp_path, "all/train.clean.100/0000.parquet", range(3, 9))
    kept, rejected, files = texts(tmp_path, corpus)
    assert sorted(kept) == [f"Text {number}." for number in range(9)]
    assert rejected == ["duplicate_id"] * 2 and [group.reason for group in files.unread] == ["copy"]


def test_rows_of_one_id_and_text_and_other_media_are_all_read(tmp_path: Path) -> None:
    for speaker, first in (("bdl", 0), ("slt", 10)):
        audio = [{"bytes": clip(first + number), "path": f"{number}.flac"} for number in range(3)]
        rows = {"id": list("012"), "audio": audio, "text": [f"Text {n}." for n in range(3)]}
        path = tmp_path / "source" / speaker / "0.parquet"
        path.parent.mkdir(parents=True)
        pq.write_table(pa.table(rows), path)
    kept, rejected, files = texts(tmp_path, AudioFiles())
    assert len(kept) == 6 and not rejected and not files.unread


def test_rows_without_ids_are_told_apart_by_their_media(tmp_path: Path) -> None:
    for name, numbers in (("a.parquet", (0, 1, 2)), ("b.parquet", (2, 3, 1))):
        (tmp_path / "source").mkdir(exist_ok=True)
        rows = {"audio": [clip(number) for number in numbers], "text": ["Yes."] * 3}
        pq.write_table(pa.table(rows), tmp_path / "source" / name, row_group_size=1)
    kept, rejected, _ = texts(tmp_path, AudioFiles())
    assert len(kept) == 4 and rejected == ["duplicate_id"] * 2


@pytest.mark.parametrize("most", [1 << 20, 1])
def test_texts_of_splits_beside_all_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(table_repeats, "_MOST_BYTES", most)
    rows = [b'{"text": "A longer text, number %d."}\n' % number for number in range(8)]
    put(tmp_path, "all.jsonl", b"".join(rows))
    put(tmp_path, "test.jsonl", b"".join(rows[:2]))
    put(tmp_path, "train.jsonl", b"".join(rows[2:]))
    found = locate(TextFiles(), tmp_path, str(tmp_path / "source"), SourceOptions(), cache=tmp_path / "cache")
    assert [draft.inputs for draft in found.drafts] == [("all.jsonl",)]
    assert [(group.reason, group.count) for group in found.files().unread] == [("copy", 2)]
    put(tmp_path, "all.jsonl", b"".join([*rows[:7], b'{"text": "Another text of that length."}\n']))
    found = locate(TextFiles(), tmp_path, str(tmp_path / "source"), SourceOptions(), cache=tmp_path / "cache")
    assert {draft.inputs for draft in found.drafts} == {("all.jsonl",), ("train.jsonl",)}
