"""What lists and tables hold where a caption should be: a text, several, a structure with the text in it, or none."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from omni_ray.corpora.base import Rejected

TEXT_KEYS = ("raw", "caption", "text", "sentence", "value", "content")
"""Where a structure that stands for a caption keeps its text, best first."""
_LOOKS_LIST = re.compile(r"""\s*\[\s*(?:"|'|\{|None\b|null\b|\])""")
_LONGEST_LIST = 1 << 20

Fault = tuple[str, str]
"""A reason code of omni_ray.reasons, and what was seen."""


def caption_texts(value: Any) -> tuple[list[str], list[Fault]]:
    """The captions in ``value``, in order, and a fault for each thing in it that is none.

    A text is a caption, unless it is a list of texts as JSON or Python writes it (Flickr30k's tables have such cells): then its
    members are. Of a structure the text is taken (:data:`TEXT_KEYS`). An empty list has neither captions nor faults.
    """
    if isinstance(value, str):
        inside = _list_in(value)
        if inside is not None:
            return _of_all(inside)
        if not _is_unicode(value):
            return [], [("bad_encoding", "half a surrogate pair is in the caption")]
        return [value], []
    if isinstance(value, Mapping):
        key = caption_key(value)
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
    for read in (json.loads, ast.literal_eval):
        try:
            found = read(text.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(found, list) and all(isinstance(each, str | dict | None) for each in found):
            return found
    return None


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _kind(value: Any) -> str:
    return "a number" if isinstance(value, int | float) and not isinstance(value, bool) else f"a {type(value).__name__}"


def rejected(faults: Iterable[Fault], ident: str, where: str) -> list[Rejected]:
    """A rejection of one record for each fault."""
    return [Rejected(ident, where, reason, detail) for reason, detail in faults]
