"""Tar archives as trees, plain or compressed: the headers read in one pass, members by their position.

Format: POSIX.1-1988 ustar, POSIX.1-2001 pax, and GNU tar's long names. The standard library's reader trusts the
sizes that extended headers declare, and takes a damaged header for the end; here neither costs memory or records.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from omni_ray.errors import SourceError
from omni_ray.sources.archive_file import BrokenArchive, ByteSource, Span
from omni_ray.sources.archives import (
    MAX_RATIO,
    RATIO_FLOOR,
    SEEK_POINTS,
    ArchiveTree,
    safe_member,
)
from omni_ray.sources.listing import Member
from omni_ray.sources.packed import BrokenStream
from omni_ray.sources.seek_points import SEEKABLE, listing_stream
from omni_ray.sources.tree import MAX_FILE_BYTES, MemberDamaged, MemberTooLarge, RefusedMembers
from omni_ray.sources.unpacked import whole_copy

_BLOCK = 512
_RECORD = 20 * _BLOCK
"""Tars are whole records of this size, as tapes had them."""
_LOOK = 1 << 16
_MAX_EXTENDED = 1 << 20
"""No name is this long: a longer extended header is forged."""
_MAX_SIZE = 1 << 60
_REGULAR = frozenset(b"0\x007")
_REFUSED = {ord("1"): "a hard link", ord("2"): "a link", ord("3"): "a device", ord("4"): "a device", ord("6"): "a pipe"}
_FOLDER, _SPARSE = ord("5"), ord("S")
_LONG_NAME, _PAX_GLOBAL = ord("L"), ord("g")
_PAX = frozenset(b"xX")
_EXTENDED = frozenset(b"LKgxX")
_WITHOUT_DATA = frozenset(b"123456")


class TarTree(ArchiveTree):
    """A tar archive.

    gzip and bzip2 are entered at the points that the listing pass saved. xz and zstd, as their programs
    write them, cannot be entered midway: such an archive is read from an unpacked copy.
    """

    def _members(self, refused: RefusedMembers) -> Iterator[Member]:
        if self.kind in SEEKABLE:
            with listing_stream(self.file, self.kind, self._kept.path(SEEK_POINTS)) as stream:
                yield from self._headers(stream, refused)
                self._finish(stream)
            return
        with self.file.open() if self.kind == "tar" else io.BufferedReader(Span(*self._copy())) as stream:
            yield from self._headers(stream, refused)

    def _copy(self) -> tuple[ByteSource, str, int, int]:
        """All of an unpacked copy, as a span."""
        try:
            content, size = whole_copy(self._folder, self.file.path)
        except BrokenStream as error:
            why = "the archive ends early: half of a download?" if error.reason == "truncated" else error.detail
            raise MemberDamaged(f"{self.location}: {why}; fetch it again") from error
        return content, self.location, 0, size

    def _headers(self, stream: BinaryIO, refused: RefusedMembers) -> Iterator[Member]:
        for entry in read_headers(stream):
            self._check_ratio(entry.offset)
            if entry.why_refused:
                refused.add(entry.name, entry.why_refused)
            elif (name := safe_member(entry.name, refused)) is not None:
                yield Member(name, entry.offset, entry.size, entry.size)

    def _finish(self, stream: BinaryIO) -> None:
        """Reads to the end, so that every seek point is known and damage after the last member is noticed."""
        while stream.read(1 << 20):
            self._check_ratio(stream.tell())

    def _check_ratio(self, unpacked: int) -> None:
        if self.kind != "tar" and unpacked > max(RATIO_FLOOR, MAX_RATIO * self.size_and_time[0]):
            raise SourceError(
                f"{self.location}: expands more than {MAX_RATIO:,} times; refused as a decompression bomb"
            )

    @property
    def _bytes(self) -> ByteSource:
        # An open copy takes its room even once it has made way: it is not held on to.
        return super()._bytes if self.kind == "tar" or self.kind in SEEKABLE else self._copy()[0]

    def read(self, name: str, limit: int = MAX_FILE_BYTES) -> bytes:
        member = self._member(name)
        if member.size > limit:
            raise MemberTooLarge(f"{self.location}: {name} declares {member.size:,} bytes, over {limit:,}")
        try:
            data = self._bytes.read_at(member.offset, member.size)
        except BrokenArchive as error:
            raise MemberDamaged(f"{self.location}: {name}: {error}; fetch it again") from error
        if len(data) != member.size:
            raise MemberDamaged(f"{self.location}: {name} has {len(data):,} of {member.size:,} bytes; fetch it again")
        return data

    def open(self, name: str) -> BinaryIO:
        member = self._member(name)
        return io.BufferedReader(Span(self._bytes, f"{self.location}: {name}", member.offset, member.size), 1 << 16)


@dataclass(frozen=True, slots=True)
class Entry:
    """A member that is not a folder, as its headers describe it.

    Attributes:
        name: as written; bytes that are not UTF-8 are surrogates.
        offset: of its data in the tar.
        size: bytes of its data.
        why_refused: "" for a regular file.
    """

    name: str
    offset: int
    size: int
    why_refused: str = ""


def read_headers(stream: BinaryIO) -> Iterator[Entry]:
    """Every member of the tar that ``stream`` is at the start of, folders left out, in archive order.

    The data is skipped by seeking. Blocks of zeros end a tar; ``cat`` joins others to it, and these are read, too.

    Raises:
        BrokenArchive: it is not a tar, is damaged, or ends early.
    """
    at = 0
    long_name: str | None = None
    always: dict[str, str] = {}
    once: dict[str, str] = {}
    while True:
        stream.seek(at)
        header = _read(stream, _BLOCK, at)
        if header.count(0) == _BLOCK:
            following = _behind_zeros(stream, at)
            if following is None:
                return
            at, long_name, always, once = following, None, {}, {}
            continue
        size, kind = _size_and_kind(header, at)
        data = at + _BLOCK
        if kind in _EXTENDED:
            if size > _MAX_EXTENDED:
                raise _damaged(at)
            extended = _read(stream, size, data)
            if kind == _LONG_NAME:
                long_name = _text(extended)
            elif kind == _PAX_GLOBAL:
                always |= _pax(extended, at)
            elif kind in _PAX:
                once = _pax(extended, at)
            at = data + _padded(size)
            continue
        records = {**always, **once}
        if "size" in records:
            size = _decimal(records["size"], at)
        if kind == _SPARSE:
            data = _behind_map(stream, header, data)
        name = records.get("path") or long_name or _name(header)
        if kind != _FOLDER and not (kind in _REGULAR and name.endswith("/")):
            is_sparse = kind == _SPARSE or any(key.startswith("GNU.sparse.") for key in records)
            otherwise = "" if kind in _REGULAR else "not a regular file"
            yield Entry(name, data, size, "a sparse file" if is_sparse else _REFUSED.get(kind, otherwise))
        at = data + (0 if kind in _WITHOUT_DATA else _padded(size))
        long_name, once = None, {}


def _behind_zeros(stream: BinaryIO, at: int) -> int | None:
    """Where the block after the zeros at ``at`` is; None where no member can follow.

    Old programs fill up the last record with whatever they had there, and some downloads end in a few bytes too many.
    """
    stream.seek(at)
    place = at
    while chunk := stream.read(_LOOK):
        rest = chunk.lstrip(b"\0")
        if rest:
            place += (len(chunk) - len(rest)) // _BLOCK * _BLOCK
            ends = any(_ends_by(stream, limit) for limit in (place + _BLOCK - 1, at + _RECORD))
            return None if ends and not _is_header(stream, place) else place
        place += len(chunk)
    return None


def _ends_by(stream: BinaryIO, at: int) -> bool:
    stream.seek(at)
    return not stream.read(1)


def _is_header(stream: BinaryIO, at: int) -> bool:
    stream.seek(at)
    try:
        _size_and_kind(_read(stream, _BLOCK, at), at)
    except BrokenArchive:
        return False
    return True


def _read(stream: BinaryIO, size: int, at: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise BrokenArchive("the archive ends early: half of a download?" if at else "not a tar archive")
    return data


def _damaged(at: int) -> BrokenArchive:
    return BrokenArchive(f"damaged at byte {at:,} of the tar" if at else "not a tar archive")


def _size_and_kind(header: bytes, at: int) -> tuple[int, int]:
    """Size and type of a header's member."""
    try:
        checksum = int(header[148:156].strip(b" \0"), 8)
    except ValueError:
        raise _damaged(at) from None
    rest = header[:148] + b"        " + header[156:]
    # Some old programs summed signed bytes.
    if checksum != sum(rest) and checksum != sum(rest) - 256 * sum(byte > 127 for byte in rest):
        raise _damaged(at)
    return _number(header[124:136], at), header[156]


def _number(field: bytes, at: int) -> int:
    """A number in octal digits, or in binary if the first bit is set."""
    if field[0] & 0x80:
        value = int.from_bytes(field[1:], "big")
        if field[0] != 0x80 or value >= _MAX_SIZE:
            raise _damaged(at)
        return value
    try:
        return int(field.strip(b" \0") or b"0", 8)
    except ValueError:
        raise _damaged(at) from None


def _decimal(text: str, at: int) -> int:
    if not text.isascii() or not text.isdigit() or int(text[:20]) >= _MAX_SIZE:
        raise _damaged(at)
    return int(text)


def _behind_map(stream: BinaryIO, header: bytes, data: int) -> int:
    """Where the data of a GNU sparse member begins: after the blocks that continue its map."""
    goes_on = header[482]
    while goes_on:
        goes_on = _read(stream, _BLOCK, data)[504]
        data += _BLOCK
    return data


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _text(data: bytes) -> str:
    return data.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _name(header: bytes) -> str:
    name = _text(header[:100])
    is_ustar = header[257:263] == b"ustar\0"  # GNU's own form has times where the prefix is
    prefix = _text(header[345:500]) if is_ustar else ""
    return f"{prefix}/{name}" if prefix else name


def _pax(data: bytes, at: int) -> dict[str, str]:
    """``"<length> <key>=<value>\\n"`` records; only the values that are used are kept."""
    found: dict[str, str] = {}
    place = 0
    while place < len(data) and data[place]:
        length, space, _ = data[place : place + 20].partition(b" ")
        if not space or not length.isdigit() or int(length) < len(length) + 3:
            raise _damaged(at)
        record = data[place + len(length) + 1 : place + int(length)]
        key, _, value = record.removesuffix(b"\n").partition(b"=")
        if key in {b"path", b"size"} or key.startswith(b"GNU.sparse."):
            found[key.decode("utf-8", "replace")] = value.decode("utf-8", "surrogateescape")
        place += int(length)
    return found
