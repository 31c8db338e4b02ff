"""From committed shards to one shuffled production file: against ``datasets``, and the disk.

    python -m benchmarks.combine [--megabytes 500] [--rounds 3] [--json]

Lines of 100 to 1,000 bytes are committed to shards once; each side then writes them all to one text file. The limit
reads the shards and writes their lines, in order, in one process, and copies nothing twice: it writes 0.5 GB, ours 1.5. Peak memory of the
driver and of its largest worker goes to standard error: it does not grow with ``--megabytes``.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks.made import add_corpus
from benchmarks.rounds import Row, compare, peak, run
from omni_ray import api
from omni_ray.pipeline.engine import on_ray

_LINES = 20_000
CORPUS = f"""
import random
import pyarrow as pa
from omni_ray.corpora import Corpus, UnitDraft

class Lines(Corpus):
    name = "lines"; modality = "text"; title = licence = homepage = size = layout = "made up"; in_all = False

    def units(self, tree, options):
        for number in range(int(tree.read("asked").decode())):
            yield UnitDraft({{"number": number}}, ("asked",), {_LINES}, {_LINES})

    def read(self, tree, payload):
        rng = random.Random(payload["number"])
        words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 11))) for _ in range(5_000)]
        ids = [f"{{payload['number']}}-{{n}}" for n in range({_LINES})]
        yield pa.table({{
            "id": ids, "where": ids,
            "text": pa.array([" ".join(rng.choices(words, k=rng.randint(15, 140))) for _ in ids], pa.large_string()),
            "title": pa.nulls(len(ids), pa.string()), "url": pa.nulls(len(ids), pa.string()),
            "lang": pa.nulls(len(ids), pa.string()),
        }})
"""
_UNIT_MEGABYTES = _LINES * 580 / 1e6


def rows(megabytes: int = 500, rounds: int = 3) -> list[Row]:
    """MB a second of each side, in wall seconds."""
    with tempfile.TemporaryDirectory() as folder, api.Cluster().session():
        root = Path(folder)
        source = add_corpus(root, CORPUS, max(1, round(megabytes / _UNIT_MEGABYTES)))
        api.prepare(root / "out", "text", dataset="lines", source=source, max_samples=None)
        shards = sorted((root / "out/data/shards/text/lines").glob("part-*.parquet"))
        target = root / "out/data/text/production_corpus.txt"

        def before() -> None:
            for written in (".omni", "text"):  # without its notes, combine would take its own files for somebody's
                shutil.rmtree(root / "out/data" / written, ignore_errors=True)
            shutil.rmtree(root / "cache", ignore_errors=True)
            (root / "limit.txt").unlink(missing_ok=True)
            os.sync()

        def ours(seed: int | None) -> None:
            api.combine(root / "out", ["text"], seed=seed)

        def limit() -> None:
            with open(root / "limit.txt", "wb") as file:
                for shard in shards:
                    for line in pq.read_table(shard, columns=["text"])["text"].to_pylist():
                        file.write(line.encode() + b"\n")

        def peer() -> None:
            import datasets

            loaded = datasets.load_dataset(
                "parquet", data_files=[str(s) for s in shards], split="train", cache_dir=str(root / "cache")
            )
            with open(root / "peer.txt", "w", encoding="utf-8") as file:
                for batch in loaded.shuffle(seed=42).iter(10_000):
                    file.writelines(f"{line}\n" for line in batch["text"])

        sides: dict[str, Callable[[], Any]] = {
            "ours": lambda: ours(42),
            "ours, corpus order": lambda: ours(None),
            "datasets, shuffle": peer,
            "limit: read and write in order": limit,
        }
        ours(42)
        driver, worker = peak(), max(on_ray(_peak, range(32)))
        size = target.stat().st_size
        print(f"memory at most: driver {driver:,.0f} MiB, worker {worker:,.0f} MiB", file=sys.stderr)
        task = f"{size / 1e6:,.0f} MB of shards to one file"
        budgets = {"limit: read and write in order": 0.6}
        found = compare(task, size / 1e6, "MB", sides, rounds=rounds, warm_up=False, before=before, budgets=budgets)
        if size != (root / "limit.txt").stat().st_size:
            raise SystemExit("the sides disagree")
    return found


def _peak(_: int) -> float:
    return peak()


if __name__ == "__main__":
    run(rows, __doc__)
