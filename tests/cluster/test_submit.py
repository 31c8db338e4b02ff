"""Jobs on a real head on loopback, with a token: submitted, streamed, refused, stopped."""

from __future__ import annotations

import importlib.util
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from enum import Enum
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from omni_ray import api
from omni_ray import submit as submit_module
from omni_ray.errors import OmniError
from omni_ray.submit import check_address, check_token
from tests.faults.harness import descendants, omni_ray, tree_digest

ROOT = Path(__file__).parents[2]

needs_head = pytest.mark.skipif(
    importlib.util.find_spec("aiohttp_cors") is None,
    reason="a head needs ray[default]: pip install 'omni-ray[cluster]'",
)


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:8265", "http://localhost:8265", "http://[::1]:1", "https://x.org"]
)
def test_a_token_may_go_to_this_machine_or_over_https(address: str) -> None:
    assert check_address(address, insecure=False) == address


@pytest.mark.parametrize("address", ["http://10.0.0.1:8265", "http://head:8265", "http://127.0.0.1.evil.org"])
def test_a_token_never_goes_over_the_network_in_the_clear(address: str) -> None:
    with pytest.raises(OmniError, match="in the clear"):
        check_address(address, insecure=False)
    assert check_address(address, insecure=True) == address


@pytest.mark.parametrize("address", ["127.0.0.1:8265", "ray://head:10001", "file:///etc/passwd", ""])
def test_an_address_that_is_none_is_said(address: str) -> None:
    with pytest.raises(OmniError, match="job address"):
        check_address(address, insecure=True)


def test_a_missing_token_is_said(tmp_path: Path) -> None:
    nothing = {"RAY_AUTH_TOKEN_PATH": str(tmp_path / "none")}
    with pytest.raises(OmniError, match="no token"):
        check_token(nothing)
    check_token({**nothing, "RAY_AUTH_TOKEN": "x"})
    check_token({**nothing, "RAY_AUTH_MODE": "disabled"})
    (tmp_path / "none").write_text("x")
    check_token(nothing)


class JobStatus(Enum):
    """What Ray's own says of a job, as far as it matters here."""

    RUNNING = "RUNNING"
    FAILED = "FAILED"
    STOPPED = "STOPPED"
    SUCCEEDED = "SUCCEEDED"

    def is_terminal(self) -> bool:
        return self is not JobStatus.RUNNING


class Head:
    """A cluster's job server whose stream of output breaks, and which does not answer every time."""

    def __init__(self, address: str) -> None:
        self.asked: list[str] = []

    def submit_job(self, **more: Any) -> str:
        return "job-1"

    async def tail_job_logs(self, job: str) -> AsyncIterator[str]:
        self.asked.append("output")
        yield "first line\nsec"
        if len(self.asked) == 1:
            raise RuntimeError("WebSocket connection closed unexpectedly with close code 1006")
        yield "ond line\n"

    def get_job_status(self, job: str) -> JobStatus:
        self.asked.append("status")
        if len(self.asked) == 2:
            raise RuntimeError("502 Bad Gateway")
        return JobStatus.RUNNING if self.asked.count("output") == 1 else JobStatus.FAILED

    def get_job_info(self, job: str) -> Any:
        return SimpleNamespace(driver_exit_code=3)


def stand_in(client: type[Head], monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray is not imported here: it would read its settings, for all tests of this process, before they are made."""
    module = SimpleNamespace(JobSubmissionClient=client, JobStatus=JobStatus)
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(job_submission=module))
    monkeypatch.setitem(sys.modules, "ray.job_submission", module)
    monkeypatch.setitem(sys.modules, "ray.exceptions", SimpleNamespace(RayError=type("RayError", (Exception,), {})))
    monkeypatch.setenv("RAY_AUTH_TOKEN", "x")
    monkeypatch.setenv("RAY_AUTH_MODE", "token")  # as submit sets it: gone again after the test


def test_a_missing_client_is_said_and_not_taken_for_a_missing_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "omni_ray.submit.find_spec", lambda name: None if name == "aiohttp" else importlib.util.find_spec(name)
    )
    monkeypatch.setenv("RAY_AUTH_TOKEN", "x")
    with pytest.raises(OmniError, match=r"not installed here: `pip install 'ray\[default\]'`"):
        submit_module.submit(["status"])


def test_a_broken_stream_is_taken_up_until_the_job_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(Head, monkeypatch)
    monkeypatch.setattr(submit_module.time, "sleep", lambda seconds: None)
    said: list[str] = []
    assert submit_module.submit(["status"], say=said.append) == 3
    assert "".join(said[1:]) == "first line\nsecond line\n"


def test_a_cluster_that_is_gone_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(Head):
        def get_job_status(self, job: str) -> JobStatus:
            raise RuntimeError("connection refused")

    stand_in(Gone, monkeypatch)
    monkeypatch.setattr(submit_module, "_AGENT_PATIENCE_S", -1.0)
    with pytest.raises(OmniError, match=r"does not answer any more .*job-1 may still be running"):
        submit_module.submit(["status"], say=lambda text: None)


@pytest.mark.slow
def test_a_cluster_that_is_not_there_is_one_sentence() -> None:
    environment = clean_environment() | {"RAY_AUTH_TOKEN": "x"}
    done = omni_ray("submit", "--address", "http://127.0.0.1:9", "status", environment=environment)
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1
    assert "cannot be reached" in done.stderr


def clean_environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


METRICS = free_port()


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, dict[str, str]]]:
    """``ray start --head`` on loopback: its job address, and the environment that has its token."""
    folder = tmp_path_factory.mktemp("head")
    environment = clean_environment() | {
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # every socket on loopback
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_metrics_report_interval_ms": "200",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",  # a job's `python` is this one
    }
    dashboard = free_port()
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--num-cpus=2"]
    command += [f"--port={free_port()}", "--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard}"]
    command += [f"--ray-client-server-port={free_port()}", f"--dashboard-agent-listen-port={free_port()}"]
    command += [f"--metrics-export-port={METRICS}"]
    command += [f"--temp-dir=/tmp/ray-{os.getpid()}", "--disable-usage-stats", f"--object-store-memory={100 << 20}"]
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
    address = f"http://127.0.0.1:{dashboard}"
    try:
        while process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", dashboard)) == 0:
                    break
            time.sleep(0.2)
        assert process.poll() is None, (folder / "log").read_text()
        yield address, environment
    finally:
        below = descendants(process.pid)
        process.kill()
        process.wait()
        for pid in below:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


@pytest.fixture
def source(corpora: Path) -> Path:
    return corpora / "books"


@pytest.mark.slow
@needs_head
def test_a_job_streams_its_output_counts_in_ray_s_metrics_and_gives_back_its_exit_code(
    head: tuple[str, dict[str, str]], source: Path, tmp_path: Path
) -> None:
    address, environment = head
    command = ["prepare", "text", "--dataset", "books", "--source", str(source), "--combine"]
    done = omni_ray("submit", "--address", address, *command, "--root", str(tmp_path / "job"), environment=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"text/books \(prepare\): \d+/\d+, [\d,]+ kept", done.stdout)  # progress
    assert "production_corpus.txt" in done.stdout
    [summary] = api.status(tmp_path / "job")
    assert counted() == {"kept": summary.kept, **summary.reasons}
    assert omni_ray(*command, "-q", "--root", str(tmp_path / "here")).returncode == 0
    assert tree_digest(tmp_path / "job") == tree_digest(tmp_path / "here")
    wrong = omni_ray(
        "submit", "--address", address, "prepare", "text", "--source", "/nowhere", "--root", str(tmp_path / "job"),
        environment=environment,
    )  # fmt: skip
    assert wrong.returncode == 2 and "/nowhere" in wrong.stdout


def counted() -> dict[str, float]:
    """Records by what became of them, as the head shows them to Prometheus."""
    for _ in range(3000):  # the node's agent collects five times a second
        with urllib.request.urlopen(f"http://127.0.0.1:{METRICS}/metrics") as answer:
            text = answer.read().decode()
        found = re.findall(r'^ray_omni_ray_records_total\{.*?outcome="(\w+)".*?\} ([\d.]+)$', text, re.MULTILINE)
        seen = {outcome: float(records) for outcome, records in found}
        if "kept" in seen:
            return seen
    return {}


@pytest.mark.slow
@needs_head
def test_the_specification_s_scripts_run_by_plain_ray_job_submit(
    head: tuple[str, dict[str, str]], source: Path, tmp_path: Path
) -> None:
    address, environment = head
    job = [sys.executable, "jobs/download_production_text.py", "--dataset", "books", "--combine"]
    job += ["--source", str(source), "--root", str(tmp_path / "job")]
    done = subprocess.run(
        [sys.executable, "-m", "ray.scripts.scripts", "job", "submit", "--address", address, "--working-dir", ".", "--", *job],
        env=environment, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "production_corpus.txt" in done.stdout
    assert (tmp_path / "job/data/text/production_corpus.txt").stat().st_size > 0


@pytest.mark.slow
@needs_head
def test_ctrl_c_stops_the_job(head: tuple[str, dict[str, str]], tmp_path: Path) -> None:
    address, environment = head
    command = [
        "submit",
        "--address",
        address,
        "python",
        "-c",
        "print('at work', flush=True); import time; time.sleep(600)",
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "omni_ray", *command], env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    said = ""
    while "at work\n" not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate()
    assert process.returncode == 130
    assert "is stopped" in rest
    [job] = re.findall(r"job (raysubmit_\w+) is submitted", said)
    status = subprocess.run(
        [sys.executable, "-m", "ray.scripts.scripts", "job", "status", "--address", address, job],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "was stopped" in status.stdout + status.stderr


@pytest.mark.slow
@needs_head
def test_a_wrong_token_is_one_sentence(head: tuple[str, dict[str, str]]) -> None:
    address, environment = head
    for token in ("0" * 64, ""):
        more = {"RAY_AUTH_TOKEN": token} if token else {"RAY_AUTH_TOKEN_PATH": "/nowhere"}
        without = {k: v for k, v in environment.items() if k != "RAY_AUTH_TOKEN"}
        done = omni_ray("submit", "--address", address, "status", environment=without | more)
        assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1
        assert "RAY_AUTH_TOKEN" in done.stderr and "0000" not in done.stderr
