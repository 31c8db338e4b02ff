"""Which process of which machine: pids come round again, and every container has its own."""

from __future__ import annotations

from pathlib import Path


def identity(pid: int) -> str:
    """``pid``, when it started, and where, as text. Empty where there is no such process here, or it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else f"{pid}:{fields[19]}@{here()}"


def place_of(process: str) -> str:
    """Where a process, known by its identity, ran."""
    return process.partition("@")[2]


def is_dead(process: str) -> bool:
    """Whether a process, known by its identity, ran where this one runs, and does not any more."""
    number = process.partition(":")[0]
    return bool(here()) and place_of(process) == here() and number.isdecimal() and process != identity(int(number))


def here() -> str:
    """Within what a pid means something: this boot of this machine, and the container's (or the machine's) pids."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return ""
