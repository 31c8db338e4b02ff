"""The columns with which blocks travel from reader to sink.

A block is one unit's rows. Beside the modality's own columns every row has ``_unit`` (which unit it is of) and
``_reason``: null for a live row, a reason code for a rejected one, and ``UNIT_ROW`` for the one row every
unit has even when it is empty, so that each unit reaches the sink and its count of input records with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from omni_ray.corpora.base import Rejected

UNIT_ROW = "unit"
_ENGINE_FIELDS = (
    pa.field("_unit", pa.int32()),
    pa.field("_reason", pa.string()),
    pa.field("_detail", pa.string()),
    pa.field("_where", pa.string()),
    pa.field("_records", pa.int32()),
)
_ENGINE_NAMES = tuple(field.name for field in _ENGINE_FIELDS)
_ODD = (pa.ArrowException, UnicodeError, TypeError, ValueError, OverflowError)
"""What Arrow says of a value that does not fit its column."""
_DETAIL_LIMIT = 500
"""A detail is for a person; a hostile file must not fill the quarantine with one."""


def block_schema(columns: pa.Schema) -> pa.Schema:
    """``columns`` with the engine's own in front, nothing of the metadata."""
    return pa.schema([*_ENGINE_FIELDS, *columns.remove_metadata()])


def live_block(unit: int, rows: pa.Table, columns: pa.Schema) -> pa.Table:
    """Live rows of one unit as a block of :func:`block_schema`."""
    count = rows.num_rows
    engine = {
        "_unit": pa.array([unit] * count, pa.int32()),
        "_reason": pa.nulls(count, pa.string()),
        "_detail": pa.nulls(count, pa.string()),
        "_where": pa.nulls(count, pa.string()),
        "_records": pa.nulls(count, pa.int32()),
    }
    arrays = [engine[name] for name in _ENGINE_NAMES] + [
        rows[field.name].cast(field.type) if field.name in rows.column_names else pa.nulls(count, field.type)
        for field in columns
    ]
    return pa.table(arrays, schema=block_schema(columns))


def rejected_block(unit: int, rejected: Sequence[Rejected], columns: pa.Schema) -> pa.Table:
    """Rejected records of one unit as a block; their ids are in the ``id`` column."""
    count = len(rejected)
    filled = {
        "_unit": pa.array([unit] * count, pa.int32()),
        "_reason": pa.array([r.reason for r in rejected], pa.string()),
        "_detail": pa.array([_clean(r.detail)[:_DETAIL_LIMIT] for r in rejected], pa.string()),
        "_where": pa.array([_clean(r.where)[:_DETAIL_LIMIT] for r in rejected], pa.string()),
        "_records": pa.array([r.records for r in rejected], pa.int32()),
        "id": pa.array([_clean(r.id)[:_DETAIL_LIMIT] for r in rejected], pa.string()),
    }
    schema = block_schema(columns)
    return pa.table([filled.get(f.name, pa.nulls(count, f.type)) for f in schema], schema=schema)


def unit_row(unit: int, records: int, columns: pa.Schema, stats: str = "") -> pa.Table:
    """The row that every unit has; ``records`` is the number of its input records."""
    return rejected_block(unit, [Rejected("", "", UNIT_ROW, stats, records)], columns)


def split_block(block: pa.Table) -> dict[int, tuple[pa.Table, pa.Table]]:
    """Unit -> (its live rows, its other rows), units in the order in which they appear."""
    units = pc.unique(block["_unit"]).to_pylist()
    parts = {}
    for unit in units:
        rows = block if len(units) == 1 else block.filter(pc.equal(block["_unit"], unit))
        parts[unit] = _apart(rows)
    return parts


def _apart(rows: pa.Table) -> tuple[pa.Table, pa.Table]:
    """The live rows and the others; no media are copied where the live ones come first, as stages write them."""
    is_live = pc.is_null(rows["_reason"])
    count = pc.sum(is_live).as_py() or 0
    if pc.all(is_live.slice(0, count), min_count=0).as_py():
        return rows.slice(0, count), rows.slice(count)
    return rows.filter(is_live), rows.filter(pc.invert(is_live))


def without_engine_columns(rows: pa.Table) -> pa.Table:
    """The modality's own columns."""
    return rows.drop_columns(list(_ENGINE_NAMES))


def retype(rest: pa.Table, columns: pa.Schema) -> pa.Table:
    """Rows that are not live, with the columns of the next stage (all null but ``id``)."""
    schema = block_schema(columns)
    keep = {*_ENGINE_NAMES, "id"}
    return pa.table(
        [rest[f.name] if f.name in keep else pa.nulls(rest.num_rows, f.type) for f in schema], schema=schema
    )


def raw_table(rows: Iterable[Mapping[str, Any]], columns: pa.Schema) -> pa.Table:
    """Rows that a corpus yielded as dicts, as a table of the modality's raw schema; ``records`` defaults to 1."""
    return pa.Table.from_pylist([{"records": 1, **row} for row in rows], schema=columns)


def raw_rows(rows: Sequence[Mapping[str, Any]], columns: pa.Schema) -> tuple[pa.Table, list[Rejected]]:
    """:func:`raw_table` of the rows that are as ``columns`` say, and the others: one odd value costs its record alone."""
    try:
        return raw_table(rows, columns), []
    except _ODD:
        good, rejected = [], []
        for row in rows:
            named = {**row, **{key: _storable(row[key]) for key in ("id", "where", "path", "speaker") if key in row}}
            try:
                good.append(raw_table([named], columns))
            except _ODD as error:
                reason = "bad_encoding" if isinstance(error, UnicodeError) else "bad_row"
                ident, where, records = str(row.get("id", "")), str(row.get("where", "")), row.get("records", 1)
                detail = f"{where}: a value is not what it should be ({error})"
                rejected.append(Rejected(ident, where, reason, detail, records if isinstance(records, int) else 1))
        return pa.concat_tables([raw_table([], columns), *good]), rejected


def _storable(value: Any) -> Any:
    """Names of files that are not UTF-8 hold lone surrogates, which Arrow strings cannot."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _clean(text: str) -> str:
    return " ".join(str(_storable(text)).split())
