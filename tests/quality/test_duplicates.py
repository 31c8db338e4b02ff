"""Duplicates across shards: against exact oracles, and the same however the work is cut up."""

from __future__ import annotations

import io
import itertools
import pickle
import random
import re
from collections import Counter
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
from omni_ray.pipeline.engine import inline
from omni_ray.progress.reporter import Reporter
from omni_ray.quality import duplicates, partitions
from omni_ray.quality.components import components, unique_edges, write_edges
from omni_ray.quality.duplicate_results import Duplicates, ShardFile
from omni_ray.quality.duplicates import find_duplicates
from omni_ray.quality.partitions import read_slice, slice_of, write_slices
from omni_ray.storage import Storage
from tests.examples import examples
from tests.quality.conftest import text_table

WORDS = [a + b for a in "bcdfghklmnprstvw" for b in ("an", "el", "ior", "ost", "um", "yx", "ade", "ikh", "ond", "urse")]


def store(folder: Path, tables: list[pa.Table]) -> list[ShardFile]:
    folder.mkdir(exist_ok=True)
    shards = []
    for number, table in enumerate(tables):
        name = f"part-{number:05d}.parquet"
        pq.write_table(table, folder / name)
        shards.append(ShardFile(Storage(folder), name, f"made/{name}"))
    return shards


def rows(found: Duplicates) -> dict[int, list[tuple[int, str, str]]]:
    listed = ((shard, found.of_shard(shard)) for shard, mark in enumerate(found.marks) if mark)
    return {shard: [(d.row, d.kind, d.detail) for d in duplicates] for shard, duplicates in listed}


def sentences(chooser: random.Random, count: int) -> list[str]:
    return chooser.choices(WORDS, k=count)


def runs(text: str) -> set[tuple[str, ...]]:
    words = text.split()
    return {tuple(words[i : i + 5]) for i in range(len(words) - 4)}


def jaccard_of_all_pairs(texts: list[str]) -> dict[tuple[int, int], float]:
    """The exact similarity of all pairs that share anything."""
    sets = [runs(text) for text in texts]
    shared: Counter[tuple[int, int]] = Counter()
    holders: dict[tuple[str, ...], list[int]] = {}
    for number, own in enumerate(sets):
        for run in own:
            shared.update((other, number) for other in holders.setdefault(run, []))
            holders[run].append(number)
    return {(a, b): both / (len(sets[a]) + len(sets[b]) - both) for (a, b), both in shared.items()}


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


def test_recall_and_precision_against_the_jaccard_of_all_pairs(tmp_path: Path, planted: list[str]) -> None:
    texts = [*planted, *planted[:40:8]]
    shards = store(tmp_path / "s", [text_table([[t] for t in texts[n : n + 100]]) for n in range(0, len(texts), 100)])
    found = find_duplicates(shards, "text", Storage(tmp_path / "scratch"), ["near_document"])
    kept = {}
    for shard, listed in rows(found).items():
        for row, _, detail in listed:
            to = re.fullmatch(r"near_document: as made/part-(\d+).parquet row (\d+)", detail)
            assert to is not None
            kept[shard * 100 + row] = int(to[1]) * 100 + int(to[2])
    similarity = jaccard_of_all_pairs(texts)
    alike = {pair for pair, share in similarity.items() if share >= 0.7}
    pairs = {(first, gone) for gone, first in kept.items()}
    assert min(similarity[pair] for pair in pairs) > 0.3, "nothing is taken for near that is not"
    assert np.mean([similarity[pair] >= 0.5 for pair in pairs]) > 0.95
    root = {number: kept.get(number, number) for number in range(len(texts))}
    caught = {pair for pair in alike if root[pair[0]] == root[pair[1]]}
    near = {pair for pair in alike if similarity[pair] > 0.85}
    assert len(near & caught) / len(near) > 0.97
    planted_pairs = [(n, n + 1) for n in range(0, 600, 2)]
    expected = np.mean([1 - (1 - similarity[pair] ** 8) ** 14 for pair in planted_pairs])
    seen = np.mean([root[a] == root[b] for a, b in planted_pairs])
    assert abs(seen - expected) < 0.06, "caught as often as 14 bands of 8 promise"


def test_exact_duplicates_keep_the_first(tmp_path: Path) -> None:
    one = text_table([["same", "two lines"], ["other thing"]], "a")
    two = text_table([["another"], ["same", "two lines"], ["same"]], "b")
    found = find_duplicates(store(tmp_path / "s", [one, two]), "text", Storage(tmp_path / "t"))
    assert rows(found) == {1: [(1, "document", "document: as made/part-00000.parquet row 0")]}
    left = {str(path.relative_to(tmp_path / "t")) for path in (tmp_path / "t").rglob("*") if path.is_file()}
    assert left == {"found/after-1-0000", "found/after-1-0001"}, "only what was found is left behind"


def test_lines(tmp_path: Path) -> None:
    long = "A line of more than twenty characters."
    table = text_table([[long, "short"], ["short", long], [long]])
    found = find_duplicates(store(tmp_path / "s", [table]), "text", Storage(tmp_path / "t"), ["line"])
    assert [d.row for d in found.of_shard(0)] == [3, 4]


def documents_with_copies(chooser: random.Random) -> list[list[str]]:
    """Documents of a few lines out of few, so that documents, near documents and lines repeat, and chains form."""
    lines = [" ".join(sentences(chooser, 12)) for _ in range(12)]
    made: list[list[str]] = []
    for _ in range(chooser.randint(2, 30)):
        if made and chooser.random() < 0.6:
            copy = list(chooser.choice(made))
            for _ in range(chooser.choice([0, 0, 1])):
                words = copy[chooser.randrange(len(copy))].split()
                words[chooser.randrange(len(words))] = chooser.choice(WORDS)
                copy.insert(chooser.randint(0, len(copy)), " ".join(words))
            made.append(copy)
        else:
            made.append(chooser.sample(lines, chooser.randint(1, 6)))
    return made


@pytest.mark.parametrize("seed", range(12))
def test_a_row_goes_only_because_of_one_that_stays(tmp_path: Path, seed: int) -> None:
    chooser = random.Random(seed)
    documents = documents_with_copies(chooser)
    size = chooser.randint(1, 12)
    tables = [text_table(documents[n : n + size]) for n in range(0, len(documents), size)]
    kinds = chooser.choice([["document", "near_document", "line"], ["near_document", "line"], ["document", "line"]])
    found = find_duplicates(store(tmp_path / "s", tables), "text", Storage(tmp_path / "t"), kinds)
    gone: dict[tuple[int, int], str] = {}
    for shard, listed in rows(found).items():
        ids = [name.partition("#")[0] for name in tables[shard]["id"].to_pylist()]
        for row, kind, _ in listed:
            whole = kind != "line"
            gone |= {(shard, n): kind for n in range(row, len(ids)) if n == row or (whole and ids[n] == ids[row])}
    texts = {(s, n): text for s, table in enumerate(tables) for n, text in enumerate(table["text"].to_pylist())}
    for shard, listed in rows(found).items():
        for row, kind, detail in listed:
            to = re.fullmatch(r"(\w+): as made/part-(\d+).parquet row (\d+)", detail)
            assert to is not None and to[1] == kind
            target = (int(to[2]), int(to[3]))
            assert target < (shard, row)
            # The lines of a document that stays may be said by lines that stay, in turn.
            assert gone.get(target, "line") == "line" and (kind != "line" or target not in gone)
            if kind != "near_document":
                assert texts[target] == texts[shard, row]
    left = {text for place, text in texts.items() if place not in gone}
    of_near = {text for place, text in texts.items() if gone.get(place) == "near_document"}
    assert set(texts.values()) - left <= of_near, "nothing is lost but what near duplicates say a little differently"


def test_a_copy_of_a_near_duplicate_is_said_to_be_like_what_stays(tmp_path: Path) -> None:
    words = sentences(random.Random(3), 120)
    first, near = " ".join(words), " ".join([*words[:-1], "otherwise"])
    table = text_table([[first], [near], [near], ["Something else."], ["Something else."]])
    found = find_duplicates(store(tmp_path / "s", [table]), "text", Storage(tmp_path / "t"))
    assert rows(found) == {
        0: [
            (1, "near_document", "near_document: as made/part-00000.parquet row 0"),
            (2, "near_document", "near_document: as made/part-00000.parquet row 0"),
            (4, "document", "document: as made/part-00000.parquet row 3"),
        ]
    }


def test_a_line_that_everybody_says_is_held_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = []
    real = duplicates._first_of_equal

    def watched(entries: Any, tie: Any) -> Any:
        held.append(len(entries[0]))
        return real(entries, tie)

    for name, size in {"_SLICE_ENTRIES": 50, "_FILE_ENTRIES": 20}.items():
        monkeypatch.setattr(duplicates, name, size)
    monkeypatch.setattr(partitions, "PIECE_ENTRIES", 30)
    monkeypatch.setattr(duplicates, "_first_of_equal", watched)
    table = text_table([["All rights reserved by the owners.", f"Only document {n} says this."] for n in range(200)])
    shards = store(tmp_path / "s", [table.slice(n, 20) for n in range(0, 400, 20)])
    found = find_duplicates(shards, "text", Storage(tmp_path / "t"), ["line"], slices=1)
    assert sum(len(listed) for listed in rows(found).values()) == 199
    assert {detail for listed in rows(found).values() for _, _, detail in listed} == {
        "line: as made/part-00000.parquet row 0"
    }
    assert max(held) < 3 * 50 + 200, "200 lines are different; of the equal ones a file's worth is held"


def test_what_comes_back_does_not_grow_with_what_was_found(tmp_path: Path) -> None:
    def sizes(lines: int) -> list[int]:
        seen: list[int] = []

        def weighed(function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
            for item in items:
                result = function(item)
                seen.append(len(pickle.dumps(result)))
                yield result

        said = [["The same line again and again, in every document."]] * lines
        shards = store(tmp_path / f"s{lines}", [text_table(said) for _ in range(3)])
        found = find_duplicates(shards, "text", Storage(tmp_path / f"t{lines}"), ["line"], weighed)
        assert sum(len(listed) for listed in rows(found).values()) == 3 * lines - 1
        return seen

    few, many = sizes(2), sizes(2000)
    assert len(few) == len(many) and max(many) <= max(few) + 8


def test_captions_across_pictures_are_compared_where_the_pictures_stay(tmp_path: Path) -> None:
    from tests.made_store import image_row, picture

    files = [picture(0), picture(0), picture(1), picture(2)]
    captions = [["a dog"], ["a cat", "a dog"], ["a cat"], ["two birds", "a dog", "a cat"]]
    made = [
        image_row(n) | {"captions": said, "image": {"bytes": file, "path": f"{n}.jpg"}}
        for n, (file, said) in enumerate(zip(files, captions, strict=True))
    ]
    shards = store(tmp_path / "s", [pa.Table.from_pylist(made[:2]), pa.Table.from_pylist(made[2:])])
    found = find_duplicates(shards, "images", Storage(tmp_path / "t"), ["picture", "caption"])
    assert rows(found) == {
        0: [(1, "picture", "picture: as made/part-00000.parquet row 0")],
        1: [
            (2, "caption", "caption: as made/part-00000.parquet caption 0"),
            (3, "caption", "caption: as made/part-00001.parquet caption 0"),
        ],
    }
    assert find_duplicates(shards, "images", Storage(tmp_path / "u")).kinds == ("picture",), "captions only if asked"


def test_a_shard_of_too_many_rows_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "ROW_BITS", 1)
    with pytest.raises(OmniError, match="3 rows; at most 2"):
        find_duplicates(
            store(tmp_path / "s", [text_table([["a"], ["b"], ["c"]])]), "text", Storage(tmp_path / "t"), ["line"]
        )


def test_the_search_says_how_far_it_is(tmp_path: Path) -> None:
    said = io.StringIO()
    shards = store(
        tmp_path / "s", [text_table([["five words are the same"], ["another one"]], str(n)) for n in range(3)]
    )
    reporter = Reporter(stream=said, clock=itertools.count().__next__)
    find_duplicates(shards, "text", Storage(tmp_path / "t"), reporter=reporter)
    reporter.end()
    assert "text: document (duplicates)" in said.getvalue() and "left" in said.getvalue()
    last = {line.partition(" (")[0]: line for line in said.getvalue().splitlines()}
    assert "7/7, 6 compared, 4 found" in last["text: document"]
    assert "1 compared, 0 found" in last["text: near_document"], "one is left that has five words"


def shuffled(function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    """Runs items on threads, in an order of its own, and gives results in the items' order."""
    listed = list(items)
    order = list(range(len(listed)))
    random.Random(9).shuffle(order)
    with ThreadPoolExecutor(4) as pool:
        futures = {number: pool.submit(function, listed[number]) for number in order}
    return iter([futures[number].result() for number in range(len(listed))])


def test_parallelism_and_slices_never_show(tmp_path: Path, planted: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    documents = [[t] for t in planted[:120]] + [[t] for t in planted[:40:3]]
    shards = store(tmp_path / "s", [text_table(documents[n : n + 30]) for n in range(0, len(documents), 30)])
    plain = find_duplicates(shards, "text", Storage(tmp_path / "a"))
    for name, size in {"_FILE_ENTRIES": 500, "_BLOCKS": 2}.items():
        monkeypatch.setattr(duplicates, name, size)
    for name, size in {"PIECE_ENTRIES": 5, "MOST_READS": 10, "FAN_IN": 3, "_CHUNK_BYTES": 200}.items():
        monkeypatch.setattr(partitions, name, size)
    many = find_duplicates(shards, "text", Storage(tmp_path / "b"), run=shuffled, slices=7)
    assert rows(plain) == rows(many) and plain.marks == many.marks
    assert {kind for listed in rows(plain).values() for _, kind, _ in listed} == {"document", "near_document"}


@pytest.mark.slow
@settings(max_examples=examples(30), deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=60), st.integers(1, 5))
def test_components_against_union_find(tmp_path_factory: pytest.TempPathFactory, pairs: Any, parts: int) -> None:
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
    write_edges(storage, "start", unique_edges(edges[:, 0], edges[:, 1]), parts)
    tied: dict[int, int] = {}
    for name in components(storage, ["start"], parts, inline):
        for number in range(parts):
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


@pytest.mark.slow
def test_a_component_of_a_million_documents(tmp_path: Path) -> None:
    """All near one of them, as of a licence text, or each near one before it; whoever holds it needs 16 bytes for each."""
    storage, count = Storage(tmp_path), 1_000_000
    nodes = np.arange(1, count, dtype=np.uint64)
    for name, other in (("star", np.zeros_like(nodes)), ("tree", nodes // np.uint64(2))):
        write_edges(storage, name, unique_edges(nodes, other), 4)
        names = components(storage, [name], 4, inline)
        parts = [read_slice(storage, names, number) for number in range(4)]
        smaller = [part["neighbour"][part["neighbour"] < part["node"]] for part in parts]
        assert sum(map(len, smaller)) == count - 1 and not any(each.any() for each in smaller)


def test_merged_files_hold_the_same_slices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage, parts = Storage(tmp_path), 9
    random_numbers = np.random.default_rng(1)
    names = [f"f{number:03d}" for number in range(50)]
    for number, name in enumerate(names):
        keys = random_numbers.integers(0, 2**63, number % 7 * 10).astype(np.uint64)
        write_slices(storage, name, {"key": keys}, slice_of(keys, parts), parts)
    before = [read_slice(storage, names, number)["key"].tolist() for number in range(parts)]
    for name, size in {"MOST_READS": 30, "FAN_IN": 4, "_CHUNK_BYTES": 500}.items():
        monkeypatch.setattr(partitions, name, size)
    fewer = partitions.merged(storage, names, parts, inline)
    assert len(fewer) * parts <= 30 and set(storage.files()) == set(fewer)
    assert [read_slice(storage, fewer, number)["key"].tolist() for number in range(parts)] == before


def test_slices_hold_everything_once(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    keys = np.arange(1000, dtype=np.uint64)
    write_slices(storage, "f", {"key": keys}, slice_of(keys, 6), 6)
    parts = [read_slice(storage, ["f"], number)["key"] for number in range(6)]
    assert sorted(np.concatenate(parts)) == keys.tolist() and all(50 < len(p) < 300 for p in parts)


def test_pictures(tmp_path: Path, corpora: Path) -> None:
    from PIL import Image

    from omni_ray.quality.picture_hash import picture_hashes

    photos = [Image.open(p).convert("RGB").resize((224, 224)) for p in sorted((corpora / "coco").rglob("*.jpg"))]
    assert len(photos) == 8

    def encoded(image: Image.Image, quality: int) -> bytes:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        return buffer.getvalue()

    first = [encoded(p, 92) for p in photos]
    again = [encoded(p.resize((180, 180)), 40) for p in photos[:4]]
    files = [*first, *again]
    images = pa.array([{"bytes": f, "path": f"{n}.jpg"} for n, f in enumerate(files)])
    found = find_duplicates(
        store(tmp_path / "s", [pa.table({"image": images})]), "images", Storage(tmp_path / "t"), slices=3
    )
    hashes = picture_hashes(images.field("bytes"))
    near = np.bitwise_count(hashes[:, None] ^ hashes[None, :]) <= 4
    expected = [n for n in range(len(files)) if near[n, :n].any()]
    assert [d.row for d in found.of_shard(0)] == expected == list(range(len(first), len(files)))


def test_clips(tmp_path: Path, corpora: Path) -> None:
    import soundfile

    clips = sorted((corpora / "librispeech").rglob("*.flac"))[:3]
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
    assert find_duplicates([], "text", Storage(tmp_path)).marks == ()
