"""Tables that repeat what others say: a list of all clips beside the lists of its splits, a folder ``all`` beside its
parts, one table under two names. What they hold is read once. A table whose rows are all in others is set aside as a copy,
and where tables with media inside share only some rows, the rows that came before are left out.

Rows are the same where every column that plays a role is, ids and media with it. Media inside tables are compared by
digest, and read only where all else is equal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from hashlib import blake2b
from itertools import chain
from typing import TYPE_CHECKING, Any

from omni_ray.corpora.base import Rejected, SourceOptions, UnitDraft
from omni_ray.corpora.table_rows import media_name
from omni_ray.corpora.table_slices import IN_ROWS
from omni_ray.corpora.table_witnesses import is_each_alone
from omni_ray.digests import number_of
from omni_ray.sources.settling import are_equal
from omni_ray.sources.tables import media_are_inside, read_table_unit, read_texts, table_format, table_units

if TYPE_CHECKING:
    import pyarrow as pa

    from omni_ray.sources.tree import Tree

_WHOLES = ("all", "full", "combined", "complete", "default")
"""Names of folders or tables that hold what their siblings hold."""
_MOST_BYTES = 256 << 20
"""Lists larger than this in total are compared only where one looks like a whole."""
_NEARLY = 0.02
"""By what share the size of a table may differ from that of those whose rows it has."""
_END_BYTES = 1 << 14

Roles = Mapping[str, tuple[str, ...]]
Keys = dict[str, dict[int, int]]
"""Table -> row or place of a row -> a number that stands for what is in it, the same while this process lives."""


def text_units(tree: Tree, roles: Roles, options: SourceOptions) -> Iterator[UnitDraft]:
    """Slices of every table of texts, as :func:`omni_ray.sources.tables.table_units` gives them. Tables of which every row is in
    others are set aside."""
    if not _may_repeat({name: tree.size(name) for name in tree.names() if table_format(name)}):
        return table_units(tree, roles, options)
    drafts = _drafts(tree, roles, options)
    _set_copies_aside(tree, drafts)
    _set_lists_aside(tree, drafts, None)
    if options.keep_columns:
        return table_units(tree, roles, options)
    return chain.from_iterable(parts for name, parts in drafts.items() if name not in tree.aside)


def set_repeats_aside(tree: Tree, roles: Roles, options: SourceOptions, role: str) -> dict[str, list[int]]:
    """Set aside the tables of ``tree`` of which every row is in others.

    Args:
        roles, options: as for :func:`omni_ray.sources.tables.table_units`.
        role: that of the media.

    Returns:
        table -> numbers of the rows, media and all, that a table before it has; only for tables that hold their media.
    """
    drafts = _drafts(tree, roles, options)
    if len(drafts) < 2:
        return {}
    stored = _set_copies_aside(tree, drafts)
    holding = {name: drafts[name] for name in stored if media_are_inside(tree, drafts[name][0].payload, role)}
    _set_lists_aside(tree, {name: parts for name, parts in drafts.items() if name not in holding}, role)
    return _told_apart(tree, holding, role) if len(holding) > 1 else {}


def _drafts(tree: Tree, roles: Roles, options: SourceOptions) -> dict[str, list[UnitDraft]]:
    """The slices of each table, without other columns: these do not make rows different."""
    drafts: dict[str, list[UnitDraft]] = {}
    for draft in table_units(tree, roles, replace(options, keep_columns=False)):
        drafts.setdefault(str(draft.payload["table"]["file"]), []).append(draft)
    return drafts


def _set_copies_aside(tree: Tree, drafts: dict[str, list[UnitDraft]]) -> list[str]:
    """Set those aside that equal others byte by byte; returns the other ones that may hold media."""
    stored = [name for name, parts in drafts.items() if parts[0].payload["table"]["format"] in IN_ROWS]
    for name in _same_bytes(tree, stored):
        tree.set_aside(name, "copy")
        del drafts[name]
    return [name for name in stored if name in drafts]


def _may_repeat(sizes: Mapping[str, int]) -> bool:
    """Whether lists of these sizes are to be compared: there are some, small ones or one that looks like a whole."""
    total = sum(sizes.values())
    if len(sizes) < 2 or total <= _MOST_BYTES:
        return len(sizes) > 1
    return any(
        _is_in_whole(name) or _stem(name) in _WHOLES or abs(2 * size - total) <= _NEARLY * size
        for name, size in sizes.items()
    )


def _stem(name: str) -> str:
    return name.rpartition("/")[2].partition(".")[0].lower()


def _same_bytes(tree: Tree, names: Iterable[str]) -> Iterator[str]:
    """Those that equal an earlier one, byte by byte."""
    by_size: dict[int, list[str]] = {}
    for name in sorted(names, key=lambda name: (_is_in_whole(name), name)):
        by_size.setdefault(tree.size(name), []).append(name)
    for alike in (alike for alike in by_size.values() if len(alike) > 1):
        by_ends: dict[bytes, list[str]] = {}
        for name in alike:
            same = by_ends.setdefault(_ends(tree, name), [])
            if any(are_equal(tree, name, tree, other) for other in same):
                yield name
            else:
                same.append(name)


def _ends(tree: Tree, name: str) -> bytes:
    """A digest of how a file begins and ends: ten thousand shards of one size must not be compared in pairs."""
    with tree.open(name) as file:
        digest = blake2b(file.read(_END_BYTES), digest_size=16)
        file.seek(max(0, tree.size(name) - _END_BYTES))
        digest.update(file.read(_END_BYTES))
    return digest.digest()


def _is_in_whole(name: str) -> bool:
    return any(part in _WHOLES for part in name.split("/")[:-1])


def _set_covered_aside(tree: Tree, keys: Mapping[str, Iterable[int]], whole: Iterable[str]) -> set[str]:
    """Set aside those tables of ``whole`` of which every row is in others, folders named like a whole before
    their parts, and lists before longer ones; returns their names."""
    sets = {name: set(each) for name, each in keys.items()}
    coverable = {name for name in whole if sets[name]}
    parts = set().union(*(each for name, each in sets.items() if not _is_in_whole(name)))
    covered = {name for name in coverable if _is_in_whole(name) and sets[name] <= parts}
    seen: set[int] = set()
    for name in sorted(sets.keys() - covered, key=lambda name: (-len(sets[name]), name)):
        if name in coverable and sets[name] <= seen:
            covered.add(name)
        seen |= sets[name]
    for name in sorted(covered):
        tree.set_aside(name, "copy")
    return covered


def _set_lists_aside(tree: Tree, drafts: Mapping[str, list[UnitDraft]], role: str | None) -> None:
    """Set aside the lists and texts of which every row is in others; their rows are read only where that may be."""
    if not _may_repeat({name: tree.size(name) for name in drafts}) or is_each_alone(tree, drafts):
        return
    if role is not None and not _are_any_in_others(_keys_of_lists(tree, drafts, role, with_media=False)[0]):
        return
    keys, bad = _keys_of_lists(tree, drafts, role)
    _set_covered_aside(tree, keys, [name for name in keys if name not in bad])


def _are_any_in_others(keys: Mapping[str, set[int]]) -> bool:
    """Whether there is a table of which every row is in others."""
    count = Counter(key for each in keys.values() for key in each)
    return any(each and all(count[key] > 1 for key in each) for each in keys.values())


def _keys_of_lists(
    tree: Tree, drafts: Mapping[str, list[UnitDraft]], role: str | None, *, with_media: bool = True
) -> tuple[dict[str, set[int]], set[str]]:
    """What is in the rows of lists and texts, and those with rows that cannot be read: no others cover them.

    Which files its media are takes longer to find out than what else is in a row: ``with_media`` says whether they count.
    """
    keys: dict[str, set[int]] = {}
    bad: set[str] = set()
    for name, parts in drafts.items():
        keys[name] = set()
        for key in (key for draft in parts for key in _keys_of_slice(tree, draft.payload, role, with_media)):
            if key is None:
                bad.add(name)
            else:
                keys[name].add(key)
    return keys, bad


def _keys_of_slice(tree: Tree, payload: Mapping[str, Any], role: str | None, with_media: bool) -> Iterator[int | None]:
    """A number for what is in each row of a slice, None for one that cannot be read."""
    name = payload["table"]["file"]
    if role is None:
        roles = tuple(payload["table"]["columns"])
        for texts in read_texts(tree, payload):
            yield None if isinstance(texts, Rejected) else hash((roles, *texts))
        return
    for item in read_table_unit(tree, payload):
        if isinstance(item, Rejected):
            yield None
            continue
        for row in item.drop_columns(["id", "where"]).to_pylist():
            value, media = row.pop(role), ""
            if with_media:
                media = media_name(tree, name, value) if isinstance(value, str) else f"{name}: {value}"
            yield _key(media, row)


def _key(media: str, row: Mapping[str, Any]) -> int:
    return hash((media, str(sorted(row.items()))))


def _told_apart(tree: Tree, drafts: Mapping[str, list[UnitDraft]], role: str) -> dict[str, list[int]]:
    """Of tables that hold their media: those that others cover are set aside, and the repeated rows of the others given."""
    keys = _shared(tree, drafts, role)
    whole = [name for name in keys if len(keys[name]) == sum(draft.records or 0 for draft in drafts[name])]
    covered = _set_covered_aside(tree, {name: rows.values() for name, rows in keys.items()}, whole)
    again: dict[str, list[int]] = {}
    seen: set[int] = set()
    for name in drafts:
        if name in covered:
            continue
        rows = keys[name]
        found = sorted(row for row, key in rows.items() if key in seen)
        if found:
            again[name] = found
        seen.update(rows.values())
    return again


def _shared(tree: Tree, drafts: Mapping[str, list[UnitDraft]], role: str) -> Keys:
    """The rows that occur in several tables."""
    keys = {name: dict(_without_media(tree, parts, role)) for name, parts in drafts.items()}
    keys = _in_several(keys)
    for name, rows in keys.items():
        media = dict(_media(tree, drafts[name], role, rows)) if rows else {}
        keys[name] = {row: number_of(b"%d %d" % (rows[row], media[row])) for row in rows if row in media}
    return _in_several(keys)


def _in_several(keys: Keys) -> Keys:
    count = Counter(key for rows in keys.values() for key in set(rows.values()))
    return {name: {row: key for row, key in rows.items() if count[key] > 1} for name, rows in keys.items()}


def _without_media(tree: Tree, drafts: Iterable[UnitDraft], role: str) -> Iterator[tuple[int, int]]:
    """The number of each row that can be read, and what is in it besides its media."""
    for draft in drafts:
        table = draft.payload["table"]
        columns = {each: column for each, column in table["columns"].items() if each != role}
        unnamed = ["where"] if "id" in columns else ["id", "where"]
        for item in read_table_unit(tree, {"table": {**table, "columns": columns}}):
            if not isinstance(item, Rejected):
                for row, values in zip(_rows(item), item.drop_columns(unnamed).to_pylist(), strict=True):
                    yield row, _key("", values)


def _media(tree: Tree, drafts: Iterable[UnitDraft], role: str, rows: Iterable[int]) -> Iterator[tuple[int, int]]:
    """A number for the media of each of ``rows``."""
    wanted = sorted(rows)
    for draft in drafts:
        table = draft.payload["table"]
        there = [row for row in wanted if table["start"] <= row < table["end"]]
        if not there:
            continue
        among = set(there)
        part = {"start": there[0], "end": there[-1] + 1, "columns": {role: table["columns"][role]}}
        for item in read_table_unit(tree, {"table": {**table, **part}}):
            if isinstance(item, Rejected):
                continue
            for row, value in zip(_rows(item), item[role], strict=True):
                if row in among:
                    yield row, number_of(_bytes_of(value.as_py()))


def _rows(item: pa.Table) -> list[int]:
    """The numbers that rows have in their table."""
    return [int(where.rpartition(" ")[2]) for where in item["where"].to_pylist()]


def _bytes_of(value: Any) -> bytes:
    """What represents a media column's value: the bytes, where it has them."""
    if isinstance(value, Mapping) and value.get("bytes") is not None:
        value = value["bytes"]
    return value if isinstance(value, bytes) else repr(value).encode("utf-8", "replace")
