"""Records of web archives (WARC 1.0 and 1.1, ISO 28500) in slices: plain, or with a gzip stream for each record or for all.

A slice is a range of bytes of the file. In a packed file, its reader looks for the first gzip stream of an archive that begins in
it, and reads on until a stream begins after it. The reader of the next slice thus agrees without an index.
Damage costs a record: reading continues at the next stream or record.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import BinaryIO

from omni_ray.records import SourceOptions
from omni_ray.sources.line_blocks import RANGE_BYTES
from omni_ray.sources.packed import BrokenStream, is_bomb, packing, proven, unpack_proven
from omni_ray.sources.packed_ranges import open_range, plain_size
from omni_ray.sources.tree import Tree

MAX_RECORD_BYTES = 64 << 20
_MAX_HEADER_BYTES = 64 << 10
_READ_BYTES = 64 << 10
_PLAIN_BYTES = 1 << 20
_TEXT_RATIO = 3
"""How many times smaller pages are when packed."""
_GZIP = b"\x1f\x8b\x08"
_MARK = re.compile(rb"WARC/1\.[01]\r?\n")
_START = re.compile(rb"[\r\n]*WARC/1\.[01]\r?\n")
_NEXT = re.compile(rb"\n(?=WARC/1\.[01]\r?\n)")
_LONGEST_MARK = 16
_END = re.compile(rb"\r?\n\r?\n")
_FIELD = re.compile(rb"([^:\r\n]+):[ \t]*((?:[^\r\n]|\r?\n[ \t])*)")


@dataclass(frozen=True)
class WarcRecord:
    """One record.

    Attributes:
        place: the byte of the file at which it begins; if packed, that of its gzip stream; later records of the same stream
            also have the number of unpacked bytes before them.
        fields: of its header, by their names in lower case.
        body: what it holds; None where that cannot be read.
        fault: the reason code of what is wrong with it, "" for nothing.
    """

    place: str
    fields: dict[str, str]
    body: bytes | None = None
    fault: str = ""


@dataclass(frozen=True)
class _Chunk:
    """Some plain bytes of a stream that begins at ``stream``; or why there are no more."""

    stream: int
    data: bytes
    fault: str = ""


def warc_ranges(tree: Tree, name: str, options: SourceOptions) -> Iterator[tuple[int, int | None, bool]]:
    """Slices for :func:`read_warc` that together cover a file, and whether they are of its unpacked bytes: a large file that is
    packed in one stream cannot be entered anywhere else."""
    size, step = tree.size(name), options.scaled(RANGE_BYTES)
    with tree.open(name) as file:
        suffix = packing(file, name)
        has_members = suffix == ".gz" and (size <= step or _next_member(file, 1) is not None)
    plain = None if has_members else plain_size(tree, name, options)
    cuts = list(range(0, max(size, 1), options.scaled(RANGE_BYTES // _TEXT_RATIO))) if has_members else [0]
    if plain is not None:
        with open_range(tree, name, 0, plain) as (content, _):
            cuts = _thinned(_plain_places(content, plain), step)
    is_unpacked = bool(suffix) and plain is not None
    for start, end in zip(cuts, [*cuts[1:], plain if is_unpacked else None], strict=True):
        yield start, end, is_unpacked


def _thinned(places: Iterable[int], step: int) -> list[int]:
    kept = [0]
    for place in places:
        if place - kept[-1] >= step:
            kept.append(place)
    return kept


def _plain_places(file: BinaryIO, size: int) -> Iterator[int]:
    """Where records begin, as far as their lengths tell."""
    place = 0
    while place < size:
        file.seek(place)
        head = file.read(_MAX_HEADER_BYTES)
        start = _START.match(head)
        end = _END.search(head, start.end()) if start else None
        fields = _fields(head[start.end() : end.start()]) if start and end else {}
        if end is None or not fields.get("content-length", "").isdigit():
            return
        yield place
        place += end.end() + int(fields["content-length"])


def read_warc(tree: Tree, name: str, start: int, end: int | None, is_unpacked: bool = False) -> Iterator[WarcRecord]:
    """The records that begin in a slice, in order."""
    with tree.open(name) as file:
        if not is_unpacked and packing(file, name) == ".gz":
            yield from _records(_members(file, start, end))
            return
    with open_range(tree, name, start, end) as (file, _):
        stream, before = (0, start) if is_unpacked else (start, 0)
        yield from _records(_whole(file, name, start, end, stream), before)


def _whole(file: BinaryIO, name: str, start: int, end: int | None, stream: int) -> Iterator[_Chunk]:
    """A plain file's slice, which ends with records; or all of a file that is packed as a whole."""
    file.seek(start)
    left = None if end is None else end - start
    try:
        for data in unpack_proven(file, name) if left is None else iter(lambda: file.read(_PLAIN_BYTES), b""):
            data = data if left is None else data[:left]
            left = None if left is None else left - len(data)
            if not data:
                return
            yield _Chunk(stream, data)
    except BrokenStream as error:
        yield _Chunk(stream, b"", error.reason)


def _members(file: BinaryIO, start: int, end: int | None) -> Iterator[_Chunk]:
    """The gzip streams that begin in a slice, unpacked; after a damaged one, only those that look like an archive's."""
    at: int | None = start if not start else _next_member(file, start)
    while at is not None and (end is None or at < end):
        member = _Member(file, at)
        try:
            for plain in proven(member.chunks):
                yield _Chunk(at, plain)
        except BrokenStream as broken:
            yield _Chunk(at, b"", broken.reason)
            at = _next_member(file, at + 1)
            continue
        place = member.end
        file.seek(place)
        if file.read(len(_GZIP)) == _GZIP:
            at = place
        else:
            at = _next_member(file, place)
            file.seek(place)
            # Zeros may fill a block; the reader of the stream before reports anything else, whichever slice it is in.
            between = file.read(_READ_BYTES if at is None else min(at - place, _READ_BYTES))
            if between.strip(b"\0"):
                yield _Chunk(place, b"", "decode_error")


class _Member:
    """A gzip stream that begins at a byte of a file.

    Attributes:
        end: behind its last byte, once it was unpacked.
    """

    def __init__(self, file: BinaryIO, start: int) -> None:
        self._file, self._start = file, start
        self.end = start

    def chunks(self) -> Iterator[bytes]:
        """What it holds. Raises BrokenStream."""
        place, unpacked = self._start, 0
        self._file.seek(place)
        stream = zlib.decompressobj(31)
        while data := self._file.read(_READ_BYTES):
            place += len(data)
            try:
                plain = stream.decompress(data)
            except zlib.error:
                raise BrokenStream("decode_error", proven=0) from None
            unpacked += len(plain)
            if is_bomb(unpacked, place - self._start):
                raise BrokenStream("too_large")
            yield plain
            if stream.eof:
                self.end = place - len(stream.unused_data)
                return
        raise BrokenStream("truncated")


def _next_member(file: BinaryIO, place: int) -> int | None:
    """The first position from ``place`` on at which a gzip stream of an archive begins."""
    file.seek(place)
    base, data = place, b""
    while more := file.read(_PLAIN_BYTES):
        data += more
        found = data.find(_GZIP)
        while found >= 0:
            if _is_archive(file, base + found):
                return base + found
            found = data.find(_GZIP, found + 1)
        keep = len(_GZIP) - 1
        base += max(0, len(data) - keep)
        data = data[-keep:]
        file.seek(base + len(data))
    return None


def _is_archive(file: BinaryIO, place: int) -> bool:
    file.seek(place)
    try:
        return _MARK.match(zlib.decompressobj(31).decompress(file.read(_READ_BYTES), 16)) is not None
    except zlib.error:
        return False


class _Text:
    """The plain bytes of one stream, as they are consumed.

    Attributes:
        place: where the next byte is, as :class:`WarcRecord` has it.
        fault: why the stream ended too early, until a record has reported it.
    """

    def __init__(self, stream: int, chunks: Iterator[_Chunk], before: int) -> None:
        self._stream, self._chunks = stream, chunks
        self._data, self._at, self._before = b"", 0, before
        self.fault = ""

    @property
    def place(self) -> str:
        before = self._before + self._at
        return f"{self._stream}+{before}" if before else str(self._stream)

    def more(self) -> bool:
        """Read on; False at the stream's end."""
        chunk = next(self._chunks, None)
        if chunk is None:
            return False
        self._before += self._at
        self._data, self._at, self.fault = self._data[self._at :] + chunk.data, 0, chunk.fault
        return not chunk.fault

    def has(self, count: int) -> bool:
        """Whether this many bytes are there."""
        while len(self._data) - self._at < count:
            if not self.more():
                return False
        return True

    def search(self, pattern: re.Pattern[bytes], most: int) -> re.Match[bytes] | None:
        """The first match that begins in the next ``most`` bytes."""
        while (found := pattern.search(self._data, self._at, self._at + most)) is None:
            if len(self._data) - self._at > most or not self.more():
                return None
        return found

    def take(self, count: int) -> bytes:
        """Consume and return the next bytes, or all there are if fewer."""
        taken = self._data[self._at : self._at + count]
        self._at += len(taken)
        return taken

    def upto(self, match: re.Match[bytes]) -> bytes:
        """Consume and return the bytes up to the end of a match."""
        return self.take(match.end() - self._at)

    def skip_to_record(self) -> None:
        """Skip what comes before the next record of the stream."""
        self.take(1)
        while (found := _NEXT.search(self._data, self._at)) is None:
            self.take(max(0, len(self._data) - self._at - _LONGEST_MARK))
            if not self.more():
                self.take(len(self._data))
                return
        self.upto(found)

    def is_over(self) -> bool:
        """Whether nothing but line ends is left; those before the next record are consumed."""
        while True:
            while self._at < len(self._data) and self._data[self._at] in b"\r\n":
                self._at += 1
            if self._at < len(self._data):
                return False
            if not self.more():
                return True


def _records(chunks: Iterator[_Chunk], before: int = 0) -> Iterator[WarcRecord]:
    """``before``: how many unpacked bytes of the first stream come before the first chunk."""
    for stream, part in groupby(chunks, key=lambda chunk: chunk.stream):
        text = _Text(stream, part, before)
        while not text.is_over():
            yield _record(text)
        if text.fault:
            yield WarcRecord(text.place, {}, fault=text.fault)


def _record(text: _Text) -> WarcRecord:
    place = text.place
    end = text.search(_END, _MAX_HEADER_BYTES)
    header = text.upto(end) if end is not None else b""
    start = _MARK.match(header)
    fields = _fields(header[start.end() :]) if start else {}
    length = fields.get("content-length", "")
    if not length.isdigit() or int(length) > MAX_RECORD_BYTES:
        fault = text.fault if end is None else "too_large" if length.isdigit() else "bad_row"
        text.fault = ""
        text.skip_to_record()
        return WarcRecord(place, fields, fault=fault or "bad_row")
    if text.has(int(length)):
        return WarcRecord(place, fields, text.take(int(length)))
    fault, text.fault = text.fault or "truncated", ""
    text.take(int(length))
    return WarcRecord(place, fields, fault=fault)


def _fields(header: bytes) -> dict[str, str]:
    pairs = _FIELD.findall(header)
    return {key.strip().lower().decode("latin-1"): value.strip().decode("utf-8", "replace") for key, value in pairs}
