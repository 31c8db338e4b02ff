"""Files whose names do not say what they hold: Hadoop's and Spark's ``part-00000``, ``part-00000.gz``, ``corpus.bz2``; and
JSON Lines called ``.txt``."""

from __future__ import annotations

import json
import re
from functools import lru_cache

from omni_ray.sources.form import form_of, head, head_of_lines, start_of
from omni_ray.sources.signatures import instead_of_text
from omni_ray.sources.tree import Tree

_NAMELESS = re.compile(
    r"(?:^|/)(?:part-(?:[a-z]-)?\d{3,}[\w-]*(?:\.c\d+)?(?:\.(?:gz|bz2|xz|zst))?|[^/.]+\.(?:gz|bz2|xz|zst))$",
    re.IGNORECASE,
)
_TEXT = re.compile(r"\.(?:txt|text)(?:\.(?:gz|bz2|xz|zst))?$", re.IGNORECASE)
_LOOK_LINES = 20
"""Of a text, so many lines must be JSON, so that one in braces is no table."""


@lru_cache(maxsize=1 << 14)
def content_of(tree: Tree, name: str) -> str:
    """What a file holds whose name does not say it: "lines" for one JSON object per line, "text" for other lines; "" for
    anything else, and for files whose names say what they hold. Texts (``.txt``) are "lines" or "text"."""
    is_text = _TEXT.search(name) is not None
    if not (is_text or _NAMELESS.search(name)) or not tree.size(name):
        return "text" if is_text else ""
    data = head_of_lines(tree, name) if is_text else head(tree, name)
    if is_text and b"{" not in data:
        return "text"  # in whatever encoding, which takes longer to find out
    if not is_text and instead_of_text(data):
        return ""
    lines = [line for line in start_of(data, form_of(data)).split(b"\n", _LOOK_LINES) if line.strip()]
    if lines[:1] and lines[0].lstrip()[:1] == b"{":
        is_json = all(map(_is_object, lines[:_LOOK_LINES] if is_text else lines[:1]))
        return "lines" if is_json else "text" if is_text else ""
    return "text" if is_text or (lines and lines[0].lstrip()[:1] not in (b"<", b"[") and b"\0" not in lines[0]) else ""


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
