"""What a record has beyond the columns that it is read for, as one JSON text: ``--keep-columns``.

The text is the same for the same values: keys sorted, no blanks; dates as ISO 8601 writes them, bytes as text or else in base64,
and null for NaN and infinities, which JSON does not have.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

REST = "*"
"""As the column for the role ``extra``: all columns that fill no other; for ``text``: all text of a row."""


def extra_text(values: Mapping[str, Any]) -> str | None:
    """Further columns of a record as JSON; None where there are none with a value. Where values are nested too
    deeply to be written, the text says so.
    """
    kept = {key: value for key, value in values.items() if value is not None}
    if not kept:
        return None
    try:
        try:
            text = _written(kept)
        except ValueError:
            text = _written(_finite(kept))
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair, which JSON alone can write
        text = json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))
    except RecursionError:
        return _written(dict.fromkeys(kept, "nested too deeply"))
    return text


def numbered(header: Sequence[str]) -> list[str]:
    """The names of columns; one that was there before gets its number, from 1, too, or the next that makes it a new one."""
    taken, before = set(header), set[str]()
    names = []
    for number, name in enumerate(header, 1):
        made = name
        while name in before and made in taken:
            made, number = f"{name} ({number})", number + 1
        names.append(made)
        taken.add(made)
        before.add(name)
    return names


def joined(texts: Sequence[str | None]) -> str | None:
    """The further columns of several records joined to one: a column in which they differ is the list of its values."""
    if len(set(texts)) < 2:
        return texts[0] if texts else None
    rows = [json.loads(text) if text else {} for text in texts]
    every = {key: [row.get(key) for row in rows] for row in rows for key in row}
    return extra_text({key: found[0] if found.count(found[0]) == len(found) else found for key, found in every.items()})


def rest_of(row: Mapping[str, Any], used: Iterable[str]) -> dict[str, Any]:
    """A row without the columns, and what is within them (``doc.text``), that are used."""
    rest = dict(row)
    for column in used:
        if column in rest:
            del rest[column]
        elif (first := column.partition(".")[0]) in rest:
            rest[first] = _without(rest[first], column.split(".")[1:])
    return rest


def _without(value: Any, keys: Sequence[str]) -> Any:
    """A value without what is under ``keys`` in it; None if nothing else is left."""
    if isinstance(value, list):
        parts = [_without(part, keys) for part in value]
        return parts if any(part is not None for part in parts) else None
    if not keys or not isinstance(value, Mapping):
        return value
    rest = {key: _without(each, keys[1:]) if key == keys[0] and keys[1:] else each for key, each in value.items()}
    if not keys[1:]:
        rest.pop(keys[0], None)
    return rest if any(each is not None for each in rest.values()) else None


def _written(value: Any) -> str:
    return json.dumps(
        value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False, default=_as_json
    )


def _as_json(value: Any) -> Any:
    """JSON's form of values that Arrow's columns hold and JSON does not know."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return base64.b64encode(value).decode()
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value.item() if hasattr(value, "item") else str(value)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
