"""What goes wrong around a run, rather than in it, is one sentence, in seconds."""

from __future__ import annotations

import errno
import os
import pickle
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from omni_ray import api, errors, interrupts
from omni_ray.errors import FALLS_SHORT, WRONG_INPUT, OmniError, StorageError
from omni_ray.pipeline import failures, reach, room
from omni_ray.storage import Storage
from tests.faults.harness import descendants
from tests.made_store import commit, text_row


@pytest.fixture
def port() -> Iterator[Any]:
    """Listens, and answers every caller with some bytes, or not at all."""
    servers = []
    kept: list[socket.socket] = []

    def listen(answer: bytes | None) -> int:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def serve() -> None:
            connection, _ = server.accept()
            if answer is not None:
                connection.sendall(answer)
                connection.shutdown(socket.SHUT_WR)
            kept.append(connection)

        threading.Thread(target=serve, daemon=True).start()
        return int(server.getsockname()[1])

    yield listen
    for each in (*servers, *kept):
        each.close()


def test_an_address_where_no_ray_answers_is_said_before_ray_is_asked(
    port: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reach, "_PATIENCE_S", 0.2)
    for answer in (None, b"HTTP/1.1 400 Bad Request\r\n\r\n", b""):
        with pytest.raises(OmniError, match="cannot be reached \\(something else answers there, or nothing at all\\)"):
            reach.require_reachable(f"127.0.0.1:{port(answer)}")
    refused = reach._frame(reach._SETTINGS, 0, 0, b"") + reach._frame(reach._HEADERS, 4, 1, b"\x20\x8d")
    with pytest.raises(OmniError, match="something else answers"):  # HTTP/2, but no gRPC: a proxy, say
        reach.require_reachable(f"ray://127.0.0.1:{port(refused)}")
    with pytest.raises(OmniError, match=r"127\.0\.0\.1:1 cannot be reached \(connection refused\)"):
        reach.require_reachable("127.0.0.1:1")
    with pytest.raises(OmniError, match="give host:port"):
        reach.require_reachable("cluster")
    reach.require_reachable("auto")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("_free_memory", 450 << 20, r"450 MiB of memory are free here, and a Ray of 2 CPUs needs 500; give it more"),
        ("_free_threads", 140, r"140 more threads may be started here, and a Ray of 2 CPUs needs 150; raise the limit"),
    ],
)
def test_too_little_room_is_said_before_ray_starts(
    monkeypatch: pytest.MonkeyPatch, name: str, value: int, said: str
) -> None:
    monkeypatch.setattr(room, name, lambda: iter([value, 1 << 50]))
    with pytest.raises(OmniError, match=said) as caught:
        room.require_room(2)
    assert caught.value.exit_code == FALLS_SHORT
    room.require_room(1)


def test_a_limit_on_the_address_space_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room.resource, "getrlimit", lambda kind: (450 << 20, resource.RLIM_INFINITY))
    with pytest.raises(OmniError, match=r"may map 450 MiB of memory here, .*ulimit -v unlimited"):
        room.require_room(1)


def test_limits_are_those_of_every_group_above(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    group = tmp_path / "pod" / "container"
    group.mkdir(parents=True)
    for folder, most, used in ((group, "max", 0), (group.parent, str(1000 << 20), 700 << 20)):
        (folder / "memory.max").write_text(f"{most}\n")
        (folder / "memory.current").write_text(f"{used}\n")
        (folder / "memory.stat").write_text(f"anon 1\ninactive_file {100 << 20}\n")
        (folder / "pids.max").write_text("150\n")
        (folder / "pids.current").write_text("20\n")
    monkeypatch.setattr(room, "_own_groups", lambda controller: iter([group, group.parent]))
    assert min(room._free_memory()) == 400 << 20
    assert min(room._free_threads()) == 130


REFUSALS = [
    (
        "When initiating multiple part upload for key 'x' in bucket 'b': AWS Error NO_SUCH_BUCKET during "
        "CreateMultipartUpload operation: The specified bucket does not exist (Request ID: 1)",
        "s3://b/x: there is no such bucket (CreateMultipartUpload)", WRONG_INPUT,
    ),
    (
        "When reading information for key 'x': AWS Error ACCESS_DENIED during HeadObject operation: No response body.",
        "s3://b/x: access is denied; check the credentials and what they may do (HeadObject)", WRONG_INPUT,
    ),
    (
        "When listing: AWS Error UNKNOWN (HTTP status 403) during ListObjectsV2 operation: ...",
        "s3://b/x: access is denied; check the credentials and what they may do (ListObjectsV2)", WRONG_INPUT,
    ),
    (
        "When listing: AWS Error SLOW_DOWN during ListObjectsV2 operation: ...",
        "s3://b/x: does not answer as it should (slow down) (ListObjectsV2); run the same command again to go on", FALLS_SHORT,
    ),
    ("google: something odd; Details: pages", "s3://b/x: google: something odd; run the same command again to go on", FALLS_SHORT),
]  # fmt: skip


@pytest.mark.parametrize(("said", "sentence", "code"), REFUSALS)
def test_what_an_object_store_says(said: str, sentence: str, code: int) -> None:
    error = errors.of_store("s3://b/x", OSError(said))
    assert str(error) == sentence and error.exit_code == code
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.exit_code) == (StorageError, sentence, code)


@pytest.mark.slow
def test_a_bucket_that_is_not_there_is_one_sentence(bucket: str) -> None:
    storage = Storage(bucket.replace("//shelf/", "//no-such-shelf/"))
    with pytest.raises(StorageError, match="there is no such bucket"):
        storage.write("a", b"")
    with pytest.raises(FileNotFoundError):
        storage.read("a")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/x"), errors.DISK_FULL),
        (OSError("[Errno 28] Error writing bytes to file. Detail: [errno 28] No space left on device"), errors.DISK_FULL),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), errors.DISK_FULL),
        (OSError(errno.EROFS, "Read-only file system", "/x"), "/x: is on a read-only disk; choose another --root, or mount it for writing"),
        (OSError(errno.EMFILE, "Too many open files", "/x"), "/x: too many files are open; raise the limit (`ulimit -n`)"),
        (OSError(errno.EIO, "Input/output error", "/x"), "/x: input/output error"),
    ],
)  # fmt: skip
def test_what_a_disk_says(error: OSError, sentence: str) -> None:
    assert str(errors.of_system(error)) == sentence
    if error.errno != errno.EIO:
        assert str(_of_worker(error)) == sentence


def _of_worker(error: OSError) -> OmniError:
    """What is said of it where it ended a task."""
    from ray.exceptions import RayTaskError

    return failures.in_one_line(RayTaskError("make", "Traceback: 80 lines", error).as_instanceof_cause())


def test_a_sentence_of_ours_from_a_worker_comes_without_the_tracebacks_around_it() -> None:
    from ray.exceptions import RayTaskError

    ours = OmniError("books.txt: changed while it was read", exit_code=FALLS_SHORT)
    inner: Any = RayTaskError("make", "Traceback: 80 lines", ours).as_instanceof_cause()
    wrapped: Any = RayTaskError("map", "Traceback: 85 lines", inner).as_instanceof_cause()
    for raised in (inner, wrapped):
        with pytest.raises(OmniError) as caught, failures.as_one_line():
            raise raised
        assert (str(caught.value), caught.value.exit_code) == (str(ours), FALLS_SHORT)
        assert type(caught.value) is OmniError


EARLY = """
import os, signal, sys
from omni_ray import interrupts
with interrupts.at_once():
    if sys.argv[1] == "before":
        os.kill(os.getpid(), signal.SIGINT)
    from omni_ray.cli import running
    running.run(lambda: None)
    os.kill(os.getpid(), signal.SIGTERM)
"""
TWICE = """
import os, signal, sys, threading
from omni_ray import interrupts
from omni_ray.cli import running

def command():
    try:
        os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait(60)
    finally:
        os.kill(os.getpid(), signal.SIGINT)  # while it ends
        os.kill(os.getpid(), signal.SIGTERM)
        print("tidied up", flush=True)
        if sys.argv[1] == "hangs":
            interrupts._PATIENCE_S = 0.0
            threading.Event().wait(60)

interrupts._PATIENCE_S = 0.3 if sys.argv[1] == "hangs" else 60
with interrupts.at_once():
    running.run(command)
"""


@pytest.mark.slow
@pytest.mark.parametrize("script", [EARLY, TWICE], ids=["early", "twice"])
@pytest.mark.parametrize("how", ["before", "after", "hangs"])
def test_an_interrupt_at_any_moment_is_one_line(script: str, how: str) -> None:
    done = subprocess.run([sys.executable, "-c", script, how], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 130 and done.stderr == f"omni-ray: {interrupts.SENTENCE}\n"
    assert done.stdout == ("tidied up\n" if script is TWICE else "")


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Ctrl-C does what it does in a terminal; a worker of pytest-xdist ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_an_interrupt_waits_for_an_import() -> None:
    with pytest.raises(KeyboardInterrupt), interrupts.held_back():
        os.kill(os.getpid(), signal.SIGINT)
        is_held = True
    assert is_held


LOST = """
import sys
from omni_ray.pipeline.session import ray_session
with ray_session(num_cpus=1):
    import ray
    print("up", flush=True)
    sys.stdin.read()
    ray.get(ray.remote(lambda: 1).remote())
"""


@pytest.mark.slow
@pytest.mark.parametrize("core", ["gcs_server", "raylet"])
def test_a_ray_that_is_killed_ends_the_run_at_once(core: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", LOST], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "up\n"
    below = descendants(process.pid)
    [victim] = [pid for pid, command in below.items() if command.partition(" ")[0].endswith(f"/{core}")]
    os.kill(victim, signal.SIGKILL)
    process.wait(timeout=60)  # before anything is sent to it
    _, said = process.communicate()
    assert said == f"omni-ray: Ray was killed ({core}); run the same command again to go on\n"
    assert process.returncode == FALLS_SHORT


KILLED_AT_START = """
import os, signal, sys
from omni_ray.pipeline.session import ray_session

core = sys.argv[1]

def start(*given, **more):
    started = popen(*given, **more)
    if os.path.basename(given[0][0] if isinstance(given[0], list) else given[0]) == core:
        os.kill(started.pid, signal.SIGKILL)  # before anything can have seen it
    return started

import ray._private.services as services
popen, services.ConsolePopen = services.ConsolePopen, start
with ray_session(num_cpus=1):
    print("up")
"""


@pytest.mark.slow
@pytest.mark.parametrize("core", ["gcs_server", "raylet"])
def test_a_ray_that_is_killed_while_it_starts_ends_the_run_at_once(core: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED_AT_START, core], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (FALLS_SHORT, ""), done.stderr
    assert done.stderr == f"omni-ray: Ray was killed ({core}); run the same command again to go on\n"


HANGS_AT_START = """
import os, signal, sys
from omni_ray.pipeline import lean, session
from omni_ray.pipeline.own_processes import core as there

session._START_S = 3.0
import ray._private.services as services
popen, answers = services.ConsolePopen, lean.answers

def stop(core):
    if core == sys.argv[1]:
        [os.kill(pid, signal.SIGSTOP) for pid, name in there().items() if name == core]

def start(*given, **more):
    started = popen(*given, **more)
    stop("gcs_server")
    return started

def asked(host, port):
    stop("raylet")
    return answers(host, port)

services.ConsolePopen, lean.answers = start, asked
print(os.getpid(), flush=True)
with session.ray_session(num_cpus=1):
    print("up")
"""


@pytest.mark.slow
@pytest.mark.parametrize("core", ["gcs_server", "raylet"])
def test_a_ray_that_hangs_while_it_starts_ends_the_run_and_with_it(core: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", HANGS_AT_START, core], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == FALLS_SHORT and done.stdout.strip().isdigit(), done.stderr
    assert done.stderr == (
        "omni-ray: Ray did not start on this machine (no answer within 3 seconds); run the same command again, or see "
        "`omni-ray doctor`\n"
    )
    driver = f"OMNI_RAY_OWNER={done.stdout.strip()}:".encode()
    assert not any(driver in variables(pid) for pid in Path("/proc").glob("[0-9]*"))


def variables(process: Path) -> bytes:
    """The environment of a process (``/proc/PID``), empty where it has ended."""
    try:
        return (process / "environ").read_bytes()
    except OSError:
        return b""


SILENT = """
import sys
from omni_ray.pipeline import session
session._ADDRESS_S, session._START_S = 0.2, 0.2
session.require_reachable = lambda address: sys.stdin.read() if sys.argv[1] == "no name" else None
import ray
ray.init = lambda **given: sys.stdin.read()
with session.ray_session("head:6379"):
    print("up")
"""


@pytest.mark.slow
@pytest.mark.parametrize("what", ["no name", "no cluster"])
def test_a_cluster_that_never_answers_is_one_line(what: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SILENT, what], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )  # fmt: skip
    process.wait(timeout=60)
    out, said = process.communicate()
    assert (process.returncode, out) == (WRONG_INPUT, "")
    assert said.startswith(
        "omni-ray: Ray at head:6379 cannot be reached (no answer within 0 seconds); check the address"
    )


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_folder_whose_path_is_not_text(tmp_path: Path) -> None:
    place = Path(os.fsdecode(os.fsencode(tmp_path) + b"/d\xe9j\xe0"))
    commit(tmp_path / "project", "text", "made", [[text_row(1)]])
    shutil.copytree(tmp_path / "project", place)
    for call in (lambda: api.combine(place), lambda: api.export(tmp_path / "project", "hf", place / "out")):
        with pytest.raises(OmniError, match=r"d\\xe9j\\xe0.*: the path is not UTF-8; rename the folder"):
            call()
