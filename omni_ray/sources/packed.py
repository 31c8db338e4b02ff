"""Compressed files as streams of plain bytes, in bounded memory, giving all that can be read of a broken one."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Protocol

CHUNK_BYTES = 1 << 20
_ZSTD_BYTES = 1 << 16
SUFFIXES = (".gz", ".bz2", ".xz", ".zst")
_FREE_BYTES = 256 << 20
_MAX_RATIO = 200
"""Text packs 3 to 30 times; what unpacks to more than this is made to fill a disk or a memory."""


class BrokenStream(Exception):
    """A compressed file cannot be read any further.

    Attributes:
        reason: the reason code: ``truncated``, ``decode_error``, or ``too_large`` for a bomb.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


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


def unpack(file: BinaryIO, name: str) -> Iterator[bytes]:
    """The plain bytes of ``file`` in chunks of at most ``CHUNK_BYTES``; ``name`` tells how it is compressed, if it is.

    Several compressed streams behind each other are one file, as their programs have it.

    Raises:
        BrokenStream: after all that could be read.
    """
    suffix = name[name.rfind(".") :].lower()
    if suffix not in SUFFIXES:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
        return
    unpacked = 0
    for chunk in _zstd(file) if suffix == ".zst" else _streams(file, suffix):
        unpacked += len(chunk)
        if is_bomb(unpacked, file.tell()):
            raise BrokenStream("too_large")
        yield chunk


def is_bomb(unpacked: int, packed: int) -> bool:
    """Whether ``packed`` bytes of a file have become far more bytes than text ever does."""
    return unpacked > _FREE_BYTES and unpacked > _MAX_RATIO * packed


def _new(suffix: str) -> _Decompressor:
    if suffix == ".gz":
        return _Zlib()
    return bz2.BZ2Decompressor() if suffix == ".bz2" else lzma.LZMADecompressor()


def _streams(file: BinaryIO, suffix: str) -> Iterator[bytes]:
    stream = _new(suffix)
    begun = False
    data = b""
    while True:
        if stream.eof:
            # Programs pad streams with zeros to a multiple of a block, and so may tapes.
            data = stream.unused_data.lstrip(b"\0")
            stream, begun = _new(suffix), False
        if not data and stream.needs_input:
            data = file.read(CHUNK_BYTES)
            if not begun:
                data = data.lstrip(b"\0")
            if not data:
                break
        begun = True
        try:
            chunk = stream.decompress(data, CHUNK_BYTES)
        except (OSError, EOFError, zlib.error, lzma.LZMAError):
            raise BrokenStream("decode_error") from None
        data = b""
        if chunk:
            yield chunk
    if begun:
        raise BrokenStream("truncated")


def _zstd(file: BinaryIO) -> Iterator[bytes]:
    import pyarrow as pa

    with pa.CompressedInputStream(pa.PythonFile(file, "r"), "zstd") as stream:
        while True:
            try:
                chunk = stream.read(_ZSTD_BYTES)  # what a failing read had got is lost
            except OSError as error:
                raise BrokenStream("truncated" if "truncated" in str(error).lower() else "decode_error") from None
            if not chunk:
                return
            yield chunk
