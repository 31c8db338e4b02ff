"""The whole search for near duplicates beside datatrove's: from committed shards to shards without them.

    python -m benchmarks.duplicates --source ../shared/data/books --documents 4000 16000

Both sides get the same documents of 182 words, made of runs of 14 words from anywhere in the books, in 16 files: ours as
committed shards, datatrove's as JSONL. One in ten repeats an earlier one, one in ten does with a word changed. Ours is
`omni-ray clean` with near duplicates alone, on a Ray of two CPUs that is there already; datatrove's are its four stages
(signatures, buckets, clusters, filter) on two processes. MinHash has the same parameters on both sides and other hash
functions, so that the numbers of removed documents may differ by the few whose similarity is near the threshold: more
than 1 % ends the benchmark.

Every side runs in a process of its own, once for each number of documents; its peak memory and that of the largest process
below it are printed. Flat is right for both.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks.rounds import Row, show
from omni_ray.modalities.lines import one_line

FILES, LINES, PER_LINE = 16, 13, 14


def write_documents(source: Path, folder: Path, count: int) -> None:
    """``count`` documents, in :data:`FILES` JSONL files."""
    words: list[str] = []
    for path in sorted(source.rglob("*.txt")):
        words += one_line(path.read_text("utf-8", "replace")).split(" ")
    chooser = random.Random(count)
    documents: list[str] = []
    for number in range(count):
        if number % 10 == 8:
            document = chooser.choice(documents)
        elif number % 10 == 9:
            copy = chooser.choice(documents).split(" ")
            copy[chooser.randrange(len(copy))] = f"otherwise{number}"
            document = " ".join(copy)
        else:
            starts = [chooser.randrange(len(words) - PER_LINE) for _ in range(LINES)]
            document = "\n".join(" ".join(words[start : start + PER_LINE]) for start in starts)
        documents.append(document)
    folder.mkdir()
    size = -(-count // FILES)
    for number in range(FILES):
        some = enumerate(documents[number * size : (number + 1) * size], number * size)
        lines = (json.dumps({"id": str(n), "text": text}) + "\n" for n, text in some)
        (folder / f"{number:02d}.jsonl").write_text("".join(lines), encoding="utf-8")


def ours(source: Path, work: Path) -> dict[str, float]:
    """Seconds, and documents left."""
    import pyarrow.parquet as pq

    from omni_ray import api
    from omni_ray.pipeline.cleaned import training_corpora
    from omni_ray.pipeline.store import Store
    from omni_ray.quality.documents import document_starts

    with api.Cluster(num_cpus=2).session():
        api.prepare(work, "text", dataset="text_files", source=str(source), max_samples=None)
        started = time.perf_counter()
        api.clean(work, ["text"], preset="off", duplicates=["near_document"])
        seconds = time.perf_counter() - started
        worker = _peak_of_a_worker()
    left = 0
    for corpus in training_corpora(Store(work), "text"):
        for manifest, _ in corpus.parts():
            with corpus.storage.open(manifest.shard.file) as file:
                left += len(document_starts(pq.read_table(file, columns=["id"])["id"]))
    return {"seconds": seconds, "left": left, "worker": worker}


def _peak_of_a_worker() -> float:
    """Peak memory in MiB of the largest of the Ray workers that live."""
    import ray

    peak = ray.remote(lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return max(ray.get([peak.remote() for _ in range(16)]))  # type: ignore[no-any-return]


def theirs(source: Path, work: Path) -> dict[str, float]:
    """Seconds, and documents left."""
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import (
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter

    places = {name: str(work / name) for name in ("signatures", "buckets", "clusters", "left")}
    reader = JsonlReader(str(source))
    stages: list[tuple[list[Any], int]] = [
        ([reader, MinhashDedupSignature(places["signatures"])], FILES),
        ([MinhashDedupBuckets(places["signatures"], places["buckets"])], 14),
        ([MinhashDedupCluster(places["buckets"], places["clusters"])], 1),
        ([reader, MinhashDedupFilter(places["clusters"]), JsonlWriter(places["left"], compression=None)], FILES),
    ]
    started = time.perf_counter()
    for number, (pipeline, tasks) in enumerate(stages):
        logs = str(work / "logs" / str(number))
        LocalPipelineExecutor(pipeline=pipeline, tasks=tasks, workers=2, logging_dir=logs).run()
    seconds = time.perf_counter() - started
    left = sum(len(path.read_bytes().splitlines()) for path in Path(places["left"]).glob("*.jsonl"))
    worker = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return {"seconds": seconds, "left": left, "worker": worker}


def measure(side: str, source: Path, count: int) -> dict[str, float]:
    """One side in a process of its own: seconds, documents left, peak memory in MiB of the driver and of a worker."""
    with tempfile.TemporaryDirectory() as folder:
        write_documents(source, Path(folder) / "documents", count)
        command = [sys.executable, "-m", "benchmarks.duplicates", "--side", side, "--work", folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stderr)
        found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def rows(source: Path, counts: Sequence[int] = (4000, 16000)) -> list[Row]:
    """Both sides for each number of documents."""
    sides = ["ours", *(["datatrove"] if find_spec("datatrove") else [])]
    if len(sides) == 1:
        print("datatrove is not installed (pip install 'omni-ray[bench]'): left out")
    found = []
    for count in counts:
        left = {}
        for side in sides:
            seen = measure(side, source, count)
            left[side] = seen["left"]
            found.append(Row(f"near duplicates of {count:,} documents", side, count, "documents", [seen["seconds"]]))
            print(
                f"{count:,} documents, {side}: {seen['left']:,.0f} left, {seen['driver']:.0f} MiB in the driver, "
                f"{seen['worker']:.0f} MiB in a worker"
            )
        removed = {side: count - number for side, number in left.items()}
        if max(removed.values()) - min(removed.values()) > 0.01 * max(removed.values()):
            raise SystemExit(f"the sides disagree on what to remove: {removed}")
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, help="a folder of text files")
    parser.add_argument("--documents", type=int, nargs="+", default=[4000, 16000])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--side", choices=("ours", "datatrove"), help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.side is None:
        show(rows(options.source, options.documents), as_json=options.json)
        return
    run = ours if options.side == "ours" else theirs
    found = run(options.work / "documents", options.work / options.side)
    print(json.dumps({**found, "driver": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


if __name__ == "__main__":
    main()
