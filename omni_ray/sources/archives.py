"""Archives as trees, read in place: zip, and tar as it is or compressed with gzip, bzip2, xz or zstd.

The members are listed once; the listing, and for compressed tars the points at which decompression can start, are
kept in a cache folder and found again by the archive's path, size and time. Any worker then reads any member without
reading what comes before it. Archives are hostile until shown otherwise: names must stay inside, links and devices are
left out and counted, and declared sizes are neither believed nor allocated.
"""

from __future__ import annotations

import errno
import glob
import hashlib
import json
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

from omni_ray.errors import OmniError, SourceError, said_by
from omni_ray.media_names import is_safe_name
from omni_ray.sources import listing
from omni_ray.sources.archive_file import ArchiveFile, BrokenArchive
from omni_ray.sources.furniture import is_furniture
from omni_ray.sources.links import forms_of
from omni_ray.sources.listing import Listing, Member
from omni_ray.sources.tree import Entries, RefusedMembers, Tree
from omni_ray.storage import write_atomic

ENDINGS = {
    ".zip": "zip",
    ".tar": "tar",
    ".tar.gz": "tar.gz",
    ".tgz": "tar.gz",
    ".tar.bz2": "tar.bz2",
    ".tbz2": "tar.bz2",
    ".tar.xz": "tar.xz",
    ".txz": "tar.xz",
    ".tar.zst": "tar.zst",
    ".tzst": "tar.zst",
}
MAX_RATIO = 1100
"""Deflate cannot expand more than 1032 times: anything more is forged, or a bomb. Text and PCM stay below 100."""
RATIO_FLOOR = 64 << 20
"""Below this size it does not matter how well something was compressed."""
_MAX_NAME = 4096
_SEAL, _HASHED = ".seal.json", 256 << 20
"""Ending of the file that describes the cache's files, and up to how many bytes these are hashed."""
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}


def archive_kind(path: str | Path) -> str | None:
    """ "zip", "tar", "tar.gz", ... by the file's name, or None where it is no archive."""
    name = Path(path).name.lower()
    return next((kind for ending, kind in ENDINGS.items() if name.endswith(ending)), None)


def archive_stem(name: str) -> str:
    """The name of an archive without its ending: ``a`` for ``a.tar.gz``."""
    return next(
        (name[: -len(ending)] for ending in sorted(ENDINGS, key=len, reverse=True) if name.lower().endswith(ending)),
        name,
    )


class ArchiveTree(Tree):
    """An archive.

    Attributes:
        file: where it is.
        kind: one of the values of ``ENDINGS``.
        size_and_time: bytes and modification time (ns) it had when it was opened.
    """

    def __init__(self, file: ArchiveFile, cache: Path) -> None:
        self.file = file
        self.location = file.location
        kind = archive_kind(file.name)
        if kind is None:
            raise SourceError(f"{self.location}: not an archive; known are {', '.join(ENDINGS)}")
        self.kind = kind
        try:
            self.size_and_time = file.size_and_time()
        except OSError as error:
            raise SourceError(f"{self.location}: {(error.strerror or 'unreadable').lower()}") from error
        self._cache = self.points = cache
        self._place = f"{file.name[:80]}-{_digest(file.identity)}-"
        self._key = self._place + _digest(str((listing.VERSION, *self.size_and_time)))
        if not self._is_sealed():
            self._index()
            self._seal()

    def _endings(self) -> tuple[str, ...]:
        """Endings of the files that the cache keeps of this archive."""
        return (".arrow",)

    def _is_sealed(self) -> bool:
        """Whether the cache's files are as they were made: the disk or a user may have damaged them."""
        try:
            seals = json.loads(self._kept(_SEAL).read_bytes())
            return all(seals[ending] == self._seal_of(ending) for ending in self._endings())
        except (OSError, ValueError, KeyError, TypeError):
            return False

    def _seal(self) -> None:
        seals = {ending: self._seal_of(ending) for ending in self._endings()}
        write_atomic(self._kept(_SEAL), json.dumps(seals).encode())

    def _seal_of(self, ending: str) -> list[Any]:
        path = self._kept(ending)
        size = path.stat().st_size
        # An unpacked copy may be as large as the corpus: its size must do instead of a digest.
        return [size, hashlib.sha256(path.read_bytes()).hexdigest() if size <= _HASHED else ""]

    def _kept(self, ending: str) -> Path:
        return self._cache / f"{self._key}{ending}"

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key not in {"listing", "_bytes"}}

    def spec(self) -> dict[str, Any]:
        return {
            "kind": "archive",
            **self.file.spec(),
            "cache": str(self._cache.absolute()),
            "stamp": list(self.size_and_time),
        }

    def _index(self) -> None:
        try:
            self._cache.mkdir(parents=True, exist_ok=True)
            refused = RefusedMembers()
            kept = listing.write(self._kept(".arrow"), self._members(refused), refused)
        except BrokenArchive as error:
            raise SourceError(f"{self.location}: {error}; fetch it again") from error
        except OSError as error:
            if isinstance(error, PermissionError) and str(error.filename) == self.location:
                raise SourceError(f"{self.location}: no permission to read this archive") from error
            if error.errno in _FULL:
                raise OmniError(
                    f"{self._cache}: the listing of {self.file.name} cannot be kept here "
                    f"({(error.strerror or '').lower()}); make room, or choose another --root"
                ) from error
            raise SourceError(f"{self.location}: {said_by(error)}") from error
        if not kept:
            self._kept(".arrow").unlink()
            why = f"; {refused.count} members are refused, such as {refused.examples[0][1:]}" if refused.count else ""
            raise SourceError(f"{self.location}: the archive is empty{why}")
        for old in self._cache.glob(f"{glob.escape(self._place)}*"):
            if not old.name.startswith(self._key):  # of an earlier version of the archive
                with suppress(OSError):
                    old.unlink()

    @abstractmethod
    def _members(self, refused: RefusedMembers) -> Iterator[Member]:
        """Every readable member in archive order; all others go to ``refused``. Raises Broken."""

    @cached_property
    def listing(self) -> Listing:
        """The members."""
        return Listing(self._kept(".arrow"))

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
        return Entries([f for f in folders if not is_furniture(f)], [f for f in files if not is_furniture(f)])

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
            size, time = self.file.size_and_time()
            return f"{size}:{time}"
        except OSError:
            return "missing"


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


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()
