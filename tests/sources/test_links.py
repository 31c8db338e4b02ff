"""Links in a source: followed where they stay inside or end in the repository's own content store, named otherwise."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from omni_ray.corpora.audio_files import AudioFiles
from omni_ray.corpora.base import Rejected, SourceOptions
from omni_ray.corpora.image_captions import ImageCaptions
from omni_ray.corpora.locate import locate
from omni_ray.corpora.text_files import TextFiles
from omni_ray.sources import open_spec, open_tree
from omni_ray.sources.tree import Tree
from tests.made_store import clip, picture

SECRET = b"somebody's own"


def put(path: Path, data: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def link(path: Path, to: str | Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(to)


def opened(path: Path, **how: bool) -> Tree:
    """The tree as a worker has it."""
    return open_spec(open_tree(path, path.parent / "cache", **how).spec())


def left_out(tree: Tree) -> dict[str, str]:
    found = {}
    for folder, there in tree.survey():
        found |= {f"{folder}/{name}".lstrip("/"): reason for name, reason in there.left_out}
    return found


def test_a_file_that_a_link_in_the_source_leads_to_is_read_once(tmp_path: Path) -> None:
    put(tmp_path / "source/real/a.txt", b"A line.\n")
    put(tmp_path / "source/.store/b.txt", b"Another.\n")
    link(tmp_path / "source/again.txt", "real/a.txt")
    link(tmp_path / "source/b.txt", ".store/b.txt")
    link(tmp_path / "source/latest", "real")
    tree = opened(tmp_path / "source")
    assert list(tree.names()) == ["b.txt", "real/a.txt"] and tree.read("b.txt") == b"Another.\n"
    assert left_out(tree) == {"again.txt": "copy", "latest": "copy"}
    # By name all of them can be had: a list may say so.
    assert tree.read("again.txt") == tree.read("latest/a.txt") == b"A line.\n"
    assert tree.children("")[0] == ["latest", "real"] and tree.canonical("latest/a.txt") == "real/a.txt"


def test_links_that_lead_out_are_named(tmp_path: Path) -> None:
    put(tmp_path / "elsewhere/secret.txt", SECRET)
    put(tmp_path / "source/a.txt")
    link(tmp_path / "source/file.txt", "../elsewhere/secret.txt")
    link(tmp_path / "source/folder", "../elsewhere")
    link(tmp_path / "source/gone.txt", "nowhere")
    link(tmp_path / "source/two_steps.txt", "folder/secret.txt")
    tree = opened(tmp_path / "source")
    assert list(tree.names()) == ["a.txt"]
    assert left_out(tree) == {
        "file.txt": "link",
        "folder": "link",
        "two_steps.txt": "link",
        "gone.txt": "lost_link",
    }


@pytest.mark.parametrize(
    "name", ["out/secret.txt", "in/out/secret.txt", "in/../out/secret.txt", "file.txt", "in/file.txt"]
)
def test_no_name_leads_out_through_a_linked_folder(tmp_path: Path, name: str) -> None:
    put(tmp_path / "elsewhere/secret.txt", SECRET)
    put(tmp_path / "source/real/x.txt")
    link(tmp_path / "source/out", "../elsewhere")
    link(tmp_path / "source/file.txt", "../elsewhere/secret.txt")
    link(tmp_path / "source/real/out", tmp_path / "elsewhere")
    link(tmp_path / "source/real/file.txt", tmp_path / "elsewhere/secret.txt")
    link(tmp_path / "source/in", "real")
    tree = opened(tmp_path / "source")
    assert not tree.exists(name)
    for attempt in (tree.read, tree.open, tree.size, tree.local_path):
        with pytest.raises(FileNotFoundError):
            attempt(name)
    assert tree.stamp([name]) == tree.stamp([name])


def test_a_list_that_names_a_picture_through_a_linked_folder(tmp_path: Path) -> None:
    put(tmp_path / "elsewhere/private.png", picture(1))
    put(tmp_path / "source/list.csv", b"image,caption\nout/private.png,Not mine\nin/1.jpg,Mine\n")
    put(tmp_path / "source/pictures/1.jpg", picture(2))
    link(tmp_path / "source/out", "../elsewhere")
    link(tmp_path / "source/in", "pictures")
    found = locate(ImageCaptions(), tmp_path, str(tmp_path / "source"), SourceOptions(), cache=tmp_path / "cache")
    rows = [row for draft in found.drafts for row in found.reader.read(found.tree, draft.payload)]
    assert [row.reason for row in rows if isinstance(row, Rejected)] == ["missing_media"]
    assert [row["captions"] for row in rows if isinstance(row, dict)] == [["Mine"]]
    assert found.files().read == 2  # the list, and the picture under its own name


def test_trusted_links_are_followed_and_never_in_loops(tmp_path: Path) -> None:
    put(tmp_path / "disk/deep/b.txt")
    put(tmp_path / "source/a.txt")
    link(tmp_path / "source/disk", tmp_path / "disk")
    link(tmp_path / "source/c.txt", tmp_path / "disk/deep/b.txt")
    link(tmp_path / "disk/up", tmp_path)
    link(tmp_path / "disk/deep/self", ".")
    link(tmp_path / "disk/back", tmp_path / "source")
    tree = opened(tmp_path / "source", follow_links=True)
    assert sorted(tree.names()) == ["a.txt", "c.txt", "disk/deep/b.txt"]
    assert tree.read("c.txt") == tree.read("disk/deep/b.txt") == b"x"


def test_the_cache_of_the_hub(tmp_path: Path) -> None:
    hub = tmp_path / "datasets--org--name"
    put(hub / "blobs/0123abcd", b'{"text": "A line."}\n')
    put(hub / "blobs/ffff", b"old")
    put(hub / "refs/main", b"abc")
    link(hub / "snapshots/abc/data/train.jsonl", "../../../blobs/0123abcd")
    link(hub / "snapshots/old/data/train.jsonl", "../../../blobs/ffff")
    for source in (hub, hub / "snapshots/abc"):
        tree = opened(source)
        assert list(tree.names()) == ["data/train.jsonl"] and tree.read("data/train.jsonl").startswith(b"{")
    link(tmp_path / "other/snapshots/x/stolen.jsonl", hub / "blobs/ffff")
    assert list(opened(tmp_path / "other/snapshots/x").names()) == []


@pytest.mark.parametrize(
    "store",
    [
        ".git/annex/objects/Kq/9V/SHA256E-s5--abc.txt/SHA256E-s5--abc.txt",
        ".git/modules/sub/annex/objects/0f1/2a3/MD5E-s5--abc.txt/MD5E-s5--abc.txt",
        ".dvc/cache/files/md5/ab/0123456789abcdef0123456789abcd",
        ".dvc/cache/ab/0123456789abcdef0123456789abcd",
    ],
)
def test_content_stores_of_the_repository_that_the_source_is_in(tmp_path: Path, store: str) -> None:
    put(tmp_path / "repository" / store, b"A line.\n")
    link(
        tmp_path / "repository/data/sub/a.txt",
        os.path.relpath(tmp_path / "repository" / store, tmp_path / "repository/data/sub"),
    )
    assert opened(tmp_path / "repository/data").read("sub/a.txt") == b"A line.\n"
    link(tmp_path / "source/a.txt", tmp_path / "repository" / store)
    is_shared = "files/md5" in store
    assert opened(tmp_path / "source").exists("a.txt") == is_shared


def test_a_link_is_stamped_by_what_it_leads_to(tmp_path: Path) -> None:
    put(tmp_path / "source/.store/a.txt", b"one")
    link(tmp_path / "source/a.txt", ".store/a.txt")
    before = opened(tmp_path / "source").stamp(["a.txt"])
    put(tmp_path / "source/.store/a.txt", b"three")
    assert opened(tmp_path / "source").stamp(["a.txt"]) != before


def test_names_in_latin_1_and_with_backslashes(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path / "source") + b"/caf\xe9"
    os.makedirs(folder)
    for name in (b"/ni\xf1o.txt", b"/a\\b.txt", b"/100%25.txt"):
        with open(folder + name, "wb") as file:
            file.write(b"A line.\n")
    found = locate(TextFiles(), tmp_path, str(tmp_path / "source"), SourceOptions(), cache=tmp_path / "cache")
    drafts = list(found.drafts)
    assert [draft.payload["file"] for draft in drafts] == ["caf%E9/100%25.txt", "caf%E9/a\\b.txt", "caf%E9/ni%F1o.txt"]
    tree = open_spec(found.tree.spec())
    assert [table.num_rows for draft in drafts for table in found.reader.read(tree, draft.payload)] == [1, 1, 1]  # type: ignore[union-attr]
    assert found.files().read == 3


def test_media_with_odd_names(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path / "source")
    os.makedirs(folder)
    for name in (b"/ni\xf1o", b"/a\\b"):
        with open(folder + name + b".flac", "wb") as file:
            file.write(clip(1))
        with open(folder + name + b".txt", "wb") as file:
            file.write(b"A text.")
    found = locate(AudioFiles(), tmp_path, str(tmp_path / "source"), SourceOptions(), cache=tmp_path / "cache")
    rows = [row for draft in found.drafts for row in found.reader.read(found.tree, draft.payload)]
    assert [row["id"] for row in rows if isinstance(row, dict)] == ["a\\b", "ni%F1o"]
