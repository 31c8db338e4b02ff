"""The processes of local Rays of ours: which they are, and how they are ended where nobody else does it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from omni_ray.pipeline import lean
from omni_ray.pipeline.private_folder import mark_of
from omni_ray.pipeline.processes import identity, is_dead

DRIVER = "OMNI_RAY_OWNER"
"""Environment variable that every process of a local Ray inherits: which driver it belongs to. The driver itself has it
only while it starts them: whatever else it starts is not one of them."""
_INSTALLED = b"-packages/ray/"
_TITLE = b"ray::"
_CORE = ("gcs_server", "raylet")
_GONE_S, _LOOK_S = 5.0, 0.01


def end_orphans() -> int:
    """End processes of local Rays whose driver is dead; returns how many there were.

    A killed driver's Ray ends on its own, but its agents take up to a minute. They are known by the driver they belong
    to, so that nobody else's Ray is touched, and by what they run, so that nothing but Ray is: a program that a task
    started has inherited the driver's name. Whether a driver of another container lives cannot be seen from here: its
    processes are left to it. Does nothing where there is no ``/proc``.
    """
    return _kill(process for process, driver in _processes() if is_dead(driver))


def end_own() -> int:
    """End the processes of this process's own local Ray, where it cannot end in order; returns how many there were."""
    return _kill(_own())


def _own() -> Iterator[Path]:
    own = identity(os.getpid())
    return (process for process, driver in _processes() if driver == own)


def core() -> dict[int, str]:
    """The processes that this process's local Ray cannot work without, and their names; also those that just died."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            # Not by what they run or were started with: a dead child has nothing left but its name and its parent.
            name, _, rest = (process / "stat").read_text().partition("(")[2].rpartition(") ")
            if name in _CORE and int(rest.split()[1]) == os.getpid():
                found[int(process.name)] = name
    return found


def _processes() -> Iterator[tuple[Path, str]]:
    """The user's other processes that may belong to a local Ray of ours, with the identity of its driver."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if int(process.name) != os.getpid() and process.stat().st_uid == os.geteuid():
                yield process, _driver_of(process)


def _kill(processes: Iterable[Path]) -> int:
    """Kill them, and wait until they are gone: a process that is killed takes a moment to end, longer where the machine is busy."""
    killed = {}
    for process in processes:
        with suppress(OSError):
            pid = int(process.name)
            who = identity(pid)
            os.kill(pid, signal.SIGKILL)
            killed[pid] = who
    until = time.monotonic() + _GONE_S
    while any(who and identity(pid) == who for pid, who in killed.items()) and time.monotonic() < until:
        time.sleep(_LOOK_S)
    return len(killed)


def _driver_of(process: Path) -> str:
    """The identity of the driver whose local Ray a process (``/proc/PID``) is part of; empty if of none of ours.

    Ray's agents write their title over the environment they were started with. They are known by the folder of their
    Ray, below which they keep their logs.
    """
    command = (process / "cmdline").read_bytes()
    if not command.startswith(_TITLE) and not any(part in command for part in (_INSTALLED, lean.STAND_IN.encode())):
        return ""
    variables = (process / "environ").read_bytes().split(b"\0")
    named = next((v.partition(b"=")[2] for v in variables if v.startswith(f"{DRIVER}=".encode())), b"")
    if named or not command.startswith(_TITLE):
        return named.decode()
    for opened in (process / "fd").iterdir():
        with suppress(OSError):
            log = Path(os.readlink(opened))
            if log.parent.name == "logs":
                return mark_of(log.parents[2])
    return ""
