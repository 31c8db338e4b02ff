"""Several sources side by side, each a tree of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from omni_ray.sources.delegating import DelegatingTree
from omni_ray.sources.tree import Entries, RefusedMembers, Tree

_OTHER = "//"
"""The prefix of file names of all sources but the first, which no name in a tree has; the source's number follows."""


class ManyTree(DelegatingTree):
    """Trees side by side. Files of the first one keep their names, so that others may join it later."""

    def __init__(self, trees: Sequence[Tree]) -> None:
        self.trees = tuple(trees)
        self.points = trees[0].points
        self.location = ", ".join(tree.location for tree in trees)

    @property
    def refused(self) -> RefusedMembers:
        return sum((tree.refused for tree in self.trees), RefusedMembers())

    def spec(self) -> dict[str, Any]:
        return {"kind": "many", "trees": [tree.spec() for tree in self.trees]}

    def _of(self, name: str) -> tuple[Tree, str]:
        if not name.startswith(_OTHER):
            return self.trees[0], name
        number, _, inner = name.removeprefix(_OTHER).partition("/")
        return self.trees[int(number)], inner

    def look(self, folder: str) -> Entries:
        tree, inner = self._of(folder)
        return tree.look(inner)

    def stamp(self, names: Iterable[str]) -> str:
        by_tree: dict[Tree, list[str]] = {}
        for tree, inner in map(self._of, names):
            by_tree.setdefault(tree, []).append(inner)
        return ";".join(tree.stamp(inner) for tree, inner in by_tree.items())


def name_in(number: int, name: str) -> str:
    """The name that file ``name`` of source ``number`` has among all sources."""
    return f"{_OTHER}{number}/{name}" if number else name
