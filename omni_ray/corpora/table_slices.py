"""Tables that hold media, or name them, in units that a task can hold.

A megabyte of CSV names ten thousand clips: how large a unit is depends on the number of its rows, not on the bytes of
the table. Media that a table only names are among the unit's inputs, so that a changed clip makes its shard stale.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from omni_ray.corpora.base import Rejected, SourceOptions, UnitDraft
from omni_ray.corpora.bounds import EXPANSION, UnitBounds, media_weight, stretch_weight
from omni_ray.corpora.media import is_input
from omni_ray.corpora.table_rows import TableForm, media_name
from omni_ray.errors import SourceError
from omni_ray.records import EXTRA
from omni_ray.sources.lists import SeenKeys
from omni_ray.sources.tables import media_are_inside, read_table_unit, table_units
from omni_ray.sources.tree import Tree

if TYPE_CHECKING:
    import pyarrow as pa

IN_ROWS = ("parquet", "arrow")
_PARTS = {
    "start": ("start", "start_time", "start_sec", "start_s", "begin", "begin_time", "onset", "offset"),
    "end": ("end", "end_time", "end_sec", "end_s", "stop", "stop_time"),
    "duration": ("duration", "dur"),
    "channel": ("channel",),
}
"""What columns that say which part of a recording a row is are often called. They have other meanings too: they are only asked for."""
_IN_OTHER_UNITS = {
    role: tuple(f"{name}{unit}" for unit in ("_ms", "_frame", "_frames", "_sample", "_samples") for name in names)
    for role, names in {
        "start": ("start", "start_time", "begin", "begin_time", "onset", "offset"),
        "end": ("end", "end_time", "stop", "stop_time"),
        "duration": ("duration", "dur", "num", "n"),
    }.items()
}
"""The same of those that do not count seconds."""
_TEXT_SHARE = 16
"""Text tables are read again by each of their units: ranges are this many times smaller than those of text corpora."""


def media_units(
    tree: Tree,
    roles: Mapping[str, tuple[str, ...]],
    options: SourceOptions,
    form: TableForm,
    repeated: Mapping[str, Sequence[int]] = {},
) -> Iterator[UnitDraft]:
    """Units of every table in the tree, for :func:`read_slice`, in the order of the files' names.

    ``repeated`` are the rows that came before, by table, of tables that hold their media.

    Raises:
        SourceError: a required column is missing, a file is not what its name says, or most rows share their recordings.
    """
    if {"end", "duration"} & set(options.columns) and "start" not in options.columns:
        raise SourceError("--columns: where a clip ends or how long it is says nothing without start=...")
    coarse = replace(options, unit_scale=options.unit_scale / (EXPANSION / 4)) if form.expands else options
    finer = replace(options, unit_scale=options.unit_scale / _TEXT_SHARE)
    seen = SeenKeys()
    files = zip(
        itertools.groupby(table_units(tree, roles, coarse), _file),
        itertools.groupby(table_units(tree, roles, finer), _file),
        strict=True,
    )
    for (_, drafts), (_, ranges) in files:
        first = next(drafts)
        is_whole = first.payload["table"]["format"] in IN_ROWS
        if is_whole and media_are_inside(tree, first.payload, form.role):
            for draft in itertools.chain([first], drafts):
                rows = repeated.get(_file(draft), ())
                yield from _parts(draft, options.scaled(form.rows_per_unit), rows)
        else:
            named = _Named()
            for draft in itertools.chain([first], drafts) if is_whole else ranges:
                yield from _windows(tree, draft, options, form, seen, named)
            if named.are_shared and not {"start", "offset", "channel"} & set(first.payload["table"]["columns"]):
                _ask_for_parts(tree, _file(first), roles, options, named)


class _Named:
    """How many recordings the rows of a table name, exact repeats aside."""

    def __init__(self) -> None:
        self.rows = self.recordings = 0
        self.example = ""
        self._seen = SeenKeys()

    def add(self, name: str) -> None:
        self.rows += 1
        if self._seen.again(name.encode("utf-8", "replace")):
            self.example = name
        else:
            self.recordings += 1

    @property
    def are_shared(self) -> bool:
        """Whether a recording has two rows and more, on average."""
        return self.rows >= max(2, 2 * self.recordings)


def _ask_for_parts(
    tree: Tree, file: str, roles: Mapping[str, tuple[str, ...]], options: SourceOptions, named: _Named
) -> None:
    """Raises SourceError if columns of the table may say which part of its recording each row is."""
    parts_of = {role: (*names, *_IN_OTHER_UNITS.get(role, ())) for role, names in _PARTS.items()}
    asked = {**roles, **{role: names for role, names in parts_of.items() if role in roles}}
    drafts = (draft for draft in table_units(tree, asked, options) if _file(draft) == file)
    found: dict[str, str] = next((draft.payload["table"]["columns"] for draft in drafts), {})
    end = "end" if "end" in found else "duration"
    parts = [*(["start", end] if {"start", end} <= set(found) else []), *(["channel"] if "channel" in found else [])]
    if parts:
        odd = [found[role] for role in parts if found[role].lower() in _IN_OTHER_UNITS.get(role, ())]
        if odd:
            advice = f"write {' and '.join(odd)} in seconds, and name those columns: --columns start=...,{end}=..."
        else:
            advice = f"--columns {','.join(f'{role}={found[role]}' for role in parts)}"
        raise SourceError(
            f"{file}: its {named.rows:,} rows name only {named.recordings:,} different recordings ({named.example} several "
            f"times), and each row would be a clip of the whole; its columns may say which part is meant: {advice}"
        )


def read_slice(tree: Tree, payload: Mapping[str, Any]) -> Iterator[pa.Table | Rejected]:
    """The rows of one unit of :func:`media_units`, as :func:`omni_ray.sources.tables.read_table_unit` gives them."""
    items = read_table_unit(tree, payload)
    if "repeated" in payload:
        items = _without(items, payload["table"]["file"], payload["repeated"])
    if "rows" not in payload:
        yield from items
        return
    start, end = payload["rows"]
    again, shared = set(payload["again"]), set(payload["shared"])
    row = 0
    for item in items:
        count = 1 if isinstance(item, Rejected) else item.num_rows
        low, high = max(start - row, 0), min(end - row, count)
        if low < high:
            if isinstance(item, Rejected):
                yield item
            else:
                first = row + low
                places = [{place - first for place in each} for each in (again, shared)]
                yield from _told_apart(item.slice(low, high - low), *places)
        row += count
        if row >= end:
            return


def _without(items: Iterable[pa.Table | Rejected], file: str, repeated: Iterable[int]) -> Iterator[pa.Table | Rejected]:
    """The rows except those that another table has."""
    import pyarrow as pa
    import pyarrow.compute as pc

    places = pa.array([f"{file}, row {row}" for row in repeated])
    for item in items:
        if isinstance(item, Rejected):
            yield item
            continue
        is_again = pc.is_in(item["where"], places)
        again = item.select(["id", "where"]).filter(is_again)
        for row in again.to_pylist():
            yield Rejected(row["id"], row["where"], "duplicate_id", "another table has the same row")
        if len(again) < len(item):
            yield item.filter(pc.invert(is_again))


def _file(draft: UnitDraft) -> str:
    return str(draft.payload["table"]["file"])


def _parts(draft: UnitDraft, wanted: int, repeated: Sequence[int]) -> Iterator[UnitDraft]:
    """Equal parts of a draft whose range is one of rows, some of them ``repeated``."""
    table = draft.payload["table"]
    start, end = table["start"], table["end"]
    count = max(1, -(-(end - start) // wanted))
    cuts = [start + (end - start) * part // count for part in range(count + 1)]
    for low, high in itertools.pairwise(cuts):
        payload: dict[str, Any] = {"table": {**table, "start": low, "end": high}}
        again = list(repeated[bisect_left(repeated, low) : bisect_left(repeated, high)])
        payload |= {"repeated": again} if again else {}
        yield UnitDraft(payload, draft.inputs, high - low, high - low)


def _windows(
    tree: Tree, draft: UnitDraft, options: SourceOptions, form: TableForm, seen: SeenKeys, named: _Named
) -> Iterator[UnitDraft]:
    """Runs of rows that name their media, each no more than a unit holds. Rows that name one picture stay together."""
    file, columns = _file(draft), draft.payload["table"]["columns"]
    role, cut = form.role, UnitBounds(options, form.rows_per_unit)
    # Captions of one picture share its id; a clip's id should be its own, but is often its sentence's.
    is_own_id = not form.is_shared and "id" in columns
    start = row = 0
    names: dict[str, None] = {}
    again: list[int] = []
    shared: list[int] = []
    for item in read_table_unit(tree, draft.payload):
        rows: list[dict[str, Any]] = [{}] if isinstance(item, Rejected) else item.drop_columns(["where"]).to_pylist()
        for whole in rows:
            ident, value = whole.get("id"), whole.get(role)
            if isinstance(value, Mapping) and value.get("bytes") is None:
                value = value.get("path")
            name = media_name(tree, file, value) if isinstance(value, str) else None
            is_together = form.is_shared and name in names
            if not is_together and cut.before(_weight(tree, name, whole)):
                yield _window(draft, start, row, names, again, shared)
                start, names, again, shared = row, {}, [], []
            if not form.is_shared and name is not None:
                said = {key: each for key, each in whole.items() if key not in ("id", role, EXTRA)}
                is_again = seen.again(f"row {name} {said}".encode("utf-8", "replace"))
                is_shared = is_own_id and bool(ident) and seen.again(f"id {ident}".encode())
                if not is_again:
                    named.add(name)
                if is_again or is_shared:
                    (again if is_again else shared).append(row)
            if name is not None and is_input(tree, name):
                names[name] = None
            row += 1
    if row > start:
        yield _window(draft, start, row, names, again, shared)


def _weight(tree: Tree, name: str | None, row: Mapping[str, Any]) -> int:
    """Bytes of a row's media once decoded: of a stretch of a recording, or of a whole file."""
    if name is None:
        return 0
    if "start" not in row and "offset" not in row:
        return media_weight(tree, name)
    try:
        end, start = row.get("end"), row.get("start")
        seconds = float(row["duration"]) if end is None else float(end) - float(start or 0)
    except (KeyError, TypeError, ValueError):
        return 0
    return stretch_weight(seconds)


def _window(
    draft: UnitDraft, start: int, end: int, names: Iterable[str], again: list[int], shared: list[int]
) -> UnitDraft:
    """A unit of rows: those in ``again`` are repeats, those in ``shared`` have the id of another one."""
    table = draft.payload["table"]
    payload = {**draft.payload, "rows": [start, end], "again": again, "shared": shared}
    if table["format"] in IN_ROWS:  # which can be read from any row
        place = {"start": table["start"] + start, "end": table["start"] + end}
        again, shared = ([row - start for row in rows] for rows in (again, shared))
        payload = {"table": {**table, **place}, "rows": [0, end - start], "again": again, "shared": shared}
    return UnitDraft(payload, (*draft.inputs, *names), end - start, end - start)


def _told_apart(rows: pa.Table, again: set[int], shared: set[int]) -> Iterator[pa.Table | Rejected]:
    """The rows except exact repeats; one whose id came before with other media gets their name in its id."""
    import pyarrow as pa

    bad = sorted(again & set(range(rows.num_rows)))
    for row in bad:
        detail = "the same row came before"
        yield Rejected(rows["id"][row].as_py(), rows["where"][row].as_py(), "duplicate_id", detail)
    if shared & set(range(rows.num_rows)):
        values = rows["audio"].to_pylist()
        ids = [f"{ident}@{values[row]}" if row in shared else ident for row, ident in enumerate(rows["id"].to_pylist())]
        place = rows.schema.get_field_index("id")
        rows = rows.set_column(place, rows.schema.field(place), pa.array(ids, rows.schema.field(place).type))
    if bad:
        rows = rows.take([row for row in range(rows.num_rows) if row not in again])
    if rows.num_rows:
        yield rows
