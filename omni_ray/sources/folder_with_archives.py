"""A folder whose archives are opened in place.

An archive is shown as if it had been unpacked where it is: the pictures of ``train2017.zip`` and the lists of ``annotations.zip``
are one folder. Where that would bring two files together that are not from one archive, each archive concerned is
shown as a folder of its own name instead: no file hides another of its name, and no clip gets the text of another
archive's. An archive that is there unpacked, or in another form, is left out; one that was unpacked in part is shown where its
files are, and each of them once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from omni_ray.sources.archives import ArchiveTree
from omni_ray.sources.delegating import DelegatingTree
from omni_ray.sources.furniture import is_documentation, is_furniture
from omni_ray.sources.kept import folder_of
from omni_ray.sources.kinds import archive_kind
from omni_ray.sources.member_places import MemberPlaces
from omni_ray.sources.remote import RemoteTree
from omni_ray.sources.settling import Settled, settle
from omni_ray.sources.tar_tree import TarTree
from omni_ray.sources.tree import Entries, FolderTree, RefusedMembers, Tree
from omni_ray.sources.zip_tree import ZipTree

_DEPTH = 3
"""Archives are looked for in the folder and this many levels below it."""


class UnionTree(DelegatingTree):
    """A folder and the archives in it.

    Args:
        folder: the folder, on the local disk or on an object store.
        names: its archives, as :func:`archives_in` has them.
        settled: as :func:`settle` found it; None to find it now.
    """

    def __init__(self, folder: FolderTree | RemoteTree, names: Sequence[str], settled: Settled | None = None) -> None:
        self.location = folder.location
        self.folder = folder
        self.points = folder.points
        found = {
            name: (f"{parent}/" if parent else "", _open(folder, name))
            for name in names
            for parent in (name.rpartition("/")[0],)
        }
        self.settled = settle(self.folder, found) if settled is None else settled
        self._cut, self._replaced = set(self.settled.cut), set(self.settled.replaced)
        self._archives = found.keys()
        self._mounts = [
            (prefix, tree, "alike" if name in self.settled.alike else "copy")
            for name, (usual, tree) in found.items()
            if (prefix := self.settled.places.get(name, usual)) is not None
        ]
        self._places = MemberPlaces(folder, [(prefix, tree) for prefix, tree, _ in self._mounts])

    @property
    def refused(self) -> RefusedMembers:
        return sum((tree.refused for _, tree, _ in self._mounts), RefusedMembers())

    @property
    def copies(self) -> list[str]:
        """Archives that are not opened: their contents are there in another form."""
        return [name for name, prefix in self.settled.places.items() if prefix is None]

    def spec(self) -> dict[str, Any]:
        return {
            "kind": "union",
            "tree": self.folder.spec(),
            "names": list(self._archives),
            "cache": str(folder_of(self).absolute()),
            "settled": vars(self.settled),
        }

    def _layers(self, name: str) -> Iterable[tuple[Tree, str]]:
        """Where ``name`` may be. Looking in a listing is cheaper than asking an object store; where a loose file and a
        member have the name, they are the same, unless the file replaces it."""
        loose = [(self.folder, name)] if name not in self._archives and name not in self._cut else []
        holding = (self._mounts[number] for number in self._places.of(name))
        members = ((tree, name[len(prefix) :]) for prefix, tree, _ in holding if name.startswith(prefix))
        if isinstance(self.folder, RemoteTree) and name not in self._replaced:
            yield from members
            yield from loose
        else:
            yield from loose
            yield from members

    def _of(self, name: str) -> tuple[Tree, str]:
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
        loose = {name for name in own.files if inside + name not in self._archives and inside + name not in self._cut}
        files = set(loose)
        left_out = own.left_out + [(name, "copy") for name in own.files if inside + name in self._cut]
        holding = (self._mounts[number] for number in self._places.of(inside)) if inside else self._mounts
        for prefix, tree, copy in holding:
            if inside.startswith(prefix):
                there = tree.look(inside[len(prefix) :].rstrip("/"))
                folders.update(there.folders)
                left_out += there.left_out
                left_out += [
                    (name, self._why_hidden(inside, name, copy if name in loose else ""))
                    for name in there.files
                    if name in files
                ]
                files.update(there.files)
            elif prefix.startswith(inside):  # an archive that is a folder, or is in one
                folders.add(prefix[len(inside) :].partition("/")[0])
        left_out += [
            (name[len(inside) :], "alike" if name in self.settled.alike else "copy")
            for name in self.copies
            if name.rpartition("/")[0] == folder
        ]
        return Entries(sorted(folders), sorted(files - folders), own.linked, left_out)

    def _why_hidden(self, inside: str, name: str, copy: str) -> str:
        """Why a member is not shown if another member, or a loose file of which it is a ``copy``, has its name."""
        if is_documentation(name):
            return "documentation"
        return copy if copy and inside + name not in self._replaced else "superseded"

    def exists(self, name: str) -> bool:
        return any(tree.exists(inner) for tree, inner in self._layers(name))

    def local_path(self, name: str) -> Path | None:
        try:
            return super().local_path(name)
        except FileNotFoundError:
            return None

    def canonical(self, name: str) -> str:
        if not name.isascii():
            for tree, inner in self._layers(name):
                if isinstance(tree, ArchiveTree) and tree.exists(inner):
                    return name[: len(name) - len(inner)] + tree.canonical(inner)
        return self.folder.canonical(name)

    def stamp(self, names: Iterable[str]) -> str:
        in_folder: list[str] = []
        archives: dict[int, ArchiveTree] = {}
        for name in names:
            holder = next((tree for tree, inner in self._layers(name) if tree.exists(inner)), self.folder)
            if isinstance(holder, ArchiveTree):
                archives[id(holder)] = holder
            else:
                in_folder.append(name)
        stamps = {f"{holder.file.name}={holder.stamp(())}" for holder in archives.values()}
        return ";".join([self.folder.stamp(in_folder), *sorted(stamps)])


def with_archives(place: FolderTree | RemoteTree) -> Tree:
    """A folder with its archives, an archive as a folder, or, where there is no archive, the place as it is.

    Raises:
        SourceError: as :class:`ArchiveTree` does.
    """
    if place.is_file:
        return _open(place, next(place.names())) if archive_kind(place.location) else place
    archives = archives_in(place)
    return UnionTree(place, archives) if archives else place


def _open(folder: FolderTree | RemoteTree, name: str) -> ArchiveTree:
    location = folder.location if folder.is_file else name
    return (ZipTree if archive_kind(location) == "zip" else TarTree)(folder, name)


def archives_in(folder: FolderTree | RemoteTree) -> list[str]:
    """Names of the archives of a folder that are shown, by depth and name."""
    if isinstance(folder, RemoteTree):
        names = [name for name in folder.names() if name.count("/") <= _DEPTH and archive_kind(name)]
        return sorted(names, key=lambda name: (name.count("/"), name))
    found: list[str] = []
    waiting = [""]
    for depth in range(_DEPTH + 1):
        below: list[str] = []
        for prefix in waiting:
            # A folder may hold millions of media: only what counts is kept and sorted.
            with os.scandir(folder.root / prefix) as entries:
                seen = sorted((entry.name, entry.is_dir()) for entry in entries if _is_folder_or_archive(entry))
            for name, is_folder in seen:
                (below if is_folder else found).append(f"{prefix}{name}/" if is_folder else f"{prefix}{name}")
        waiting = below if depth < _DEPTH else []
    return [name for name in found if folder.hidden is None or folder.hidden(name) is None]


def _is_folder_or_archive(entry: os.DirEntry[str]) -> bool:
    if is_furniture(entry.name) or entry.is_symlink():
        return False
    return entry.is_dir() or archive_kind(entry.name) is not None
