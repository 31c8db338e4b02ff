"""Benchmarks that training must not have seen: samples whose text shares a run of words with one are removed.

As for GPT-3 (Brown et al. 2020, appendix C): runs of 13 words, here those that near duplicates are compared by, without case,
accents and punctuation, numbers as "0". A benchmark is a sorted array of the 64-bit hashes of its runs, kept beside the shards
under its digest: workers read it there, and new samples are cleaned without the benchmark itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache, partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from omni_ray.errors import OmniError
from omni_ray.modalities.registry import modality as modality_of
from omni_ray.pipeline.store import Store
from omni_ray.quality.documents import Documents
from omni_ray.quality.hashing import Hashes
from omni_ray.quality.minhash import run_hashes
from omni_ray.quality.preset import Benchmark
from omni_ray.quality.rules import Rule, Values
from omni_ray.storage import Storage

RUN = 13
"""Words in a row that are no coincidence."""
_MOST_RUNS = 1 << 26
"""512 MiB in every worker."""
_AT_ONCE = 1 << 22
_ENDING = ".runs"


def benchmarks_of(store: Store) -> Storage:
    """Where the runs of benchmarks are kept."""
    return store.storage.child("benchmarks")


def save_runs(storage: Storage, source: str, texts: Iterable[pa.Array]) -> tuple[Benchmark, int]:
    """Keep the runs of a benchmark's texts, each array as one text. Returns it and how many different runs it has.

    Raises:
        OmniError: it has no run, or too many.
    """
    runs = np.zeros(0, np.uint64)
    new: list[Hashes] = []
    for lines in texts:
        new.append(run_hashes(Documents(lines.cast(pa.large_string()), np.zeros(1, np.int64)), RUN)[0])
        if sum(map(len, new)) > _AT_ONCE:
            runs, new = np.unique(np.concatenate([runs, *new])), []
        if len(runs) > _MOST_RUNS:
            raise OmniError(f"{source}: has more than {_MOST_RUNS:,} runs of {RUN} words; that is not a benchmark")
    runs = np.unique(np.concatenate([runs, *new]))
    if not len(runs):
        raise OmniError(f"{source}: has no {RUN} words in a row to look for")
    data = runs.astype("<u8").tobytes()
    digest = hashlib.sha256(data).hexdigest()
    if storage.files().get(_file(digest)) != len(data):
        storage.write(_file(digest), data)
    return Benchmark(source, digest), len(runs)


def overlap_rule(storage: Storage, benchmark: Benchmark, modality: str) -> Rule:
    """The rule that removes rows whose text shares a run with the benchmark; it measures a table of rows."""
    return Rule(
        f"runs of {RUN} words of {benchmark.source}",
        "document",
        "benchmark",
        f"runs of {RUN} words that the benchmark has",
        "GPT-3 (Brown et al. 2020)",
        partial(_shared, storage, benchmark, modality),
        high=0,
    )


def _shared(storage: Storage, benchmark: Benchmark, modality: str, rows: pa.Table) -> Values:
    """Runs that each row shares with the benchmark; each caption of a picture is a text of its own."""
    column = rows[modality_of(modality).said].combine_chunks()
    owner = np.arange(len(rows))
    if pa.types.is_list(column.type):
        owner, column = pc.list_parent_indices(column).to_numpy(), column.flatten()
    texts = pc.fill_null(column.cast(pa.large_string()), "")
    if not len(texts):
        return np.zeros(len(rows))
    hashes, having, starts = run_hashes(Documents(texts, np.arange(len(texts))), RUN)
    if not len(hashes):
        return np.zeros(len(rows))
    known = _runs(storage.uri, benchmark)
    found = known[np.minimum(np.searchsorted(known, hashes), len(known) - 1)] == hashes
    shared = np.add.reduceat(found, starts, dtype=np.float64)
    return np.bincount(owner[having], shared, minlength=len(rows)).astype(np.float64)


@lru_cache(maxsize=8)
def _runs(place: str, benchmark: Benchmark) -> Hashes:
    """A worker's copy, for all shards that the worker gets."""
    storage = Storage(place)
    try:
        data = storage.read(_file(benchmark.sha256))
    except FileNotFoundError:
        data = b""
    if hashlib.sha256(data).hexdigest() != benchmark.sha256:
        raise OmniError(
            f"{storage.shown}/{_file(benchmark.sha256)} is gone or damaged; run "
            f"`omni-ray clean --decontaminate {benchmark.source}` again"
        )
    return np.frombuffer(data, "<u8")


def forget_others(storage: Storage, wanted: Iterable[Benchmark]) -> None:
    """Remove the runs of benchmarks that are no longer used for cleaning."""
    names = {_file(each.sha256) for each in wanted}
    for name in storage.files():
        if name.endswith(_ENDING) and name not in names:
            storage.delete(name)
    storage.remove_if_empty()


def _file(digest: str) -> str:
    return digest + _ENDING
