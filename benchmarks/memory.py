"""Peak memory of the commands that read everything, and of those that start workers, by samples.

    python -m benchmarks.memory --rows 100000 1000000 10000000
    python -m benchmarks.memory --words --rows 100000 1000000

Lines of 66 bytes, or words as tiny pictures, in shards of 2,000, one in a hundred held out. Each command runs in a
process of its own, which says how much memory it had at most: that of the driver, where Ray's workers do the work.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from PIL import Image

from benchmarks.growth import make_store
from benchmarks.made import commit
from omni_ray.modalities.registry import modality

_FOLDER = 1_000
"""Words of a folder."""
_COMMANDS = (
    ("combine", "--holdout", "0.01"),
    ("combine", "--holdout", "0.01"),
    ("status",),
    ("verify",),
    ("report",),
    ("clean",),
)
_RUN = """
import sys
from omni_ray.cli import main
try:
    main()
finally:
    peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print("PEAK", peak.split()[1], file=sys.stderr)
"""


def _word(number: int) -> bytes:
    """A tiny picture, another one for each number."""
    buffer = io.BytesIO()
    Image.frombytes("RGB", (2, 2), number.to_bytes(12, "little")).save(buffer, "PNG")
    return buffer.getvalue()


def make_words(root: Path, rows: int) -> None:
    """A corpus of ``rows`` words."""
    commit(root, "ocr", "words", rows, _words)


def _words(numbers: range) -> dict[str, Any]:
    schema = modality("ocr").schema
    images = [{"bytes": _word(n), "path": f"{n // _FOLDER}/{n}.png"} for n in numbers]
    return {
        "id": pa.array([f"word {n}" for n in numbers]),
        "image": pa.array(images, schema.field("image").type),
        "text": pa.array([f"word{n}" for n in numbers], schema.field("text").type),
    }


def measure(root: Path) -> list[dict[str, float | str]]:
    """Each command's peak memory in MiB and seconds, one after the other on the same project."""
    found: list[dict[str, float | str]] = []
    for command in _COMMANDS:
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", _RUN, *command, "-q", "--root", str(root)], capture_output=True, text=True
        )
        took = time.perf_counter() - began
        peak = next(line.split()[1] for line in done.stderr.splitlines() if line.startswith("PEAK"))
        found.append({"command": " ".join(command), "MiB": int(peak) / 1024, "s": took, "exit": done.returncode})
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--words", action="store_true")
    parser.add_argument("--root", type=Path, help="Keep the project in a folder of this one.")
    options = parser.parse_args(argv)
    for rows in options.rows:
        with tempfile.TemporaryDirectory(dir=options.root) as folder:
            (make_words if options.words else make_store)(Path(folder), rows)
            for each in measure(Path(folder)):
                print(json.dumps({"rows": rows, **each}), flush=True)


if __name__ == "__main__":
    main()
