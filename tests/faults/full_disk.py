"""A disk that fills up, and one that is read-only, under a run: called in a mount namespace of its own.

    unshare -rm python -m tests.faults.full_disk FOLDER SOURCE MB...

Runs the way on a small disk mounted at FOLDER, which is enlarged to each size in turn until it is large enough; prints what
each run said as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.faults.harness import leftovers, omni_ray, stages, tree_digest


def main(folder: str, source: str, *sizes: str) -> None:
    """Run, and print ``{"runs": [[where, exit code, what it said]], "digest": ..., "leftovers": [...]}``."""
    command = [*stages(Path(source))[0].command, "--combine", "--root", folder]
    mount(folder, f"size={sizes[0]}m", "-t", "tmpfs", "tmpfs")
    runs = []
    for size in sizes:
        mount(folder, f"remount,size={size}m")
        runs.append([f"{size} MB", *run(command)])
    mount(folder, "remount,ro")
    runs.append(["read-only", *run([*command, "--max-samples", "5"])])
    mount(folder, "remount,rw")
    runs.append(["again", *run(command)])
    root = Path(folder)
    print(json.dumps({"runs": runs, "digest": tree_digest(root), "leftovers": list(map(str, leftovers(root)))}))


def mount(folder: str, options: str, *more: str) -> None:
    """``mount -o OPTIONS ... FOLDER``"""
    subprocess.run(["mount", "-o", options, *more, folder], check=True)


def run(command: list[str]) -> tuple[int, str]:
    """Exit code and standard error of ``omni-ray``."""
    done = omni_ray(*command)
    return done.returncode, done.stderr


if __name__ == "__main__":
    main(*sys.argv[1:])
