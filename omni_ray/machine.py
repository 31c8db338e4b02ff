"""What this machine gives a process, wherever it runs: macOS has neither CPU affinity nor ``/proc``."""

from __future__ import annotations

import os


def usable_cpus() -> int:
    """CPUs that this process may run on; all there are where that is not known."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1


def begin_to_sync(file: int, offset: int, length: int) -> None:
    """Start writing a part of a file to the disk, without waiting for it: a later sync has less to do."""
    if hasattr(os, "posix_fadvise"):  # macOS has none, and syncs all of it later
        os.posix_fadvise(file, offset, length, os.POSIX_FADV_DONTNEED)


def memory() -> tuple[int, int]:
    """Bytes of memory in all, and those that are free or can be freed at once; limits of containers aside."""
    import psutil

    found = psutil.virtual_memory()
    return found.total, found.available
