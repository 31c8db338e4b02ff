"""Which characters show nothing, and which ones a record must not hold. Own tables, independent of the writers'."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

# Unicode's Default_Ignorable_Code_Point (DerivedCoreProperties.txt).
_IGNORABLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
INVISIBLE = re.compile(f"[{_IGNORABLE}]+")
"""Characters that show nothing, white space aside."""
INVISIBLE_BMP = np.array([chr(c).isspace() or INVISIBLE.match(chr(c)) is not None for c in range(0x10000)])
"""For each code up to U+FFFF, whether it is white space or shows nothing; bool, shape (65536,)."""

_ODD = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def is_blank(text: str) -> bool:
    """Whether nothing of ``text`` can be seen."""
    stripped = text.strip()
    if not stripped:
        return True
    return INVISIBLE.match(stripped) is not None and not INVISIBLE.sub("", stripped).strip()


def odd_characters(text: str) -> Iterator[str]:
    """Which of ``nul``, ``newline``, ``line_separator`` and ``control`` are in ``text``; each once."""
    if _ODD.search(text) is None:
        return
    found = set(_ODD.findall(text))
    groups = {"nul": {"\0"}, "newline": {"\n", "\r"}, "line_separator": {"\x85", "\u2028", "\u2029"}}
    for code, characters in groups.items():
        if found & characters:
            yield code
        found -= characters
    if found:
        yield "control"
