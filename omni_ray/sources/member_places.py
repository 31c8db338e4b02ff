"""Which of many archives hold a name: a sorted table of numbers on disk, so that none is asked for what it does not hold."""

from __future__ import annotations

import json
import mmap
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

from omni_ray.digests import number_of
from omni_ray.sources.archives import ArchiveTree
from omni_ray.sources.holders import Holders, table_of
from omni_ray.sources.kept import Kept
from omni_ray.sources.remote import RemoteTree
from omni_ray.sources.tree import FolderTree
from omni_ray.storage import atomic_writer

_TABLE = ".holders"
Mounted = tuple[str, ArchiveTree]
"""The prefix of its members' names, and the archive."""


class MemberPlaces:
    """Where the members of a folder's archives are. Twelve bytes for each member and folder, which processes share.

    Args:
        folder: the folder that the archives are in.
        mounts: the archives, in the order in which they are asked.
    """

    def __init__(self, folder: FolderTree | RemoteTree, mounts: Sequence[Mounted]) -> None:
        self._folder, self._mounts = folder, mounts

    def of(self, name: str) -> Sequence[int]:
        """The numbers of those mounts that may hold a file, or with a slash behind its name a folder; nearly always those
        that do."""
        if len(self._mounts) < 2:
            return range(len(self._mounts))
        return self._table.of(_key(name))

    @cached_property
    def _table(self) -> Holders:
        names = [tree.file.path for _, tree in self._mounts]
        prefixes = [prefix for prefix, _ in self._mounts]
        kept = Kept(self._folder, names, "holders", (_TABLE,), json.dumps(prefixes))
        kept.made(lambda: self._write(kept))
        with kept.path(_TABLE).open("rb") as file:
            return Holders(memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))

    def _write(self, kept: Kept) -> dict[str, Any]:
        with atomic_writer(kept.path(_TABLE), sync=False) as out:
            out.write(table_of(_keys(prefix, tree) for prefix, tree in self._mounts))
        return {}


def _keys(prefix: str, tree: ArchiveTree) -> Iterator[int]:
    """Those of an archive's members, and of all folders that they are in."""
    folders: set[str] = set()
    for name, _ in tree.listing.sizes():
        yield _key(prefix + name)
        folder = (prefix + name).rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            yield _key(f"{folder}/")
            folder = folder.rpartition("/")[0]


def _key(name: str) -> int:
    """A number for a name, whether its accented letters are composed or decomposed."""
    same = name if name.isascii() else unicodedata.normalize("NFC", name)
    return number_of(same.encode("utf-8", "surrogatepass"))
