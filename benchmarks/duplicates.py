"""The whole search for near duplicates beside datatrove's: from committed shards to shards without them.

    python -m benchmarks.duplicates --source ../shared/data/books --documents 2000 8000

Both sides get the same documents of 182 words, made of runs of 14 words from anywhere in the books, in 16 files: ours as
committed shards, datatrove's as the Parquet files those were made of. One in ten repeats an earlier one, one in ten does with a word changed. Ours is
`omni-ray clean` with near duplicates alone, on a Ray of two CPUs that is there already; datatrove's are its four stages
(signatures, buckets, clusters, filter) on two processes. MinHash has the same parameters on both sides and other hash
functions, so that the numbers of removed documents may differ by the few whose similarity is near the threshold: more
than 1 % ends the benchmark.

Every side runs in a process of its own, once for each number of documents; its peak memory and that of the largest process
below it are printed. Ours is flat up to a million entries in a file and four million in a slice (70,000 and 300,000 documents).
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.rounds import Row, below_this, show
from omni_ray.modalities.lines import one_line

FILES, LINES, PER_LINE = 16, 13, 14


def write_documents(source: Path, folder: Path, count: int) -> None:
    """``count`` documents, in :data:`FILES` Parquet files."""
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
        texts = documents[number * size : (number + 1) * size]
        names = [str(number * size + place) for place in range(len(texts))]
        pq.write_table(pa.table({"id": names, "text": texts}), folder / f"{number:02d}.parquet")


def ours(source: Path, work: Path) -> dict[str, float]:
    """Seconds, peak memory of this process, and documents left."""
    from omni_ray import api
    from omni_ray.modalities.documents import document_starts
    from omni_ray.pipeline.store import Store
    from omni_ray.quality.cleaned import training_corpora

    with api.Cluster(num_cpus=2).session():
        api.prepare(work, "text", dataset="text_files", source=str(source), max_samples=None)
        started = time.perf_counter()
        api.clean(work, ["text"], preset="off", duplicates=["near_document"])
        seconds = time.perf_counter() - started
        driver = _peak()
    left = 0
    for corpus in training_corpora(Store(work), "text"):
        for manifest, _ in corpus.parts():
            with corpus.storage.open(manifest.shard.file) as file:
                left += len(document_starts(pq.read_table(file, columns=["id"])["id"]))
    return {"seconds": seconds, "left": left, "driver": driver}


def _peak(pid: int | str = "self") -> float:
    """Peak memory of a process so far, in MiB. Not getrusage's, which begins with that of the process that started it."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def theirs(source: Path, work: Path) -> dict[str, float]:
    """Seconds, peak memory of this process, and documents left."""
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import (
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from datatrove.pipeline.readers import ParquetReader
    from datatrove.pipeline.writers import ParquetWriter

    places = {name: str(work / name) for name in ("signatures", "buckets", "clusters", "left")}
    reader = ParquetReader(str(source))
    stages: list[tuple[list[Any], int]] = [
        ([reader, MinhashDedupSignature(places["signatures"])], FILES),
        ([MinhashDedupBuckets(places["signatures"], places["buckets"])], 14),
        ([MinhashDedupCluster(places["buckets"], places["clusters"])], 1),
        ([reader, MinhashDedupFilter(places["clusters"]), ParquetWriter(places["left"])], FILES),
    ]
    started = time.perf_counter()
    for number, (pipeline, tasks) in enumerate(stages):
        logs = str(work / "logs" / str(number))
        LocalPipelineExecutor(pipeline=pipeline, tasks=tasks, workers=2, logging_dir=logs).run()
    seconds = time.perf_counter() - started
    driver = _peak()
    left = sum(pq.read_metadata(path).num_rows for path in Path(places["left"]).glob("*.parquet"))
    return {"seconds": seconds, "left": left, "driver": driver}


@contextmanager
def largest_below() -> Iterator[list[float]]:
    """Peak memory in MiB of the largest process below this one, looked at ten times a second; the list grows."""
    peaks = [0.0]
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.1):
            for pid in below_this():
                with suppress(OSError):
                    peaks.append(_peak(pid))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield peaks
    finally:
        over.set()
        thread.join()


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


def rows(source: Path, counts: Sequence[int] = (2000, 8000)) -> list[Row]:
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
    parser.add_argument("--documents", type=int, nargs="+", default=[2000, 8000])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--side", choices=("ours", "datatrove"), help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.side is None:
        show(rows(options.source, options.documents), as_json=options.json)
        return
    run = ours if options.side == "ours" else theirs
    with largest_below() as peaks:
        found = run(options.work / "documents", options.work / options.side)
    print(json.dumps({**found, "worker": max(peaks)}))


if __name__ == "__main__":
    main()
