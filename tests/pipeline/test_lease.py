"""Two runs at once: one of them works, the other is told who does, and a dead holder holds nothing up."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from omni_ray import api
from omni_ray.corpora.base import SourceOptions
from omni_ray.errors import OmniError, StorageError
from omni_ray.fence import FOLDER
from omni_ray.pipeline import lease as leases
from omni_ray.pipeline.store import Store
from omni_ray.storage import Storage

HOLD = """
import sys, time
from omni_ray.pipeline.store import Store
with Store(sys.argv[1], sys.argv[2] or None).lease("omni-ray prepare"):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder() -> Any:
    """Starts a process that holds a root's lease; killed in the end, if a test did not do that."""
    processes = []

    def hold(root: Path, shards: str = "") -> subprocess.Popen[str]:
        process = subprocess.Popen([sys.executable, "-c", HOLD, str(root), shards], stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        return process

    yield hold
    for process in processes:
        process.kill()
        process.communicate()


def is_free(root: Path, shards: str | None = None) -> bool:
    try:
        with Store(root, shards).lease("omni-ray combine"):
            return True
    except OmniError as error:
        assert "`omni-ray prepare` (process " in str(error) and "is working here" in str(error)
        return False


def test_a_crash_of_the_holder_frees_the_root(tmp_path: Path, holder: Callable[..., Any]) -> None:
    process = holder(tmp_path)
    assert not is_free(tmp_path)
    process.kill()
    process.wait()
    assert is_free(tmp_path)


def test_two_roots_with_one_folder_of_shards(tmp_path: Path, holder: Callable[..., Any]) -> None:
    shards = str(tmp_path / "shards")
    process = holder(tmp_path / "one", shards)
    assert not is_free(tmp_path / "two", shards)
    assert is_free(tmp_path / "two")
    process.kill()
    process.wait()
    assert is_free(tmp_path / "two", shards)


@pytest.mark.slow
def test_two_roots_with_one_bucket(
    tmp_path: Path, bucket: str, holder: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    shards = Storage(bucket).child("shared").uri
    claims = Storage(shards).child(".claims")
    process = holder(tmp_path / "one", shards)
    assert not is_free(tmp_path / "two", shards)
    [name] = claims.files()
    claim = json.loads(claims.read(name))
    process.kill()
    process.wait()
    assert is_free(tmp_path / "two", shards)  # on the same machine it is seen to be dead
    claims.write("away.json", json.dumps(claim | {"process": "1:1@another/machine"}).encode())
    assert not is_free(tmp_path / "two", shards)  # nobody can know
    assert is_free(tmp_path / "one", shards)  # but the same root can
    claims.write("away.json", json.dumps(claim | {"process": "1:1@another/machine"}).encode())
    monkeypatch.setattr(leases, "EXPIRES_S", 0.0)
    assert is_free(tmp_path / "two", shards)
    assert claims.files() == {}


@pytest.mark.slow
def test_a_claim_is_renewed_while_it_is_held(tmp_path: Path, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Storage(bucket).child("renewed")
    monkeypatch.setattr(leases, "RENEW_S", 0.01)
    written: list[str] = []
    is_renewed = threading.Event()
    write = Storage.write

    def counted(self: Storage, name: str, data: bytes) -> None:
        write(self, name, data)
        written.append(name)
        if len(written) == 4:
            is_renewed.set()

    monkeypatch.setattr(Storage, "write", counted)
    with Store(tmp_path, shelf.uri).lease("omni-ray prepare"):
        assert is_renewed.wait(60)
    assert len(set(written) - {"run"}) == 1


def overtake(shelf: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another run does that holds our claim for a dead one's; ours may be in the middle of being renewed."""
    claims = shelf.child(".claims")
    for name in claims.files():
        claims.delete(name)
    shelf.child(FOLDER).write("run", b"another")


def cut_off(shelf: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(storage: Storage, name: str, data: bytes) -> None:
        raise StorageError("no route to host")

    monkeypatch.setattr(leases, "EXPIRES_S", 0.0)
    monkeypatch.setattr(Storage, "write", unreachable)


@pytest.mark.parametrize(
    ("lose", "said"), [(overtake, "another run took over"), (cut_off, "could not be reached for too long")]
)
def test_a_holder_that_lost_its_claim_stops(
    tmp_path: Path, bucket: str, monkeypatch: pytest.MonkeyPatch, lose: Callable[..., None], said: str
) -> None:
    shelf = Storage(bucket).child(lose.__name__)
    monkeypatch.setattr(leases, "RENEW_S", 0.01)
    store = Store(tmp_path, shelf.uri)
    with pytest.raises(OmniError, match=said) as caught, store.lease("omni-ray prepare"):
        lose(shelf, monkeypatch)
        threading.Event().wait(60)
        raise AssertionError("it went on")
    assert caught.value.exit_code == 1


@pytest.mark.slow
def test_a_store_out_of_reach_for_a_moment_costs_no_claim(
    tmp_path: Path, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "RENEW_S", 0.01)
    write, tries = Storage.write, []
    is_renewed = threading.Event()

    def unreachable_twice(self: Storage, name: str, data: bytes) -> None:
        tries.append(name)
        if len(tries) in {3, 4}:
            raise StorageError("no route to host")
        write(self, name, data)
        if len(tries) > 5:
            is_renewed.set()

    monkeypatch.setattr(Storage, "write", unreachable_twice)
    with Store(tmp_path, Storage(bucket).child("moment").uri).lease("omni-ray prepare"):
        assert is_renewed.wait(60)


@pytest.mark.slow
@pytest.mark.usefixtures("no_ray", "subtitles_file")
def test_two_roots_that_want_different_shards_take_turns(tmp_path: Path, bucket: str, films: Any) -> None:
    shards = Storage(bucket).child("turns").uri
    more: dict[str, Any] = {
        "dataset": "subtitles", "source": str(films(6)), "options": SourceOptions(unit_scale=2 / 200), "shards": shards,
    }  # fmt: skip
    for root, width, made in [("one", 300, 3), ("two", 400, 3), ("two", 400, 0), ("one", 300, 3)]:
        report = api.prepare(tmp_path / root, "text", params={"text": {"max_line_chars": width}}, combine=True, **more)
        assert report.units_made == made


@pytest.mark.slow
def test_a_file_system_without_locks_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*args: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(leases.fcntl, "flock", flock)
    with pytest.raises(OmniError, match="has no locks"), Store(tmp_path).lease("omni-ray prepare"):
        pass
