"""Folders with archives in them: one folder where that is safe, and never one archive's file for another's."""

from __future__ import annotations

import io
import os
import resource
import tarfile
import uuid
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from omni_ray.corpora.audio_files import AudioFiles
from omni_ray.corpora.base import Corpus, Rejected, SourceOptions
from omni_ray.corpora.coco import Coco
from omni_ray.corpora.image_captions import ImageCaptions
from omni_ray.corpora.locate import locate
from omni_ray.sources import open_spec, open_tree, settling
from omni_ray.sources.census import Claims, account
from omni_ray.sources.folder_with_archives import UnionTree, archives_in
from omni_ray.sources.listing import Listing
from omni_ray.sources.remote import RemoteTree
from omni_ray.sources.tree import FolderTree, Tree
from tests.made_store import clip, picture


def pack(path: Path, files: Mapping[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        return
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def opened(tmp_path: Path) -> Tree:
    """The tree of tmp_path/source, as a worker opens it."""
    tree = open_tree(tmp_path / "source", tmp_path / "cache")
    again = open_spec({**tree.spec(), "run": uuid.uuid4().hex})
    assert list(again.names()) == list(tree.names())
    return again


def kept(corpus: Corpus, tmp_path: Path) -> list[tuple[bytes, str]]:
    """Media and text of every record."""
    found = locate(corpus, tmp_path, str(tmp_path / "source"), SourceOptions(), cache=tmp_path / "cache")
    rows = [row for draft in found.drafts for row in found.reader.read(found.tree, draft.payload)]
    assert not [row for row in rows if isinstance(row, Rejected)]
    return [
        (row["image"], row["captions"][0]) if "image" in row else (row["audio"], row["text"])
        for row in rows
        if isinstance(row, dict)
    ]


def test_a_worker_reads_a_changed_file_beside_its_archive_on_an_object_store(tmp_path: Path) -> None:
    pack(tmp_path / "source/x.zip", {f"{n}.txt": b"%d" % n for n in range(4)})
    for n in range(3):
        put(tmp_path / f"source/{n}.txt", b"%d" % n)
    put(tmp_path / "source/3.txt", b"changed since")
    remote = RemoteTree(f"file://{tmp_path / 'source'}")
    remote.points = tmp_path / "cache"
    tree = UnionTree(remote, archives_in(remote))
    assert tree.read("3.txt") == b"changed since"
    assert open_spec(tree.spec()).read("3.txt") == b"changed since"


def test_archives_that_do_not_meet_are_one_folder(tmp_path: Path) -> None:
    pack(tmp_path / "source/pictures.zip", {"images/1.jpg": b"one", "LICENSE": b"of pictures"})
    pack(tmp_path / "source/lists.tar", {"annotations/list.json": b"[]", "LICENSE": b"of lists"})
    pack(tmp_path / "source/sub/x.tar", {"deep.txt": b"deep"})
    put(tmp_path / "source/images/2.jpg", b"loose")
    tree = opened(tmp_path)
    assert list(tree.names()) == ["LICENSE", "annotations/list.json", "images/1.jpg", "images/2.jpg", "sub/deep.txt"]
    assert (tree.read("images/1.jpg"), tree.read("images/2.jpg")) == (b"one", b"loose")


def test_a_member_never_stands_for_a_loose_file_of_its_name(tmp_path: Path) -> None:
    pack(tmp_path / "source/x.zip", {"images/1.jpg": b"from the zip"})
    put(tmp_path / "source/images/1.jpg", b"from the folder, another")
    tree = opened(tmp_path)
    assert list(tree.names()) == ["images/1.jpg", "x.zip/images/1.jpg"]
    assert tree.read("x.zip/images/1.jpg") == b"from the zip"


def test_only_archives_that_meet_are_set_apart(tmp_path: Path) -> None:
    pack(tmp_path / "source/a.tar", {"000.jpg": b"a", "000.txt": b"a"})
    pack(tmp_path / "source/b.tar", {"000.png": b"b", "000.caption": b"b"})
    pack(tmp_path / "source/c.tar", {"777.png": b"c", "777.caption": b"c"})
    assert list(opened(tmp_path).names()) == [
        *("777.caption", "777.png", "a.tar/000.jpg", "a.tar/000.txt", "b.tar/000.caption", "b.tar/000.png"),
    ]


def test_an_archive_that_lies_there_unpacked_is_read_once(tmp_path: Path) -> None:
    files = {"corpus/a.txt": b"a", "corpus/b.txt": b"bb"}
    pack(tmp_path / "source/corpus.tar.gz", files)
    pack(tmp_path / "source/other.zip", {"c.txt": b"c"})
    for name, data in {**files, "other/c.txt": b"c"}.items():
        put(tmp_path / "source" / name, data)
    tree = opened(tmp_path)
    assert list(tree.names()) == ["corpus/a.txt", "corpus/b.txt", "other/c.txt"]
    assert tree.look("").left_out == [("corpus.tar.gz", "copy"), ("other.zip", "copy")]


def test_an_archive_in_two_packings_is_read_once(tmp_path: Path) -> None:
    for name in ("x.tar", "x.tar.gz"):
        pack(tmp_path / "source" / name, {"a.txt": b"a", "b.txt": b"b"})
    assert list(opened(tmp_path).names()) == ["a.txt", "b.txt"]


@pytest.mark.slow
def test_more_archives_than_files_may_be_open(tmp_path: Path) -> None:
    for number in range(300):
        pack(tmp_path / f"source/{number:03}.tar", {f"{number}.txt": b"%d" % number})
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/dev/fd")) + 150, limits[1]))
    try:
        tree = opened(tmp_path)
        assert {tree.read(name) for name in tree.names()} == {b"%d" % number for number in range(300)}
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_captions_and_texts_stay_within_their_archive(tmp_path: Path) -> None:
    pack(tmp_path / "source/0.tar", {"0.jpg": picture(0), "0.txt": b"first"})
    pack(tmp_path / "source/1.tar", {"0.png": picture(1), "0.txt": b"second"})
    assert kept(ImageCaptions(), tmp_path) == [(picture(0), "first"), (picture(1), "second")]


def test_every_archive_has_a_list_of_its_own(tmp_path: Path) -> None:
    for number, split in enumerate(("test", "train")):
        row = b'{"file_name": "a.flac", "text": "%s"}\n' % split.encode()
        pack(tmp_path / f"source/data/{split}.tar", {"metadata.jsonl": row, "a.flac": clip(number)})
    assert kept(AudioFiles(), tmp_path) == [(clip(0), "test"), (clip(1), "train")]


def test_lists_and_pictures_in_zips_side_by_side(tmp_path: Path) -> None:
    captions = b'{"images": [{"id": 1, "file_name": "1.jpg"}], "annotations": [{"image_id": 1, "caption": "%s"}]}'
    for split in ("train2017", "val2017"):
        pack(tmp_path / f"source/{split}.zip", {f"{split}/1.jpg": picture(len(split)), "README.txt": split.encode()})
    lists = {f"annotations/captions_{split}.json": captions % split.encode() for split in ("train2017", "val2017")}
    pack(tmp_path / "source/annotations.zip", lists)
    assert [text for _, text in kept(Coco(), tmp_path)] == ["train2017", "val2017"]
    pack(tmp_path / "source/val2017.zip", {"val2017/1.jpg": picture(7), "notes/1.txt": b""})
    pack(tmp_path / "source/train2017.zip", {"train2017/1.jpg": picture(7), "notes/1.txt": b""})
    assert [text for _, text in kept(Coco(), tmp_path)] == ["train2017", "val2017"]


def test_backslashes_in_a_zip_are_folders(tmp_path: Path) -> None:
    pack(tmp_path / "source/x.zip", {"data\\a.txt": b"a", "data\\sub\\": b"", "..\\out.txt": b"out"})
    tree = opened(tmp_path)
    assert list(tree.names()) == ["data/a.txt"] and tree.read("data/a.txt") == b"a"
    assert [name for _, name, _ in tree.refused.examples] == ["../out.txt"]


def test_a_list_finds_its_clips_in_archives_beside_it(tmp_path: Path) -> None:
    # Both archives have a.flac, so that they are folders of their own.
    for speaker in ("anna", "bert"):
        pack(tmp_path / f"source/{speaker}.zip", {f"{speaker}/1.flac": clip(len(speaker)), "info/x.pdf": b"x"})
    put(tmp_path / "source/list.csv", b"audio,text\nanna/1.flac,One.\nbert/1.flac,Two.\n")
    assert [text for _, text in kept(AudioFiles(), tmp_path)] == ["One.", "Two."]
    (tmp_path / "source/list.csv").unlink()
    lists = {"list.csv": b"audio,text\nanna/1.flac,One.\nbert/1.flac,Two.\n", "info/x.pdf": b"y"}
    pack(tmp_path / "source/lists.zip", lists)
    assert [text for _, text in kept(AudioFiles(), tmp_path)] == ["One.", "Two."]


def unread(tmp_path: Path) -> dict[str, int]:
    files = account(open_tree(tmp_path / "source", tmp_path / "cache"), Claims(), "audio")
    reasons = Counter[str]()
    for group in files.unread:
        reasons[group.reason] += group.count
    return {reason: count for reason, count in reasons.items() if reason not in {"ending", "unlisted"}}


@pytest.mark.parametrize("kind", ["x.zip", "x.tar.gz"])
@pytest.mark.parametrize("place", ["", "x/"])
def test_an_archive_that_is_unpacked_in_part_gives_each_file_once(tmp_path: Path, kind: str, place: str) -> None:
    files = {f"wavs/{number}.flac": clip(number) for number in range(4)}
    pack(tmp_path / "source" / kind, files)
    for name in list(files)[:2]:
        put(tmp_path / "source" / place / name, files[name])
    tree = opened(tmp_path)
    assert list(tree.names()) == [place + name for name in files]
    assert [tree.read(place + name) for name in files] == list(files.values())
    assert unread(tmp_path) == {"copy": 2}
    # The unpacking was interrupted within a file.
    put(tmp_path / "source" / place / "wavs/2.flac", files["wavs/2.flac"][:2000])
    tree = opened(tmp_path)
    assert [tree.read(place + name) for name in files] == list(files.values())
    assert unread(tmp_path) == {"copy": 3}
    # One was changed since: it is read as it is now, and the member is named.
    put(tmp_path / "source" / place / "wavs/0.flac", clip(9))
    tree = opened(tmp_path)
    assert list(tree.names()) == [place + name for name in files] and tree.read(f"{place}wavs/0.flac") == clip(9)
    assert unread(tmp_path) == {"copy": 2, "superseded": 1}


def test_files_of_one_name_and_size_and_other_content_are_not_one(tmp_path: Path) -> None:
    pack(tmp_path / "source/x.tar", {"1.raw": b"one", "2.raw": b"two"})
    put(tmp_path / "source/1.raw", b"eno")
    put(tmp_path / "source/2.raw", b"owt")
    assert list(opened(tmp_path).names()) == ["1.raw", "2.raw", "x.tar/1.raw", "x.tar/2.raw"]


def test_archives_that_hold_the_same_are_read_once_whatever_they_are_called(tmp_path: Path) -> None:
    files = {"1.flac": clip(1), "1.txt": b"One."}
    for name in ("x.zip", "x (1).zip", "data-final.tar", "backup/old.tgz.tar.gz"):
        pack(tmp_path / "source" / name, files)
    pack(tmp_path / "source/other.tar", {"1.flac": clip(2), "1.txt": b"Two."})
    tree = opened(tmp_path)
    assert list(tree.names()) == ["other.tar/1.flac", "other.tar/1.txt", "x.zip/1.flac", "x.zip/1.txt"]
    assert unread(tmp_path) == {"copy": 3}


@pytest.mark.parametrize("beside", ["unpacked", "in part", "packed"])
def test_copies_that_were_compared_in_part_are_called_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beside: str
) -> None:
    files = {f"{n}.raw": bytes([n]) * 1000 for n in range(8)}
    pack(tmp_path / "source/x.tar", files)
    changed = files | {"1.raw": b"\1" * 999 + b"?"}  # one that is not looked at
    if beside == "packed":
        pack(tmp_path / "source/y.tar", changed)
    else:
        for name in [*changed][: 8 if beside == "unpacked" else 6]:
            put(tmp_path / "source" / name, changed[name])
    monkeypatch.setattr(settling, "_COMPARED_BYTES", 2000)
    assert len(list(opened(tmp_path).names())) == 8
    assert {reason for _, reason in opened(tmp_path).look("").left_out} == {"alike"}
    assert set(unread(tmp_path)) == {"alike", "format"}


def test_no_archive_is_asked_for_what_another_one_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand shards in a folder cost no more for each sample than one."""
    for number in range(9):  # one length, as clips of one second have it
        clips = {f"{number}-{n}.wav": b"%d %d" % (number, n) for n in range(5)}
        pack(
            tmp_path / f"source/{number}.tar",
            {"README.md": b"read", f"é/{number}.txt": b"e", f"{number}/x.txt": b"x", **clips},
        )
    compared, asked = [], []
    same, find = settling._same_members, Listing.find
    monkeypatch.setattr(settling, "_same_members", lambda one, other: compared.append(one) or same(one, other))
    monkeypatch.setattr(Listing, "find", lambda self, name: asked.append(name) or find(self, name))
    tree = opened(tmp_path)
    assert not compared and not asked
    names = [f"{number}-{n}.wav" for number in range(9) for n in range(5)]
    assert [tree.read(name) for name in names] == [name[:-4].replace("-", " ").encode() for name in names]
    assert len(asked) <= 2 * len(names)
    asked.clear()
    assert not tree.exists("0-0.json") and not asked
    assert [tree.look(f"{number}").files for number in range(9)] == [["x.txt"]] * 9
    assert tree.exists("e\u0301/8.txt") and tree.canonical("e\u0301/8.txt") == "é/8.txt"
    assert tree.look("").files == [*sorted(names), "README.md"]


def test_what_is_known_of_many_archives_is_made_again_when_one_changes(tmp_path: Path) -> None:
    for number in range(3):
        pack(tmp_path / f"source/{number}.tar", {f"{number}.txt": b"old"})
    assert opened(tmp_path).read("1.txt") == b"old"
    pack(tmp_path / "source/1.tar", {"3.txt": b"another", "4.txt": b"new"})
    assert [opened(tmp_path).read(f"{n}.txt") for n in (0, 2, 3, 4)] == [b"old", b"old", b"another", b"new"]
    [table] = (tmp_path / "cache").glob("*/*.holders")
    damaged = bytes(table.stat().st_size)
    table.unlink()
    table.write_bytes(damaged)
    assert open_tree(tmp_path / "source", tmp_path / "cache").read("4.txt") == b"new"


def test_names_of_a_folder_are_taken_once_for_all_its_archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand archives in a folder are not ten thousand listings of it."""
    for number in range(20):
        pack(tmp_path / f"source/{number}.zip", {f"{number}.txt": b"%d" % number})
    looked = []
    look = FolderTree.look
    monkeypatch.setattr(FolderTree, "look", lambda self, folder: looked.append(folder) or look(self, folder))
    open_tree(tmp_path / "source", tmp_path / "cache")
    assert looked == [""]
