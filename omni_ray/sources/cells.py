"""What a value of a table means as text or as media, whatever shape its author gave it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

SURROGATE = re.compile("[\ud800-\udfff]")
_TURN = ("content", "value", "text")
"""Keys under which a turn of a conversation, or a part of it, has its words."""
_METADATA = ("title", "url", "lang")
"""Roles that a record can do without: where they are not text, they are left empty."""


def as_text(value: Any) -> str | None:
    """A document: text, a number, a list of paragraphs, or a list of a conversation's turns; None for null and for NaN, which is
    what pandas has for a value that is missing.

    Raises:
        ValueError: it is something else.
    """
    if value is None or isinstance(value, str):
        return None if value is None else encodable(value)
    if isinstance(value, int | float):
        return None if value != value else json.dumps(value)
    if isinstance(value, list):
        parts = [_paragraph(part) for part in value]
        return "\n".join(part for part in parts if part)
    raise ValueError(f"a value of type {type(value).__name__}")


def as_role(role: str, value: Any) -> Any:
    """A value as its role needs it: media as a path, everything else as text; None for null.

    Raises:
        ValueError: the role cannot be filled with it; the message says of which type it is.
    """
    if role in ("audio", "image"):
        return _as_media(value)
    if role == "text":
        return as_text(value)
    if isinstance(value, list | Mapping):
        return None if role in _METADATA else _no(value)
    return as_text(value)


def member(row: Mapping[str, Any], column: str) -> tuple[Any, bool]:
    """A row's value in a column, and whether there is one. ``doc.text`` is the column of that name, or what is within
    ``doc``; of a list, what is within each of its objects."""
    if column in row:
        return row[column], True
    if "." not in column:
        return None, False
    value: Any = row
    for key in column.split("."):
        if isinstance(value, list):
            value = [part.get(key) for part in value if isinstance(part, Mapping)]
        elif isinstance(value, Mapping) and key in value:
            value = value[key]
        else:
            return None, False
    return value, True


def encodable(text: str) -> str:
    """JSON may write half a surrogate pair, which no encoding can hold: ``text`` without it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return SURROGATE.sub("", text)
    return text


def _paragraph(part: Any) -> str | None:
    if part is None or isinstance(part, str | int | float):
        return as_text(part)
    if isinstance(part, Mapping):
        inside = _member(part, _TURN)
        return as_text(inside) if isinstance(inside, str | list) or inside is None else _no(part)
    return as_text(part)


def _member(value: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    for key in keys:
        if key in value:
            return value[key]
    raise ValueError(f"an object of {', '.join(map(str, list(value)[:6])) or 'nothing'}")


def _as_media(value: Any) -> Any:
    if isinstance(value, Mapping) and isinstance(value.get("path"), str):
        value = value["path"]
    return encodable(value) if isinstance(value, str) else value if value is None else _no(value)


def _no(value: Any) -> Any:
    raise ValueError(f"a value of type {type(value).__name__}")
