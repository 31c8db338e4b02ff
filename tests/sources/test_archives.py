"""Archives read in place: every member as if unpacked, nothing outside, nothing believed."""

from __future__ import annotations

import io
import stat
import struct
import subprocess
import sys
import tarfile
import warnings
import zipfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from omni_ray.corpora.base import Rejected
from omni_ray.corpora.table_rows import fetch_stretch
from omni_ray.errors import OmniError, SourceError
from omni_ray.sources import listing, open_spec, open_tree, unpacked, zip_tree
from omni_ray.sources.archives import ArchiveTree
from omni_ray.sources.census import Claims, account
from omni_ray.sources.kinds import archive_kind
from omni_ray.sources.listing import Listing, Member, write
from omni_ray.sources.segments import Cutter
from omni_ray.sources.tree import MemberDamaged, MemberTooLarge
from omni_ray.sources.unpacked import remove_copies

FILES = {
    "corpus/a/one.txt": b"one" * 1000,
    "corpus/a/two.bin": bytes(range(256)) * 200,
    "corpus/b c/d'ü.txt": "grün".encode(),
    "corpus/empty": b"",
    "top.txt": b"top",
}
KINDS = ("x.zip", "x.tar", "x.tar.gz", "x.tgz", "x.tar.bz2", "x.tar.xz", "x.tar.zst")


def pack(path: Path, files: Mapping[str, bytes]) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        return path
    if path.suffix == ".zst":
        plain = pack(path.with_suffix(""), files)
        path.write_bytes(pa.compress(plain.read_bytes(), "zstd", asbytes=True))
        plain.unlink()
        return path
    mode = {".tar": "w:", ".gz": "w:gz", ".tgz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz"}[path.suffix]
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_a_member_reads_as_if_it_were_unpacked(tmp_path: Path, kind: str) -> None:
    tree = open_tree(pack(tmp_path / kind, FILES), tmp_path / "cache")
    assert sorted(tree.names()) == sorted(FILES)
    again = open_spec(tree.spec())
    for name, data in reversed(FILES.items()):
        assert again.read(name) == data
        assert again.size(name) == len(data)
        with again.open(name) as file:
            file.seek(len(data) // 2)
            assert file.read() == data[len(data) // 2 :]
    assert not tree.exists("corpus/a") and not tree.exists("nothing")
    with pytest.raises(FileNotFoundError):
        tree.read("nothing")


def test_the_second_opening_lists_nothing_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pack(tmp_path / "x.tar.gz", FILES)
    open_tree(path, tmp_path / "cache")
    monkeypatch.setattr(ArchiveTree, "_index", lambda self: pytest.fail("listed again"))
    assert open_tree(path, tmp_path / "cache").read("top.txt") == b"top"


@pytest.mark.parametrize("kind", ["x.tar.xz", "x.tar.zst"])
def test_a_copy_of_what_cannot_be_entered_is_made_once_and_wherever_it_is_needed(tmp_path: Path, kind: str) -> None:
    path, cache = pack(tmp_path / kind, FILES), tmp_path / "cache"
    with ThreadPoolExecutor(4) as pool:
        trees = list(pool.map(lambda _: open_tree(path, cache), range(8)))
    [copy] = cache.rglob("*.plain")
    assert {tree.read("top.txt") for tree in trees} == {b"top"} and list(cache.rglob("*.plain")) == [copy]
    remove_copies(cache)
    unpacked._opened.cache_clear()
    assert open_spec(trees[0].spec()).read("corpus/a/two.bin") == FILES["corpus/a/two.bin"]
    assert list(cache.rglob("*.plain")) == [copy]


def test_an_archive_without_room_for_its_copy_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pack(tmp_path / "x.tar.xz", FILES)
    monkeypatch.setattr(unpacked.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1 << 30))
    with pytest.raises(OmniError, match=r"^x\.tar\.xz: it is unpacked into .*cache.*no room.*make room, or"):
        open_tree(path, tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("*.plain"))


def test_an_archive_may_have_a_long_name(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.zip", FILES).rename(tmp_path / f"{'音' * 80}.zip")
    assert open_tree(path, tmp_path / "cache").read("top.txt") == b"top"


def test_a_changed_archive_is_listed_again(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.zip", FILES)
    before = open_tree(path, tmp_path / "cache").stamp(["top.txt"])
    tree = open_tree(pack(path, {"other.txt": b"other"}), tmp_path / "cache")
    assert list(tree.names()) == ["other.txt"]
    assert tree.stamp(["other.txt"]) != before


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["x.zip", "x.tar", "x.tar.gz", "x.tar.bz2", "x.tar.xz", "x.tar.zst"])
def test_half_an_archive_is_one_sentence(tmp_path: Path, kind: str) -> None:
    import random

    noise = random.Random(1)
    path = pack(tmp_path / kind, {f"{i}.bin": noise.randbytes(50_000) for i in range(60)})
    half = tmp_path / "half" / kind
    half.parent.mkdir()
    half.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(SourceError, match="fetch it again") as error:
        open_tree(half, tmp_path / "cache")
    assert "\n" not in str(error.value) and str(half) in str(error.value)


def test_a_tar_cut_between_two_members_is_noticed(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.tar", {"a": bytes(512), "b": bytes(512)})
    path.write_bytes(path.read_bytes()[:2048])
    with pytest.raises(SourceError, match="ends early"):
        open_tree(path, tmp_path / "cache")


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "tar.bz2", "tar.xz"])
def test_tars_that_cat_joined_are_read_to_the_last(tmp_path: Path, kind: str) -> None:
    parts = [pack(tmp_path / f"{name}.{kind}", {f"{name}.txt": name.encode()}) for name in "abc"]
    joined = tmp_path / f"joined.{kind}"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    tree = open_tree(joined, tmp_path / "cache")
    assert {name: tree.read(name) for name in tree.names()} == {"a.txt": b"a", "b.txt": b"b", "c.txt": b"c"}


def test_zeros_in_a_tar_are_not_its_end(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.tar", {f"{n}.txt": b"text " * 2000 for n in range(9)})
    whole = path.read_bytes()
    path.write_bytes(whole[:10240] + bytes(4096) + whole[14336:])  # a header is among them
    with pytest.raises(SourceError, match="damaged at byte"):
        open_tree(path, tmp_path / "cache")


@pytest.mark.parametrize("junk", [b"\n", b"what was in the buffer " * 20])
def test_what_fills_a_tar_up_does_not_matter(tmp_path: Path, junk: bytes) -> None:
    path = pack(tmp_path / "x.tar", {"a.txt": b"a"})
    path.write_bytes(path.read_bytes()[:2048] + junk)
    assert list(open_tree(path, tmp_path / "cache").names()) == ["a.txt"]


def test_two_zips_in_one_file_are_refused_in_one_sentence(tmp_path: Path) -> None:
    parts = [pack(tmp_path / f"{name}.zip", {f"{name}.txt": name.encode()}) for name in "ab"]
    joined = tmp_path / "joined.zip"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    with pytest.raises(SourceError, match="two zips are joined"):
        open_tree(joined, tmp_path / "cache")


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x05\x06" + bytes(18), b"\x1f\x8b\x08" + bytes(40)])
@pytest.mark.parametrize("kind", ["x.zip", "x.tar", "x.tar.gz"])
def test_what_is_no_archive_is_one_sentence(tmp_path: Path, kind: str, content: bytes) -> None:
    (tmp_path / kind).write_bytes(content)
    with pytest.raises(SourceError, match=r"fetch it again|is empty"):
        open_tree(tmp_path / kind, tmp_path / "cache")


def test_nothing_outside_is_ever_a_member(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as tar:
        for name in ("../up.txt", "/etc/passwd", "a/../../up.txt", "good.txt", "bad\\slash.txt", "C:evil.txt"):
            info = tarfile.TarInfo(name)
            info.size = 1
            tar.addfile(info, io.BytesIO(b"x"))
        for name, kind in (("link", tarfile.SYMTYPE), ("hard", tarfile.LNKTYPE), ("pipe", tarfile.FIFOTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
    assert list(open_tree(path, tmp_path / "cache").names()) == ["good.txt"]
    with zipfile.ZipFile(tmp_path / "y.zip", "w") as archive:
        for name in ("../up.txt", "/etc/passwd", "good.txt"):
            archive.writestr(name, b"x")
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    assert list(open_tree(tmp_path / "y.zip", tmp_path / "cache").names()) == ["good.txt"]


def test_a_folder_does_not_follow_links(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    source = tmp_path / "source"
    source.mkdir()
    (source / "real.txt").write_text("real")
    (source / "link.txt").symlink_to(tmp_path / "secret.txt")
    (source / "loop").symlink_to(source)
    tree = open_tree(source)
    assert list(tree.names()) == ["real.txt"]
    assert not tree.exists("link.txt") and not tree.exists("../secret.txt")


def test_a_zip_that_lies_about_a_member_costs_that_member(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.zip", {"a.txt": b"a" * 5000, "b.txt": b"b" * 100})
    data = bytearray(path.read_bytes())
    directory = data.rindex(b"PK\x01\x02", 0, data.rindex(b"b.txt"))
    data[directory + 24 : directory + 28] = (50_000).to_bytes(4, "little")
    path.write_bytes(data)
    tree = open_tree(path, tmp_path / "cache")
    assert tree.read("a.txt") == b"a" * 5000
    with pytest.raises(MemberDamaged):
        tree.read("b.txt")
    with pytest.raises(MemberTooLarge):
        tree.read("a.txt", 100)


def test_a_zip_with_a_member_larger_than_any_disk_is_one_sentence(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("a.txt")
    info.extra = struct.pack("<2HQ", 1, 8, (1 << 64) - 1)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(info, b"a")
    data = bytearray((tmp_path / "x.zip").read_bytes())
    directory = data.rindex(b"PK\x01\x02")
    data[directory + 24 : directory + 28] = b"\xff" * 4
    (tmp_path / "x.zip").write_bytes(data)
    with pytest.raises(SourceError, match="directory is damaged; fetch it again"):
        open_tree(tmp_path / "x.zip", tmp_path / "cache")


def test_a_stored_member_that_is_read_in_parts_is_held_against_its_checksum(tmp_path: Path) -> None:
    data = bytes(range(256)) * (36 << 10)
    for name, place in (("sound.zip", None), ("flipped.zip", 5 << 20)):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("long.wav", data)
        whole = bytearray((tmp_path / name).read_bytes())
        if place is not None:
            whole[place] ^= 1
            (tmp_path / name).write_bytes(whole)
        tree = open_tree(tmp_path / name, tmp_path / "cache")
        if place is None:
            with tree.open("long.wav") as file:
                file.seek(1000)
                assert file.read(256) == data[1000:1256]
        else:
            for _ in range(2):
                with pytest.raises(MemberDamaged, match="is not the bytes the archive declares"):
                    tree.open("long.wav")


@pytest.mark.parametrize("in_memory", [1 << 20, 1000])
def test_a_packed_member_is_held_against_its_checksum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_memory: int
) -> None:
    monkeypatch.setattr(zip_tree, "_IN_MEMORY", in_memory)
    place, recording = tmp_path / "x.zip", io.BytesIO()
    soundfile.write(recording, np.zeros(32_000), 16_000, format="WAV")
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED, compresslevel=0) as archive:  # so that it can be unpacked
        archive.writestr("a.wav", recording.getvalue())
    data = bytearray(place.read_bytes())
    data[len(data) * 3 // 4] ^= 1
    place.write_bytes(data)
    tree = open_tree(place, tmp_path / "cache")
    with pytest.raises(MemberDamaged, match="is not the bytes the archive declares"), tree.open("a.wav") as file:
        file.read()
    stretch = fetch_stretch(tree, "a.wav", "a", "list", 0.5, 1.0, Cutter())
    assert isinstance(stretch, Rejected) and stretch.reason == "decode_error"


def test_a_full_disk_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "_BEGIN", listing._BEGIN.replace("BEGIN;", "PRAGMA max_page_count = 3; BEGIN;"))
    path = pack(tmp_path / "x.zip", {f"{n:0100}.txt": b"x" for n in range(1000)})
    with pytest.raises(
        OmniError, match=r"cache: what x\.zip is read with cannot be kept here \(.*full\); make room, or"
    ):
        open_tree(path, tmp_path / "cache")


BOMB = """
import sys
from pathlib import Path
from omni_ray.errors import SourceError
from omni_ray.sources import open_tree
folder = Path(sys.argv[1])
seen = []
for name in ("bomb.zip", "bomb.tar.gz"):
    try:
        tree = open_tree(folder / name, folder / "cache")
        for member in tree.names():
            tree.read(member, 64 << 20)
        seen.append("read")
    except (SourceError, ValueError) as error:
        seen.append(type(error).__name__)
peak = Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]
print(seen, int(peak) // 1024)
"""


@pytest.mark.slow
def test_bombs_are_refused_with_memory_bounded(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.txt", bytes(1 << 30))
    with tarfile.open(tmp_path / "bomb.tar.gz", "w:gz", compresslevel=1) as tar:
        info = tarfile.TarInfo("zeros.txt")
        info.size = 1 << 30
        tar.addfile(info, io.BufferedReader(Zeros(1 << 30)))
    done = subprocess.run(
        [sys.executable, "-c", BOMB, str(tmp_path)], capture_output=True, text=True, check=True, timeout=120
    )
    verdicts, megabytes = done.stdout.rsplit(" ", 1)
    assert "read" not in verdicts
    assert int(megabytes) < 1200


class Zeros(io.RawIOBase):
    """As many zero bytes as wanted, without holding them."""

    def __init__(self, size: int) -> None:
        self.left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        count = min(len(buffer), self.left)
        buffer[:count] = bytes(count)
        self.left -= count
        return count


def test_kinds_go_by_the_name() -> None:
    assert archive_kind("a/train2017.ZIP") == "zip"
    assert archive_kind("a/dev-clean.tar.gz") == "tar.gz"
    assert archive_kind("enwiki.xml.bz2") is None and archive_kind("books.txt.gz") is None


names = st.text(alphabet="abz/._-0é", min_size=1, max_size=8).filter(lambda n: "//" not in n and n.strip("/") == n)


@given(st.lists(names, max_size=30, unique=True))
def test_a_listing_finds_what_was_put_in(found: list[str]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "list.sqlite"
        write(path, [Member(name, i, 1, 1) for i, name in enumerate(found)])
        table = Listing(path)
        assert len(table) == len(found)
        for i, name in enumerate(found):
            member = table.find(name)
            assert member is not None and member.offset == i
        assert table.find("not there") is None and table.find("\udcff") is None
        folders, files = table.children("")
        assert folders == sorted({name.split("/")[0] for name in found if "/" in name})
        assert files == sorted(name for name in found if "/" not in name)


def test_of_equal_names_the_last_counts_as_when_unpacking(tmp_path: Path) -> None:
    write(tmp_path / "list.sqlite", [Member("a", 1, 1, 1), Member("b", 2, 1, 1), Member("a", 3, 1, 1)])
    table = Listing(tmp_path / "list.sqlite")
    member = table.find("a")
    assert len(table) == 2 and member is not None and member.offset == 3


@pytest.mark.parametrize("kind", ["x.zip", "x.tar", "x.tar.gz"])
def test_members_that_later_ones_replace_are_counted(tmp_path: Path, kind: str) -> None:
    path = tmp_path / kind
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        pack_again(
            path, [("a.txt", b"first"), ("b.txt", b"b"), ("a.txt", b"other"), ("b.txt", b"b"), ("a.txt", b"last")]
        )
    tree = open_tree(path, tmp_path / "cache")
    assert list(tree.names()) == ["a.txt", "b.txt"] and tree.read("a.txt") == b"last"
    files = account(open_tree(path, tmp_path / "cache"), Claims(), "text")
    there = {group.reason: (group.count, group.example) for group in files.unread if group.reason != "ending"}
    if kind == "x.zip":
        assert there == {"superseded": (2, "a.txt"), "copy": (1, "b.txt")}
    else:  # which has no CRC to tell that b.txt is the same
        assert there == {"superseded": (3, "a.txt")}


def pack_again(path: Path, members: list[tuple[str, bytes]]) -> None:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in members:
                archive.writestr(name, data)
        return
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def test_names_in_utf8_that_a_zip_does_not_declare(tmp_path: Path) -> None:
    name = "Grüße.txt"
    data = pack(tmp_path / "x.zip", {name: b"x"}).read_bytes()
    for mark, place in ((b"PK\3\4", 6), (b"PK\1\2", 8)):  # where the flags are
        at = data.index(mark) + place
        data = data[:at] + b"\0\0" + data[at + 2 :]
    (tmp_path / "x.zip").write_bytes(data)
    assert list(open_tree(tmp_path / "x.zip", tmp_path / "cache").names()) == [name]
