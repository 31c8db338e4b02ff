"""A local Ray is private: loopback only, no dashboard, a token, and nobody else's cluster."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from omni_ray.errors import OmniError
from omni_ray.pipeline import own_processes, session
from omni_ray.pipeline.own_processes import end_orphans
from omni_ray.pipeline.processes import here
from omni_ray.pipeline.session import ray_session

SCRIPT = """
import json, os
from pathlib import Path
import psutil
from omni_ray.pipeline.session import ray_session

with ray_session(num_cpus=1):
    import ray
    ray.get(ray.remote(lambda: 1).remote())
    me = psutil.Process()
    own = {process: process.name() for process in (me, *me.children(recursive=True))}
    open_sockets = [socket for process in own for socket in process.net_connections("inet")]
    print(json.dumps({
        "processes": sorted(own.values()),
        "addresses": sorted({socket.laddr.ip for socket in open_sockets if socket.status == psutil.CONN_LISTEN}),
        "dashboard": ray._private.worker.global_worker.node.address_info.get("webui_url"),
        "token": bool(os.environ.get("RAY_AUTH_TOKEN")),
        "mode": os.environ.get("RAY_AUTH_MODE"),
        "home": sorted(p.name for p in Path(os.environ["HOME"]).iterdir()),
    }))
"""


@pytest.mark.slow
def test_every_socket_of_a_local_ray_is_on_loopback(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")} | {"HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert {"gcs_server", "raylet"} <= set(found["processes"])
    assert found["addresses"] and set(found["addresses"]) <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
    assert not found["dashboard"]
    assert found["mode"] == "token" and found["token"]
    assert found["home"] == []  # no token file, no settings: nothing is left behind


@pytest.mark.slow
def test_a_cluster_that_is_not_there_is_one_sentence() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "omni_ray", "combine", "--address", "127.0.0.1:1", "--root", "nowhere"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.slow
def test_a_program_that_imported_ray_first_still_works() -> None:
    code = """
import ray
from omni_ray.pipeline.session import ray_session
with ray_session(num_cpus=1):
    import os
    print(ray.cluster_resources()["CPU"], "OMNI_RAY_OWNER" in os.environ)
"""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    # What the program starts itself is no part of its Ray, and has no mark of one.
    assert done.stdout.strip() == "1.0 False", done.stderr


def test_only_processes_of_ray_whose_driver_is_seen_to_be_dead_are_ended_as_orphans() -> None:
    # A driver that is no more; the same in another container, where its number may be somebody's who lives.
    place = here()
    dead, elsewhere = f"999999999:1@{place}", f"999999999:1@{place}0"
    of_ray = ["/venv/lib/python3.11/site-packages/ray/_private/log_monitor.py"]
    started = [
        subprocess.Popen(
            [sys.executable, "-c", "input()", *arguments],
            env=os.environ | {"OMNI_RAY_OWNER": driver}, stdin=subprocess.PIPE,
        )
        for driver, arguments in ((dead, of_ray), (dead, ["/home/ray/project/trainer.py"]), (elsewhere, of_ray))
    ]  # fmt: skip
    end_orphans()
    agent, *others = started
    agent.communicate()
    assert agent.returncode == -signal.SIGKILL
    for other in others:
        other.communicate(b"\n")
        assert other.returncode == 0


def test_usage_reports_are_off_on_somebody_s_cluster_too(monkeypatch: pytest.MonkeyPatch) -> None:
    import ray

    def refuse(**more: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(ray, "init", refuse)
    monkeypatch.delenv("RAY_USAGE_STATS_ENABLED", raising=False)
    with pytest.raises(OmniError, match="cannot be reached"), ray_session("127.0.0.1:1"):
        pass
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


START = """
import os, sys
from contextlib import ExitStack
from pathlib import Path
from omni_ray.api.cluster import Cluster, Once
from omni_ray.pipeline import lean, session

def below():
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            if fields[0] != "Z" and int(fields[3]) == os.getsid(0) and int(process.name) != os.getpid():
                found.append((process / "cmdline").read_bytes().replace(b"\\0", b" ").decode())
        except OSError:
            pass
    return list(filter(None, found))

how = sys.argv[1]
if how == "another Ray":
    lean.TRIED = "0."
if how == "another inside":
    lean._without_agents = lambda command: command[0].missing
with ExitStack() as stack:
    connect = Once(stack, Cluster(num_cpus=1))
    connect.begin()
    if how != "given up":
        with connect():
            import ray, ray.data
            imported = ray.get(ray.remote(lambda: set(sys.modules)).remote())
            assert session._PRELOADED in imported
            assert "pydantic" not in imported
            assert [row["id"] for row in ray.data.range(2).iter_rows()] == [0, 1]
            helpers = [line for line in below() if not any(part in line for part in ("gcs_server", "/raylet ", "ray::IDLE"))]
            assert all(lean.STAND_IN in line for line in helpers) == (how == "usual"), helpers
assert not below(), below()
print("right")
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", ["usual", "given up", "another Ray", "another inside"])
def test_a_local_ray_starts_no_helpers_where_it_is_known_and_leaves_none(how: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", START, how], capture_output=True, text=True, check=False, start_new_session=True
    )
    assert done.stdout.strip() == "right", done.stderr


def test_commands_of_one_run_share_a_ray_unless_they_want_another(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[tuple[str, object]] = []

    @contextmanager
    def started(*wanted: object) -> Iterator[None]:
        events.append(("start", wanted[:3]))
        yield
        events.append(("end", wanted[:3]))

    monkeypatch.setattr(session, "_session", started)
    monkeypatch.setattr(session, "is_connected", lambda: sum(1 if e == "start" else -1 for e, _ in events) > 0)
    a, b = (None, 2, 0), (None, 2, 1)
    with session.lasting():
        for wanted in (a, a, b, b, a):
            with ray_session(wanted[0], num_cpus=wanted[1], num_gpus=wanted[2]):
                assert events[-1] == ("start", wanted)
    assert [e for e, _ in events] == ["start", "end"] * 3 and [w for _, w in events[::2]] == [a, b, a]
    with ray_session(num_cpus=2):
        assert events[-1] == ("start", (None, 2, None))
    assert events[-1][0] == "end"
    events[:] = [("start", "somebody's")]
    with session.lasting(), ray_session(num_cpus=4):
        pass
    assert events == [("start", "somebody's")]


def test_who_is_killed_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = iter(["7:1@here", "7:1@here", "7:1@here", "8:2@here"])  # the number has come round again by then
    monkeypatch.setattr(own_processes, "identity", lambda pid: next(seen))
    monkeypatch.setattr(own_processes.os, "kill", lambda pid, number: None)
    assert own_processes._kill([Path("/proc/7")]) == 1
    assert not list(seen)
