"""Running a command as a job of a Ray cluster: submit, stream its output, return its exit code, stop it on Ctrl-C."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from omni_ray.errors import FALLS_SHORT, INTERRUPTED, OmniError

DEFAULT_ADDRESS = "http://127.0.0.1:8265"
_EXCLUDED = ["/data/*", "/.venv", "/demo", ".git", "__pycache__", "/checkpoints", "*.egg-info"]
"""What a job does not need of a working folder; data are read from storage that the nodes share."""
_AGENT_PATIENCE_S = 60.0
"""A head that has just started has no job agent yet, and says so."""


def check_address(address: str, *, insecure: bool) -> str:
    """The address, if a token may be sent to it.

    Raises:
        OmniError: it is no http(s) address, or plain http to another machine, which would show the token to the network.
    """
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise OmniError(f"--address {address}: give the cluster's job address, such as {DEFAULT_ADDRESS}")
    if parts.scheme == "http" and not _is_loopback(parts.hostname) and not insecure:
        raise OmniError(
            f"--address {address}: plain http to another machine would send the token in the clear; tunnel it "
            "(`ray dashboard cluster.yaml`, or kubectl port-forward), use https, or say --insecure"
        )
    return address


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_token(environment: Mapping[str, str] = os.environ) -> None:
    """Make sure that there is a token to show to the cluster.

    Raises:
        OmniError: there is none. (Ray itself would only say that it failed to connect.)
    """
    if environment.get("RAY_AUTH_MODE", "token") != "token":
        return
    path = Path(environment.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token")
    if not environment.get("RAY_AUTH_TOKEN") and not path.is_file():
        raise OmniError(
            "there is no token for the cluster: set RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH to the token its head was "
            "started with (or RAY_AUTH_MODE=disabled if it was started without)"
        )


def check_client() -> None:
    """Make sure that Ray's client for jobs can be used. (Ray itself would say so as if the cluster were at fault.)

    Raises:
        OmniError: it cannot.
    """
    if any(find_spec(name) is None for name in ("aiohttp", "requests")):
        raise OmniError(
            "jobs are submitted by Ray's own client, which is not installed here: `pip install 'ray[default]'` (on the "
            "cluster's head, too)"
        )


def submit(
    command: Sequence[str],
    *,
    address: str = DEFAULT_ADDRESS,
    working_dir: Path | None = None,
    environment: Mapping[str, str] | None = None,
    python: str = "python",
    insecure: bool = False,
    wait: bool = True,
    say: Callable[[str], None] = print,
) -> int:
    """Run ``omni-ray COMMAND`` as a job.

    Args:
        command: arguments of ``omni-ray``; or a whole command line that begins with ``python``.
        address: of the cluster's job server.
        working_dir: a folder to send along, for a cluster on which omni_ray is not installed.
        environment: variables for the job.
        python: the interpreter on the cluster.
        insecure: allow plain http to another machine.
        wait: stream the output and return the job's exit code; else return 0 once it is submitted.
        say: gets the output, piece by piece.

    Returns:
        The job's own exit code; 130 where it was stopped.

    Raises:
        OmniError: the cluster cannot be reached or was lost, or refused the token; or Ray's client is not installed.
    """
    check_address(address, insecure=insecure)
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    check_token()
    check_client()
    from ray.exceptions import RayError
    from ray.job_submission import JobStatus, JobSubmissionClient

    words = list(command) if command and command[0].startswith("python") else [python, "-m", "omni_ray", *command]
    runtime: dict[str, Any] = {"env_vars": {"PYTHONUNBUFFERED": "1", **(environment or {})}}
    if working_dir is not None:
        runtime |= {"working_dir": str(working_dir), "excludes": _EXCLUDED}
    try:
        client = JobSubmissionClient(address)
        job = _submit(client, shlex.join(words), runtime)
    except (RayError, RuntimeError, OSError) as error:
        raise OmniError(_explain(address, error)) from error
    say(f"job {job} is submitted to {address}\n")
    if not wait:
        return 0
    try:
        status = _follow(client, job, say)
    except KeyboardInterrupt:
        client.stop_job(job)
        _end(client, job)
        say(f"\njob {job} is stopped; submit it again to go on\n")
        return INTERRUPTED
    if status == JobStatus.STOPPED:
        return INTERRUPTED
    code = client.get_job_info(job).driver_exit_code
    return code if code is not None else (0 if status == JobStatus.SUCCEEDED else 1)


def _submit(client: Any, entrypoint: str, runtime: dict[str, Any]) -> str:
    deadline = time.monotonic() + _AGENT_PATIENCE_S
    while True:
        try:
            return str(client.submit_job(entrypoint=entrypoint, runtime_env=runtime, entrypoint_num_cpus=0))
        except RuntimeError as error:
            if "No available agent" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(1)


def _end(client: Any, job: str) -> Any:
    """Wait until a job is over, a moment after its last output or after it was told to stop."""
    while not (status := _status(client, job)).is_terminal():
        time.sleep(0.2)
    return status


def _follow(client: Any, job: str, say: Callable[[str], None]) -> Any:
    """Print a job's output until it is over, however often the stream breaks; returns its status."""
    from aiohttp import ClientError

    said = 0

    async def stream() -> bool:
        nonlocal said
        texts, seen = client.tail_job_logs(job), 0  # always from the first line
        while True:
            try:
                text = await anext(texts)
            except StopAsyncIteration:
                return True
            except (RuntimeError, OSError, ClientError):
                return False
            seen += len(text)
            if seen > said:
                say(text[said - seen :])
                said = seen

    while not asyncio.run(stream()) and not _status(client, job).is_terminal():
        time.sleep(1)
    return _end(client, job)


def _status(client: Any, job: str) -> Any:
    """A job's status; a head that does not answer is asked again for a while."""
    deadline = time.monotonic() + _AGENT_PATIENCE_S
    while True:
        try:
            return client.get_job_status(job)
        except (RuntimeError, OSError) as error:
            if time.monotonic() > deadline:
                raise OmniError(
                    f"the cluster does not answer any more ({_first_line(error)}); job {job} may still be running there",
                    exit_code=FALLS_SHORT,
                ) from error
            time.sleep(1)


def _explain(address: str, error: Exception) -> str:
    text = str(error)
    if "401" in text or "uthentication" in text:
        return f"{address} refused the token; set RAY_AUTH_TOKEN to the one the cluster's head was started with"
    return f"{address} cannot be reached ({_first_line(error)}); is the cluster up, and its job port tunnelled to this machine?"


def _first_line(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
