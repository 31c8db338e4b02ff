"""Archives as trees, read in place: zip, tar, and tar compressed with gzip, bzip2 or xz.

The members are listed once; the listing, and for compressed tars the points at which decompression can start, are
cached beside the project and found again by the archive's path, size and time. Any worker then reads any member
without reading what lies before it. Archives are hostile until shown otherwise: names must stay inside, links and
devices are left out, and declared sizes are neither believed nor allocated.
"""

from __future__ import annotations

import atexit
import io
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO, cast
from weakref import WeakSet

from omni_ray.errors import SourceError
from omni_ray.sources import listing
from omni_ray.sources.listing import Listing, Member
from omni_ray.sources.tree import MAX_FILE_BYTES, MemberDamaged, MemberTooLarge, Tree, is_safe_name
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
}
MAX_RATIO = 1100
"""Deflate cannot expand more than 1032 times: more is a forged header. Text and PCM stay below 100."""
_RATIO_FLOOR = 64 << 20
"""Below this size nobody minds how well something was compressed."""
_SHOWN_REFUSALS = 20


def archive_kind(path: str | Path) -> str | None:
    """ "zip", "tar", "tar.gz", ... by the file's name, or None where it is no archive."""
    name = Path(path).name.lower()
    return next(
        (kind for ending, kind in sorted(ENDINGS.items(), key=lambda e: -len(e[0])) if name.endswith(ending)), None
    )


class ArchiveTree(Tree):
    """An archive on the local disk.

    Args:
        path: the archive.
        cache: folder for listings.

    Raises:
        SourceError: it is missing, empty, cut short, or not what its name says.
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
        key = blake2b(
            f"{self.path.absolute()}\0{self.size_and_time}".encode("utf-8", "surrogateescape"), digest_size=12
        )
        self._cache = cache
        self._list = cache / f"{self.path.name}-{key.hexdigest()}.arrow"
        self._seek = self._list.with_suffix(".seek")
        if not self._list.exists():
            self._index()

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key not in {"listing", "_stream"}}

    def spec(self) -> dict[str, Any]:
        return {"kind": "archive", "path": str(self.path.absolute()), "cache": str(self._cache.absolute())}

    def _index(self) -> None:
        try:
            members = _list_zip(self.path) if self.kind == "zip" else self._list_tar()
            listing.write(self._list, members)
        except (zipfile.BadZipFile, tarfile.TarError, EOFError, lzma.LZMAError, zlib.error) as error:
            raise SourceError(f"{self.path}: {_what_is_wrong(error)}; fetch it again") from error
        except (OSError, ValueError, RuntimeError) as error:
            if isinstance(error, PermissionError):
                raise SourceError(f"{self.path}: no permission to read this archive") from error
            raise SourceError(f"{self.path}: damaged or cut short ({str(error)[:120]}); fetch it again") from error
        if not len(self.listing):
            self._list.unlink()
            raise SourceError(f"{self.path}: the archive is empty")

    def _list_tar(self) -> Iterator[Member]:
        packed = max(1, self.size_and_time[0])
        stream = _open_stream(self.path, self.kind, None)
        try:
            with tarfile.open(fileobj=stream, mode="r:") as tar:
                while (info := tar.next()) is not None:
                    tar.members.clear()  # type: ignore[attr-defined]
                    if info.offset_data > max(_RATIO_FLOOR, MAX_RATIO * packed):
                        raise SourceError(
                            f"{self.path}: expands more than {MAX_RATIO} times; refused as a decompression bomb"
                        )
                    name = info.name.removeprefix("./")
                    if info.isreg() and is_safe_name(name) and _is_text(name):
                        yield Member(name, info.offset_data, info.size, info.size)
                self._check_end(stream, tar.offset)
            if hasattr(stream, "export_index"):
                self._save_seek_points(stream)
        finally:
            stream.close()

    def _check_end(self, stream: BinaryIO, end: int) -> None:
        """A whole tar ends with zero blocks; one that was cut between two members just ends."""
        stream.seek(end)
        if stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
            raise EOFError("the end of the archive is missing")
        while stream.read(1 << 22):
            pass  # to the end, so that every seek point is known and a cut stream is noticed

    def _save_seek_points(self, stream: Any) -> None:
        buffer = io.BytesIO()
        stream.export_index(buffer)
        write_atomic(self._seek, buffer.getvalue())

    @cached_property
    def listing(self) -> Listing:
        """The members."""
        return Listing(self._list)

    @cached_property
    def _stream(self) -> BinaryIO:
        return _open_stream(self.path, self.kind, self._seek if self._seek.exists() else None)

    def _member(self, name: str) -> Member:
        member = self.listing.find(name)
        if member is None:
            raise FileNotFoundError(2, "no such member", f"{self.path}/{name}")
        return member

    def children(self, folder: str) -> tuple[list[str], list[str]]:
        folders, files = self.listing.children(folder)
        return [f for f in folders if not f.startswith(".")], [f for f in files if not f.startswith(".")]

    def exists(self, name: str) -> bool:
        return _is_text(name) and self.listing.find(name) is not None

    def size(self, name: str) -> int:
        return self._member(name).size

    def stamp(self, names: Iterable[str]) -> str:
        try:
            status = self.path.stat()
            return f"{status.st_size}:{status.st_mtime_ns}"
        except OSError:
            return "missing"

    def read(self, name: str, limit: int = MAX_FILE_BYTES) -> bytes:
        member = self._member(name)
        if member.size > limit:
            raise MemberTooLarge(f"{name} declares {member.size} bytes, over {limit}")
        return self._read_zip(member, limit) if self.kind == "zip" else self._read_tar(member)

    def open(self, name: str) -> BinaryIO:
        member = self._member(name)
        if self.kind != "zip":
            return io.BufferedReader(_Window(self._stream, member.offset, member.size))
        if member.method == zipfile.ZIP_STORED:
            file = open(self.path, "rb")  # noqa: SIM115 - the window owns it from here on
            return io.BufferedReader(_Window(file, _zip_data_offset(file, member), member.size))
        return io.BytesIO(self.read(name, 4 << 30))

    def _read_tar(self, member: Member) -> bytes:
        try:
            self._stream.seek(member.offset)
            data = self._stream.read(member.size)
        except (OSError, EOFError, ValueError, RuntimeError, lzma.LZMAError) as error:
            raise MemberDamaged(f"{member.name}: {str(error)[:120]}") from error
        if len(data) != member.size:
            raise MemberDamaged(f"{member.name}: {len(data)} of {member.size} bytes are there")
        return data

    def _read_zip(self, member: Member, limit: int) -> bytes:
        with open(self.path, "rb") as file:
            file.seek(_zip_data_offset(file, member))
            packed = file.read(min(member.packed, limit + (limit >> 3) + 1024))
        if member.method == zipfile.ZIP_STORED:
            data = packed
        else:
            unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
            try:
                data = unpacker.decompress(packed, member.size + 1)
            except zlib.error as error:
                raise MemberDamaged(f"{member.name}: {error}") from error
        if len(data) != member.size or zlib.crc32(data) != member.crc:
            raise MemberDamaged(f"{member.name}: its bytes are not those the archive declares")
        return data


class _Window(io.RawIOBase):
    """Part of a stream, as a stream."""

    def __init__(self, stream: BinaryIO, start: int, size: int) -> None:
        self._stream, self._start, self._size, self._at = stream, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        wanted = min(len(buffer), max(0, self._size - self._at))
        self._stream.seek(self._start + self._at)
        data = self._stream.read(wanted)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


_streams: WeakSet[Any] = WeakSet()


@atexit.register
def _close_streams() -> None:
    # rapidgzip's threads end the process with SIGABRT if they are still there when Python goes.
    for stream in list(_streams):
        stream.close()


def _open_stream(path: Path, kind: str, seek_points: Path | None) -> BinaryIO:
    if kind == "tar":
        return open(path, "rb")
    if kind == "tar.xz":
        return cast(BinaryIO, lzma.open(path, "rb"))  # no random access in xz: members are best read in archive order
    import rapidgzip

    stream = rapidgzip.open(str(path), parallelization=1 if seek_points else len(os.sched_getaffinity(0)))
    _streams.add(stream)
    if seek_points is not None:
        stream.import_index(str(seek_points))
    return stream  # type: ignore[no-any-return]


def _list_zip(path: Path) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            name = info.filename.removeprefix("./")
            is_link = stat.S_ISLNK(info.external_attr >> 16)
            if info.is_dir() or is_link or not is_safe_name(name) or not _is_text(name):
                continue
            if info.flag_bits & 1:
                raise SourceError(f"{path}: {name} is encrypted; unpack the archive yourself")
            if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
                raise SourceError(
                    f"{path}: {name} is compressed in a way that is not read in place; unpack it yourself"
                )
            if info.file_size > max(_RATIO_FLOOR, MAX_RATIO * max(1, info.compress_size)):
                continue  # a forged size: nothing can expand that far
            yield Member(name, info.header_offset, info.file_size, info.compress_size, info.compress_type, info.CRC)


def _zip_data_offset(file: BinaryIO, member: Member) -> int:
    """Where a member's data begin: behind its local header, whose lengths may differ from the central directory's."""
    file.seek(member.offset)
    header = file.read(30)
    if len(header) < 30 or header[:4] != b"PK\3\4":
        raise MemberDamaged(f"{member.name}: no local header where the archive says")
    name_length = int.from_bytes(header[26:28], "little")
    extra_length = int.from_bytes(header[28:30], "little")
    return member.offset + 30 + name_length + extra_length


def _is_text(name: str) -> bool:
    """Whether a name is valid Unicode; Arrow strings cannot hold another."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _what_is_wrong(error: Exception) -> str:
    text = str(error).lower()
    if isinstance(error, EOFError) or "unexpected end" in text or "end of" in text:
        return "the archive ends early: half of a download?"
    if isinstance(error, zipfile.BadZipFile | tarfile.ReadError):
        return f"not a whole archive ({error})"
    return f"damaged ({error})"
