"""Files whose names do not say what they hold: Hadoop's and Spark's ``part-00000``, ``part-00000.gz``, ``corpus.bz2``."""

from __future__ import annotations

import json
import re

from omni_ray.sources.form import form_of, head, start_of
from omni_ray.sources.signatures import instead_of_text
from omni_ray.sources.tree import Tree

_NAMELESS = re.compile(
    r"(?:^|/)(?:part-(?:[a-z]-)?\d{3,}[\w-]*(?:\.c\d+)?(?:\.(?:gz|bz2|xz|zst))?|[^/.]+\.(?:gz|bz2|xz|zst))$",
    re.IGNORECASE,
)


def content_of(tree: Tree, name: str) -> str:
    """What a file holds whose name says nothing: "lines" for one JSON object per line, "text" for other lines; "" for
    anything else, and for files whose names say what they hold."""
    if not _NAMELESS.search(name) or not tree.size(name):
        return ""
    data = head(tree, name)
    if instead_of_text(data):
        return ""
    first = start_of(data, form_of(data)).lstrip().partition(b"\n")[0]
    if first[:1] == b"{":
        try:
            return "lines" if isinstance(json.loads(first), dict) else ""
        except ValueError:
            return ""
    return "" if first[:1] in (b"<", b"[") or b"\0" in first else "text"
