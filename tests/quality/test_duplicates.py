"""Duplicates across shards: against exact oracles, and the same however the work is cut up."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omni_ray.errors import OmniError
from omni_ray.pipeline.tasks import inline
from omni_ray.quality.components import components, unique_edges, write_edges
from omni_ray.quality.duplicates import Duplicates, Shard, find_duplicates
from omni_ray.quality.slices import read_slice, write_slices
from omni_ray.storage import Storage
from tests.quality.conftest import text_table

WORDS = [a + b for a in "bcdfghklmnprstvw" for b in ("an", "el", "ior", "ost", "um", "yx", "ade", "ikh", "ond", "urse")]


def store(folder: Path, tables: list[pa.Table]) -> list[Shard]:
    folder.mkdir(exist_ok=True)
    shards = []
    for number, table in enumerate(tables):
        name = f"part-{number:05d}.parquet"
        pq.write_table(table, folder / name)
        shards.append(Shard(Storage(folder), name, f"made/{name}"))
    return shards


def rows(found: Duplicates) -> dict[int, list[tuple[int, str, str]]]:
    return {shard: [(d.row, d.kind, d.detail) for d in listed] for shard, listed in sorted(found.of_shard.items())}


def sentences(chooser: random.Random, count: int) -> list[str]:
    return chooser.choices(WORDS, k=count)


def jaccard(a: str, b: str) -> float:
    def runs(text: str) -> set[tuple[str, ...]]:
        words = text.split()
        return {tuple(words[i : i + 5]) for i in range(len(words) - 4)}

    return len(runs(a) & runs(b)) / len(runs(a) | runs(b))


@pytest.fixture(scope="module")
def planted() -> list[str]:
    """300 documents, each with a copy in which one to twelve of its 120 words are others."""
    chooser = random.Random(4)
    texts = []
    for _ in range(300):
        words = sentences(chooser, 120)
        copy = list(words)
        for place in chooser.sample(range(120), chooser.randint(1, 12)):
            copy[place] = chooser.choice(WORDS)
        texts += [" ".join(words), " ".join(copy)]
    return texts


def test_recall_and_precision_against_exact_jaccard(tmp_path: Path, planted: list[str]) -> None:
    shards = store(tmp_path / "s", [text_table([[t] for t in planted[n : n + 100]]) for n in range(0, 600, 100)])
    found = find_duplicates(shards, "text", Storage(tmp_path / "scratch"), ["near_document"])
    gone = {shard * 100 + duplicate.row for shard, listed in found.of_shard.items() for duplicate in listed}
    similar = np.array([jaccard(planted[n], planted[n + 1]) for n in range(0, 600, 2)])
    caught = np.array([n + 1 in gone for n in range(0, 600, 2)])
    assert all(n % 2 for n in gone), "the first of two is kept"
    assert similar[caught].min() > 0.3, "nothing is taken for near that is not"
    assert caught[similar > 0.85].mean() > 0.97
    expected = 1 - (1 - similar**8) ** 14
    assert abs(caught.mean() - expected.mean()) < 0.06, "caught as often as 14 bands of 8 promise"


def test_exact_duplicates_keep_the_first(tmp_path: Path) -> None:
    one = text_table([["same", "two lines"], ["other thing"]], "a")
    two = text_table([["another"], ["same", "two lines"], ["same"]], "b")
    found = find_duplicates(store(tmp_path / "s", [one, two]), "text", Storage(tmp_path / "t"))
    assert rows(found) == {1: [(1, "document", "document: as made/part-00000.parquet row 0")]}
    assert found.stats == {"document": 1}
    assert not (tmp_path / "t" / "document").exists(), "nothing is left behind"


def test_lines(tmp_path: Path) -> None:
    long = "A line of more than twenty characters."
    table = text_table([[long, "short"], ["short", long], [long]])
    found = find_duplicates(store(tmp_path / "s", [table]), "text", Storage(tmp_path / "t"), ["line"])
    assert [d.row for d in found.of_shard[0]] == [3, 4]


def shuffled(function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    """Runs items on threads, in an order of its own, and gives results in the items' order."""
    listed = list(items)
    order = list(range(len(listed)))
    random.Random(9).shuffle(order)
    with ThreadPoolExecutor(4) as pool:
        futures = {number: pool.submit(function, listed[number]) for number in order}
    return iter([futures[number].result() for number in range(len(listed))])


def test_parallelism_and_slices_never_show(tmp_path: Path, planted: list[str]) -> None:
    documents = [[t] for t in planted[:120]] + [[t] for t in planted[:40:3]]
    shards = store(tmp_path / "s", [text_table(documents[n : n + 30]) for n in range(0, len(documents), 30)])
    plain = find_duplicates(shards, "text", Storage(tmp_path / "a"))
    many = find_duplicates(shards, "text", Storage(tmp_path / "b"), run=shuffled, slices=7)
    assert rows(plain) == rows(many) and plain.stats == many.stats
    assert set(plain.stats) == {"document", "near_document"}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=60), st.integers(1, 5))
def test_components_against_union_find(tmp_path_factory: pytest.TempPathFactory, pairs: Any, slices: int) -> None:
    parent = list(range(41))

    def root(node: int) -> int:
        while parent[node] != node:
            node = parent[node]
        return node

    for a, b in pairs:
        low, high = sorted((root(a), root(b)))
        parent[high] = low
    storage = Storage(tmp_path_factory.mktemp("c"))
    edges = np.array(pairs, np.uint64).reshape(-1, 2)
    write_edges(storage, "start", unique_edges(edges[:, 0], edges[:, 1]), slices)
    tied: dict[int, int] = {}
    for name in components(storage, ["start"], slices, inline):
        for number in range(slices):
            part = read_slice(storage, [name], number)
            tied |= {int(n): int(m) for n, m in zip(part["node"], part["neighbour"], strict=True) if m < n}
    assert tied == {node: root(node) for node in range(41) if root(node) != node}


def test_a_long_chain_is_one_component(tmp_path: Path) -> None:
    nodes = np.random.default_rng(0).permutation(3000).astype(np.uint64)
    storage = Storage(tmp_path)
    write_edges(storage, "start", unique_edges(nodes[1:], nodes[:-1]), 3)
    names = components(storage, ["start"], 3, inline)
    parts = [read_slice(storage, names, number) for number in range(3)]
    assert all((p["neighbour"][p["neighbour"] < p["node"]] == 0).all() for p in parts)


def test_slices_hold_everything_once(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    keys = np.arange(1000, dtype=np.uint64)
    write_slices(storage, "f", {"key": keys}, keys, 6)
    parts = [read_slice(storage, ["f"], number)["key"] for number in range(6)]
    assert sorted(np.concatenate(parts)) == keys.tolist() and all(50 < len(p) < 300 for p in parts)


def test_pictures(tmp_path: Path, shared_data: Path) -> None:
    import io

    from PIL import Image

    from omni_ray.quality.picture_hash import picture_hashes

    photos = [Image.open(p).convert("RGB").resize((224, 224)) for p in sorted((shared_data / "coco").rglob("*.jpg"))]
    assert len(photos) >= 20

    def encoded(image: Image.Image, quality: int) -> bytes:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        return buffer.getvalue()

    first = [encoded(p, 92) for p in photos]
    again = [encoded(p.resize((180, 180)), 40) for p in photos[:8]]
    files = [*first, *again]
    images = pa.array([{"bytes": f, "path": f"{n}.jpg"} for n, f in enumerate(files)])
    found = find_duplicates(
        store(tmp_path / "s", [pa.table({"image": images})]), "images", Storage(tmp_path / "t"), slices=3
    )
    hashes = picture_hashes(images.field("bytes"))
    near = np.bitwise_count(hashes[:, None] ^ hashes[None, :]) <= 4
    expected = [n for n in range(len(files)) if near[n, :n].any()]
    assert [d.row for d in found.of_shard[0]] == expected == list(range(len(first), len(files)))


def test_clips(tmp_path: Path, shared_data: Path) -> None:
    import io

    import soundfile

    clips = sorted((shared_data / "librispeech").rglob("*.flac"))[:3]
    samples, rate = soundfile.read(clips[0], dtype="int16")
    wav = io.BytesIO()
    soundfile.write(wav, samples, rate, format="WAV", subtype="PCM_16")
    files = [*(c.read_bytes() for c in clips), wav.getvalue()]
    table = pa.table({"audio": pa.array([{"bytes": f, "path": str(n)} for n, f in enumerate(files)])})
    found = find_duplicates(store(tmp_path / "s", [table]), "audio", Storage(tmp_path / "t"))
    assert rows(found) == {0: [(3, "clip", "clip: as made/part-00000.parquet row 0")]}


def test_unknown_kinds_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(OmniError, match="line"):
        find_duplicates([], "text", Storage(tmp_path), ["nonsense"])
    assert find_duplicates([], "text", Storage(tmp_path)).of_shard == {}
