"""Where shards live: whole files or none, on a disk and on an object store."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from omni_ray import api
from omni_ray.errors import OmniError
from omni_ray.pipeline.corpus_folder import CorpusFolder
from omni_ray.pipeline.store import Store
from omni_ray.storage import WRITE_BYTES, Storage, atomic_writer, remove_temporaries, shown


def storages(tmp_path: Path, bucket: str) -> list[Storage]:
    return [Storage(tmp_path / "store"), Storage(bucket)]


def test_a_local_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    with atomic_writer(path) as file:
        file.write(b"first")
        assert not path.exists()
    with pytest.raises(RuntimeError), atomic_writer(path) as file:
        file.write(b"second, cut sho")
        raise RuntimeError
    assert path.read_bytes() == b"first"
    assert [p.name for p in path.parent.iterdir()] == ["file"]


@pytest.mark.parametrize("size", [WRITE_BYTES - 1, WRITE_BYTES, 3 * WRITE_BYTES + 5])
def test_a_write_of_any_length_is_whole(tmp_path: Path, size: int) -> None:
    data = os.urandom(size)
    with atomic_writer(tmp_path / "file") as file:
        assert file.write(b"head") == 4
        assert file.write(memoryview(data)) == size
    assert (tmp_path / "file").read_bytes() == b"head" + data


def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".tmp-0123456789ab-part").write_bytes(b"half")
    (tmp_path / ".tmp-of-somebody-else").write_bytes(b"mine")
    (tmp_path / "part").write_bytes(b"whole")
    assert remove_temporaries(tmp_path) == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == [".tmp-of-somebody-else", "part"]


def test_both_kinds_of_storage_do_the_same(tmp_path: Path, bucket: str) -> None:
    for storage in storages(tmp_path, bucket):
        child = storage.child("text").child("books")
        assert child.files() == {} and storage.folders() == []
        child.write("part-00000.json", b"{}")
        child.write("part-00000.json", b"{ }")
        assert child.read("part-00000.json") == b"{ }"
        assert child.files() == {"part-00000.json": 3}
        assert storage.child("text").folders() == ["books"]
        with pytest.raises(FileNotFoundError):
            child.read("part-00001.json")
        child.delete("part-00000.json")
        child.delete("part-00000.json")
        assert child.files() == {}


def test_names_are_synced_once_for_several_files_where_the_caller_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []
    plain = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).is_dir())
        plain(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    storage = CorpusFolder(Storage(tmp_path), ("text", "books"))
    for unit in range(3):
        storage.write(f"part-{unit:05d}.parquet", b"rows", sync_name=False)
        storage.write(f"part-{unit:05d}.json", b"{}", sync_name=False)
    assert synced == [False] * 6
    storage.sync_names()
    assert synced[6:] == [True, True]
    storage.write("corpus.json", b"{}")
    assert synced[8:] == [False, True]


def test_removed_units_do_not_come_back_beside_new_manifests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = Store(tmp_path).corpus("text", "books")
    corpus.storage.write("part-00000.parquet", bytes(19))
    done: list[str] = []
    monkeypatch.setattr(corpus.storage, "delete", lambda name: done.append(name))
    monkeypatch.setattr(corpus.storage, "sync_names", lambda: done.append("synced"))
    corpus.settle(["fingerprint"])
    assert done[-1] == "synced" and "part-00000.parquet" in done
    done.clear()
    corpus.reset()
    assert "synced" in done


def test_a_location_that_is_none_is_one_sentence() -> None:
    with pytest.raises(OmniError, match="not a usable storage location"):
        Storage("s4://nowhere/at/all").files()


@pytest.mark.parametrize(
    ("uri", "seen"),
    [
        ("s3://bucket/a/b", "s3://bucket/a/b"),
        ("s3://key:secret@bucket/a?region=eu", "s3://bucket/a"),
        ("s3://key:se/c@ret@bucket/a", "s3://bucket/a"),
        ("s3://key@bucket/a", "s3://bucket/a"),
        ("hf://datasets/org/set@v1/a", "hf://datasets/org/set@v1/a"),
    ],
)
def test_keys_are_never_shown(tmp_path: Path, uri: str, seen: str) -> None:
    assert shown(uri) == seen
    assert Storage(uri).shown == seen
    with pytest.raises(OmniError) as caught:
        Storage(uri.replace("s3", "s4").replace("hf", "h4")).files()
    assert "secret" not in str(caught.value) and "se/c" not in str(caught.value)


@pytest.mark.parametrize("root", ["s3://key:secret@bucket/prefix", "file:///tmp/project", Path("gs://bucket")])
def test_a_root_that_is_no_folder_is_refused(root: str | Path) -> None:
    with pytest.raises(OmniError, match=r"--store s3://bucket/prefix puts shards") as caught:
        api.status(root)
    assert "secret" not in str(caught.value)


@pytest.mark.slow
def test_the_command_line_makes_no_folder_called_s3(tmp_path: Path) -> None:
    for command in (["status"], ["plan"], ["demo"], ["synth"]):
        done = subprocess.run(
            [sys.executable, "-m", "omni_ray", *command, "--root", "s3://bucket/prefix"],
            capture_output=True, text=True, check=False, cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 2
        assert done.stderr.startswith("omni-ray: --root s3://bucket/prefix: ") and done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_two_writers_of_one_file_leave_one_of_them_whole(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    contents = [bytes([n]) * 100_000 for n in range(4)]
    threads = [threading.Thread(target=storage.write, args=("part", data)) for data in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert storage.read("part") in contents
    assert list(storage.files()) == ["part"]


@pytest.mark.slow
def test_a_file_that_goes_while_a_folder_is_listed_takes_no_other_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_bytes(b"x")
    scan = os.scandir

    def while_b_goes(path: Path) -> list[os.DirEntry[str]]:
        entries = list(scan(path))
        (tmp_path / "b").unlink()
        return entries

    monkeypatch.setattr("omni_ray.storage.os.scandir", while_b_goes)
    assert Storage(tmp_path).files() == {"a": 1, "c": 1}
