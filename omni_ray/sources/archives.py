"""Archives as trees, read in place: zip, and tar as it is or compressed with gzip, bzip2, xz or zstd.

The members are listed once; the listing, and for compressed tars the points at which decompression can start, are
kept (:mod:`omni_ray.sources.kept`). Any worker then reads any member without
reading what comes before it. Archives are hostile until shown otherwise: names must stay inside, links and devices are
left out and counted, and declared sizes are neither believed nor allocated.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from omni_ray.errors import SourceError, said_by
from omni_ray.media_names import is_safe_name
from omni_ray.sources import listing
from omni_ray.sources.archive_file import BrokenArchive, ByteSource, TreeFile
from omni_ray.sources.furniture import is_furniture, is_hidden
from omni_ray.sources.kept import Kept
from omni_ray.sources.kinds import ARCHIVES, archive_kind
from omni_ray.sources.links import forms_of
from omni_ray.sources.listing import Listing, Member
from omni_ray.sources.remote import RemoteTree
from omni_ray.sources.seek_points import SEEKABLE, open_packed
from omni_ray.sources.tree import Entries, FolderTree, RefusedMembers, Tree

MAX_RATIO = 1100
"""Deflate cannot expand more than 1032 times: anything more is forged, or a bomb. Text and PCM stay below 100."""
RATIO_FLOOR = 64 << 20
"""Below this size it does not matter how well something was compressed."""
_MAX_NAME = 4096
_LISTING = ".sqlite"
SEEK_POINTS = ".seek"
"""Ending of the file in which the points are kept at which decompression can start."""


class ArchiveTree(Tree):
    """An archive.

    Attributes:
        kind: one of the values of ``ARCHIVES``.
        size_and_time: bytes and modification time it had when it was opened.

    Raises:
        SourceError: it is missing, empty, cut short, encrypted, or not what its name says.
    """

    def __init__(self, folder: FolderTree | RemoteTree, name: str) -> None:
        self.file, self.points = TreeFile(folder, name), folder.points
        self._folder = folder
        self.location = folder.location if folder.is_file else f"{folder.location}/{name}"
        kind = archive_kind(self.location)
        if kind is None:
            raise SourceError(f"{self.location}: not an archive; known are {', '.join(ARCHIVES)}")
        self.kind = kind
        try:
            self.size_and_time = folder.size_and_time(name)
            self._kept = Kept(folder, [name], "listing", (_LISTING, SEEK_POINTS))
            self._kept.made(self._index)
        except OSError as error:
            why = "no permission to read it" if isinstance(error, PermissionError) else said_by(error)
            raise SourceError(f"{self.location}: {why}") from error

    def spec(self) -> dict[str, Any]:
        is_remote = isinstance(self._folder, RemoteTree)
        return {
            "kind": "archive",
            **({"remote": self._folder.spec()} if is_remote else {}),
            "path": self.file.path if is_remote else str(Path(self.location).absolute()),
            "cache": str(self._kept.folder.absolute()),
        }

    def _index(self) -> dict[str, Any]:
        """List the members."""
        path = self._kept.path(_LISTING)
        refused = RefusedMembers()
        try:
            if not self.size_and_time[0]:
                raise BrokenArchive("an empty file")
            count = listing.write(path, self._members(refused), refused)
        except BrokenArchive as error:
            raise SourceError(f"{self.location}: {error}; fetch it again") from error
        if not count:
            path.unlink()
            why = f"; {refused.count} members are refused, such as {refused.examples[0][1:]}" if refused.count else ""
            raise SourceError(f"{self.location}: the archive is empty{why}")
        return {}

    @abstractmethod
    def _members(self, refused: RefusedMembers) -> Iterator[Member]:
        """Every readable member in archive order; all others go to ``refused``. Raises BrokenArchive."""

    @property
    def _bytes(self) -> ByteSource:
        """What the members' offsets count in."""
        return _bytes_of(self.file, self.kind, self._kept.path(SEEK_POINTS))

    @cached_property
    def listing(self) -> Listing:
        """The members."""
        return Listing(self._kept.path(_LISTING))

    @property
    def refused(self) -> RefusedMembers:
        return self.listing.refused

    def _find(self, name: str) -> Member | None:
        """The member of this name, whether its accented letters are composed or decomposed."""
        found = self.listing.find(name)
        if found is None and not name.isascii():
            found = next((member for form in forms_of(name) if (member := self.listing.find(form))), None)
        return found

    def canonical(self, name: str) -> str:
        found = None if name.isascii() else self._find(name)
        return name if found is None else found.name

    def _member(self, name: str) -> Member:
        member = self._find(name)
        if member is None:
            raise FileNotFoundError(2, "no such member", f"{self.location}/{name}")
        return member

    def look(self, folder: str) -> Entries:
        folders, files = self.listing.children(folder)
        found = Entries([f for f in folders if not is_furniture(f)], [f for f in files if not is_furniture(f)])
        found.left_out = [(f, "hidden") for f in files if is_hidden(f)]
        return found

    def exists(self, name: str) -> bool:
        return self._find(name) is not None

    def size(self, name: str) -> int:
        return self._member(name).size

    def crc(self, name: str) -> int | None:
        """CRC-32 of ``name``, where the archive has it. Raises FileNotFoundError."""
        crc = self._member(name).crc
        return crc if crc >= 0 else None

    def stamp(self, names: Iterable[str]) -> str:
        """The stamp of the whole archive: changing a member means rewriting all of it."""
        try:
            size, time = self._folder.size_and_time(self.file.path)
            return f"{size}:{time}"
        except OSError:
            return "missing"


@lru_cache(maxsize=64)  # each is an open file, and a folder may have thousands of archives
def _bytes_of(file: TreeFile, kind: str, points: Path) -> ByteSource:
    return open_packed(file, kind, points) if kind in SEEKABLE else file.bytes()


def safe_member(name: str, refused: RefusedMembers) -> str | None:
    """``name`` as a tree shows it, without "./" and doubled slashes; None, and counted, if it is not allowed."""
    why = None
    if len(name) > _MAX_NAME:
        why = "the name is too long"
    elif not is_safe_name(name):
        why = "the name leads outside the archive"
    else:
        try:
            name.encode()
        except UnicodeEncodeError:
            why = "the name is not UTF-8"
    if why is not None:
        refused.add(name, why, "name")
        return None
    return "/".join(part for part in name.split("/") if part not in {"", "."}) or None
