"""A folder whose archives are looked into.

An archive is shown as if it had been unpacked where it lies: the pictures of ``train2017.zip`` and the lists of ``annotations.zip``
are one folder. Where that would bring two files together that are not of one archive, each archive that is concerned is
shown as a folder of its own name instead: no file stands before another of its name, and no clip gets the text of another
archive's. An archive that lies there unpacked, or in another form, is left out.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from omni_ray.sources.archives import ArchiveTree, archive_kind, archive_stem, open_archive
from omni_ray.sources.furniture import is_documentation, is_furniture
from omni_ray.sources.tree import Entries, FolderTree, Refused, Tree

_DEPTH = 3
"""Archives are looked for in the folder and in folders below it, so deep."""

Places = dict[str, str | None]
"""Archives that do not lie where they would unpack: path in the folder -> prefix of their members, None for not at all."""


class UnionTree(Tree):
    """A folder and the archives in it.

    Args:
        root: the folder.
        cache: folder for listings of archives.
        places: as :func:`settle` found them; None to find them now.
        follow_links: follow links that lead out of the folder, too.
    """

    def __init__(self, root: str | Path, cache: Path, places: Places | None = None, follow_links: bool = False) -> None:
        self.location = str(root)
        self.folder = FolderTree(root, follow_links)
        self._cache = cache
        found = {
            path.relative_to(self.folder.root).as_posix(): (prefix, open_archive(path, cache))
            for prefix, path in archives_in(Path(root))
        }
        self.places = settle(self.folder, found) if places is None else places
        self._archives = found.keys()
        self._mounts = [
            (prefix, tree)
            for name, (usual, tree) in found.items()
            if (prefix := self.places.get(name, usual)) is not None
        ]

    @property
    def refused(self) -> Refused:
        return sum((tree.refused for _, tree in self._mounts), Refused())

    @property
    def copies(self) -> list[str]:
        """Archives that are not looked into: what is in them is there in another form."""
        return [name for name, prefix in self.places.items() if prefix is None]

    def spec(self) -> dict[str, Any]:
        return {
            **self.folder.spec(),
            "kind": "union",
            "cache": str(self._cache.absolute()),
            "places": self.places,
        }

    def _layers(self, name: str) -> Iterable[tuple[Tree, str]]:
        if name not in self._archives:
            yield self.folder, name
        for prefix, tree in self._mounts:
            if name.startswith(prefix):
                yield tree, name[len(prefix) :]

    def _holder(self, name: str) -> tuple[Tree, str]:
        for tree, inner in self._layers(name):
            if tree.exists(inner):
                return tree, inner
        raise FileNotFoundError(2, "no such file", f"{self.location}/{name}")

    def look(self, folder: str) -> Entries:
        inside = f"{folder}/" if folder else ""
        own = Entries()
        if self.folder.is_folder(folder):
            own = self.folder.look(folder)
        folders = set(own.folders)
        files = {name for name in own.files if inside + name not in self._archives}
        left_out = own.left_out
        for prefix, tree in self._mounts:
            if inside.startswith(prefix):
                there = tree.look(inside[len(prefix) :].rstrip("/"))
                folders.update(there.folders)
                files.update(there.files)
                left_out += there.left_out
            elif prefix.startswith(inside):  # an archive that is a folder, or lies in one
                folders.add(prefix[len(inside) :].partition("/")[0])
        left_out += [(name[len(inside) :], "copy") for name in self.copies if name.rpartition("/")[0] == folder]
        return Entries(sorted(folders), sorted(files - folders), own.linked, left_out)

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

    def canonical(self, name: str) -> str:
        return self.folder.canonical(name)

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
    """Archives of a folder, and where their members would unpack: (prefix, path), in order of depth and name."""
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
    if is_furniture(entry.name) or entry.is_symlink():
        return False
    return entry.is_dir() or archive_kind(entry.name) is not None


def settle(folder: FolderTree, archives: Mapping[str, tuple[str, ArchiveTree]]) -> Places:
    """Which archives are copies of what is there, and which ones have to be folders of their own.

    Args:
        folder: where the archives lie.
        archives: path -> prefix under which the members would unpack, and the archive.
    """
    places: Places = {}
    for name, (prefix, tree) in archives.items():
        beside = f"{prefix}{archive_stem(name.rpartition('/')[2])}/"
        if _is_unpacked(folder, prefix, tree) or _is_unpacked(folder, beside, tree):
            places[name] = None
    for earlier, later in _twins(archives):
        if places.get(earlier, "") is not None and _same_members(archives[earlier][1], archives[later][1]):
            places[later] = None
    left = [(name, prefix, tree) for name, (prefix, tree) in archives.items() if name not in places]
    meeting = _meeting([_keys(prefix, tree) for _, prefix, tree in left]) if len(left) > 1 else set()
    for number, (name, prefix, tree) in enumerate(left):
        if number in meeting or _meets_loose_files(folder, prefix, tree):
            places[name] = f"{name}/"
    return places


def _is_unpacked(folder: FolderTree, prefix: str, tree: ArchiveTree) -> bool:
    """Whether every member lies below ``prefix``, with the size it has in the archive. Looks no further than the first
    that does not."""
    count = 0
    for count, name in enumerate(tree.names(), 1):  # noqa: B007 - whether there were any
        try:
            if folder.size(prefix + name) != tree.size(name):
                return False
        except OSError:
            return False
    return count > 0


def _twins(archives: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Archives of one name in two packings, such as ``a.tar`` and ``a.tar.gz``."""
    first: dict[str, str] = {}
    for name in archives:
        stem = archive_stem(name)
        if stem in first:
            yield first[stem], name
        first.setdefault(stem, name)


def _same_members(one: ArchiveTree, other: ArchiveTree) -> bool:
    if len(one.listing) != len(other.listing):
        return False
    return all(
        mine == theirs and one.size(mine) == other.size(theirs)
        for mine, theirs in zip(one.names(), other.names(), strict=False)
    )


def _keys(prefix: str, tree: ArchiveTree) -> Sequence[int]:
    """A number for each place and name without endings: a clip and its text have the same."""
    keys = array("q")
    for folder, _, files in tree.walk():
        place = f"{prefix}{folder}/" if folder else prefix
        keys.extend(hash(place + name.partition(".")[0]) for name in files if not is_documentation(name))
    return keys


def _meeting(keys: Sequence[Sequence[int]]) -> set[int]:
    """The numbers of those sequences that have a key in common with another one."""
    values = np.concatenate([np.asarray(each, np.int64) for each in keys])
    owners = np.repeat(np.arange(len(keys)), [len(each) for each in keys])
    order = np.argsort(values, kind="stable")
    values, owners = values[order], owners[order]
    meet = (values[1:] == values[:-1]) & (owners[1:] != owners[:-1])
    return {*owners[1:][meet].tolist(), *owners[:-1][meet].tolist()}


def _meets_loose_files(folder: FolderTree, prefix: str, tree: ArchiveTree) -> bool:
    """Whether a member has the name of a file or folder that lies where it would unpack."""
    for inside, folders, files in tree.walk():
        place = (prefix + inside).rstrip("/")
        if not folder.is_folder(place):
            folders.clear()
            continue
        there = folder.look(place)
        names = {name for name in files if not is_documentation(name)}
        if names & {*there.files, *there.folders} or set(folders) & set(there.files):
            return True
    return False
