"""Duplicates across shards and corpora, in steps that each hold one shard or one slice of keys.

1. *Entries*: every shard gives (key, check, item) entries; equal keys are worth comparing.
2. *Links*: for each slice of keys, items that share a key and pass the check are tied to the smallest of them.
3. *Components* (near duplicates only differ here from exact ones: their ties chain).
4. The smallest item of each component, in canonical order (corpora in the order given, shards, rows), is kept.

Every step is a plain function over files, mapped by a ``run`` that may be inline, a pool or Ray; results depend on
neither its order nor the number of slices.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from omni_ray.errors import OmniError
from omni_ray.pipeline.tasks import Runner, inline
from omni_ray.quality import entries
from omni_ray.quality.components import components, unique_edges, write_edges
from omni_ray.quality.entries import ROW_BITS, Entries
from omni_ray.quality.hashing import Hashes
from omni_ray.quality.slices import read_slice, write_slices
from omni_ray.storage import Storage

_SLICE_ENTRIES = 4 << 20
"""Entries a slice should hold: 100 MB with what sorting needs."""
MAX_SHARDS = 1 << 31


@dataclass(frozen=True)
class Shard:
    """A Parquet shard: where it lies, and what to call it in messages ("wikipedia/part-00003.parquet")."""

    storage: Storage
    name: str
    title: str


@dataclass(frozen=True)
class Duplicate:
    """A row that says what an earlier one said.

    Attributes:
        row: its row in the shard (of a text document: its first line).
        kind: what was compared, a key of :data:`omni_ray.quality.entries.KINDS`.
        reason: a code of :data:`omni_ray.quality.reasons.QUALITY_REASONS`.
        detail: which row is kept instead.
    """

    row: int
    kind: str
    reason: str
    detail: str


@dataclass
class Duplicates:
    """What :func:`find_duplicates` found: for every shard, in order, its rows that go; and sums."""

    of_shard: dict[int, list[Duplicate]] = field(default_factory=dict)
    stats: dict[str, int] = field(default_factory=dict)


def find_duplicates(
    shards: list[Shard],
    modality: str,
    scratch: Storage,
    kinds: Iterable[str] | None = None,
    run: Runner = inline,
    slices: int | None = None,
    options: Mapping[str, Any] | None = None,
) -> Duplicates:
    """Rows of the shards that repeat an earlier row.

    Args:
        shards: in canonical order: of two equal rows the one of the earlier shard, then the earlier row, stays.
        modality: "text", "audio", "images" or "ocr".
        scratch: an empty place for intermediate files that all tasks reach: about 340 bytes a text document.
        kinds: what to compare; the modality's usual kinds by default. Earlier kinds give their reason first.
        run: maps a function over items, results in order.
        slices: how many parts the keys are split into; by default as many as keep a part in memory. Never changes
            the result.
        options: ``max_distance`` of "picture" (4 bits), ``min_line_chars`` of "line" (20).

    Raises:
        OmniError: an unknown modality or kind, or more shards or rows than ids can hold.
    """
    if len(shards) > MAX_SHARDS:
        raise OmniError(f"{len(shards)} shards; at most {MAX_SHARDS} can be compared at once")
    found = Duplicates()
    wanted = entries.kinds_of(modality, kinds)
    if not shards:
        return found
    taken: set[int] = set()
    for kind in wanted:
        work = scratch.child(kind)
        for item, kept in _one_kind(shards, kind, work, run, slices, dict(options or {})):
            if item in taken:
                continue
            taken.add(item)
            shard, row = divmod(item, 1 << ROW_BITS)
            first, first_row = divmod(kept, 1 << ROW_BITS)
            detail = f"{kind}: as {shards[first].title} row {first_row}"
            found.of_shard.setdefault(shard, []).append(Duplicate(row, kind, entries.KINDS[kind].reason, detail))
            found.stats[kind] = found.stats.get(kind, 0) + 1
        for name in work.files():
            work.delete(name)
        work.remove_if_empty()
    for rows in found.of_shard.values():
        rows.sort(key=lambda duplicate: duplicate.row)
    return found


def _one_kind(
    shards: list[Shard], kind: str, work: Storage, run: Runner, slices: int | None, options: dict[str, Any]
) -> list[tuple[int, int]]:
    """(item, the item kept instead) for every duplicate of one kind, sorted."""
    if slices is None:
        rows = sum(run(_rows, shards))
        slices = max(1, -(-rows * entries.KINDS[kind].keys // _SLICE_ENTRIES))
    step = _Step(kind, work, slices, len(shards), tuple(sorted(options.items())))
    list(run(partial(_write_entries, step), list(enumerate(shards))))
    list(run(partial(_write_links, step), range(slices)))
    for number in range(len(shards)):
        work.delete(_entries_name(number))
    names = components(work, [_links_name(number) for number in range(slices)], slices, run)
    pairs: list[tuple[int, int]] = []
    for part in run(partial(_ties, work, tuple(names)), range(slices)):
        pairs += part
    return sorted(pairs)


@dataclass(frozen=True)
class _Step:
    kind: str
    work: Storage
    slices: int
    shards: int
    options: tuple[tuple[str, Any], ...]


def _entries_name(number: int) -> str:
    return f"entries-{number:06d}"


def _links_name(number: int) -> str:
    return f"links-{number:05d}"


def _rows(shard: Shard) -> int:
    with shard.storage.open(shard.name) as file:
        return int(pq.ParquetFile(file).metadata.num_rows)


def _write_entries(step: _Step, numbered: tuple[int, Shard]) -> int:
    number, shard = numbered
    kind = entries.KINDS[step.kind]
    with shard.storage.open(shard.name) as file:
        found = kind.entries(pq.read_table(file, columns=list(kind.columns)), dict(step.options))
    items = found.row + np.uint64(number << ROW_BITS)
    columns = {"key": found.key, "check": found.check, "item": items}
    return write_slices(step.work, _entries_name(number), columns, found.key, step.slices)


def _write_links(step: _Step, number: int) -> None:
    names = [_entries_name(shard) for shard in range(step.shards)]
    found = read_slice(step.work, names, number)
    edges = links(Entries(found["key"], found["check"], found["item"]), step.kind, dict(step.options))
    write_edges(step.work, _links_name(number), edges, step.slices)


def links(found: Entries, kind: str, options: Mapping[str, Any]) -> tuple[Hashes, Hashes]:
    """Ties (larger item, smaller item) between entries with equal keys whose checks agree."""
    distance = int(options.get("max_distance", entries.MAX_DISTANCE)) if entries.KINDS[kind].by_distance else 0
    order = np.lexsort((found.row, found.check, found.key))
    key, check, item = found.key[order], found.check[order], found.row[order]
    if not len(key):
        return key, key
    fresh = np.ones(len(key), bool)
    fresh[1:] = (key[1:] != key[:-1]) | (check[1:] != check[:-1])
    heads = np.flatnonzero(fresh)
    # Equal key and equal check: the first of them stands for all.
    least = item[heads][np.cumsum(fresh) - 1]
    high, low = item[~fresh], least[~fresh]
    if distance:
        close_high, close_low = _close_pairs(key[heads], check[heads], item[heads], distance)
        high, low = np.concatenate([high, close_high]), np.concatenate([low, close_low])
    return unique_edges(high, low)


def _close_pairs(key: Hashes, check: Hashes, item: Hashes, distance: int) -> tuple[Hashes, Hashes]:
    """Pairs of one key whose checks differ in at most ``distance`` bits: neighbour by neighbour, shift by shift."""
    high: list[Hashes] = []
    low: list[Hashes] = []
    # Keys are sorted: a place that has no equal at one distance has none at a larger one.
    places = np.arange(len(key))
    shift = 1
    while len(places):
        places = places[places + shift < len(key)]
        places = places[key[places + shift] == key[places]]
        near = places[np.bitwise_count(check[places + shift] ^ check[places]) <= distance]
        high.append(item[near + shift])
        low.append(item[near])
        shift += 1
    empty = np.zeros(0, np.uint64)
    return np.concatenate([*high, empty]), np.concatenate([*low, empty])


def _ties(work: Storage, names: tuple[str, ...], number: int) -> list[tuple[int, int]]:
    edges = read_slice(work, list(names), number)
    smaller = edges["neighbour"] < edges["node"]
    return list(zip(edges["node"][smaller].tolist(), edges["neighbour"][smaller].tolist(), strict=True))
