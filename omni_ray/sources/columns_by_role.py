"""From the columns a table has to the roles a corpus needs: which is which, and which rows can be used."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from omni_ray.errors import NoColumn, SourceError
from omni_ray.records import CHATS, EXTRA, Rejected, SourceOptions
from omni_ray.sources.captions import LOST
from omni_ray.sources.chats import chosen as chosen_chat
from omni_ray.sources.chats import parts_of
from omni_ray.sources.dialect import looks_like_data
from omni_ray.sources.extra import REST
from omni_ray.sources.inline_media import with_inline

REQUIRED = {
    "text": "missing_text",
    "captions": "missing_text",
    "audio": "missing_media",
    "image": "missing_media",
}
"""Roles that every row must fill, and the reason code of a row that does not; the other roles are optional."""
MEDIA = frozenset({"audio", "image"})
"""Roles whose values are media, or the paths of media."""
NOT_STRINGS = MEDIA | {"captions", LOST}
"""Roles whose values pass through as they are; those of all other roles become strings."""

_ONLY_WITH = {"offset": ("audio", "audio_filepath")}
"""Roles whose columns have their meaning only beside others: not only NeMo's manifests have offsets."""

_ADDRESS = re.compile(r"https?://|(?:^|[_ ])(?:url|uri|link)s?$", re.IGNORECASE)
"""The name of a column of addresses, or an address where the names should be."""

_BYTES_OF = {
    pa.string(): pa.binary(),
    pa.large_string(): pa.large_binary(),
    pa.binary(): pa.binary(),
    pa.large_binary(): pa.large_binary(),
}

BYTES_OR_TEXT = frozenset({*_BYTES_OF, pa.string_view(), pa.binary_view()})
"""Types of values that are bytes, or text."""


def choose_columns(
    name: str, there: list[str], roles: Mapping[str, tuple[str, ...]], options: SourceOptions
) -> dict[str, str]:
    """Role -> the column that fills it.

    Args:
        roles: role -> names to look for, best first; case matters only where both spellings are there.
        options: ``columns`` names a role's column outright; ``keep_columns`` asks for those that fill none, as ``extra``.

    Raises:
        NoColumn: a required role has no column, or the user named one that is not there.
        SourceError: a column that fills a role shares its name with another one, or differs from it in case alone and neither
            is spelled as looked for; or as :func:`check_roles`.
    """
    chosen = _chosen(name, there, roles, options)
    for role, column in chosen.items():
        if column != REST:
            check_names(name, role, parts_of(column, there), there)
            if column not in (options.columns.get(role), *roles.get(role, ())):
                _check_case(name, role, column, there)
    return chosen


def _check_case(name: str, role: str, column: str, there: Sequence[str]) -> None:
    """Raises SourceError where a column that was found whatever its case is not the only one of its name."""
    alike = [each for each in there if each.lower() == column.lower()]
    if len(alike) > 1:
        raise SourceError(f"{name}: {' and '.join(alike)} could be its {role}; say which: --columns {role}={alike[0]}")


def check_names(name: str, role: str, parts: Sequence[str], there: Sequence[str]) -> None:
    """Raises SourceError where one of the columns that a role needs shares its name with another one."""
    doubled = next((part for part in parts if there.count(part) > 1), None)
    if doubled is not None:
        raise SourceError(
            f"{name}: {there.count(doubled)} of its columns are called {doubled}, which is read as {role};"
            " give each a name of its own"
        )


def _chosen(
    name: str, there: list[str], roles: Mapping[str, tuple[str, ...]], options: SourceOptions
) -> dict[str, str]:
    check_roles(roles, options)
    by_case = {column.lower(): column for column in reversed(there)}
    chosen = {}
    for role, candidates in roles.items():
        named = options.columns.get(role)
        wanted = (named,) if named else tuple(each for each in candidates if each != CHATS)
        found = next((c for c in wanted if c in there), None) or next(
            (by_case[c.lower()] for c in wanted if c.lower() in by_case), None
        )
        if CHATS in candidates and (found is None or named):
            found = chosen_chat(there, named, options.chat_template) or found
        if found is not None:
            chosen[role] = found
        elif named or role in REQUIRED:
            raise NoColumn(_no_column(name, role, wanted, there))
    for role, (other, column) in _ONLY_WITH.items():
        if role in chosen and role not in options.columns and chosen.get(other) != column:
            del chosen[role]
    if "offset" in chosen and "duration" in there:
        chosen.setdefault("duration", "duration")
    if options.keep_columns:
        chosen[EXTRA] = REST
    return chosen


def check_roles(roles: Mapping[str, tuple[str, ...]], options: SourceOptions) -> None:
    """Raises SourceError where the user named a column for a role that is not there."""
    for role in options.columns:
        if role not in roles:
            raise SourceError(f"--columns {role}=...: there is no role {role} here; choose from {', '.join(roles)}")


def fits(there: list[str], roles: Mapping[str, tuple[str, ...]], options: SourceOptions) -> bool:
    """Whether every required role, and every one that the user named, finds its column."""
    try:
        _chosen("", there, roles, options)
    except SourceError:
        return False
    return True


def _no_column(name: str, role: str, wanted: tuple[str, ...], there: list[str]) -> str:
    address = next((each for each in there if _ADDRESS.search(each)), None)
    if role == "image" and address is not None:
        return (
            f"{name}: its column {address[:60]} holds addresses (URLs), not pictures; --dataset image_urls fetches them"
        )
    shown = ", ".join(there[:20]) + (", ..." if len(there) > 20 else "")
    near = next((m for w in wanted for m in difflib.get_close_matches(w, there, 1, 0.5)), None)
    hint = near or (there[0] if there else "NAME")
    return (
        f"{name}: no column {' or '.join(wanted)}; it has {shown or 'none'}."
        f" Name the one that holds the {role}: --columns {role}={hint}"
    )


def no_header(
    name: str, first: Sequence[str], roles: Mapping[str, tuple[str, ...]], options: SourceOptions
) -> NoColumn | None:
    """What to say of a table whose first row names no columns that are needed and looks like a record; else None."""
    if not options.header or not looks_like_data(first):
        return None
    needed = [role for role in roles if role in REQUIRED]
    media = next((n for n, field in enumerate(first, 1) if re.search(r"\.\w{2,5}$|://|/", field)), 1)
    words = max(
        (n for n in range(1, len(first) + 1) if n != media or len(needed) == 1),
        key=lambda n: len(first[n - 1]),
        default=1,
    )
    columns = ",".join(f"{role}={media if role in ('audio', 'image') else words}" for role in needed)
    return NoColumn(
        f"{name}: its first line names no column for {' or '.join(needed)}, and looks like a record. If it has no header, "
        f"say so, and which columns are which: --no-header --columns {columns}"
    )


def by_role(
    name: str,
    unit: str,
    table: Mapping[str, pa.Array],
    places: pa.Array,
    columns: Mapping[str, str],
    faults: Mapping[int, tuple[str, str]] = {},
) -> Iterator[pa.Table | Rejected]:
    """Rows with their columns named by role, plus ``id`` and ``where``; rows that cannot be used as rejections.

    Args:
        unit: what positions count: "row" or "byte".
        table: role -> values; arrays of one length, from a file that cannot be trusted.
        places: int64, where each row is in the file.
        columns: role -> column, for messages.
        faults: what is wrong with rows that are known to be: row -> (reason, detail).

    ``text`` becomes large_string, other strings string. A row without an id of its own gets ``<file>:<place>``.

    Raises:
        pa.ArrowInvalid: the arrays are not well formed: their offsets point outside their buffers.
    """
    faults = dict(faults)
    arrays = {}
    for role, values in table.items():
        if role in NOT_STRINGS:
            values = _as_they_are(values, role, columns.get(role, role), faults)
        else:
            values = _as_strings(values, role, faults)
        if role in REQUIRED:
            for row in np.flatnonzero(_is_missing(values)).tolist():
                faults.setdefault(row, (REQUIRED[role], f"column {columns[role]} is null"))
        arrays[role] = values
    names = places.cast(pa.string())
    where = pc.binary_join_element_wise(pa.scalar(name), names, f", {unit} ")
    ids = pc.binary_join_element_wise(pa.scalar(name), names, ":")
    if "id" in arrays:
        own = arrays.pop("id")
        ids = pc.if_else(pc.fill_null(pc.equal(pc.binary_length(own), 0), True), ids, own)
    result = pa.table({"id": ids, "where": where, **arrays})
    if faults:
        bad = sorted(faults)
        for row, (reason, detail) in ((row, faults[row]) for row in bad):
            ident = "" if reason == "bad_encoding" else ids[row].as_py()
            yield Rejected(ident or f"{name}:{names[row].as_py()}", where[row].as_py(), reason, detail)
        good = np.ones(len(result), dtype=bool)
        good[bad] = False
        result = result.filter(pa.array(good))
    if len(result):
        yield result


def is_text_type(kind: pa.DataType) -> bool:
    """Whether values of this type can be shown as strings."""
    if pa.types.is_dictionary(kind):
        return is_text_type(kind.value_type)
    return not pa.types.is_nested(kind)


def _as_they_are(values: pa.Array, role: str, column: str, faults: dict[int, tuple[str, str]]) -> pa.Array:
    """Values that become no strings, media among them taken out of base64."""
    if is_valid(values):
        return with_inline(values) if role in MEDIA else values
    for row in range(len(values)):
        if not is_valid(values.slice(row, 1)):
            faults.setdefault(row, ("bad_encoding", f"column {column} is not valid UTF-8"))
    return values


def _as_strings(values: pa.Array, role: str, faults: dict[int, tuple[str, str]]) -> pa.Array:
    wanted = pa.large_string() if role == "text" else pa.string()
    if pa.types.is_dictionary(values.type):
        values.validate(full=True)
        values = values.dictionary_decode()
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)  # as cells.as_text
    try:
        values.validate(full=True)
        return values.cast(wanted)
    except pa.ArrowInvalid:
        as_bytes = _BYTES_OF.get(values.type)
        if as_bytes is None:
            raise
        raw = values.view(as_bytes)
        raw.validate(full=True)  # is it only the encoding?
    decoded: list[str | None] = []
    for row, value in enumerate(raw.to_pylist()):
        try:
            decoded.append(None if value is None else value.decode())
        except UnicodeDecodeError:
            decoded.append("")
            faults.setdefault(row, ("bad_encoding", f"the {role} is not valid UTF-8"))
    return pa.array(decoded, wanted)


def is_valid(values: pa.Array) -> bool:
    """Whether an array from a file is what its type says, text in UTF-8."""
    try:
        values.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _is_missing(values: pa.Array) -> Any:
    """Null; for an embedded file, also one with neither bytes nor a path."""
    missing = values.is_null()
    if pa.types.is_struct(values.type):
        inner = [values.field(i).is_null() for i in range(values.type.num_fields)]
        for field in inner[1:]:
            inner[0] = pc.and_(inner[0], field)
        missing = pc.or_(missing, inner[0]) if inner else missing
    return missing.to_numpy(zero_copy_only=False)
