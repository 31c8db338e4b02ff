"""A tree whose files are those of other trees, told apart by how their names begin."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import BinaryIO

from omni_ray.sources.tree import MAX_FILE_BYTES, Tree


class DelegatingTree(Tree):
    """Asks the tree that holds a file, under the name that it has there."""

    @abstractmethod
    def _of(self, name: str) -> tuple[Tree, str]:
        """The tree that ``name`` is in, and its name there."""

    def exists(self, name: str) -> bool:
        tree, inner = self._of(name)
        return tree.exists(inner)

    def size(self, name: str) -> int:
        tree, inner = self._of(name)
        return tree.size(inner)

    def open(self, name: str) -> BinaryIO:
        tree, inner = self._of(name)
        return tree.open(inner)

    def read(self, name: str, limit: int = MAX_FILE_BYTES) -> bytes:
        tree, inner = self._of(name)
        return tree.read(inner, limit)

    def is_seekable(self, name: str) -> bool:
        tree, inner = self._of(name)
        return tree.is_seekable(inner)

    def local_path(self, name: str) -> Path | None:
        tree, inner = self._of(name)
        return tree.local_path(inner)
