"""How cost grows with the corpus: time per sample and the driver's memory, from 1e3 to 1e6 samples.

    python -m benchmarks.scale --samples 1000 10000 100000 1000000

Lines are made up by the corpus itself, so that what is measured is the engine: index, units, Ray Data, commit,
manifests, combine. Each size runs in a process of its own. Flat is right.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PER_UNIT = 5_000

CORPUS = f"""
import pyarrow as pa
from omni_ray.corpora import Corpus, UnitDraft

class Counting(Corpus):
    name = "counting"; modality = "text"; title = licence = homepage = size = layout = "made up"; in_all = False

    def units(self, tree, options):
        samples = int(tree.read("samples").decode())
        for start in range(0, samples, {PER_UNIT}):
            count = min({PER_UNIT}, samples - start)
            yield UnitDraft({{"start": start, "count": count}}, ("samples",), count, count)

    def read(self, tree, payload):
        numbers = range(payload["start"], payload["start"] + payload["count"])
        yield pa.table({{
            "id": [str(n) for n in numbers],
            "where": ["made up"] * len(numbers),
            "text": pa.array([f"Line number {{n}} of a corpus that only counts." for n in numbers], pa.large_string()),
            "title": pa.nulls(len(numbers), pa.string()),
            "url": pa.nulls(len(numbers), pa.string()),
            "lang": pa.nulls(len(numbers), pa.string()),
        }})
"""


def measure(samples: int) -> dict[str, float]:
    """One size, in this process."""
    from omni_ray import api
    from omni_ray.corpora.registry import add_file

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "corpus.py").write_text(CORPUS)
        (root / "source").mkdir()
        (root / "source" / "samples").write_text(str(samples))
        add_file(root / "corpus.py")
        more: Mapping[str, Any] = {"dataset": "counting", "source": str(root / "source"), "max_samples": None}
        with api.Cluster(num_cpus=2).session():
            api.prepare(root / "warm", "text", **{**more, "max_samples": 1})
            started = time.perf_counter()
            api.prepare(root / "out", "text", **more)
            prepared = time.perf_counter()
            api.combine(root / "out")
            combined = time.perf_counter()
        again = time.perf_counter()
        api.prepare(root / "out", "text", combine=True, **more)
        nothing = time.perf_counter() - again
    return {
        "samples": samples,
        "units": -(-samples // PER_UNIT),
        "prepare_us_per_sample": (prepared - started) / samples * 1e6,
        "combine_us_per_sample": (combined - prepared) / samples * 1e6,
        "nothing_to_do_s": nothing,
        "driver_peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def rows(sizes: list[int]) -> Iterator[dict[str, float]]:
    """Each size in a fresh process."""
    for size in sizes:
        code = f"import json; from benchmarks.scale import measure; print('RESULT' + json.dumps(measure({size})))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        yield json.loads(done.stdout.split("RESULT")[1])


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, nargs="+", default=[1_000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = []
    for row in rows(options.samples):
        found.append(row)
        if not options.json:
            print("  ".join(f"{key} {value:,.1f}" for key, value in row.items()), flush=True)
    if options.json:
        print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
