"""Rows of a shard kept apart: a media file and an id of its own for every sample, whatever its source calls them."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import pyarrow as pa
import pyarrow.compute as pc


def kept_apart(rows: pa.Table, column: str) -> pa.Table:
    """The same rows, none of which shares its media path or its id with an earlier one.

    Paths that differ in upper and lower case alone are one on some disks. What came before gets a digest of its place;
    an id that came before gets the sample's path.

    Args:
        rows: shard rows.
        column: the one of their media; rows without any, for which it is "", stay as they are.
    """
    if not column:
        return rows
    ids = rows["id"].to_pylist()
    before = pc.struct_field(rows[column], "path").to_pylist()
    paths = _paths(before, ids)
    if paths != before:
        media = rows[column].combine_chunks()
        fields = [media.field(i) for i in range(media.type.num_fields)]
        fields[media.type.get_field_index("path")] = pa.array(paths, pa.string())
        rows = _with(rows, column, pa.StructArray.from_arrays(fields, fields=list(media.type)))
    unique = _ids(ids, paths)
    return rows if unique == ids else _with(rows, "id", pa.array(unique, pa.string()))


def _paths(paths: Sequence[str], ids: Sequence[str]) -> list[str]:
    seen: set[str] = set()
    found = []
    for path, ident in zip(paths, ids, strict=True):
        turn = 0
        while path.casefold() in seen:
            turn += 1
            stem, _, ending = path.rpartition(".")
            place = f"{path}\0{ident}\0{turn}".encode()
            path = f"{stem}-{blake2b(place, digest_size=5).hexdigest()}.{ending}"
        seen.add(path.casefold())
        found.append(path)
    return found


def _ids(ids: Sequence[str], paths: Sequence[str]) -> list[str]:
    seen: set[str] = set()
    found = []
    for ident, path in zip(ids, paths, strict=True):
        found.append(f"{ident}@{path}" if ident in seen else ident)
        seen.add(ident)
    return found


def _with(rows: pa.Table, name: str, values: pa.Array) -> pa.Table:
    place = rows.schema.get_field_index(name)
    return rows.set_column(place, rows.schema.field(place), values)
