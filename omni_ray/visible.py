"""Foreign text as people may see it: names, ids and members come from archives and tables that anybody may have written.

A terminal obeys control characters, and shows text in another order after the marks that turn the direction of writing.
Here they become visible escapes; everything that a terminal only shows stays as it is, in every script.
"""

from __future__ import annotations

import re

_UNSAFE = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # control characters, of eight bits too; escape sequences begin with one
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # direction of writing
    "\u2028\u2029"  # line and paragraph separators
    "\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"  # not to be seen, but there
    "\ud800-\udfff"  # bytes of a file's name that are not UTF-8: no stream can write them
    "]"
)
_BUT_LINES = re.compile(_UNSAFE.pattern.replace("\x00-\x1f", "\x00-\x08\x0b-\x1f"))


def visible(text: object) -> str:
    """``text`` in one line, whatever it holds; each unsafe character is written as in JSON, ``\\u001b``."""
    return _UNSAFE.sub(_escape, str(text))


def visible_lines(text: str) -> str:
    """The same, but line feeds and tabs stay: for text of our own that was put together from safe parts, and for JSON."""
    return _BUT_LINES.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))
