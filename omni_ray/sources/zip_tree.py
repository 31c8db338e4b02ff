"""Zip archives as trees: the directory read straight from the file, members by their bytes.

Format: PKWARE's APPNOTE 6.3, with zip64. The standard library keeps an object of half a kilobyte for every member;
here a directory of a million members is streamed.
"""

from __future__ import annotations

import io
import os
import stat
import struct
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

from omni_ray.errors import SourceError
from omni_ray.sources.archive_file import BrokenArchive, Seekable, Span, UnprovenReader
from omni_ray.sources.archives import (
    MAX_RATIO,
    RATIO_FLOOR,
    ArchiveTree,
    safe_member,
)
from omni_ray.sources.kept import Kept
from omni_ray.sources.listing import Member
from omni_ray.sources.tree import MAX_FILE_BYTES, MemberDamaged, MemberTooLarge, RefusedMembers

_STORED, _DEFLATED = 0, 8
_END = struct.Struct("<4s4H2LH")
_END64_PLACE = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_ENCRYPTED, _UTF8 = 1, 1 << 11
_UNIX = 3
_NOT_HERE = 0xFFFFFFFF
"""The value of a 32-bit field whose real value is in the zip64 extra field."""
_MAX_SIZE = 1 << 60
_IN_MEMORY = 8 << 20
"""Members up to this size are unpacked at once; larger ones as they are read."""
_PAGES = 1 << 20
"""Bytes of a directory, or of a member whose checksum is compared, that are read at once."""


class ZipTree(ArchiveTree):
    """A zip archive. Stored and deflated members are read in place."""

    def _members(self, refused: RefusedMembers) -> Iterator[Member]:
        size = self.size_and_time[0]
        packed = 0
        for member in self._entries(io.BufferedReader(Span(self._bytes, self.location, 0, size), _PAGES), refused):
            packed += member.packed
            if packed > size:
                raise SourceError(f"{self.location}: its members overlap; refused as a decompression bomb")
            yield member

    def _entries(self, data: BinaryIO, refused: RefusedMembers) -> Iterator[Member]:
        at, end, shift = _directory(data, self.size_and_time[0])
        while at < end:
            fields = _unpack(_ENTRY, data, at, b"PK\1\2", "its directory is damaged")
            maker, flags, method = fields[1], fields[3], fields[4]
            crc, packed, size, name_length, extra_length, comment_length = fields[7:13]
            attributes, offset = fields[15], fields[16]
            raw, extra = data.read(name_length), data.read(extra_length)
            at += _ENTRY.size + name_length + extra_length + comment_length
            size, packed, offset = _zip64(extra, size, packed, offset)
            if max(size, packed, offset + shift) >= _MAX_SIZE:
                raise BrokenArchive("its directory is damaged")
            shown = _name(raw, bool(flags & _UTF8))
            shown = shown.replace("\\", "/")  # the format knows only "/", but some Windows programs write it so
            if shown.endswith("/"):
                continue
            mode = stat.S_IFMT(attributes >> 16) if maker >> 8 == _UNIX else 0
            if mode not in {0, stat.S_IFREG}:
                refused.add(shown, "a link" if mode == stat.S_IFLNK else "not a regular file")
                continue
            name = safe_member(shown, refused)
            if name is None:
                continue
            if flags & _ENCRYPTED:
                raise SourceError(f"{self.location}: {name} is encrypted; unpack the archive with its password")
            if method not in {_STORED, _DEFLATED}:
                raise SourceError(
                    f"{self.location}: {name} is compressed by method {method}, which is not read in place; unpack the archive"
                )
            yield Member(name, offset + shift, size, packed, method, crc)

    def _data_start(self, member: Member) -> int:
        """After the local header, whose lengths may differ from the directory's."""
        header = self._bytes.read_at(member.offset, _LOCAL.size)
        if len(header) < _LOCAL.size or not header.startswith(b"PK\3\4"):
            raise MemberDamaged(f"{self.location}: no member where {member.name} should be; fetch it again")
        *_, name_length, extra_length = _LOCAL.unpack(header)
        return int(member.offset + _LOCAL.size + name_length + extra_length)

    def _check_size(self, member: Member) -> None:
        could_be = member.packed if member.method == _STORED else max(RATIO_FLOOR, MAX_RATIO * member.packed)
        if member.size > could_be:
            raise MemberDamaged(
                f"{self.location}: {member.name} declares {member.size:,} bytes, which {member.packed:,} cannot hold"
            )

    def read(self, name: str, limit: int = MAX_FILE_BYTES) -> bytes:
        member = self._member(name)
        self._check_size(member)
        if member.size > limit:
            raise MemberTooLarge(f"{self.location}: {name} declares {member.size:,} bytes, over {limit:,}")
        # Deflate never makes data longer than its stored form, a few bytes in 16 KB.
        most = member.size + member.size // 1000 + 1024
        data = self._bytes.read_at(self._data_start(member), min(member.packed, most))
        if member.method == _DEFLATED:
            try:
                data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, member.size + 1)
            except zlib.error as error:
                raise MemberDamaged(f"{self.location}: {name} cannot be unpacked ({error}); fetch it again") from error
        if len(data) != member.size or zlib.crc32(data) != member.crc:
            raise MemberDamaged(f"{self.location}: {name} is not the bytes the archive declares; fetch it again")
        return data

    def is_seekable(self, name: str) -> bool:
        member = self._member(name)
        return member.method == _STORED or member.size <= _IN_MEMORY

    def open(self, name: str) -> BinaryIO:
        member = self._member(name)
        if member.size <= _IN_MEMORY:
            return io.BytesIO(self.read(name))
        self._check_size(member)
        start = self._data_start(member)
        if member.method == _STORED:
            self._prove(member, start)
            return io.BufferedReader(Span(self._bytes, f"{self.location}: {name}", start, member.size), 1 << 16)
        packed = Span(self._bytes, f"{self.location}: {name}", start, member.packed)
        return UnprovenReader(_Inflated(packed, f"{self.location}: {name}", member), 1 << 16)

    def _prove(self, member: Member, start: int) -> None:
        """Compare the checksum of a stored member, of which any part may be read: once for all processes of a machine.

        Raises:
            MemberDamaged: it does not fit.
        """

        def checksum() -> dict[str, Any]:
            crc = 0
            for at in range(0, member.size, _PAGES):
                crc = zlib.crc32(self._bytes.read_at(start + at, min(_PAGES, member.size - at)), crc)
            return {"crc": crc}

        found = Kept(self._folder, self.file.path, f"checksum of {member.name}").made(checksum)
        if found["crc"] != member.crc:
            raise MemberDamaged(f"{self.location}: {member.name} is not the bytes the archive declares; fetch it again")


def _name(raw: bytes, is_utf8: bool) -> str:
    """A name as text. macOS writes UTF-8 without saying so; names of old code pages hardly ever look like it."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("utf-8" if is_utf8 else "cp437", "surrogateescape")


class _Inflated(Seekable):
    """A deflated member, unpacked as it is read. Seeking back starts again from its beginning."""

    def __init__(self, packed: Span, name: str, member: Member) -> None:
        self._packed, self._name, self._member = packed, name, member
        self._begin()

    def _begin(self) -> None:
        self._packed.seek(0)
        self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        self._at, self._crc = 0, 0

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._member.size}[whence]
        target = min(max(0, base + offset), self._member.size)
        if target < self._at:
            self._begin()
        while self._at < target and self._next(min(1 << 20, target - self._at)):
            pass
        return self._at

    def readinto(self, buffer: Any) -> int:
        data = self._next(min(len(buffer), self._member.size - self._at))
        buffer[: len(data)] = data
        return len(data)

    def _next(self, wanted: int) -> bytes:
        data = b""
        while wanted and not data:
            more = self._inflate.unconsumed_tail or self._packed.read(1 << 16) or b""
            try:
                data = self._inflate.decompress(more, wanted)
            except zlib.error as error:
                raise MemberDamaged(f"{self._name} cannot be unpacked ({error}); fetch it again") from error
            if not data and not more:
                raise MemberDamaged(
                    f"{self._name} ends after {self._at:,} of {self._member.size:,} bytes; fetch it again"
                )
        self._at += len(data)
        self._crc = zlib.crc32(data, self._crc)
        if self._at == self._member.size and self._crc != self._member.crc:
            raise MemberDamaged(f"{self._name} is not the bytes the archive declares; fetch it again")
        return data


def _unpack(form: struct.Struct, data: BinaryIO, at: int, mark: bytes, otherwise: str) -> tuple[Any, ...]:
    raw = _read_at(data, at, form.size) if at >= 0 else b""
    if len(raw) < form.size or not raw.startswith(mark):
        raise BrokenArchive(otherwise)
    return form.unpack(raw)


def _read_at(data: BinaryIO, at: int, size: int) -> bytes:
    data.seek(at)
    return data.read(size)


def _directory(data: BinaryIO, size: int) -> tuple[int, int, int]:
    """Where the directory begins and ends, and what to add to its offsets (something may precede the zip)."""
    first = max(0, size - _END.size - 0xFFFF)
    at = _read_at(data, first, size - first).rfind(b"PK\5\6")
    if at < 0:
        is_begun = _read_at(data, 0, 4) == b"PK\3\4"
        raise BrokenArchive("the archive ends early: half of a download?" if is_begun else "not a zip archive")
    at += first
    _, disk, first_disk, _, _, size, offset, _ = _unpack(_END, data, at, b"PK\5\6", "its end is damaged")
    locator = _read_at(data, max(0, at - _END64_PLACE.size), _END64_PLACE.size)
    if locator[:4] == b"PK\6\7" and len(locator) == _END64_PLACE.size:
        place = _END64_PLACE.unpack(locator)[2]
        # As declared, or, if something precedes the zip, right before its locator.
        at = place if _read_at(data, place, 4) == b"PK\6\6" else at - _END64_PLACE.size - _END64.size
        fields = _unpack(_END64, data, at, b"PK\6\6", "its end is damaged")
        disk, first_disk, size, offset = fields[4], fields[5], fields[8], fields[9]
    if disk or first_disk:
        raise BrokenArchive("one part of a split zip; join the parts (zip -s 0), or")
    start = at - size
    if start < 0 or start < offset:
        raise BrokenArchive("the archive ends early, or its directory is damaged")
    if start > offset and _read_at(data, 0, 4) == b"PK\3\4":
        raise BrokenArchive("two zips are joined in one file; part them, or")
    return start, at, start - offset


def _zip64(extra: bytes, size: int, packed: int, offset: int) -> tuple[int, int, int]:
    """Sizes and offset, from the zip64 extra field where the entry says so."""
    if _NOT_HERE not in {size, packed, offset}:
        return size, packed, offset
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == 1:
            numbers = iter(struct.unpack_from(f"<{min(length, len(extra) - at - 4) // 8}Q", extra, at + 4))
            found = [next(numbers, value) if value == _NOT_HERE else value for value in (size, packed, offset)]
            return found[0], found[1], found[2]
        at += 4 + length
    return size, packed, offset
