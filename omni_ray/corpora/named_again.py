"""Clips in layouts that name a clip after its file: a name that comes again may be the same clip, or another speaker's.

The index tells names and texts; only where both came before are the bytes compared, when the clip is read. The same clip with
the same text is a ``duplicate_id``; another one, or another text, is a record with a name of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from omni_ray.corpora.base import Rejected
from omni_ray.corpora.media import fetch
from omni_ray.digests import number_of

if TYPE_CHECKING:
    from omni_ray.sources.tree import Tree


class Firsts:
    """Which clips came before, where, and with what text. Holds 12 bytes for each, as two numbers."""

    def __init__(self) -> None:
        self._folders: list[str] = []
        self._first: dict[int, int] = {}

    def before(self, name: str, said: bytes, folder: str) -> str | None:
        """The folder in which ``name`` came first, if the same was ``said`` with it; "" if something else was; None where
        it did not come."""
        if not self._folders or self._folders[-1] != folder:
            self._folders.append(folder)
        text, key = number_of(said, 4), number_of(name.encode("utf-8", "surrogateescape"))
        if key not in self._first:
            self._first[key] = len(self._folders) - 1 << 32 | text
            return None
        first = self._first[key]
        return self._folders[first >> 32] if first & 0xFFFF_FFFF == text else ""


def apart(tree: Tree, row: dict[str, Any] | Rejected, name: str, before: str | None) -> dict[str, Any] | Rejected:
    """A clip's row where its name came before: a ``duplicate_id`` for the clip ``before``, else with names of its own.

    Args:
        tree, name: the clip.
        row: as it would be if its name were new.
        before: as :meth:`Firsts.before` tells, with the clip's name.
    """
    if before is None or isinstance(row, Rejected):
        return row
    if before and (before == name or fetch(tree, before, row["id"], row["where"]) == row["audio"]):
        return Rejected(row["id"], row["where"], "duplicate_id", f"the same clip came before: {before}")
    place = row["where"].replace(":", "-")
    return {**row, "id": f"{row['id']}@{row['where']}", "path": f"{place}-{name.rpartition('/')[2]}"}
