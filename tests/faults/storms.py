"""The long version of the fault tests, and its table: ``make faults``, or

    python -m tests.faults.storms --kills 50 --seed 0

Every storm runs the whole way (prepare, combine, plan, export, clean, export again) with a kill or two in each stage. Two storms of three hit a private
local Ray: its driver, its workers, its raylet. The third hits one of the three raylets of a cluster.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.conftest import CORPORA
from tests.faults.harness import Storm, make_source, run_clean, run_node_storm, run_storm, stages

LOCAL = {"prepare": 3, "combine": 2, "plan": 2, "export": 2, "clean": 2, "export again": 2}
NODES = {"prepare": 2, "combine": 1, "plan": 1, "clean": 1}


def main(argv: Sequence[str] | None = None) -> int:
    """Blow storms until there were ``--kills`` of them; print a table. Returns 1 where a result differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        way = stages(make_source(CORPORA, place / "source"))
        wanted, way = run_clean(way, place / "clean" / "project")
        storms: list[Storm] = []
        while sum(len(storm.kills) for storm in storms) < options.kills:
            seed = options.seed + len(storms)
            root = place / f"storm-{seed}" / "project"  # exports say what the project is called
            if seed % 3 == 2:
                storm = run_node_storm(way, root, seed=seed, kills=NODES)
            else:
                storm = run_storm(way, root, seed=seed, kills=LOCAL)
            storms.append(storm)
            is_right = storm.digest == wanted and not storm.leftovers
            killed = ", ".join(f"{kill.victim} in {kill.stage} at {kill.after:.1f} s" for kill in storm.kills)
            print(f"storm {seed}: {killed}: {'equal' if is_right else 'DIFFERS'}", file=sys.stderr, flush=True)
            if is_right:
                shutil.rmtree(root)
    print(table(storms, wanted))
    return 0 if all(storm.digest == wanted and not storm.leftovers for storm in storms) else 1


def table(storms: Sequence[Storm], wanted: str) -> str:
    """Kills by victim and stage, and what came of the runs they were in, as Markdown."""
    kills: Counter[tuple[str, str]] = Counter()
    runs: Counter[tuple[str, str]] = Counter()
    equal: Counter[tuple[str, str]] = Counter()
    for storm in storms:
        for key in {(kill.victim, kill.stage) for kill in storm.kills}:
            kills[key] += sum((kill.victim, kill.stage) == key for kill in storm.kills)
            runs[key] += 1
            equal[key] += storm.digest == wanted and not storm.leftovers
    lines = ["| killed | in | kills | runs hit | came through, equal |", "|---|---|--:|--:|--:|"]
    lines += [
        f"| {victim} | {stage} | {n} | {runs[victim, stage]} | {equal[victim, stage]} |"
        for (victim, stage), n in sorted(kills.items())
    ]
    right = sum(storm.digest == wanted and not storm.leftovers for storm in storms)
    lines.append(f"| all | | {kills.total()} | {len(storms)} | {right} |")
    starts = sum(storm.starts for storm in storms)
    return "\n".join([*lines, "", f"Commands started: {starts}. SHA-256 of the undisturbed tree: `{wanted[:16]}`."])


if __name__ == "__main__":
    sys.exit(main())
