"""Tables that only say again what others say: a list of all clips beside the lists of its splits, a folder ``all`` beside its
parts, one table under two names. What they hold is read once; they are set aside as copies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING

from omni_ray.corpora.base import Options, Rejected, UnitDraft
from omni_ray.corpora.table_rows import media_name
from omni_ray.sources.tables import read_table_unit, table_units

if TYPE_CHECKING:
    from omni_ray.sources.tree import Tree

_WHOLES = ("all", "full", "combined", "complete", "default")
"""What a folder is called that holds what its sisters hold."""
_IN_ROWS = ("parquet", "arrow")
_MOST_BYTES = 256 << 20
"""Lists larger than this in all are not compared row by row."""
_CHUNK = 1 << 22

Roles = Mapping[str, tuple[str, ...]]


def set_repeats_aside(tree: Tree, roles: Roles, options: Options, role: str) -> None:
    """Set aside the tables of ``tree`` of which every row is in another one; ``role`` is that of the media."""
    drafts: dict[str, list[UnitDraft]] = {}
    for draft in table_units(tree, roles, options):
        drafts.setdefault(str(draft.payload["table"]["file"]), []).append(draft)
    if len(drafts) < 2:
        return
    stored = {name: parts for name, parts in drafts.items() if parts[0].payload["table"]["format"] in _IN_ROWS}
    repeats = [*_same_bytes(tree, stored), *_wholes({name: _rows(parts) for name, parts in stored.items()})]
    repeats += _covered(tree, {name: parts for name, parts in drafts.items() if name not in stored}, role)
    for name in repeats:
        tree.set_aside(name, "copy")


def _rows(drafts: list[UnitDraft]) -> int:
    return sum(draft.records or 0 for draft in drafts)


def _same_bytes(tree: Tree, names: Mapping[str, object]) -> Iterator[str]:
    """Those that are another one before them, byte by byte."""
    by_size: dict[int, list[str]] = {}
    for name in sorted(names, key=lambda name: (_is_in_whole(name), name)):
        size = tree.size(name)
        if any(_are_equal(tree, name, other) for other in by_size.get(size, ())):
            yield name
        else:
            by_size.setdefault(size, []).append(name)


def _is_in_whole(name: str) -> bool:
    return any(part in _WHOLES for part in name.split("/")[:-1])


def _are_equal(tree: Tree, one: str, other: str) -> bool:
    with tree.open(one) as mine, tree.open(other) as theirs:
        while (left := mine.read(_CHUNK)) == theirs.read(_CHUNK):
            if not left:
                return True
    return False


def _wholes(rows: Mapping[str, int]) -> Iterator[str]:
    """The tables of folders that are called like a whole, and have as many rows as their sisters together."""
    for called in _WHOLES:
        places = {
            "/".join(parts[:depth]) for parts in map(_parts, rows) for depth, part in enumerate(parts) if part == called
        }
        for place in sorted(places):
            above = f"{place}/" if place else ""
            sums: Counter[bool] = Counter()
            for name, count in rows.items():
                if name.startswith(above) and "/" in name[len(above) :]:
                    sums[name.startswith(f"{above}{called}/")] += count
            if sums[True] == sums[False] > 0:
                yield from (name for name in rows if name.startswith(f"{above}{called}/"))


def _parts(name: str) -> list[str]:
    return name.split("/")[:-1]


def _covered(tree: Tree, drafts: Mapping[str, list[UnitDraft]], role: str) -> Iterator[str]:
    """Lists of which every row is in longer ones: the same media, the same text."""
    if len(drafts) < 2 or sum(map(tree.size, drafts)) > _MOST_BYTES:
        return
    keys = {name: _keys(tree, name, parts, role) for name, parts in drafts.items()}
    seen: set[bytes] = set()
    for name in sorted(keys, key=lambda name: (-len(keys[name]), name)):
        if keys[name] and keys[name] <= seen:
            yield name
        seen |= keys[name]


def _keys(tree: Tree, name: str, drafts: list[UnitDraft], role: str) -> set[bytes]:
    found = set()
    for draft in drafts:
        for item in read_table_unit(tree, draft.payload):
            if isinstance(item, Rejected):
                found.add(f"{name} {item.where}".encode())  # like no other: the list is not covered
                continue
            for row in item.drop_columns(["id", "where"]).to_pylist():
                value = row.pop(role)
                media = media_name(tree, name, value) if isinstance(value, str) else f"{name}: {value}"
                found.add(blake2b(f"{media}\0{sorted(row.items())}".encode("utf-8", "replace"), digest_size=8).digest())
    return found
