"""A run that another one has overtaken writes nothing more, and what it wrote late is not taken for the other's."""

from __future__ import annotations

import json
import pickle
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from omni_ray import api
from omni_ray.errors import FALLS_SHORT, OmniError
from omni_ray.pipeline import lease as leases
from omni_ray.pipeline.store import Store
from omni_ray.storage import Storage
from omni_ray.verify.run import verify

RUN = """
import sys
from omni_ray.pipeline.store import Store
store = Store(sys.argv[1], sys.argv[2])
with store.lease("omni-ray prepare"):
    print("held", flush=True)
    sys.stdin.readline()
    store.storage.child("text").write("part-00000.json", b"late")
"""


@pytest.fixture
def runs() -> Any:
    """Starts runs that hold a store, wait for a line, and commit; killed in the end, if they have not ended."""
    processes = []

    def start(root: Path, shards: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", RUN, str(root), shards],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        processes.append(process)
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("place", ["folder", "bucket"])
def test_a_worker_of_a_run_that_is_over_cannot_commit(
    tmp_path: Path, request: pytest.FixtureRequest, place: str
) -> None:
    shards = Storage(request.getfixturevalue("bucket")).child("over").uri if place == "bucket" else None
    first, second = Store(tmp_path, shards), Store(tmp_path, shards)
    with first.lease("omni-ray prepare"):
        worker: Storage = pickle.loads(pickle.dumps(first.storage.child("text").child("books")))
        worker.write("part-00000.json", b"first")
    with second.lease("omni-ray prepare"):
        second.storage.child("text").child("books").write("part-00000.json", b"second")
        for act in (lambda: worker.write("part-00000.json", b"first"), lambda: worker.delete("part-00000.json")):
            with pytest.raises(OmniError, match="another run took over while this one stood still") as caught:
                act()
            assert caught.value.exit_code == FALLS_SHORT
    with pytest.raises(OmniError, match="took over"):
        worker.write("part-00000.json", b"first")
    assert worker.read("part-00000.json") == b"second"
    assert worker.files() == {"part-00000.json": 6}  # no temporary file
    assert first.storage.child(".omni").files() == {}


@pytest.mark.slow
def test_a_machine_that_wakes_after_another_took_over_writes_nothing(
    tmp_path: Path, bucket: str, runs: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    shards = Storage(bucket).child("woken").uri
    stopped = runs(tmp_path / "one", shards)
    stopped.send_signal(signal.SIGSTOP)
    other = Store(tmp_path / "two", shards)
    with pytest.raises(OmniError, match="is working here"), other.lease("omni-ray prepare"):
        pass
    monkeypatch.setattr(leases, "EXPIRES_S", 0.0)  # as long as it takes until its claim is a dead one's
    with other.lease("omni-ray prepare"):
        other.storage.child("text").write("part-00000.json", b"newer")
    stopped.send_signal(signal.SIGCONT)
    _, said = stopped.communicate("go\n")
    assert stopped.returncode != 0 and "another run took over" in said
    assert other.storage.child("text").read("part-00000.json") == b"newer"


@pytest.mark.slow
def test_a_copy_of_a_project_is_not_the_project(tmp_path: Path, bucket: str, runs: Callable[..., Any]) -> None:
    shards = Storage(bucket).child("copied").uri
    with Store(tmp_path / "one", shards).lease("omni-ray prepare"):
        pass
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    process = runs(tmp_path / "one", shards)
    with (
        pytest.raises(OmniError, match=r"`omni-ray prepare` \(process .* is working here"),
        Store(tmp_path / "two", shards).lease("omni-ray combine"),
    ):
        pass
    process.kill()
    process.communicate()
    with Store(tmp_path / "two", shards).lease("omni-ray combine"):  # it is seen to be dead
        pass


@pytest.mark.slow
def test_claims_of_other_machines_expire_but_those_of_the_root_itself(tmp_path: Path, bucket: str) -> None:
    shelf = Storage(bucket).child("machines")
    store = Store(tmp_path, shelf.uri)
    with store.lease("omni-ray prepare"):
        claims = shelf.child(".claims")
        [name] = claims.files()
        ours = json.loads(claims.read(name))
    elsewhere = {**ours, "process": "12:34@another boot/1"}
    claims.write("killed.json", json.dumps(elsewhere).encode())  # the same root, mounted by two machines
    with store.lease("omni-ray prepare"):
        pass
    for text in (json.dumps({**elsewhere, "root": "another:1"}), "not JSON", "[]"):
        claims.write("alive.json", text.encode())
        with pytest.raises(OmniError, match="is working here"), store.lease("omni-ray prepare"):
            pass
        claims.delete("alive.json")
    assert claims.files() == {}


@pytest.mark.slow
@pytest.mark.usefixtures("no_ray", "subtitles_file")
def test_a_manifest_that_an_earlier_run_wrote_late_is_seen_and_made_again(tmp_path: Path, films: Any) -> None:
    more: dict[str, Any] = {"dataset": "subtitles", "source": str(films(3))}
    root = tmp_path / "project"
    api.prepare(root, "text", params={"text": {"max_line_chars": 300}}, **more)

    def written() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in (root / "data/shards").rglob("part-*")}

    earlier = written()
    api.prepare(root, "text", params={"text": {"max_line_chars": 400}}, combine=True, **more)
    later = written()
    assert earlier != later
    for path, data in earlier.items():
        path.write_bytes(data)
    [summary] = api.status(root)
    assert summary.units_left > 0
    with pytest.raises(OmniError, match="is not committed; run the same"):
        api.combine(root)
    assert "bad_manifest" in {finding.code for finding in verify(root).findings}
    assert api.prepare(root, "text", params={"text": {"max_line_chars": 400}}, **more).units_made > 0
    assert written() == later
