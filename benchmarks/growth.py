"""How the work of the shuffle and of the search for duplicates grows with the corpus: reads, scratch, tasks, CPU seconds.

    python -m benchmarks.growth [--rows 100000 1000000 10000000] [--scale 100] [--json]

Made-up lines of 60 bytes, a tenth of them said twice. Everything runs in this process, without Ray, so that counts are exact. Buckets,
groups, slices and files are ``--scale`` times smaller than they are, so that 1e7 rows stand for 1e9. The last line is the
exponent of the growth between the last two sizes: 1 is in proportion to the rows, 2 is with their square.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.made import commit
from omni_ray.materialize import assembly, pieces, shuffle
from omni_ray.materialize.combine import combine
from omni_ray.materialize.placing import Bucket
from omni_ray.pipeline.store import Store
from omni_ray.quality import duplicates, partitions
from omni_ray.quality.duplicate_results import ShardFile
from omni_ray.quality.duplicates import find_duplicates
from omni_ray.storage import Storage

_SMALLER = (
    (assembly, "BUCKET_BYTES"),
    (assembly, "_LEAST_BYTES"),
    (assembly, "MOST_READS"),
    (pieces, "FRAGMENT_BYTES"),
    (pieces, "_GROUP_BYTES"),
    (shuffle, "_RANGE_BYTES"),
    (duplicates, "_SLICE_ENTRIES"),
    (duplicates, "_FILE_ENTRIES"),
    (partitions, "PIECE_ENTRIES"),
    (partitions, "MOST_READS"),
    (partitions, "_CHUNK_BYTES"),
)
Counts = dict[str, float]


def make_store(root: Path, rows: int) -> Store:
    """A corpus of ``rows`` lines, each a document of its own."""
    return commit(root, "text", "lines", rows, _lines)


def _lines(rows: range) -> dict[str, Any]:
    numbers = pa.array(rows, pa.int64())
    said = pc.cast(pc.divide(pc.multiply(numbers, 9), 10), pa.string())
    text = pc.binary_join_element_wise("A line that is made up to be counted, and whose number is", said, " ")
    ids = pc.binary_join_element_wise(pc.cast(numbers, pa.string()), "0", "#")
    return {"id": ids, "text": text.cast(pa.large_string())}


def of_shuffle(store: Store) -> Counts:
    """What ``combine`` costs."""
    total = {"tasks": 0.0, "reads": 0.0, "scratch MB": 0.0}

    def counted(function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            total["tasks"] += 1
            if isinstance(item, Bucket):
                total["reads"] += len(item.fragments) * len(item.ranges)
            elif isinstance(item, assembly.Merge):
                total["reads"] += len(item.paths) * item.steps
            result = function(item)
            if isinstance(item, pieces.ShardGroup):
                total["scratch MB"] += sum(Path(name).stat().st_size for name in result.fragments) / 1e6
            yield result

    return _timed(total, lambda: combine(store, "text", run=counted))


def of_duplicates(store: Store, scratch: Path) -> Counts:
    """What the search for equal documents costs."""
    total = {"tasks": 0.0, "reads": 0.0, "scratch MB": 0.0}
    corpus = store.corpus("text", "lines")
    shards = [ShardFile(corpus.storage, each.shard.file, each.shard.file) for each, _ in corpus.parts()]
    runs = partitions._runs

    def counted_runs(*which: Any) -> Any:
        total["reads"] += 1
        return runs(*which)

    def counted(function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            total["tasks"] += 1
            yield function(item)
        used = sum(path.stat().st_size for path in scratch.rglob("*") if path.is_file()) / 1e6
        total["scratch MB"] = max(total["scratch MB"], used)

    partitions._runs = counted_runs
    try:
        return _timed(total, lambda: find_duplicates(shards, "text", Storage(scratch), ["document"], run=counted))
    finally:
        partitions._runs = runs


def _timed(total: Counts, work: Callable[[], Any]) -> Counts:
    began = time.process_time()
    work()
    return {**total, "CPU s": time.process_time() - began}


def measure(sizes: Sequence[int], scale: int) -> dict[str, list[Counts]]:
    """Counts by what is counted, in the order of ``sizes``."""
    for module, name in _SMALLER:
        setattr(module, name, max(1, getattr(module, name) // scale))
    found: dict[str, list[Counts]] = {"shuffle": [], "duplicates": []}
    for rows in sizes:
        with tempfile.TemporaryDirectory() as folder:
            store = make_store(Path(folder), rows)
            found["shuffle"].append({"rows": rows, **of_shuffle(store)})
            found["duplicates"].append({"rows": rows, **of_duplicates(store, Path(folder) / "scratch")})
    return found


def exponents(counts: Sequence[Counts]) -> Counts:
    """Of the growth of each count between the last two sizes."""
    before, last = counts[-2:]
    grown = math.log(last["rows"] / before["rows"])
    return {name: math.log(last[name] / before[name]) / grown for name in last if before[name] and name != "rows"}


def main(argv: Sequence[str] | None = None) -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--scale", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    found = measure(options.rows, options.scale)
    if options.json:
        print(json.dumps(found))
        return
    for what, counts in found.items():
        print(f"| {what}: rows | {' | '.join(list(counts[0])[1:])} |")
        print("|" + "--:|" * len(counts[0]))
        for each in counts:
            print(f"| {each['rows']:,} | {' | '.join(f'{value:,.1f}' for value in list(each.values())[1:])} |")
        if len(counts) > 1:
            print(f"| growth | {' | '.join(f'{value:.2f}' for value in exponents(counts).values())} |")


if __name__ == "__main__":
    main()
