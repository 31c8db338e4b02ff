"""What cannot be entered in its middle is read in ranges of a copy: the records of the whole, whatever it is packed in."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import os
import tarfile
import zipfile
from collections import namedtuple
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from omni_ray.corpora.base import SourceOptions
from omni_ray.corpora.text_files import TextFiles
from omni_ray.corpora.wikipedia import Wikipedia
from omni_ray.errors import OmniError
from omni_ray.sources import json_ahead, open_tree, unpacked
from omni_ray.sources.encoding import named
from omni_ray.sources.tree import Tree
from tests.text.test_packed_ranges import PACK, dump, read

LINES = [f"{n} Größe, déjà vu, “quoted” {n * n}" for n in range(800)]
JSONL = "".join(json.dumps({"text": line}, ensure_ascii=False) + "\n" for line in LINES).encode()


def zipped(method: int) -> Callable[[str, bytes], tuple[str, bytes]]:
    def make(name: str, data: bytes) -> tuple[str, bytes]:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", method) as archive:
            archive.writestr(name, data)
        return "a.zip", out.getvalue()

    return make


def tarred(kind: str) -> Callable[[str, bytes], tuple[str, bytes]]:
    def make(name: str, data: bytes) -> tuple[str, bytes]:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode=f"w:{kind}") as archive:  # type: ignore[call-overload]
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        return f"a.tar.{kind}".rstrip("."), out.getvalue()

    return make


ARCHIVES = {
    "stored": zipped(zipfile.ZIP_STORED),
    "deflated": zipped(zipfile.ZIP_DEFLATED),
    "tar": tarred(""),
    "tar.gz": tarred("gz"),
    "tar.bz2": tarred("bz2"),
    "tar.xz": tarred("xz"),
}


def put(folder: Path, name: str, data: bytes) -> Path:
    (folder / "in").mkdir(parents=True, exist_ok=True)
    (folder / "in" / name).write_bytes(data)
    return folder / "in"


def forget(cache: Path) -> None:
    """As on another machine: neither points nor copies are there, and none is open."""
    for file in cache.rglob("*"):
        if file.suffix in {".plain", ".points", ".json"}:
            file.unlink()
    unpacked._opened.cache_clear()


@pytest.mark.parametrize("packed", ["", ".gz", ".xz"])
@pytest.mark.parametrize("kind", ARCHIVES)
def test_members_of_archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, packed: str) -> None:
    monkeypatch.setattr("omni_ray.sources.zip_tree._IN_MEMORY", 1000)
    data = {"": JSONL, ".gz": gzip.compress(JSONL), ".xz": lzma.compress(JSONL)}[packed]
    folder = put(tmp_path, *ARCHIVES[kind](f"a.jsonl{packed}", data))
    whole, units = read(folder, TextFiles(), 1.0)
    assert units == 1 and [row["text"] for row in whole] == LINES
    rows, units = read(folder, TextFiles(), 1e-4)
    assert rows == whole and units > 10


@pytest.mark.parametrize("packed", ["", ".gz", ".zip"])
@pytest.mark.parametrize("codec", ["utf-16", "cp1252", "gb18030"])
@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.csv", "a.json"])
def test_other_encodings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, codec: str, packed: str) -> None:
    monkeypatch.setattr(json_ahead, "_STRETCH_BYTES", 1000)
    texts = {
        "a.txt": "\r\n".join(LINES),
        "a.jsonl": JSONL.decode(),
        "a.csv": "text,n\n"
        + "".join(f'"{line.replace(chr(34), chr(34) * 2)}\nand more",{n}\n' for n, line in enumerate(LINES)),
        "a.json": json.dumps([{"text": line} for line in LINES], ensure_ascii=False),
    }
    data = texts[name].encode(codec)
    if packed == ".zip":
        name, data = ARCHIVES["deflated"](name, data)
    elif packed:
        name, data = name + packed, gzip.compress(data)
    folder = put(tmp_path, name, data)
    whole, units = read(folder, TextFiles(), 1.0, encoding=named(codec))
    assert units == 1 and len(whole) == len(LINES)
    rows, units = read(folder, TextFiles(), 1e-5 if packed else 1e-4, encoding=named(codec))
    assert rows == whole and units > 5


def test_bytes_that_do_not_fit_the_encoding_cost_their_lines(tmp_path: Path) -> None:
    data = b"\xff\xfe" + "".join(f"line {n}\n" for n in range(500)).encode("utf-16-le")
    data = data[:5000] + b"\x00\xdc" + data[5002:]
    folder = put(tmp_path, "a.txt", data)
    whole, _ = read(folder, TextFiles(), 1.0)
    rows, units = read(folder, TextFiles(), 1e-5)
    assert sorted(map(str, rows)) == sorted(map(str, whole)) and units > 10
    assert [row["fault"] for row in rows if "fault" in row] == ["bad_encoding"]


def test_a_wiki_in_utf_16(tmp_path: Path) -> None:
    folder = put(tmp_path, "x.xml.gz", gzip.compress(dump(200).decode().encode("utf-16")))
    whole, units = read(folder, Wikipedia(), 1.0)
    assert units == 1 and len(whole) == 200
    rows, units = read(folder, Wikipedia(), 1e-5)
    assert [row["text"] for row in rows] == [row["text"] for row in whole] and units > 10


@pytest.mark.parametrize("name, data", [("a.jsonl.xz", lzma.compress(JSONL)), ("a.jsonl.gz", gzip.compress(JSONL))])
def test_a_worker_that_finds_nothing_makes_it_anew(tmp_path: Path, name: str, data: bytes) -> None:
    folder, cache = put(tmp_path, name, data), tmp_path / "cache"
    tree = open_tree(folder, cache)
    units = list(TextFiles().units(tree, SourceOptions(unit_scale=1e-4)))
    found: list[str] = []
    for unit in units:
        forget(cache)
        for item in TextFiles().read(tree, unit.payload):
            found += item["text"].to_pylist()  # type: ignore[index]
    assert found == LINES and len(units) > 10


def test_one_process_unpacks_and_the_others_wait(tmp_path: Path) -> None:
    folder = put(tmp_path, "a.jsonl.xz", lzma.compress(JSONL))
    said: list[str] = []

    def size(_: int) -> int | None:
        tree = open_tree(folder, tmp_path / "cache")
        tree.say = said.append
        return unpacked.copy_size(tree, "a.jsonl.xz")

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(size, range(8))) == [len(JSONL)] * 8
    [line] = said
    assert line.startswith("a.jsonl.xz: unpacking its 0.0 MB")


def test_a_damaged_copy_and_one_of_an_older_file_are_made_anew(tmp_path: Path) -> None:
    folder = put(tmp_path, "a.jsonl.xz", lzma.compress(JSONL))
    first = read(folder, TextFiles(), 1e-4)
    [copy] = (tmp_path / "cache").rglob("*.plain")
    unpacked._opened.cache_clear()
    copy.write_bytes(copy.read_bytes()[:-1])
    assert read(folder, TextFiles(), 1e-4) == first
    put(tmp_path, "a.jsonl.xz", lzma.compress(JSONL + JSONL))
    assert len(read(folder, TextFiles(), 1e-4)[0]) == 2 * len(LINES)
    assert [each.stat().st_size for each in (tmp_path / "cache").rglob("*.plain")] == [2 * len(JSONL)]


Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes the disk has; of which the copies take what they are."""
    size = [10 << 30]

    def usage(folder: Path) -> Usage:
        used = sum(each.stat().st_size for each in folder.rglob("*.plain"))
        return Usage(size[0], used, size[0] - used)

    monkeypatch.setattr(unpacked.shutil, "disk_usage", usage)
    return size


def copies(tree: Tree, cache: Path, *names: str) -> int:
    for name in names:
        unpacked.open_copy(tree, name).close()
    return len(list(cache.rglob("*.plain")))


def test_copies_make_way_and_take_no_more_than_they_leave(
    tmp_path: Path, disk: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacked, "_LEFT_FREE", 1000)
    monkeypatch.setattr(unpacked, "_LOOK_BYTES", 1000)
    monkeypatch.setattr("omni_ray.sources.packed.CHUNK_BYTES", 4000)
    for name in "abc":
        folder = put(tmp_path, f"{name}.xz", lzma.compress(JSONL))
    cache = tmp_path / "cache"
    tree = open_tree(folder, cache)
    assert copies(tree, cache, "a.xz", "b.xz", "c.xz") == 3
    unpacked.remove_copies(cache)
    unpacked._opened.cache_clear()
    disk[0] = 5 * len(JSONL) // 2
    assert copies(tree, cache, "a.xz") == 1
    disk[0] = 5 * len(JSONL)
    assert copies(tree, cache, "b.xz", "c.xz", "a.xz") == 2


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="open files are listed on Linux")
def test_a_copy_that_makes_way_is_not_held_open(
    tmp_path: Path, disk: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacked, "_LEFT_FREE", 1000)
    for name in "ab":
        folder = put(tmp_path, f"{name}.xz", lzma.compress(JSONL))
    tree = open_tree(folder, tmp_path / "cache")
    disk[0] = 3 * len(JSONL) // 2
    assert copies(tree, tmp_path / "cache", "a.xz", "b.xz") == 1
    held = [os.readlink(each) for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]
    assert not [each for each in held if str(tmp_path) in each and each.endswith("(deleted)")]


def test_a_file_that_may_not_be_read_is_not_blamed_on_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = put(tmp_path, "a.jsonl.xz", lzma.compress(JSONL))
    tree = open_tree(folder, tmp_path / "cache")
    denied = PermissionError(13, "Permission denied", str(folder / "a.jsonl.xz"))
    monkeypatch.setattr(unpacked, "unpack", lambda file, name: (_ for _ in ()).throw(denied))
    with pytest.raises(PermissionError):
        unpacked.copy_size(tree, "a.jsonl.xz")


def test_no_room_is_one_sentence(tmp_path: Path, disk: list[int]) -> None:
    disk[0] = 1 << 30
    folder = put(tmp_path, "a.jsonl.xz", lzma.compress(JSONL))
    tree = open_tree(folder, tmp_path / "cache")
    with pytest.raises(
        OmniError, match=r"^a\.jsonl\.xz: it is unpacked into .*cache.*no room.*1\.1 GB free\); make room, or"
    ):
        list(TextFiles().units(tree, SourceOptions(unit_scale=1e-4)))
    assert not list((tmp_path / "cache").rglob("*.plain")) and not list((tmp_path / "cache").rglob(".tmp-*"))


@pytest.mark.parametrize("suffix", [".xz", ".zst", ".gz"])
def test_a_source_out_of_reach_is_not_taken_for_a_damaged_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    data = JSONL.decode().encode("utf-16")
    folder = put(tmp_path, f"a.jsonl{suffix}", PACK[suffix](data))

    class Lost(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 500:
                raise ConnectionError("reset by peer")
            return super().read(min(size or 0, 400))

    tree = open_tree(folder, tmp_path / "cache")
    monkeypatch.setattr(tree, "open", lambda name: Lost((folder / name).read_bytes()))
    with pytest.raises(ConnectionError):
        unpacked.copy_size(tree, f"a.jsonl{suffix}", "utf-16-le")
    monkeypatch.undo()
    assert unpacked.copy_size(tree, f"a.jsonl{suffix}", "utf-16-le") == len(JSONL)
