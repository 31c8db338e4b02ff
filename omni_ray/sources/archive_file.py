"""A file of a tree, such as an archive, with its bytes by position."""

from __future__ import annotations

import io
import os
import threading
import weakref
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol

from omni_ray.sources.remote import RemoteTree
from omni_ray.sources.tree import MemberDamaged, Tree

_AHEAD = 1 << 20
"""The least number of bytes per request to an object store: members are mostly read one after the other."""


class BrokenArchive(Exception):
    """A file is no archive, or not a whole one; the text says what is wrong, without the path."""


class ByteSource(Protocol):
    """Bytes that can be read at any position, from any thread."""

    def read_at(self, offset: int, size: int) -> bytes:
        """At most ``size`` bytes from ``offset``; fewer only at the end. Raises BrokenArchive."""
        ...


class FileBytes:
    """A plain file as a byte source; it stays open as long as this object lives, and no longer."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        weakref.finalize(self, file.close)

    def read_at(self, offset: int, size: int) -> bytes:
        parts = []
        while size > 0 and (part := os.pread(self._file.fileno(), min(size, 1 << 30), offset)):
            parts.append(part)
            offset, size = offset + len(part), size - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)


class Seekable(io.RawIOBase):
    """A file that can be read at any position."""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


class Span(Seekable):
    """Part of a byte source, as a seekable file. Raises MemberDamaged where the source ends before it."""

    def __init__(self, source: ByteSource, name: str, start: int, size: int) -> None:
        self._source, self._name, self._start, self._size, self._at = source, name, start, size, 0

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
        except BrokenArchive as error:
            raise MemberDamaged(f"{self._name}: {error}; fetch it again") from error
        if wanted and not data:
            raise MemberDamaged(f"{self._name}: ends after {self._at:,} of {self._size:,} bytes; fetch it again")
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


class UnprovenReader(io.BufferedReader):
    """A reader of what has its checksum compared at its end: before that, what was read may be anything."""


class ReaderBytes:
    """What a seekable reader reads, as a byte source."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._lock = threading.Lock()

    def read_at(self, offset: int, size: int) -> bytes:
        """At most ``size`` bytes from ``offset``; fewer only at the end. Raises OSError."""
        with self._lock:
            self._file.seek(offset)
            return self._file.read(size)


class RemoteBytes:
    """A file of an object store as a byte source, at least a megabyte at a time."""

    def __init__(self, file: Any) -> None:
        self._file = file  # a pyarrow NativeFile: any thread may read it at any position
        self._lock = threading.Lock()
        self._start, self._kept = 0, b""

    def read_at(self, offset: int, size: int) -> bytes:
        """At most ``size`` bytes from ``offset``; fewer only at the end. Raises OSError."""
        with self._lock:
            start, kept = self._start, self._kept
        if not start <= offset <= offset + size <= start + len(kept):
            start, kept = offset, self._file.read_at(max(size, _AHEAD), offset)
            if size <= _AHEAD:
                with self._lock:
                    self._start, self._kept = start, kept
        return bytes(memoryview(kept)[offset - start : offset - start + size])


@dataclass(frozen=True)
class TreeFile:
    """A file of a tree, wherever the tree keeps it."""

    tree: Tree
    path: str

    @property
    def name(self) -> str:
        """Its last part."""
        return self.path.rpartition("/")[2]

    def open(self) -> BinaryIO:
        """All of it, seekable. Raises OSError."""
        return self.tree.open(self.path)

    def bytes(self) -> ByteSource:
        """Its bytes by position. Raises OSError."""
        if isinstance(self.tree, RemoteTree):
            return RemoteBytes(self.tree.open_native(self.path))
        return ReaderBytes(self.open()) if self.tree.local_path(self.path) is None else FileBytes(self.open())
