"""Archives as trees, read in place: zip, and tar as it is or compressed with gzip, bzip2, xz or zstd.

The members are listed once; the listing, and for compressed tars the points at which decompression can start, are
kept in a cache folder and found again by the archive's path, size and time. Any worker then reads any member without
reading what lies before it. Archives are hostile until shown otherwise: names must stay inside, links and devices are
left out and counted, and declared sizes are neither believed nor allocated.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol

from omni_ray.errors import OmniError, SourceError
from omni_ray.media_names import is_safe_name
from omni_ray.sources import listing
from omni_ray.sources.furniture import is_furniture
from omni_ray.sources.links import forms_of
from omni_ray.sources.listing import Listing, Member
from omni_ray.sources.tree import Entries, MemberDamaged, Refused, Tree
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
"""Deflate cannot expand more than 1032 times: more is forged, or a bomb. Text and PCM stay below 100."""
RATIO_FLOOR = 64 << 20
"""Below this size nobody minds how well something was compressed."""
_MAX_NAME = 4096
_SEAL, _HASHED = ".seal.json", 256 << 20
"""Ending of the file that says what the cache's files are, and up to how many bytes they are hashed."""
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


class Broken(Exception):
    """An archive is not whole, or none at all; the text says what is wrong, without the path."""


class ArchiveTree(Tree):
    """An archive on the local disk.

    Attributes:
        path: where it is.
        kind: one of the values of ``ENDINGS``.
        size_and_time: bytes and modification time (ns) it had when it was opened.
    """

    def __init__(self, path: str | Path, cache: Path) -> None:
        self.path = Path(path)
        self.location = str(path)
        kind = archive_kind(path)
        if kind is None:
            raise SourceError(f"{path}: not an archive; known are {', '.join(ENDINGS)}")
        self.kind = kind
        try:
            status = self.path.stat()
        except OSError as error:
            raise SourceError(f"{path}: {(error.strerror or 'unreadable').lower()}") from error
        self.size_and_time = (status.st_size, status.st_mtime_ns)
        self._cache = cache
        self._place = f"{self.path.name[:80]}-{_digest(os.fspath(self.path.absolute()))}-"
        self._key = self._place + _digest(str((listing.VERSION, *self.size_and_time)))
        if not self._is_sealed():
            self._index()
            self._seal()

    def _endings(self) -> tuple[str, ...]:
        """Endings of the files that the cache keeps of this archive."""
        return (".arrow",)

    def _is_sealed(self) -> bool:
        """Whether the cache's files are as they were made: a disk, or a user, may have damaged them."""
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
        # An unpacked copy may be as large as the corpus: its size must do.
        return [size, hashlib.sha256(path.read_bytes()).hexdigest() if size <= _HASHED else ""]

    def _kept(self, ending: str) -> Path:
        return self._cache / f"{self._key}{ending}"

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key not in {"listing", "_bytes"}}

    def spec(self) -> dict[str, Any]:
        return {
            "kind": "archive",
            "path": str(self.path.absolute()),
            "cache": str(self._cache.absolute()),
            "stamp": list(self.size_and_time),
        }

    def _index(self) -> None:
        try:
            self._cache.mkdir(parents=True, exist_ok=True)
            refused = Refused()
            kept = listing.write(self._kept(".arrow"), self._members(refused), refused)
        except Broken as error:
            raise SourceError(f"{self.path}: {error}; fetch it again") from error
        except OSError as error:
            if isinstance(error, PermissionError) and str(error.filename) == str(self.path):
                raise SourceError(f"{self.path}: no permission to read this archive") from error
            if error.errno in _FULL:
                raise OmniError(
                    f"{self._cache}: the listing of {self.path.name} cannot be kept here "
                    f"({(error.strerror or '').lower()}); make room, or choose another --root"
                ) from error
            raise SourceError(f"{self.path}: {(error.strerror or str(error)).lower()}") from error
        if not kept:
            self._kept(".arrow").unlink()
            why = f"; {refused.count} members are refused, such as {refused.examples[0][1:]}" if refused.count else ""
            raise SourceError(f"{self.path}: the archive is empty{why}")
        for old in self._cache.glob(f"{_escape(self._place)}*"):
            if not old.name.startswith(self._key):  # of an earlier version of the archive
                with suppress(OSError):
                    old.unlink()

    @abstractmethod
    def _members(self, refused: Refused) -> Iterator[Member]:
        """Every readable member in archive order; what is not, goes to ``refused``. Raises Broken."""

    @cached_property
    def listing(self) -> Listing:
        """The members."""
        return Listing(self._kept(".arrow"))

    @property
    def refused(self) -> Refused:
        return self.listing.refused

    def _find(self, name: str) -> Member | None:
        """The member of this name, be its letters and accents composed or taken apart."""
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
            raise FileNotFoundError(2, "no such member", f"{self.path}/{name}")
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
        """Of the archive as a whole: whoever changes a member writes all of it anew."""
        try:
            status = self.path.stat()
            return f"{status.st_size}:{status.st_mtime_ns}"
        except OSError:
            return "missing"


def safe_member(name: str, refused: Refused) -> str | None:
    """``name`` as it stands in a tree, without "./" and doubled slashes; None, and counted, where it may not."""
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


class ByteSource(Protocol):
    """Bytes that can be read at any place, from any thread."""

    def read_at(self, offset: int, size: int) -> bytes:
        """At most ``size`` bytes from ``offset``; fewer only at the end. Raises Broken."""
        ...


class FileBytes:
    """A plain file as a byte source."""

    def __init__(self, path: Path) -> None:
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115 - open as long as the tree

    def read_at(self, offset: int, size: int) -> bytes:
        parts = []
        while size > 0 and (part := os.pread(self._file.fileno(), min(size, 1 << 30), offset)):
            parts.append(part)
            offset, size = offset + len(part), size - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)


class Span(io.RawIOBase):
    """Part of a byte source, as a seekable file. Raises MemberDamaged where the source ends before it."""

    def __init__(self, source: ByteSource, name: str, start: int, size: int) -> None:
        self._source, self._name, self._start, self._size, self._at = source, name, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), max(0, self._size - self._at))
        try:
            data = self._source.read_at(self._start + self._at, wanted) if wanted else b""
        except Broken as error:
            raise MemberDamaged(f"{self._name}: {error}; fetch it again") from error
        if wanted and not data:
            raise MemberDamaged(f"{self._name}: ends after {self._at:,} of {self._size:,} bytes; fetch it again")
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


def _escape(name: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)
