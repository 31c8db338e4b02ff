"""What this machine gives a process, wherever it runs: macOS has neither CPU affinity nor ``/proc``."""

from __future__ import annotations

import os


def usable_cpus() -> int:
    """CPUs that this process may run on; where nobody says which, all there are."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1


def memory() -> tuple[int, int]:
    """Bytes of memory in all, and those that are free or can be freed at once; limits of containers aside."""
    import psutil

    found = psutil.virtual_memory()
    return found.total, found.available
