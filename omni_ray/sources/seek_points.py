"""gzip and bzip2 files entered anywhere: the points where decompression can start are found once, and saved.

rapidgzip does the work: it decompresses on all cores while the points are found, and on one when they are used.
"""

from __future__ import annotations

import atexit
import io
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast
from weakref import WeakSet

import numpy as np

from omni_ray.machine import usable_cpus
from omni_ray.sources import bz2_blocks
from omni_ray.sources.archive_file import BrokenArchive, ByteSource, ReaderBytes, Seekable, TreeFile
from omni_ray.sources.packed import is_bomb
from omni_ray.storage import atomic_writer

_MAGIC = {"tar.gz": b"\x1f\x8b", "tar.bz2": b"BZh"}
SEEKABLE = frozenset(_MAGIC)
_MAX_THREADS = 16
_READ_BYTES = 1 << 20
_KEPT_BYTES = 64 << 20
"""Bytes of decompressed bzip2 blocks that are kept; a block has at most 46 MB and rarely more than 0.9 MB."""
_FAULTS = (RuntimeError, ValueError, EOFError, OSError, UnicodeDecodeError)
"""What rapidgzip raises for damaged data; it is no more specific."""
_open_files: WeakSet[Any] = WeakSet()


@atexit.register
def _close_files() -> None:
    # rapidgzip's threads end the process with SIGABRT if they are still there when Python exits.
    for file in list(_open_files):
        file.close()


def _open(archive: TreeFile, kind: str, threads: int) -> Any:
    import rapidgzip

    with archive.open() as plain:  # rapidgzip's own errors do not say what is wrong with a file
        if plain.read(3)[: len(_MAGIC[kind])] != _MAGIC[kind]:
            raise BrokenArchive(f"not {'gzip' if kind == 'tar.gz' else 'bzip2'} data")
    make = rapidgzip.RapidgzipFile if kind == "tar.gz" else rapidgzip.IndexedBzip2File
    try:
        path = archive.tree.local_path(archive.path)
        file = make(archive.open() if path is None else os.fspath(path), parallelization=threads)
    except _FAULTS as error:
        raise BrokenArchive("cannot be decompressed") from error
    _open_files.add(file)
    return file


class _Stream(Seekable):
    """A rapidgzip file that raises BrokenArchive."""

    def __init__(self, file: Any) -> None:
        self.file = file

    def tell(self) -> int:
        return int(self.file.tell())

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        with _as_broken(self.file):
            return int(self.file.seek(offset, whence))

    def readinto(self, buffer: Any) -> int:
        with _as_broken(self.file):
            return int(self.file.readinto(buffer))


@contextmanager
def _as_broken(file: Any) -> Iterator[None]:
    try:
        yield
    except _FAULTS as error:
        raise BrokenArchive(f"cannot be decompressed beyond byte {file.tell():,} of what it holds") from error


@contextmanager
def listing_stream(archive: TreeFile, kind: str, points: Path) -> Iterator[io.BufferedReader]:
    """The decompressed bytes, to be read to the end; when the block ends well, the seek points are in ``points``.

    Raises:
        BrokenArchive: when it is read.
    """
    file = _open(archive, kind, min(_MAX_THREADS, usable_cpus()))
    try:
        yield io.BufferedReader(_Stream(file), 1 << 20)
        _save(file, kind, points)
    finally:
        file.close()


def _save(file: Any, kind: str, points: Path) -> None:
    with atomic_writer(points, sync=False) as out:
        if kind == "tar.gz":
            file.export_index(out)
        else:
            out.write(np.array(sorted(file.block_offsets().items()), dtype="<i8").tobytes())


def find_points(archive: TreeFile, kind: str, points: Path) -> int:
    """Save the seek points of a file in ``points``, and say how many bytes it holds.

    Raises:
        BrokenArchive: it is damaged, cut, made to fill memory, or something else follows the compressed data.
    """
    with archive.open() as whole:
        packed = whole.seek(0, os.SEEK_END)
    with listing_stream(archive, kind, points) as stream:
        while stream.read(_READ_BYTES):
            if is_bomb(stream.tell(), packed):
                raise BrokenArchive("made to fill a memory")
        file = cast(_Stream, stream.raw).file
        with _as_broken(file):
            # rapidgzip takes a file that was cut between blocks for whole; its last point is then before the end.
            if max(file.block_offsets()) != 8 * packed:
                raise BrokenArchive("cut, or something is behind it")
        return stream.tell()


class _Bzip2Bytes:
    """The content of a bzip2 file, as bytes that can be read at any position, a block at a time; ``points`` are its saved seek points.

    rapidgzip reads ahead and forgets what it has read: three times slower, out of order. Here a block is decompressed
    on its own, and the last ones are kept, for members that are in the same block or close by.
    """

    def __init__(self, archive: TreeFile, points: Path) -> None:
        self._lock = threading.Lock()
        self._file = archive.bytes()
        # Where each block begins, in compressed bits and in plain bytes; ends of streams are blocks of no bytes.
        pairs = np.frombuffer(points.read_bytes(), dtype="<i8").reshape(-1, 2)
        self._bits, self._starts = pairs[:, 0], pairs[:, 1]
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._kept_bytes = 0

    def read_at(self, offset: int, size: int) -> bytes:
        """At most ``size`` bytes from ``offset``; fewer only at the end. Raises BrokenArchive."""
        parts = []
        with self._lock:
            number = int(np.searchsorted(self._starts, offset, side="right")) - 1
            while size > 0 and number < len(self._starts) - 1:
                inside = offset - int(self._starts[number])
                part = self._block(number)[inside : inside + size]
                parts.append(part)
                offset, size, number = offset + len(part), size - len(part), number + 1
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _block(self, number: int) -> bytes:
        data = self._kept.get(number)
        if data is not None:
            self._kept.move_to_end(number)
            return data
        data = self._decompress(number)
        self._kept[number] = data
        self._kept_bytes += len(data)
        while self._kept_bytes > _KEPT_BYTES and len(self._kept) > 1:
            self._kept_bytes -= len(self._kept.popitem(last=False)[1])
        return data

    def _decompress(self, number: int) -> bytes:
        expected = int(self._starts[number + 1] - self._starts[number])
        if not expected:
            return b""
        begin, end = int(self._bits[number]), int(self._bits[number + 1])
        first, last = begin // 8, -(-end // 8)
        data = bz2_blocks.decompress(self._file.read_at(first, last - first), begin - 8 * first, end - 8 * first)
        if data is None or len(data) != expected:
            raise BrokenArchive(f"damaged at byte {first:,} of the archive")
        return data


def open_packed(archive: TreeFile, kind: str, points: Path) -> ByteSource:
    """The content of a gzip or bzip2 file, with the seek points that were saved."""
    if kind == "tar.bz2":
        return _Bzip2Bytes(archive, points)
    file = _open(archive, kind, 1)
    with _as_broken(file):
        file.import_index(str(points))
    return ReaderBytes(io.BufferedReader(_Stream(file)))
