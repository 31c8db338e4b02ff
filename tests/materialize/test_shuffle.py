"""The shuffle: the order that seed and data give, whatever it was cut into; and work in proportion to the corpus."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_ray.materialize import assembly, pieces, shuffle
from omni_ray.materialize.combine import TrainingFileOptions, combine
from omni_ray.materialize.fragments import KEY, read_range, read_sorted, sorted_by_key, write_fragment
from omni_ray.materialize.placing import Bucket
from omni_ray.pipeline.engine import inline
from omni_ray.pipeline.store import Store
from tests.made_store import ROWS, commit

GOLDEN = {
    "production_corpus.txt": "9c25c2031e0fa41e",
    "production_asr.csv": "59fc8b36e735720e",
    "production_tts.csv": "2934a3f726f3e71d",
    "production_annotations.json": "460a077ea36eb89a",
    "production_ocr.csv": "9763fcc503e70956",
    "held out: production_corpus.txt": "3284b167b7a3c7da",
    "held out: heldout_corpus.txt": "4f44b6cff6662c92",
}


@given(st.integers(-(2**63), 2**65), st.integers(0, 10**12), st.integers(1, 300))
def test_keys_are_distinct_and_belong_to_rows(seed: int, start: int, count: int) -> None:
    made = shuffle.keys(seed, start, count)
    assert shuffle.rows_of(seed, made).tolist() == list(range(start, start + count))
    assert len(set(made.tolist())) == count
    assert (shuffle.keys(seed, start + 1, count)[:-1] == made[1:]).all()


@given(st.lists(st.integers(0, 50), min_size=1, max_size=40), st.integers(1, 80))
def test_buckets_cover_all_ranges_and_are_bounded(sizes: list[int], limit: int) -> None:
    runs = list(shuffle.buckets(np.array(sizes), limit))
    assert [runs[0][0], *(end for _, end in runs)] == [0, *(first for first, _ in runs[1:]), len(sizes)]
    assert all(sum(sizes[first:end]) <= limit or end == first + 1 for first, end in runs)


@given(
    st.lists(st.lists(st.integers(0, 2**64 - 1), max_size=12), min_size=1, max_size=4),
    st.lists(st.integers(0, 2**64), min_size=1, max_size=4),
)
def test_ranges_of_fragments_hold_every_record_once_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, parts: list[list[int]], cuts: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("fragments")
    paths, everything = [], []
    for number, keys in enumerate(parts):
        values = [f"{number}-{n}".encode() for n in range(len(keys))]
        table = pa.table({KEY: pa.array(keys, pa.uint64()), "a": pa.array(values, pa.large_binary())})
        rows = sorted_by_key(table)
        paths.append(str(folder / f"{number}.fragment"))
        write_fragment(paths[-1], [rows.slice(0, 5), rows.slice(5)], rows.schema)
        everything += list(zip(keys, values, strict=True))
    found: list[bytes] = []
    for low, high in pairwise(sorted({0, *cuts, shuffle.KEYS})):
        rows = read_sorted(paths, low, high)
        assert all(
            low <= key.as_py() < high for path in paths for batch in read_range(path, low, high) for key in batch[KEY]
        )
        found += rows["a"].to_pylist() if rows is not None else []
    assert found == [value for _, value in sorted(everything, key=lambda each: each[0])]


def two_corpora(root: Path) -> Path:
    for modality, row in ROWS.items():
        commit(root, modality, "alpha", [[row(n) for n in range(k * 7, k * 7 + 7)] for k in range(5)])
        commit(root, modality, "beta", [[row(n) for n in range(100, 111)], [row(n) for n in range(200, 203)]], limit=12)
    return root


def digests(root: Path, run: Any = inline) -> dict[str, str]:
    """What the files of all corpora hold, without and with something held out."""
    found = {}
    for before, options in (("", TrainingFileOptions()), ("held out: ", TrainingFileOptions(holdout=0.3))):
        for modality in ROWS:
            for file in combine(Store(root), modality, options, run=run):
                if file.is_production or file.is_held_out:
                    data = (root / file.path).read_bytes()
                    assert len(data) == file.bytes
                    found[before + Path(file.path).name] = hashlib.sha256(data).hexdigest()[:16]
    return found


@pytest.mark.slow
def test_the_order_is_what_it_always_was(tmp_path: Path) -> None:
    assert digests(two_corpora(tmp_path)).items() >= GOLDEN.items()


@pytest.mark.slow
def test_groups_buckets_and_merges_do_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "FRAGMENT_BYTES", 200)
    monkeypatch.setattr(shuffle, "_RANGE_BYTES", 64)
    for name in ("BUCKET_BYTES", "_LEAST_BYTES"):
        monkeypatch.setattr(assembly, name, 150)
    monkeypatch.setattr(assembly, "MOST_READS", 12)
    seen: set[str] = set()

    def noted(function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        seen.add(function.__name__)
        for item in items:
            function(item)
            yield function(item)  # a task whose end got lost is done once more

    assert digests(two_corpora(tmp_path), noted).items() >= GOLDEN.items()
    assert seen >= {"write_group", "merge_fragments", "place"}


@pytest.mark.slow
def test_what_is_shuffled_is_read_and_written_in_proportion_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small buckets stand for large ones: reads of fragments and bytes of scratch, by rows."""
    monkeypatch.setattr(shuffle, "_RANGE_BYTES", 256)
    for name in ("BUCKET_BYTES", "_LEAST_BYTES"):
        monkeypatch.setattr(assembly, name, 1_000)
    monkeypatch.setattr(pieces, "_LEAST_BYTES", 0)
    monkeypatch.setattr(assembly, "MOST_READS", 800)
    monkeypatch.setattr(assembly, "FAN_IN", 4)
    costs = []
    for shards in (20, 80):
        root = tmp_path / str(shards)
        commit(root, "text", "made", [[ROWS["text"](n * 50 + k) for k in range(50)] for n in range(shards)])
        costs.append(cost(root))
    assert costs[1]["scratch"] < 4.4 * costs[0]["scratch"]
    assert costs[1]["reads"] < 6 * costs[0]["reads"]  # 16 times, were every fragment read for every bucket


def cost(root: Path) -> dict[str, int]:
    total = {"reads": 0, "scratch": 0}

    def counted(function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
        for item in items:
            if isinstance(item, Bucket):
                total["reads"] += len(item.fragments) * len(item.ranges)
            elif isinstance(item, assembly.Merge):
                total["reads"] += len(item.paths) * item.steps
            result = function(item)
            if function is pieces.write_group:
                total["scratch"] += sum(Path(name).stat().st_size for name in result.fragments)
            yield result

    combine(Store(root), "text", run=counted)
    return total


def test_empty_ranges_cost_nothing(tmp_path: Path) -> None:
    """Of a clip's shard most ranges of keys of a large corpus are empty."""
    rows = pa.table({KEY: shuffle.keys(1, 0, 100), "a": pa.array([b"y" * 100] * 100, pa.large_binary())})
    write_fragment(str(tmp_path / "fragment"), [sorted_by_key(rows)], rows.schema)
    assert (tmp_path / "fragment").stat().st_size < 1.2 * 100 * 108
