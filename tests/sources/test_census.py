"""Every file of a source is read, or counted with a reason and an example."""

from __future__ import annotations

import gzip
import os
import shutil
import unicodedata
from pathlib import Path
from typing import Literal

import pytest

from omni_ray.corpora.audio_files import AudioFiles
from omni_ray.corpora.base import Corpus, SourceOptions
from omni_ray.corpora.books import Books
from omni_ray.corpora.coco import Coco
from omni_ray.corpora.image_captions import ImageCaptions
from omni_ray.corpora.locate import locate
from omni_ray.corpora.mjsynth import MJSynth
from omni_ray.corpora.text_files import TextFiles
from omni_ray.errors import SourceError
from omni_ray.sources.census import Claims, account
from omni_ray.sources.kinds import PICTURES, kind_of
from omni_ray.sources.remote import RemoteTree
from omni_ray.sources.tree import FolderTree
from omni_ray.unread import REASONS, Files
from tests.made_store import clip, picture


def put(tmp_path: Path, name: str, data: bytes | str = "x") -> None:
    path = tmp_path / "source" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)


def files_of(corpus: Corpus, tmp_path: Path, source: str = "source", **options: object) -> Files:
    found = locate(corpus, tmp_path, str(tmp_path / source), SourceOptions(**options), cache=tmp_path / "cache")  # type: ignore[arg-type]
    list(found.drafts)
    return found.files()


def groups(files: Files) -> dict[tuple[str, str], tuple[int, bool]]:
    return {(group.reason, group.ending): (group.count, group.fault) for group in files.unread}


@pytest.mark.parametrize("packed", [False, True])
def test_files_that_are_hidden_and_look_like_data(tmp_path: Path, packed: bool) -> None:
    for name in ("0.flac", "0.txt", "...And then.flac", ".cache.json.lock", "._0.flac", ".DS_Store", ".git/a.flac"):
        put(tmp_path, name, clip(0) if name.endswith(".flac") else "A text.")
    if packed:
        shutil.make_archive(str(tmp_path / "packed/clips"), "zip", tmp_path / "source")
    else:
        assert ("...And then.flac", "hidden") in RemoteTree(f"file://{tmp_path}/source").look("").left_out
    files = files_of(AudioFiles(), tmp_path, "packed" if packed else "source")
    assert (files.read, groups(files)) == (2, {("hidden", ".flac"): (1, False)})


def test_media_that_nobody_decodes_and_texts_without_media(tmp_path: Path) -> None:
    for number in range(3):
        put(tmp_path, f"{number}.flac", clip(number))
        put(tmp_path, f"{number}.txt", "A text.")
    for name in (
        "3.pcm",
        "3.txt",
        "4.pcm",
        "4.txt",
        "README.txt",
        "notes.pdf",
        ".hidden",
        "Thumbs.db",
        "__MACOSX/._3.pcm",
    ):
        put(tmp_path, name)
    files = files_of(AudioFiles(), tmp_path)
    assert files.read == 6
    assert groups(files) == {
        ("format", ".pcm"): (2, True),
        ("no_media", ".txt"): (2, True),
        ("format", ".pdf"): (1, False),
        ("documentation", ".txt"): (1, False),
    }
    assert (
        files.unread[0].sentence == "2 .pcm (a format that is not read here: samples without a header): such as 3.pcm"
    )
    assert (files.faults, files.fault_share) == (4, 0.4)
    assert Files.from_dict(files.as_dict()) == files


def test_media_that_a_list_does_not_name(tmp_path: Path) -> None:
    for number in range(4):
        put(tmp_path, f"pictures/{number}.jpg", picture(number))
    put(tmp_path, "list.csv", "image,caption\npictures/0.jpg,One\npictures/2.jpg,Two\n")
    files = files_of(ImageCaptions(), tmp_path)
    assert files.read == 3 and groups(files) == {("unlisted", ".jpg"): (2, False)}
    assert files_of(ImageCaptions(), tmp_path, "source/list.csv").read == 3


def test_lists_that_the_index_takes_in_are_read(tmp_path: Path) -> None:
    captions = '{"images": [{"id": 1, "file_name": "1.jpg"}], "annotations": [{"image_id": 1, "caption": "One"}]}'
    put(tmp_path, "annotations/captions_val2017.json", captions)
    put(tmp_path, "annotations/instances_val2017.json", "{}")
    for number in (1, 2):
        put(tmp_path, f"val2017/{number}.jpg", picture(number))
    files = files_of(Coco(), tmp_path)
    assert files.read == 2 and groups(files)["unlisted", ".jpg"] == (1, False)


def test_pictures_of_a_list_too_long_to_look_at_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omni_ray.corpora.mjsynth._STAMPED_LIST_BYTES", 0)
    put(tmp_path, "annotation.txt", "./1/1_word_0.jpg 0\n")
    put(tmp_path, "lexicon.txt", "word\n")
    put(tmp_path, "1/1_word_0.jpg", picture(1))
    put(tmp_path, "1/2_word_0.jpg", picture(1))
    files = files_of(MJSynth(), tmp_path)
    assert files.read == 3 and groups(files) == {("unlisted", ".jpg"): (1, False)}


def test_what_is_not_of_the_splits_asked_for(tmp_path: Path) -> None:
    for split in ("train", "test"):
        put(tmp_path, f"{split}/1.flac", clip(1))
        put(tmp_path, f"{split}/1.txt", "A text.")
    files = files_of(AudioFiles(), tmp_path, splits=("train",))
    assert groups(files) == {("split", ".flac"): (1, False), ("split", ".txt"): (1, False)}


def test_links_pipes_archives_within_archives_and_names_that_steer_a_terminal(tmp_path: Path) -> None:
    put(tmp_path, "a.jsonl", '{"text": "A line."}\n')
    put(tmp_path, "a/b/c/d/e.zip", b"PK")
    put(tmp_path, "empty.csv", b"")
    os.symlink("/etc/hostname", tmp_path / "source/outside.txt")
    os.mkfifo(tmp_path / "source/pipe")
    put(tmp_path, "\x1b[2Jred.pdf")
    files = files_of(TextFiles(), tmp_path)
    assert groups(files) == {
        ("archive", ".zip"): (1, True),
        ("format", ".pdf"): (1, True),
        ("link", ".txt"): (1, True),
        ("empty", ".csv"): (1, False),
        ("not_a_file", ""): (1, False),
    }
    assert next(group for group in files.unread if group.ending == ".pdf").example == "\\u001b[2Jred.pdf"


def test_where_nothing_is_found_the_error_says_what_is_there(tmp_path: Path) -> None:
    put(tmp_path, "1.heic")
    put(tmp_path, "2.heic")
    with pytest.raises(SourceError, match=r"not read there: 2 \.heic \(a format that is not read here: HEIC\)"):
        files_of(ImageCaptions(), tmp_path)


def test_kinds_of_endings_are_bounded_and_so_are_names(tmp_path: Path) -> None:
    for number in range(100):
        put(tmp_path, f"{'n' * 200}.e{number}")
    files = account(FolderTree(tmp_path / "source"), Claims(), "text")
    assert files.unread_count == 100 and len(files.unread) <= 65
    assert max(len(group.example) for group in files.unread) < 130


def test_every_picture_ending_is_a_picture() -> None:
    assert {kind_of(f"x{ending}").holds for ending in PICTURES} == {"picture"}
    assert all(kind_of(f"x{ending}").label == "" for ending in PICTURES)
    assert kind_of("a.JSONL.gz").ending == ".jsonl.gz" and kind_of("LICENSE").ending == ""
    assert all(why.meaning for why in REASONS.values())


def test_a_folder_called_by_the_corpus_is_part_of_a_library_but_one_of_many_corpora(tmp_path: Path) -> None:
    for name in ("12.txt", "books/1.txt", "essays/2.txt"):
        put(tmp_path, name, "A sentence that is long enough for a book.")
    assert files_of(Books(), tmp_path).read == 3
    put(tmp_path, "wikipedia/readme.txt")
    assert files_of(Books(), tmp_path).read == 1
    put(tmp_path / "alone", "books/1.txt", "A sentence that is long enough for a book.")
    put(tmp_path / "alone", "README.md")
    files = files_of(Books(), tmp_path, "alone/source")
    assert files.read == 1 and not files.unread


@pytest.mark.parametrize("packed", ["", "x.zip", "x.tar"])
@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC")])
def test_names_in_either_form_of_unicode_find_their_files(
    tmp_path: Path, packed: str, forms: tuple[Literal["NFC"], Literal["NFD"]]
) -> None:
    listed, there = (unicodedata.normalize(form, "stimmen/Grüße é") for form in forms)
    source = tmp_path / "source"
    clips = source if not packed else tmp_path / "loose"
    (clips / there).parent.mkdir(parents=True)
    source.mkdir(exist_ok=True)
    (clips / f"{there}.flac").write_bytes(clip(1))
    if packed:
        shutil.make_archive(str(source / "x"), packed[2:], clips, ".")
    (source / "list.csv").write_text(f"audio,text\n{listed}.flac,One.\n")
    found = locate(AudioFiles(), tmp_path, str(source), SourceOptions(), cache=tmp_path / "cache")
    rows = [row for draft in found.drafts for row in found.reader.read(found.tree, draft.payload)]
    assert [row["text"] for row in rows if isinstance(row, dict)] == ["One."]
    assert not found.files().unread and found.files().read == 2


@pytest.mark.parametrize("path", ["../wavs/1.flac", "../lists/../wavs/1.flac", "..//wavs/./1.flac"])
def test_media_named_by_a_roundabout_way_are_read(tmp_path: Path, path: str) -> None:
    for folder in ("wavs", "lists"):
        (tmp_path / "source" / folder).mkdir(parents=True)
    (tmp_path / "source/wavs/1.flac").write_bytes(clip(1))
    (tmp_path / "source/lists/list.csv").write_text(f"audio,text\n{path},One.\n")
    found = locate(AudioFiles(), tmp_path, str(tmp_path / "source"), SourceOptions(), cache=tmp_path / "cache")
    rows = [row for draft in found.drafts for row in found.reader.read(found.tree, draft.payload)]
    assert len(rows) == 1 and isinstance(rows[0], dict) and not found.files().unread


@pytest.mark.parametrize("ending", ["csv", "tsv", "csv.gz", "jsonl", "json", "parquet", "arrow"])
@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"<!DOCTYPE html>\n<html><body>Not, found</body></html>\n", "HTML page"),
        (b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj\n" + bytes(range(256)), "PDF document"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n", "Git LFS pointer"),
        (b"", "an empty file"),
    ],
)
def test_a_table_that_is_none_is_named_for_what_it_is(tmp_path: Path, ending: str, data: bytes, what: str) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / f"source/a.{ending}").write_bytes(gzip.compress(data) if ending == "csv.gz" else data)
    for corpus in (TextFiles(), AudioFiles()):
        with pytest.raises(SourceError, match=what):
            list(locate(corpus, tmp_path, str(tmp_path / "source"), SourceOptions(), cache=tmp_path / "cache").drafts)
