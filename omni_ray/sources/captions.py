"""What lists and tables hold where a caption should be: a text, several, a structure with the text in it, or none.

One reader for all of them: what is no caption costs itself, whatever format it comes in, and its neighbours are kept.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from omni_ray.records import Rejected
from omni_ray.sources.cells import encodable
from omni_ray.sources.json_objects import loads, object_of
from omni_ray.sources.json_values import BAD_BYTE

TEXT_KEYS = ("raw", "caption", "text", "sentence", "value", "content")
"""Where a structure that stands for a caption keeps its text, best first."""
_LOOKS_LIST = re.compile(r"""\s*\[\s*(?:"|'|\{|None\b|null\b|\])""")
_LONGEST_LIST = 1 << 20

LOST = "captions_lost"
"""The column beside ``captions``: what was found there and is no caption."""
_LOST_TYPE = pa.list_(pa.struct([("reason", pa.string()), ("detail", pa.string())]))

Fault = tuple[str, str]
"""A reason code of omni_ray.reasons, and what was seen."""


def caption_texts(value: Any) -> tuple[list[str], list[Fault]]:
    """The captions in ``value``, in order, and a fault for each thing in it that is not one.

    A text is a caption, unless it is a list of texts as JSON or Python writes it (Flickr30k's tables have such cells): then its
    members are. From a structure, the text is taken (:data:`TEXT_KEYS`). An empty list has neither captions nor faults.
    """
    if isinstance(value, str):
        inside = _list_in(value)
        if inside is not None:
            return _of_all(inside)
        whole = encodable(value)
        if whole is not value and BAD_BYTE.search(value):
            return [], [("bad_encoding", "the caption is not UTF-8")]
        return [whole], []
    if isinstance(value, bytes):
        try:
            return caption_texts(value.decode())
        except UnicodeDecodeError:
            return [], [("bad_encoding", "the caption is not UTF-8")]
    if isinstance(value, Mapping):
        try:
            key = caption_key(value)
        except ValueError as error:
            return [], [("bad_row", f"the caption is {error}")]
        if key is None:
            return [], [("bad_row", f"the caption is an object without {', '.join(TEXT_KEYS[:4])}")]
        return caption_texts(value[key])
    if isinstance(value, list | tuple):
        return _of_all(value)
    if value is None:
        return [], [("empty_text", "the caption is null")]
    return [], [("bad_row", f"the caption is {_kind(value)}, not a text")]


def caption_key(value: Mapping[str, Any]) -> str | None:
    """Where a structure that stands for a caption keeps its text; None where it has none."""
    return next((key for key in TEXT_KEYS if isinstance(value.get(key), str | list | tuple)), None)


def _of_all(values: Iterable[Any]) -> tuple[list[str], list[Fault]]:
    texts: list[str] = []
    faults: list[Fault] = []
    for value in values:
        more, bad = caption_texts(value)
        texts += more
        faults += bad
    return texts, faults


def _list_in(text: str) -> Sequence[Any] | None:
    if not _LOOKS_LIST.match(text) or not text.rstrip().endswith("]") or len(text) > _LONGEST_LIST:
        return None
    for read in (loads, _literal):
        try:
            found = read(text.strip())
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(found, list) and all(isinstance(each, str | dict | None) for each in found):
            return found
    return None


def _literal(text: str) -> Any:
    """As :func:`loads`, of what Python writes."""

    def made(node: ast.expr | None) -> Any:
        if isinstance(node, ast.List):
            return [made(each) for each in node.elts]
        if isinstance(node, ast.Dict):
            return object_of([(made(key), made(value)) for key, value in zip(node.keys, node.values, strict=True)])
        if node is None:
            raise ValueError("the members of something else")
        return ast.literal_eval(node)

    return made(ast.parse(text, mode="eval").body)


def _kind(value: Any) -> str:
    return "a number" if isinstance(value, int | float) and not isinstance(value, bool) else f"a {type(value).__name__}"


def caption_columns(values: Iterable[Any]) -> dict[str, pa.Array]:
    """A table's column of captions as two: ``captions`` list<string>, null where there is nothing, and :data:`LOST`."""
    texts: list[list[str] | None] = []
    lost: list[list[dict[str, str]]] = []
    for value in values:
        found, faults = ([], []) if value is None else caption_texts(value)
        texts.append(None if value is None else found)
        lost.append([{"reason": reason, "detail": detail} for reason, detail in faults])
    return {"captions": pa.array(texts, pa.list_(pa.string())), LOST: pa.array(lost, _LOST_TYPE)}


def captions_of(row: Mapping[str, Any]) -> tuple[list[str], list[Rejected]]:
    """The captions of a row of such a table, and a rejection for each thing that is not one."""
    ident, where = row["id"], row["where"]
    lost = rejected(((fault["reason"], fault["detail"]) for fault in row[LOST]), ident, where)
    if not row["captions"] and not lost:
        lost = [Rejected(ident, where, "missing_text", "an empty list of captions")]
    return row["captions"], lost


def rejected(faults: Iterable[Fault], ident: str, where: str) -> list[Rejected]:
    """A rejection of one record for each fault."""
    return [Rejected(ident, where, reason, detail) for reason, detail in faults]
