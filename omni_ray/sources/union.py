"""A folder whose archives are looked into, as if they had been unpacked where they lie."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

from omni_ray.sources.archives import ArchiveTree, archive_kind, open_archive
from omni_ray.sources.tree import FolderTree, Refused, Tree, is_safe_name

_DEPTH = 1
"""Archives are looked for in the folder and in the folders directly in it."""


class UnionTree(Tree):
    """A folder and the archives in it. A file of the folder stands before a member of the same name, and an archive
    before those that come after it by name."""

    def __init__(self, root: str | Path, cache: Path) -> None:
        self.location = str(root)
        self.folder = FolderTree(root)
        self._cache = cache
        self._mounts = [(prefix, open_archive(path, cache)) for prefix, path in archives_in(Path(root))]
        self._hidden = {tree.path.relative_to(self.folder.root).as_posix() for _, tree in self._mounts}

    @property
    def refused(self) -> Refused:
        return sum((tree.refused for _, tree in self._mounts), Refused())

    def spec(self) -> dict[str, Any]:
        return {"kind": "union", "root": str(self.folder.root.absolute()), "cache": str(self._cache.absolute())}

    def _layers(self, name: str) -> Iterable[tuple[Tree, str]]:
        if not is_safe_name(name):
            return
        if name not in self._hidden:
            yield self.folder, name
        for prefix, tree in self._mounts:
            if name.startswith(prefix):
                yield tree, name[len(prefix) :]

    def _holder(self, name: str) -> tuple[Tree, str]:
        for tree, inner in self._layers(name):
            if tree.exists(inner):
                return tree, inner
        raise FileNotFoundError(2, "no such file", f"{self.location}/{name}")

    def children(self, folder: str) -> tuple[list[str], list[str]]:
        folders: set[str] = set()
        files: set[str] = set()
        inside = f"{folder}/" if folder else ""
        if not folder or (self.folder.root / folder).is_dir():
            own_folders, own_files = self.folder.children(folder)
            folders.update(own_folders)
            files.update(f for f in own_files if inside + f not in self._hidden)
        for prefix, tree in self._mounts:
            if inside.startswith(prefix):
                in_folders, in_files = tree.children(inside[len(prefix) :].rstrip("/"))
                folders.update(in_folders)
                files.update(in_files)
        return sorted(folders), sorted(files - folders)

    def exists(self, name: str) -> bool:
        return any(tree.exists(inner) for tree, inner in self._layers(name))

    def size(self, name: str) -> int:
        tree, inner = self._holder(name)
        return tree.size(inner)

    def open(self, name: str) -> BinaryIO:
        tree, inner = self._holder(name)
        return tree.open(inner)

    def read(self, name: str, limit: int = 1 << 30) -> bytes:
        tree, inner = self._holder(name)
        return tree.read(inner, limit)

    def local_path(self, name: str) -> Path | None:
        try:
            tree, inner = self._holder(name)
        except FileNotFoundError:
            return None
        return tree.local_path(inner)

    def stamp(self, names: Iterable[str]) -> str:
        in_folder: list[str] = []
        archives: set[str] = set()
        for name in names:
            holder = next((tree for tree, inner in self._layers(name) if tree.exists(inner)), self.folder)
            if isinstance(holder, ArchiveTree):
                archives.add(f"{holder.path.name}={holder.stamp(())}")
            else:
                in_folder.append(name)
        return ";".join([self.folder.stamp(in_folder), *sorted(archives)])


def archives_in(root: Path) -> list[tuple[str, Path]]:
    """Archives of a folder, and where their members are mounted: (prefix, path), in order of name."""
    found: list[tuple[str, Path]] = []
    folders = [("", root)]
    for depth in range(_DEPTH + 1):
        below: list[tuple[str, Path]] = []
        for prefix, folder in folders:
            # A folder may hold millions of media: only what counts is kept and sorted.
            with os.scandir(folder) as entries:
                seen = sorted((entry.name, entry.is_dir()) for entry in entries if _is_folder_or_archive(entry))
            for name, is_folder in seen:
                if is_folder:
                    below.append((f"{prefix}{name}/", folder / name))
                else:
                    found.append((prefix, folder / name))
        folders = below if depth < _DEPTH else []
    return found


def _is_folder_or_archive(entry: os.DirEntry[str]) -> bool:
    if entry.name.startswith(".") or entry.is_symlink():
        return False
    return entry.is_dir() or archive_kind(entry.name) is not None
