"""Random access into any .bz2 file, without an index.

A bzip2 stream is a run of blocks, each of at most 900,000 bytes of input and readable on its own. A block begins
with a 48-bit magic number at any bit; the stream ends with another. So a range of compressed bytes is enough to
find the blocks that begin in it, and each becomes a stream of its own: header, the block's bits moved to a byte
border, end magic, checksum. This holds for single-stream and multistream files alike. Format: the bzip2 program's
``decompress.c``; that a magic number turns up by chance in compressed data has a probability of 0.1 % in 24 GB,
and costs one block, reported as corrupt.
"""

from __future__ import annotations

import bz2
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

_BLOCK_MAGIC = 0x314159265359
_END_MAGIC = 0x177245385090
_MAGIC_BITS = 48
_HEADER = b"BZh9"  # the largest block size, which suits every stream
_READ_BYTES = 1 << 20
_MAX_BLOCK_BYTES = 5 << 19
"""900,000 symbols of at most 20 bits, and their tables: no block is longer, compressed."""


@dataclass(frozen=True)
class Block:
    """One block of a bzip2 stream.

    Attributes:
        start: the compressed byte in which it begins.
        data: what it holds, at most 46 MB; None where it cannot be read.
        fault: "" where it was read, else the reason code: ``decode_error`` or ``truncated``.
    """

    start: int
    data: bytes | None
    fault: str = ""


def read_blocks(file: BinaryIO, start: int = 0) -> Iterator[Block]:
    """The blocks of ``file`` that begin at compressed byte ``start`` or after it, in order, one at a time.

    A corrupt block, and a block that the end of the file cuts short, come with ``data=None``; the blocks after a
    corrupt one are still read.
    """
    window = _Window(file, start)
    begin: int | None = None
    for bit, is_block in _magics(window):
        if begin is not None:
            yield _decode(window, begin, bit)
        begin = bit if is_block else None
        window.needed_from = bit // 8 if is_block else None
    if begin is not None:
        yield Block(begin // 8, None, "truncated")


class _Window:
    """The part of the file that is in memory: ``data`` begins at byte ``base``."""

    def __init__(self, file: BinaryIO, start: int) -> None:
        self.file = file
        self.base = start
        self.data = b""
        self.needed_from: int | None = None
        file.seek(start)

    def advance(self, scanned: int) -> bool:
        """Read on, dropping what comes before ``scanned`` and is no longer needed. False at the end of the file."""
        keep_from = scanned
        if self.needed_from is not None and scanned - self.needed_from <= _MAX_BLOCK_BYTES:
            keep_from = min(scanned, self.needed_from)
        more = self.file.read(_READ_BYTES)
        self.data = self.data[keep_from - self.base :] + more
        self.base = keep_from
        return bool(more)

    def bits(self, begin: int, end: int) -> tuple[int, int] | None:
        """Bits [begin, end) of the file as a number, and how many; None where they are no longer in memory."""
        first, last = begin // 8, -(-end // 8)
        if first < self.base:
            return None
        number = int.from_bytes(self.data[first - self.base : last - self.base]) >> (8 * last - end)
        return number & ((1 << (end - begin)) - 1), end - begin


def _patterns() -> list[tuple[bytes, int, int, bool]]:
    """Per magic and shift: the bytes it fills completely, where they begin, the shift, and whether it is a block's."""
    found = []
    for magic, is_block in ((_BLOCK_MAGIC, True), (_END_MAGIC, False)):
        found.append((magic.to_bytes(6), 0, 0, is_block))
        for shift in range(1, 8):
            found.append(((magic << (8 - shift)).to_bytes(7)[1:6], 1, shift, is_block))
    return found


_PATTERNS = _patterns()


def _magics(window: _Window) -> Iterator[tuple[int, bool]]:
    """Magic numbers from the window's start on: (bit of the file, whether a block begins there)."""
    scanned = window.base
    while window.advance(scanned):
        # A magic number that begins in the last six bytes may continue in bytes not read yet.
        end = window.base + len(window.data) - 6
        found = []
        for pattern, lead, shift, is_block in _PATTERNS:
            magic = _BLOCK_MAGIC if is_block else _END_MAGIC
            at = window.data.find(pattern, scanned - window.base + lead)
            while 0 <= at < end - window.base + lead:
                bit = 8 * (window.base + at - lead) + shift
                value = window.bits(bit, bit + _MAGIC_BITS)
                if value is not None and value[0] == magic:
                    found.append((bit, is_block))
                at = window.data.find(pattern, at + 1)
        yield from sorted(found)
        scanned = max(scanned, end)


def _decode(window: _Window, begin: int, end: int) -> Block:
    bits = window.bits(begin, end)
    data = None if bits is None else _decompress(*bits)
    return Block(begin // 8, data, "decode_error" if data is None else "")


def decompress(raw: bytes, begin: int, end: int) -> bytes | None:
    """What the block in bits [begin, end) of ``raw`` holds, or None where it is damaged."""
    number = int.from_bytes(raw) >> (8 * len(raw) - end)
    return _decompress(number & ((1 << (end - begin)) - 1), end - begin)


def _decompress(number: int, count: int) -> bytes | None:
    """What a block holds: ``count`` bits, as a number, from its magic on. None where it is damaged."""
    if count < _MAGIC_BITS + 32:
        return None
    # A stream of one block has that block's checksum, the 32 bits after its magic.
    checksum = (number >> (count - _MAGIC_BITS - 32)) & 0xFFFFFFFF
    number = (((number << _MAGIC_BITS) | _END_MAGIC) << 32) | checksum
    count += _MAGIC_BITS + 32
    stream = (number << (-count % 8)).to_bytes(-(-count // 8))
    try:
        return bz2.decompress(_HEADER + stream)
    except (OSError, ValueError):
        return None
