"""Breaking runs on purpose: the same command, killed at seeded moments, until it comes through.

A *storm* runs a command under random kills, reruns it until it ends by itself, and compares the SHA-256 of everything it
made with that of an undisturbed run. Used by the tests for a few storms and by ``make faults`` for many.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

VICTIMS = ("driver", "worker", "raylet")


def tree_digest(root: Path) -> str:
    """SHA-256 over names and bytes of all that a run leaves for others: everything but locks and working files."""
    digest = hashlib.sha256()
    for path in sorted((root / "data").rglob("*")):
        relative = path.relative_to(root)
        if path.is_file() and ".omni" not in relative.parts:
            digest.update(f"{relative}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def leftovers(root: Path) -> list[Path]:
    """Temporary files that a finished run should not have left."""
    return [path for path in (root / "data").rglob(".tmp-*") if ".omni" not in path.parts]


@dataclass(frozen=True)
class Storm:
    """What happened to one run: kills by victim, and how often the command was started."""

    seed: int
    kills: tuple[str, ...]
    starts: int
    digest: str


def run_clean(command: Sequence[str], root: Path) -> str:
    """Run undisturbed; returns the digest of what it made."""
    subprocess.run([sys.executable, "-m", "omni_ray", *command, "--root", str(root)], check=True, capture_output=True)
    return tree_digest(root)


def run_storm(
    command: Sequence[str], root: Path, *, seed: int, kills: int, length_s: float, victims: Sequence[str] = VICTIMS
) -> Storm:
    """Run ``omni-ray COMMAND`` under ``kills`` SIGKILLs at random moments, then until it ends by itself.

    Args:
        command: arguments of omni-ray, without ``--root``.
        root: the project folder.
        seed: decides moments and victims.
        kills: how many.
        length_s: about how long an undisturbed run takes; moments are drawn from it.
        victims: whom to kill: the driver, one of its Ray workers, or its raylet.

    Raises:
        AssertionError: the command ended with an error although nothing was killed.
    """
    choice = random.Random(seed)
    done: list[str] = []
    starts = 0
    while True:
        process = subprocess.Popen(
            [sys.executable, "-m", "omni_ray", *command, "--root", str(root)],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        starts += 1
        disturbed = False
        while len(done) < kills and process.poll() is None:
            moment = time.monotonic() + choice.uniform(0.3, length_s)
            while time.monotonic() < moment and process.poll() is None:
                time.sleep(0.02)
            victim = choice.choice(list(victims))
            if _kill(process.pid, victim, choice):
                done.append(victim)
                disturbed = True
        _, errors = process.communicate()
        if process.returncode == 0:
            break
        assert disturbed or done, errors.decode()
        assert b"Traceback" not in errors or process.returncode == -signal.SIGKILL, errors.decode()
    _reap(root)
    return Storm(seed, tuple(done), starts, tree_digest(root))


def descendants(pid: int) -> dict[int, str]:
    """Process ids below ``pid``, with their command lines."""
    parents: dict[int, int] = {}
    commands: dict[int, str] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            commands[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            parents[int(entry.name)] = int(fields[1])
        except (OSError, IndexError):
            continue
    found: dict[int, str] = {}
    frontier = {pid}
    while frontier:
        frontier = {child for child, parent in parents.items() if parent in frontier}
        found |= {child: commands[child] for child in frontier}
    return found


def _kill(driver: int, victim: str, choice: random.Random) -> bool:
    below = descendants(driver)
    if victim == "driver":
        targets = [driver]
    elif victim == "worker":
        targets = sorted(pid for pid, command in below.items() if command.startswith("ray::"))
    else:
        targets = sorted(pid for pid, command in below.items() if "/raylet/raylet" in command)
    if not targets:
        return False
    try:
        os.kill(choice.choice(targets), signal.SIGKILL)
    except ProcessLookupError:
        return False
    if victim == "driver":
        # A killed driver's Ray ends by itself, in a while; the next start must not need that, but the machine does.
        _end(below)
    return True


def _end(processes: dict[int, str]) -> None:
    for pid, command in processes.items():
        if "ray" in command:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


def _reap(root: Path) -> None:
    assert not leftovers(root), f"temporary files left: {leftovers(root)}"
