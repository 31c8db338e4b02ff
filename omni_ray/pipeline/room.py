"""Whether a local Ray has room to run: without it, Ray says so after minutes, in pages, or not at all."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from omni_ray.errors import FALLS_SHORT, OmniError
from omni_ray.machine import memory

_MIB = 1 << 20
_ADDRESS_SPACE = 6 << 30
"""A worker that has torch loaded maps nearly five GiB, most of which it never touches."""
_MEMORY, _MEMORY_PER_CPU = 100 * _MIB, 200 * _MIB
_THREADS, _THREADS_PER_CPU = 90, 30
"""Ray's control store, its raylet and its part of the driver, and a worker: measured, with some margin."""
_CGROUPS = Path("/sys/fs/cgroup")


def require_room(cpus: int) -> None:
    """Make sure that a local Ray of so many CPUs can run here.

    Raises:
        OmniError: a limit on memory or on threads is too low for it.
    """
    space = resource.getrlimit(resource.RLIMIT_AS)[0]
    if space != resource.RLIM_INFINITY and space < _ADDRESS_SPACE:
        raise _too_little(
            f"a process may map {space // _MIB:,} MiB of memory here, and Ray's need {_ADDRESS_SPACE // _MIB:,}; "
            "raise the limit (`ulimit -v unlimited`)"
        )
    free, memory = min(_free_memory(), default=None), _MEMORY + cpus * _MEMORY_PER_CPU
    if free is not None and free < memory:
        raise _too_little(
            f"{max(free, 0) // _MIB:,} MiB of memory are free here, and a Ray of {cpus} CPUs needs {memory // _MIB:,}; "
            f"give it more, or fewer CPUs (--cpus)"
        )
    left, threads = min(_free_threads(), default=None), _THREADS + cpus * _THREADS_PER_CPU
    if left is not None and left < threads:
        raise _too_little(
            f"{max(left, 0):,} more threads may be started here, and a Ray of {cpus} CPUs needs {threads:,}; raise the limit "
            "(`ulimit -u`, or the container's limit of pids), or use fewer CPUs (--cpus)"
        )


def _too_little(why: str) -> OmniError:
    return OmniError(f"Ray was not started: {why}", exit_code=FALLS_SHORT)


def _free_memory() -> Iterator[int]:
    """Bytes that are free under each limit there is."""
    yield memory()[1]
    for limit, used, statistics, kept in (
        ("memory.max", "memory.current", "memory.stat", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "memory.stat", "total_inactive_file"),
    ):
        for folder in _own_groups("memory"):
            with suppress(OSError, ValueError):
                most = int((folder / limit).read_text())
                numbers = dict(line.split() for line in (folder / statistics).read_text().splitlines())
                # What was read from files is dropped when it is needed.
                yield most - int((folder / used).read_text()) + int(numbers.get(kept, 0))


def _free_threads() -> Iterator[int]:
    """Threads that may still be started under each limit there is."""
    most = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    if most != resource.RLIM_INFINITY and os.geteuid() != 0:  # it does not hold for root
        yield most - _threads_of(os.geteuid())
    for folder in _own_groups("pids"):
        with suppress(OSError, ValueError):
            yield int((folder / "pids.max").read_text()) - int((folder / "pids.current").read_text())


def _threads_of(user: int) -> int:
    import psutil

    processes = psutil.process_iter(["uids", "num_threads"])
    return sum(
        each.info["num_threads"] or 0 for each in processes if each.info["uids"] and each.info["uids"].real == user
    )


def _own_groups(controller: str) -> Iterator[Path]:
    """The folders of the control groups that this process is in, and those above them, of both versions."""
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers and controller not in controllers.split(","):
                continue
            top = _CGROUPS / controllers if controllers else _CGROUPS
            folder = top / path.lstrip("/")
            yield from (each for each in (folder, *folder.parents) if each == top or top in each.parents)
