"""Duplicates across shards and corpora, in steps that each hold one shard, one slice of keys, or the finds in a few shards.

For one kind after the other, among what the kinds before have left:

1. *Entries*: shards give (key, check, item) entries, a few shards to a file; equal keys are worth comparing.
2. *Ties*: for each slice of keys, items that share a key and agree in the check are tied to the smallest of them.
3. *Components*, where likeness chains: every item is tied to the smallest that it is connected to.
4. *Sorting*: ties are sorted by shard, so that whoever writes a shard reads what goes from it, and nobody reads all.

The smallest item of each group, in canonical order (corpora in the order given, shards, rows), is kept. Every step is a
plain function over files, mapped by a ``run`` that may be inline, a pool or Ray; results depend on neither its order nor
the number of slices and files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from omni_ray.errors import OmniError
from omni_ray.modalities.documents import document_starts
from omni_ray.modalities.registry import modality as modality_of
from omni_ray.pipeline.engine import Runner, inline
from omni_ray.progress.reporter import Reporter, usual
from omni_ray.quality.components import components, unique_edges, write_edges
from omni_ray.quality.duplicate_kinds import KINDS, kinds_of
from omni_ray.quality.duplicate_results import ROW_BITS, Duplicates, ShardFile
from omni_ray.quality.hashing import Hashes, begins
from omni_ray.quality.partitions import EntryFiles, in_one, merged, read_slice, slice_of, write_slices
from omni_ray.storage import Storage

_SLICE_ENTRIES = 4 << 20
"""Entries a slice should hold: 100 MB, and some 400 MB while they are sorted."""
_FILE_ENTRIES = 1 << 20
"""Entries of neighbouring shards that share a file: a task opens each file once, and there are a quarter as many slices."""
_BLOCKS = 1024
"""Files that the sorted ties are spread over at most, each with those of neighbouring shards."""
MAX_SHARDS = 1 << 31

Columns = tuple[Hashes, ...]


def find_duplicates(
    shards: list[ShardFile],
    modality: str,
    scratch: Storage,
    kinds: Iterable[str] | None = None,
    run: Runner = inline,
    slices: int | None = None,
    reporter: Reporter | None = None,
) -> Duplicates:
    """Rows of the shards that repeat an earlier row which stays.

    Args:
        shards: in canonical order: of two equal rows the one of the earlier shard, then the earlier row, stays.
        scratch: an empty place for intermediate files that all tasks reach: about 340 bytes a text document.
            What was found stays there until the caller removes it.
        kinds: what to compare; the modality's usual kinds by default. Each sees what those before it have left.
        slices: how many parts the keys are split into; by default as many as keep a part in memory. Never changes
            the result.
        reporter: told of each kind: files and slices done, what is compared, what is found.

    Raises:
        OmniError: an unknown modality or kind, or more shards or rows than ids can hold.
    """
    if len(shards) > MAX_SHARDS:
        raise OmniError(f"{len(shards):,} shards; at most {MAX_SHARDS:,} can be compared at once")
    wanted = kinds_of(modality, kinds)
    counts = {unit: list(run(partial(_units, unit), shards)) for unit in {KINDS[kind].unit for kind in wanted}}
    if slices is None:
        most = max((sum(counts[KINDS[kind].unit]) * KINDS[kind].keys for kind in wanted), default=0)
        slices = max(1, -(-most // _SLICE_ENTRIES))
    per_block = max(1, -(-len(shards) // _BLOCKS))
    titles = tuple(shard.title for shard in shards)
    found = Duplicates(scratch.child("found"), "", titles, per_block, tuple(wanted), ("",) * len(shards))
    told = reporter or usual()
    for number, kind in enumerate(wanted if shards else ()):
        search = _Search(shards, kind, number, counts[KINDS[kind].unit], slices, scratch, run, told, modality)
        found = search.run(found)
    return found


def _units(unit: str, shard: ShardFile) -> int:
    """How many documents, rows or captions a shard has."""
    with shard.storage.open(shard.name) as file:
        parquet = pq.ParquetFile(file)
        count = parquet.metadata.num_rows
        if unit == "document":
            count = len(document_starts(parquet.read(columns=["id"])["id"]))
        elif unit == "caption":
            count = pc.sum(pc.list_value_length(parquet.read(columns=["captions"])["captions"])).as_py() or 0
    if count > 1 << ROW_BITS:
        raise OmniError(f"{shard.title}: {count:,} {unit}s; at most {1 << ROW_BITS:,} of a shard can be compared")
    return int(count)


@dataclass(frozen=True)
class _Step:
    """What every task of one kind needs to know.

    Attributes:
        kind, number: its name, and its place among the kinds looked for.
        work: where entries and ties are kept on the way.
        found: what the kinds before found.
        held: files of ties of the kind before, to be tied to what this one keeps; only documents go by two kinds.
        holds: whether the next kind will ask for these.
    """

    kind: str
    number: int
    work: Storage
    slices: int
    found: Duplicates
    entries: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    holds: bool = False

    @property
    def blocks(self) -> int:
        return -(-len(self.found.titles) // self.found.per_block)


@dataclass
class _Search:
    """One kind of duplicates, step by step."""

    shards: list[ShardFile]
    kind: str
    number: int
    counts: list[int]
    slices: int
    scratch: Storage
    runner: Runner
    reporter: Reporter
    modality: str

    def run(self, found: Duplicates) -> Duplicates:
        """What this kind and those before it found."""
        kind = KINDS[self.kind]
        work = self.scratch.child(self.kind)
        groups = _groups(self.counts, kind.keys)
        numbers = [f"entries-{number:06d}" for number in range(len(groups))]
        held = sorted(name for name in found.storage.files() if name.startswith("held-"))
        following = found.kinds[self.number + 1 : self.number + 2]
        holds = any(KINDS[name].chains and KINDS[name].unit == kind.unit for name in following)
        step = _Step(self.kind, self.number, work, self.slices, found, holds=holds)
        title = f"{self.modality}: {self.kind}"
        self.reporter.begin(
            title, len(groups) + self.slices * (2 if kind.chains else 1) + step.blocks, stage="duplicates"
        )
        members = [(name, [(n, self.shards[n]) for n in group]) for name, group in zip(numbers, groups, strict=True)]
        list(self._shown(title, partial(_write_entries, step), members, kept=lambda compared: compared))
        more = partial(self._more, title)
        numbers = merged(work, numbers, self.slices, more)
        step = replace(step, entries=tuple(numbers))
        pieces = [name for names in self._shown(title, partial(_meet, step), range(self.slices)) for name in names]
        for name in numbers:
            work.delete(name)
        if kind.chains:
            edges = components(work, pieces, self.slices, more) if pieces else []
            held = merged(found.storage, held, self.slices, more)
            step = replace(step, held=tuple(held))
            tie = partial(_tie, step, tuple(edges))
            pieces = [name for names in self._shown(title, tie, range(self.slices)) for name in names]
            for name in (*edges, *held):
                (found.storage if name in held else work).delete(name)
        before = found if not held else replace(found, marks=("",) * len(self.shards))
        stem = f"after-{self.number}"
        pieces = merged(found.storage, pieces, step.blocks, more)
        sort = partial(_sort, replace(step, found=before), tuple(pieces), stem)
        blocks = self._shown(title, sort, range(step.blocks), lost=lambda sorted_: sorted_[0])
        marks = [mark for _, some in blocks for mark in some]
        for name in pieces:
            found.storage.delete(name)
        if found.stem:
            for block in range(step.blocks):
                found.storage.delete(f"{found.stem}-{block:04d}")
        for name in work.files():
            work.delete(name)
        work.remove_if_empty()
        return replace(found, stem=stem, marks=tuple(marks))

    def _shown(
        self,
        title: str,
        function: Callable[[Any], Any],
        items: Iterable[Any],
        kept: Callable[[Any], int] = lambda result: 0,
        lost: Callable[[Any], int] = lambda result: 0,
    ) -> Iterator[Any]:
        for result in self.runner(function, items):
            self.reporter.advance(title, kept=kept(result), lost=lost(result))
            yield result

    def _more(self, title: str, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        """Pieces that nobody could know of before."""
        todo = list(items)
        self.reporter.begin(title, len(todo), stage="duplicates")
        return self._shown(title, function, todo)


def _groups(counts: Sequence[int], keys: int) -> list[list[int]]:
    """Neighbouring shards that share a file of entries: a million entries, or fewer where that leaves CPUs idle."""
    enough = min(_FILE_ENTRIES, max(1, sum(counts) * keys // 64))
    groups: list[list[int]] = []
    size = enough
    for number, count in enumerate(counts):
        if size >= enough:
            groups.append([])
            size = 0
        groups[-1].append(number)
        size += count * keys
    return groups


def _write_entries(step: _Step, group: tuple[str, list[tuple[int, ShardFile]]]) -> int:
    """Write the entries of a few shards; returns how many documents, rows or captions they are of."""
    name, shards = group
    kind = KINDS[step.kind]
    parts: list[Columns] = []
    compared = 0
    for number, shard in shards:
        with shard.storage.open(shard.name) as file:
            rows = pq.read_table(file, columns=list(kind.columns))
        stays = _left(rows, kind.modality, step.found.gone(number))
        found = kind.entries(rows if stays.all() else rows.filter(pa.array(stays)))
        if kind.unit == "caption":
            stays = np.repeat(stays, pc.fill_null(pc.list_value_length(rows["captions"]), 0).to_numpy())
        places = np.flatnonzero(stays).astype(np.uint64) + np.uint64(number << ROW_BITS)
        items = places[found.row.astype(np.int64)]
        compared += len(np.unique(items))
        parts.append((found.key, found.check, items))
    key, check, item = in_one(parts, 3)
    columns = {"key": key, "check": check, "item": item}
    write_slices(step.work, name, columns, slice_of(key, step.slices), step.slices)
    return compared


def _left(rows: pa.Table, modality: str, gone: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which rows the kinds before have left: for text, whole documents went with the rows named."""
    starts = modality_of(modality).starts(rows)
    return ~np.repeat(np.isin(starts, gone), np.diff(np.append(starts, rows.num_rows)))


def _found_pieces(step: _Step, slice_number: int) -> EntryFiles:
    """Ties (item, kept, kind) as they are to be sorted by shards."""

    def write(name: str, columns: Columns) -> None:
        item, kept, kind = columns
        block = (item >> np.uint64(ROW_BITS)).astype(np.int64) // step.found.per_block
        write_slices(step.found.storage, name, {"item": item, "kept": kept, "kind": kind}, block, step.blocks)

    return EntryFiles(f"ties-{step.number}-{slice_number:05d}", write)


def _held_pieces(step: _Step, slice_number: int) -> EntryFiles:
    """Ties (item, kept) where the next kind will look for what is kept."""

    def write(name: str, columns: Columns) -> None:
        item, kept = columns
        place = slice_of(kept, step.slices)
        write_slices(step.found.storage, name, {"item": item, "kept": kept}, place, step.slices)

    return EntryFiles(f"held-{slice_number:05d}", write)


def _edge_pieces(step: _Step, slice_number: int) -> EntryFiles:
    """Ties of which the components are to be found."""

    def write(name: str, columns: Columns) -> None:
        write_edges(step.work, name, unique_edges(*columns), step.slices)

    return EntryFiles(f"links-{slice_number:05d}", write)


def _meet(step: _Step, number: int) -> list[str]:
    """Tie the items of one slice of keys that belong together; the names of the files of ties.

    Files come in canonical order, and of equal entries only the first is held: a key that half of all items share takes
    no more memory than one that two share.
    """
    kind = KINDS[step.kind]
    edges, found, held = _edge_pieces(step, number), _found_pieces(step, number), _held_pieces(step, number)

    def tie(high: Hashes, low: Hashes) -> None:
        if kind.chains:
            edges.add(high, low)
            return
        found.add(high, low, np.full(len(high), step.number, np.uint64))
        if step.holds:
            held.add(high, low)

    parts: list[Columns] = []
    size, limit = 0, _SLICE_ENTRIES
    for name in step.entries:
        part = read_slice(step.work, [name], number)
        parts.append((part["key"], part["check"], part["item"]))
        size += len(part["key"])
        if size > limit:
            parts = [_first_of_equal(in_one(parts, 3), tie)]
            size = len(parts[0][0])
            limit = max(_SLICE_ENTRIES, 2 * size)
    key, check, item = _first_of_equal(in_one(parts, 3), tie)
    if kind.distance:
        _tie_close(key, check, item, kind.distance, tie)
    held.close()
    return edges.close() if kind.chains else found.close()


def _first_of_equal(entries: Columns, tie: Callable[[Hashes, Hashes], None]) -> Columns:
    """The first of the entries that are equal in key and check; the others are tied to it."""
    key, check, item = entries
    order = np.lexsort((item, check, key))
    key, check, item = key[order], check[order], item[order]
    fresh = begins(key, check)
    heads = np.flatnonzero(fresh)
    tie(item[~fresh], np.repeat(item[heads], np.diff(np.append(heads, len(key))))[~fresh])
    return key[heads], check[heads], item[heads]


def _tie_close(key: Hashes, check: Hashes, item: Hashes, distance: int, tie: Callable[[Hashes, Hashes], None]) -> None:
    """Tie entries of one key whose checks differ in at most ``distance`` bits: neighbour by neighbour, shift by shift.

    Time goes with the square of the different checks under one key, memory does not.
    """
    # Keys are sorted: a place that has no equal at one distance has none at a larger one.
    places = np.arange(len(key))
    shift = 1
    while len(places):
        places = places[places + shift < len(key)]
        places = places[key[places + shift] == key[places]]
        near = places[np.bitwise_count(check[places + shift] ^ check[places]) <= distance]
        tie(item[near + shift], item[near])
        shift += 1


def _tie(step: _Step, names: tuple[str, ...], number: int) -> list[str]:
    """Ties of one slice of items to the smallest of their component; the names of the files.

    What an earlier kind tied to an item that goes now is tied to what is kept instead, and goes for this kind's reason: it is no
    longer repeated word for word.
    """
    out = _found_pieces(step, number)
    edges = read_slice(step.work, list(names), number) if names else {}
    if edges:
        smaller = edges["neighbour"] < edges["node"]
        item, kept = edges["node"][smaller], edges["neighbour"][smaller]
        order = np.argsort(item)
        item, kept = item[order], kept[order]
    else:
        item = kept = np.zeros(0, np.uint64)
    out.add(item, kept, np.full(len(item), step.number, np.uint64))
    for name in step.held:
        part = read_slice(step.found.storage, [name], number)
        place = np.minimum(np.searchsorted(item, part["kept"]), max(len(item) - 1, 0))
        moves = item[place] == part["kept"] if len(item) else np.zeros(len(place), bool)
        last = part["kept"].copy()
        last[moves] = kept[place[moves]]
        out.add(part["item"], last, np.where(moves, np.uint64(step.number), np.uint64(step.number - 1)))
    return out.close()


def _sort(step: _Step, names: tuple[str, ...], stem: str, block: int) -> tuple[int, list[str]]:
    """Write what goes from the shards of one block, shard by shard.

    Returns:
        How many ties are new, and for each shard a digest of what goes from it.
    """
    found = step.found
    first = block * found.per_block
    shards = range(first, min(first + found.per_block, len(found.titles)))
    new = read_slice(found.storage, list(names), block) if names else {}
    fields = ("item", "kept", "kind")
    parts: list[Columns] = [tuple(new[name] for name in fields)] if new else []
    fresh = int((new["kind"] == step.number).sum()) if new else 0
    for number in shards:
        if found.marks[number]:
            ties = found.ties(number)
            parts.append(tuple(ties[name] for name in fields))
    item, kept, kind = in_one(parts, 3)
    order = np.argsort(item)
    item, kept, kind = item[order], kept[order], kind[order]
    shard = (item >> np.uint64(ROW_BITS)).astype(np.int64) - first
    columns = {"item": item, "kept": kept, "kind": kind}
    write_slices(found.storage, f"{stem}-{block:04d}", columns, shard, len(shards))
    ends = np.searchsorted(shard, np.arange(len(shards) + 1))
    marks = [_mark(found, item[a:b], kept[a:b], kind[a:b]) for a, b in pairwise(ends.tolist())]
    return fresh, marks


def _mark(found: Duplicates, item: Hashes, kept: Hashes, kind: Hashes) -> str:
    """Digest of what goes from one shard: which rows, why, and as what. Shards count by title: numbers move."""
    if not len(item):
        return ""
    rows = np.uint64((1 << ROW_BITS) - 1)
    digest = blake2b(digest_size=16)
    for column in (item & rows, kept & rows):
        digest.update(column.astype("<u8").tobytes())
    numbers, of_row = np.unique(kept >> np.uint64(ROW_BITS), return_inverse=True)
    titles = [found.titles[int(number)] for number in numbers]
    said = [(titles[place], found.kinds[int(which)]) for place, which in zip(of_row.tolist(), kind, strict=True)]
    digest.update(repr(said).encode())
    return digest.hexdigest()
