"""How cost grows with the corpus: time per sample and the driver's memory, from 1e3 to 1e6 samples.

    python -m benchmarks.scale --samples 1000 10000 100000 1000000
    python -m benchmarks.scale --units 1000 10000 100000

Lines are made up by the corpus itself, so that what is measured is the engine: index, units, Ray Data, commit,
manifests, combine. Each size runs in a process of its own. Flat is right.

``--units`` measures what the driver alone does for every unit: it numbers and fingerprints them, holds them, reads the
manifests of a finished run, and schedules (a tenth of them, a sample each; wall time has the commits in it, CPU time is
the driver's alone). A rerun of those, with nothing to do, indexes, reads manifests, and combines nothing.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.made import add_corpus
from benchmarks.rounds import apart, peak
from omni_ray import api
from omni_ray.corpora.base import UnitDraft
from omni_ray.pipeline.corpus_folder import CorpusFolder
from omni_ray.pipeline.manifest import CommittedFile, Manifest, part_name
from omni_ray.pipeline.store import CorpusStore
from omni_ray.pipeline.units import number_units
from omni_ray.sources import open_tree
from omni_ray.storage import Storage

PER_UNIT = 5_000

CORPUS = """
import pyarrow as pa
from omni_ray.corpora import Corpus, UnitDraft

class Counting(Corpus):
    name = "counting"; modality = "text"; title = licence = homepage = size = layout = "made up"; in_all = False

    def units(self, tree, options):
        samples, per_unit = map(int, tree.read("asked").decode().split())
        for start in range(0, samples, per_unit):
            count = min(per_unit, samples - start)
            yield UnitDraft({"start": start, "count": count}, (), count, count)

    def read(self, tree, payload):
        numbers = range(payload["start"], payload["start"] + payload["count"])
        yield pa.table({
            "id": [str(n) for n in numbers],
            "where": ["made up"] * len(numbers),
            "text": pa.array([f"Line number {n} of a corpus that only counts." for n in numbers], pa.large_string()),
            "title": pa.nulls(len(numbers), pa.string()),
            "url": pa.nulls(len(numbers), pa.string()),
            "lang": pa.nulls(len(numbers), pa.string()),
        })
"""


def measure(samples: int, per_unit: int = PER_UNIT) -> dict[str, float]:
    """One size, in this process."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        source = add_corpus(root, CORPUS, f"{samples} {per_unit}")
        more: Mapping[str, Any] = {"dataset": "counting", "source": source, "max_samples": None}
        with api.Cluster(num_cpus=2).session():
            api.prepare(root / "warm", "text", **{**more, "max_samples": 1})
            started, cpu_before = time.perf_counter(), time.process_time()
            api.prepare(root / "out", "text", **more)
            prepared, cpu = time.perf_counter(), time.process_time() - cpu_before
            api.combine(root / "out")
            combined = time.perf_counter()
        again = time.perf_counter()
        api.prepare(root / "out", "text", combine=True, **more)
        nothing = time.perf_counter() - again
    return {
        "samples": samples,
        "units": -(-samples // per_unit),
        "prepare_us_per_sample": (prepared - started) / samples * 1e6,
        "prepare_driver_cpu_us_per_sample": cpu / samples * 1e6,
        "combine_us_per_sample": (combined - prepared) / samples * 1e6,
        "nothing_to_do_s": nothing,
        "driver_peak_mib": peak(),
    }


def keep_books(count: int) -> dict[str, float]:
    """What ``count`` units cost the driver, in this process: no unit is made, but a tenth of them to see scheduling."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "source").mkdir()
        (Path(folder) / "source" / "input").write_text("x")
        tree = open_tree(Path(folder) / "source")
        before = _resident()
        started = time.perf_counter()
        units = number_units((UnitDraft({"start": n}, ("input",), 1, 1) for n in range(count)), tree, {})
        numbered = time.perf_counter()
        held = _resident()
        shards = Path(folder) / "shards"
        shards.mkdir()
        for unit in units:
            shard = CommittedFile(f"{part_name(unit.index)}.parquet", 1, 1, "0" * 64)
            manifest = Manifest(
                unit.index, unit.fingerprint, shard, None, 1, {"in": 1, "kept": 1, "quarantined": 0}, {}
            )
            (shards / f"{part_name(unit.index)}.json").write_bytes(manifest.as_json())
            (shards / shard.file).write_bytes(b"x")
        store = CorpusStore(CorpusFolder(Storage(folder), ("shards",)), "text", "counting")
        opened = time.perf_counter()
        found = store.committed()
        read = time.perf_counter()
        manifests = _resident()
        assert len(found) == count
    scheduled = measure(count // 10, per_unit=1)
    return {
        "units": count,
        "index_us_per_unit": (numbered - started) / count * 1e6,
        "index_bytes_per_unit": (held - before) / count,
        "manifests_us_per_unit": (read - opened) / count * 1e6,
        "manifests_bytes_per_unit": (manifests - held) / count,
        "empty_unit_ms": scheduled["prepare_us_per_sample"] / 1e3,
        "nothing_to_do_us_per_unit": scheduled["nothing_to_do_s"] / (count // 10) * 1e6,
        "driver_cpu_ms_per_unit": scheduled["prepare_driver_cpu_us_per_sample"] / 1e3,
        "driver_peak_mib": scheduled["driver_peak_mib"],
    }


def _resident() -> int:
    """Bytes of memory that this process has now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, nargs="+", default=[1_000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--units", type=int, nargs="+")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = []
    measured = keep_books if options.units else measure
    for size in options.units or options.samples:
        row = apart(measured, size)
        found.append(row)
        if not options.json:
            print("  ".join(f"{key} {value:,.1f}" for key, value in row.items()), flush=True)
    if options.json:
        print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
