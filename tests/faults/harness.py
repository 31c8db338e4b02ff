"""Breaking runs on purpose: the same commands, killed at seeded moments, until they come through.

A *storm* runs ``prepare``, ``combine``, ``plan``, ``export`` and ``clean`` one after the other under random kills, runs each again
until it ends by itself, and compares the SHA-256 of everything they made with that of an undisturbed run. The tests blow up
a few storms; ``make faults`` (:mod:`tests.faults.storms`) many.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.faults.nodes import Nodes

VICTIMS = ("driver", "worker", "raylet")
COPIES = 30
CORPUS_FILE = Path(__file__).with_name("small_units.py")


@dataclass(frozen=True)
class Stage:
    """One command of the way: its arguments without ``--root``, which ``{root}`` stands for in the others; who of it can be
    killed; how many seconds it ran undisturbed, and how many files there were more after it."""

    name: str
    command: tuple[str, ...]
    victims: tuple[str, ...] = VICTIMS
    seconds: float = 0.0
    files: int = 0

    def arguments(self, root: Path) -> list[str]:
        """All of its arguments."""
        return [*(each.format(root=root) for each in self.command), "--root", str(root)]


@dataclass(frozen=True)
class Kill:
    """One SIGKILL: whom it hit, in which stage, and how many seconds after that stage was started."""

    victim: str
    stage: str
    after: float


@dataclass(frozen=True)
class Storm:
    """What happened to one run: its kills, how often a command was started, what was left, and what came out."""

    seed: int
    kills: tuple[Kill, ...]
    starts: int
    leftovers: tuple[str, ...]
    digest: str


def stages(source: Path) -> list[Stage]:
    """The whole way from corpora to training files and configurations, and to cleaned shards."""
    two = ("--cpus", "2", "-q")
    corpora = ("--dataset", "storm", "--corpus-file", str(CORPUS_FILE), "--source", str(source))
    return [
        # Each corpus leaves the other one's files unread.
        Stage("prepare", ("prepare", "text", "audio", *corpora, "--max-quarantine", "1", *two)),
        Stage("combine", ("combine", *two)),
        Stage("plan", ("plan", "--config", "thinker", "--config", "audio_enc", *two)),
        # So small that no Ray is started for it: there is only the driver.
        Stage("export", ("export", "webdataset", "{root}/export", "--samples-per-shard", "50", *two), ("driver",)),
        # Last, because it removes the copies that the corpora are made long with.
        Stage("clean", ("clean", *two)),
        Stage(
            "export again", ("export", "webdataset", "{root}/export", "--samples-per-shard", "20", *two), ("driver",)
        ),
    ]


def make_source(corpora: Path, root: Path) -> Path:
    """Real corpora, repeated under other names until they take tens of units."""
    shutil.copytree(corpora / "books" / "bookcorpus", root / "books")
    lines = (root / "books" / "books_large_p1.txt").read_text("utf-8")
    (root / "books" / "books_large_p1.txt").write_text(lines * 160, "utf-8")
    original = corpora / "librispeech" / "LibriSpeech" / "dev-clean"
    for copy in range(COPIES):
        for file in original.rglob("*"):
            if not file.is_file():
                continue
            speaker, chapter = file.relative_to(original).parts[:2]
            renamed = file.name.replace(f"{speaker}-{chapter}", f"{speaker}{copy}-{chapter}")
            target = root / "librispeech" / "LibriSpeech" / "dev-clean" / f"{speaker}{copy}" / chapter / renamed
            target.parent.mkdir(parents=True, exist_ok=True)
            if file.name.endswith(".trans.txt"):
                target.write_text(file.read_text("utf-8").replace(f"{speaker}-{chapter}", f"{speaker}{copy}-{chapter}"))
            else:
                shutil.copyfile(file, target)
    return root


def tree_digest(root: Path) -> str:
    """SHA-256 over names and bytes of all that a run leaves for others: everything but locks and working files."""
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        if path.is_file() and ".omni" not in relative.parts:
            digest.update(f"{relative}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def leftovers(root: Path) -> list[Path]:
    """Temporary files that a finished run should not have left."""
    return [path for path in root.rglob(".tmp-*") if ".omni" not in path.parts]


def omni_ray(*arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end."""
    return subprocess.run(
        [sys.executable, "-m", "omni_ray", *arguments], capture_output=True, text=True, env=environment, check=False
    )


def run_clean(way: Sequence[Stage], root: Path) -> tuple[str, list[Stage]]:
    """Run undisturbed; returns the digest of what was made, and the stages with how long they took and what they left."""
    timed = []
    for stage in way:
        began, before = time.monotonic(), count_files(root)
        done = omni_ray(*stage.arguments(root))
        assert done.returncode == 0, f"{stage.name}: {done.returncode}: {done.stderr}"
        timed.append(replace(stage, seconds=time.monotonic() - began, files=count_files(root) - before))
    return tree_digest(root), timed


def count_files(root: Path) -> int:
    """Files of a project, working files among them."""
    return sum(len(names) for _, _, names in os.walk(root))


def run_storm(
    way: Sequence[Stage], root: Path, *, seed: int, kills: Mapping[str, int], victims: Sequence[str] = VICTIMS
) -> Storm:
    """Run every stage under SIGKILLs at random moments, then until it ends by itself, on a private local Ray.

    The victim is drawn first, from the kinds that were hit least: where there is none yet of its kind, the moment is drawn
    from when there is. So workers, which are the last to come up, are hit as often as drivers.

    Args:
        way: the commands, in order.
        root: the project folder.
        seed: decides moments and victims.
        kills: how many, by stage.
        victims: whom to kill: the driver, one of its Ray workers, or its raylet.

    Raises:
        AssertionError: a command ended with an error although nothing was killed, or with a traceback.
    """
    choice = random.Random(seed)
    done: list[Kill] = []
    starts = 0
    for stage in way:
        left, end = kills.get(stage.name, 0), count_files(root) + stage.files
        while True:
            late = _late(root, end)
            process = _start(stage, root)
            starts += 1
            disturbed = False
            began = time.monotonic()
            while left and process.poll() is None:
                hits = Counter(kill.victim for kill in done)
                able = [each for each in victims if each in stage.victims]
                victim = choice.choice([each for each in able if hits[each] == min(hits[v] for v in able)])
                while not _targets(process.pid, victim) and process.poll() is None:
                    time.sleep(0.02)
                rest = max(0.5, 0.7 * stage.seconds - (time.monotonic() - began))
                _wait(process, choice.uniform(0.0, rest), root, late)
                if _kill(process.pid, victim, choice):
                    done.append(Kill(victim, stage.name, time.monotonic() - began))
                    left -= 1
                    disturbed = True
            if _came_through(process, disturbed):
                break
    return Storm(seed, tuple(done), starts, tuple(map(str, leftovers(root))), tree_digest(root))


def run_node_storm(way: Sequence[Stage], root: Path, *, seed: int, kills: Mapping[str, int]) -> Storm:
    """Run every stage on a cluster of three nodes, and kill one node's raylet in the middle of it, as often as ``kills``.

    A new node comes in its place. The head stays: a cluster that lost it is another cluster.
    """
    choice = random.Random(seed)
    done: list[Kill] = []
    starts = 0
    with Nodes() as nodes:
        for stage in way:
            left, end = kills.get(stage.name, 0), count_files(root) + stage.files
            while True:
                late = _late(root, end)
                process = _start(stage, root, nodes)
                starts += 1
                disturbed = False
                began = time.monotonic()
                while left and process.poll() is None:
                    # No Ray has to start here.
                    _wait(process, choice.uniform(1.0, max(2.0, 0.5 * stage.seconds)), root, late)
                    if process.poll() is None:
                        victim = choice.choice(nodes.raylets[1:])
                        os.kill(victim, signal.SIGKILL)
                        done.append(Kill("one of three raylets", stage.name, time.monotonic() - began))
                        left -= 1
                        disturbed = True
                        nodes.replace(victim)
                if _came_through(process, disturbed):
                    break
    return Storm(seed, tuple(done), starts, tuple(map(str, leftovers(root))), tree_digest(root))


def _late(root: Path, end: int) -> int:
    """How many files there are when a stage, about to start, is late in its work; ``end``: when it is done."""
    there = count_files(root)
    return there + max(1, round(0.6 * (end - there)))


def _wait(process: subprocess.Popen[bytes], seconds: float, root: Path, late: int) -> None:
    """Until the moment for a kill has come: by the clock, but not when it is too late. How long a stage took before says
    little of how far it is now where the machine has other work."""
    moment = time.monotonic() + seconds
    while time.monotonic() < moment and count_files(root) < late and process.poll() is None:
        time.sleep(0.02)


def _start(stage: Stage, root: Path, nodes: Nodes | None = None) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "omni_ray", *stage.arguments(root)]
    if nodes is not None:
        command += ["--address", nodes.address]
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
        env=nodes.environment if nodes else None,
    )  # fmt: skip


def _came_through(process: subprocess.Popen[bytes], disturbed: bool) -> bool:
    """Wait for the end. An error is right where something was killed, a traceback never is."""
    _, errors = process.communicate()
    said = errors.decode(errors="replace")
    assert "Traceback" not in said, said
    if process.returncode == 0:
        return True
    assert disturbed, f"ended with {process.returncode} though nothing was killed: {said}"
    return False


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


def _targets(driver: int, victim: str) -> list[int]:
    """Process ids of that kind."""
    if victim == "driver":
        return [driver]
    below = descendants(driver)
    if victim == "worker":
        return sorted(pid for pid, command in below.items() if command.startswith("ray::") and "Agent" not in command)
    return sorted(pid for pid, command in below.items() if "/raylet/raylet" in command)


def _kill(driver: int, victim: str, choice: random.Random) -> bool:
    targets = _targets(driver, victim)
    if not targets:
        return False
    try:
        os.kill(choice.choice(targets), signal.SIGKILL)
    except ProcessLookupError:
        return False
    # What is left of a killed driver's Ray is for the next start to clean up.
    return True
