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

import random
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

from benchmarks.rounds import Row, apart, below_this, peak, run
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
        driver = peak()
    left = 0
    for corpus in training_corpora(Store(work), "text"):
        for manifest, _ in corpus.parts():
            with corpus.storage.open(manifest.shard.file) as file:
                left += len(document_starts(pq.read_table(file, columns=["id"])["id"]))
    return {"seconds": seconds, "left": left, "driver": driver}


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
    driver = peak()
    left = sum(pq.read_metadata(path).num_rows for path in Path(places["left"]).glob("*.parquet"))
    return {"seconds": seconds, "left": left, "driver": driver}


SIDES = {"ours": ours, "datatrove": theirs}


@contextmanager
def largest_below() -> Iterator[list[float]]:
    """Peak memory in MiB of the largest process below this one, looked at ten times a second; the list grows."""
    peaks = [0.0]
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.1):
            for pid in below_this():
                with suppress(OSError):
                    peaks.append(peak(pid))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield peaks
    finally:
        over.set()
        thread.join()


def measure(side: str, folder: Path) -> dict[str, float]:
    """One side, in this process: seconds, documents left, peak memory in MiB of the driver and of a worker."""
    with largest_below() as peaks:
        found = SIDES[side](folder / "documents", folder / side)
    return {**found, "worker": max(peaks)}


def rows(source: Path, documents: Sequence[int] = (2000, 8000)) -> list[Row]:
    """Both sides for each number of documents."""
    sides = [side for side in SIDES if side == "ours" or find_spec(side)]
    if len(sides) == 1:
        print("datatrove is not installed (pip install 'omni-ray[bench]'): left out")
    found = []
    for count in documents:
        left = {}
        for side in sides:
            with tempfile.TemporaryDirectory() as folder:
                write_documents(source, Path(folder) / "documents", count)
                seen = apart(measure, side, Path(folder))
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


if __name__ == "__main__":
    run(rows, __doc__)
