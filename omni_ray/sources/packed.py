"""Compressed files as streams of plain bytes, in bounded memory, giving everything that can be read of a broken one.

A file is what its first bytes say: browsers unpack what they download and keep its name, and servers send packed
files under plain names.
"""

from __future__ import annotations

import bz2
import lzma
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import takewhile
from typing import BinaryIO, Protocol

from omni_ray.sources.archive_file import ReaderBytes, Span, UnprovenReader
from omni_ray.sources.bz2_blocks import read_blocks
from omni_ray.sources.tree import MemberDamaged, Tree
from omni_ray.sources.zstd_frames import frame_end

CHUNK_BYTES = 1 << 20
_ZSTD_BYTES = 1 << 16
SUFFIXES = (".gz", ".bz2", ".xz", ".zst")
_HELD_BYTES = 64 << 20
"""Plain bytes that are held until their checksum is compared; a file of more is unpacked twice."""
_FREE_BYTES = 256 << 20
_MAX_RATIO = 200
"""Text packs 3 to 30 times; anything that unpacks to more than this is meant to fill a disk or memory."""


class BrokenStream(Exception):
    """A compressed file cannot be read any further.

    Attributes:
        reason: the reason code: ``truncated``, ``decode_error``, or ``too_large`` for a bomb.
        is_whole: what could be read ended as it should; only something else follows it.
        proven: where something is damaged, how many of the bytes that came before it are of streams whose checksum fits; what
            came after those may be anything. None where all that came is sound.
    """

    def __init__(self, reason: str, is_whole: bool = False, proven: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_whole = is_whole
        self.proven = proven

    @property
    def detail(self) -> str:
        """What is lost, for a person."""
        if self.is_whole:
            return "what stands after the end of the compressed data is not compressed, and is not read"
        if self.proven is not None:
            return "the file is damaged: its checksum does not fit, and nothing under it is read; fetch it again"
        return "the rest of the file cannot be unpacked"


_MAGIC = {
    ".gz": re.compile(rb"\x1f\x8b\x08"),
    ".bz2": re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"),
    ".xz": re.compile(rb"\xfd7zXZ\0"),
    ".zst": re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"),
}
_MAGIC_BYTES = 10


def packing(file: BinaryIO, name: str) -> str:
    """How ``file`` is compressed, as one of ``SUFFIXES``; "" where it is not. The file's position does not change.

    Its first bytes decide. Where zeros from a tape come before them, or there are none at all, the name does.
    """
    place = file.tell()
    file.seek(0)
    head = file.read(_MAGIC_BYTES)
    file.seek(place)
    if not head.strip(b"\0"):
        suffix = name[name.rfind(".") :].lower()
        return suffix if suffix in SUFFIXES else ""
    return next((suffix for suffix, magic in _MAGIC.items() if magic.match(head)), "")


def packing_of(tree: Tree, name: str) -> str:
    """How a file of a tree is compressed, as :func:`packing` says it."""
    with tree.open(name) as file:
        return packing(file, name)


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _Zlib:
    """zlib's decompressor with the interface of bz2's and lzma's."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)  # gzip
        self.needs_input = True

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        plain = self._inner.decompress(self._inner.unconsumed_tail + data, max_length)
        self.needs_input = not self._inner.unconsumed_tail and len(plain) < max_length
        return plain

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data


def unpack_proven(file: BinaryIO, name: str) -> Iterator[bytes]:
    """As :func:`unpack`, without what comes before some damage under the same checksum: nobody knows where it begins."""
    suffix = packing(file, name)
    is_sound = not suffix and not isinstance(file, UnprovenReader)
    if is_sound or suffix == ".bz2":  # whose blocks have checksums of their own
        yield from unpack(file, name)
        return
    place = file.tell()

    def chunks() -> Iterator[bytes]:
        file.seek(place)
        return unpack(file, name)

    yield from proven(chunks)


def proven(chunks: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
    """What an iterator gives up to :attr:`BrokenStream.proven`, once that is known. It is asked for again where that is more
    than is held. Raises BrokenStream as the iterator does."""
    held: list[bytes] = []
    size, fault = 0, None
    try:
        for chunk in chunks():
            size += len(chunk)
            if size <= _HELD_BYTES:
                held.append(chunk)
    except BrokenStream as broken:
        fault = broken
    left = size if fault is None or fault.proven is None else fault.proven
    yield from first(held if size <= _HELD_BYTES else chunks(), left)
    if fault is not None:
        raise fault


def first(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The first ``size`` bytes, of which there are as many."""
    for chunk in chunks:
        if size <= 0:
            return
        yield chunk[:size]
        size -= len(chunk)


def unpack(file: BinaryIO, name: str) -> Iterator[bytes]:
    """The plain bytes of ``file`` from its position on, in chunks of at most ``CHUNK_BYTES``.

    Several compressed streams in a row are one file, as for the programs that write them.

    Raises:
        BrokenStream: after everything that could be read, what is damaged among it.
    """
    suffix = packing(file, name)
    if not suffix:
        try:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
        except MemberDamaged:
            raise BrokenStream("decode_error", proven=0 if isinstance(file, UnprovenReader) else None) from None
        return
    unpacked = 0
    for chunk in _zstd(file) if suffix == ".zst" else _bzip2(file) if suffix == ".bz2" else _streams(file, suffix):
        unpacked += len(chunk)
        if is_bomb(unpacked, file.tell()):
            raise BrokenStream("too_large")
        yield chunk


def is_bomb(unpacked: int, packed: int) -> bool:
    """Whether ``packed`` bytes of a file have unpacked to far more than text ever does."""
    return unpacked > _FREE_BYTES and unpacked > _MAX_RATIO * packed


def _new(suffix: str) -> _Decompressor:
    if suffix == ".gz":
        return _Zlib()
    return bz2.BZ2Decompressor() if suffix == ".bz2" else lzma.LZMADecompressor()


def _streams(file: BinaryIO, suffix: str) -> Iterator[bytes]:
    data = b""
    size = ended = sound = 0
    while data := _next_stream(file, data):
        if ended and not _MAGIC[suffix].match(data):
            raise BrokenStream("decode_error", is_whole=True)
        stream = _new(suffix)
        while not stream.eof:
            if not data and stream.needs_input:
                data = file.read(CHUNK_BYTES)
                if not data:
                    raise BrokenStream("truncated")
            try:
                chunk = stream.decompress(data, CHUNK_BYTES)
            except (OSError, EOFError, zlib.error, lzma.LZMAError):
                raise BrokenStream("decode_error", proven=sound) from None
            data = b""
            if chunk:
                size += len(chunk)
                yield chunk
        data = stream.unused_data
        ended, sound = ended + 1, size


def _next_stream(file: BinaryIO, data: bytes) -> bytes:
    """The first bytes of the next stream, of which ``data`` has been read already; empty at the end.

    Programs pad streams with zeros to a multiple of a block, and so may tapes.
    """
    data = data.lstrip(b"\0")
    while len(data) < _MAGIC_BYTES and (more := file.read(CHUNK_BYTES)):
        data = (data + more).lstrip(b"\0")
    return data


def _bzip2(file: BinaryIO) -> Iterator[bytes]:
    """What sound blocks hold. The library gives out a block before it has compared its checksum, and a damaged one holds the
    letters of the text in any order: so each chunk waits for the next one, and no block of text is longer than a chunk."""
    start, done, held = file.tell(), 0, b""
    try:
        for chunk in _streams(file, ".bz2"):
            if held:
                yield held
            done, held = done + len(held), chunk
    except BrokenStream as broken:
        if broken.reason == "decode_error" and not broken.is_whole:
            held = b""
            for block in takewhile(lambda block: block.data, read_blocks(file, start)):
                data = block.data or b""
                if len(data) > done:
                    yield data[done:]
                done = max(0, done - len(data))
        if held:
            yield held
        broken.proven = None
        raise
    if held:
        yield held


class _Packed:
    """A file that remembers when it could not be read, which Arrow reports in the same way as damage."""

    closed = False

    def __init__(self, file: BinaryIO | Span) -> None:
        self._file = file
        self.error: OSError | None = None

    def read(self, size: int = -1) -> bytes:
        try:
            return self._file.read(size)
        except OSError as error:
            self.error = error
            raise

    def close(self) -> None:
        """Does nothing: the file is somebody else's."""


def _zstd(file: BinaryIO) -> Iterator[bytes]:
    start, done = file.tell(), 0
    try:
        for chunk in _zstd_stream(file):
            done += len(chunk)
            yield chunk
    except BrokenStream as broken:
        if broken.reason != "decode_error":
            raise
        yield from _zstd_frames(file, start, done)


def _zstd_frames(file: BinaryIO, start: int, done: int) -> Iterator[bytes]:
    """Frame by frame, up to what is damaged or is none, all but the first ``done`` bytes."""
    size = 0
    while True:
        file.seek(start)
        data = _next_stream(file, b"")
        if not data:
            return
        start = file.tell() - len(data)
        if not _MAGIC[".zst"].match(data):
            raise BrokenStream("decode_error", is_whole=True)
        end, sound = frame_end(file, start), size
        if end is None:
            raise BrokenStream("decode_error", proven=sound)
        try:
            for chunk in _zstd_stream(Span(ReaderBytes(file), "", start, end - start)):
                size += len(chunk)
                if size > done:
                    yield chunk[max(0, len(chunk) - (size - done)) :]
                    done = size
        except BrokenStream:
            raise BrokenStream("decode_error", proven=sound) from None
        start = end


def _zstd_stream(file: BinaryIO | Span) -> Iterator[bytes]:
    import pyarrow as pa

    packed = _Packed(file)
    with pa.CompressedInputStream(pa.PythonFile(packed, "r"), "zstd") as stream:
        while True:
            try:
                chunk = stream.read(_ZSTD_BYTES)  # what a failing read had got is lost
            except OSError as error:
                if packed.error is not None:
                    raise packed.error from None
                if "truncated" in str(error).lower():
                    raise BrokenStream("truncated") from None
                raise BrokenStream("decode_error") from None
            if not chunk:
                return
            yield chunk
