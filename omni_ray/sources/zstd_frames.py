"""Where the frames of a zstd file end, by their headers (RFC 8878, 3.1): Arrow unpacks them as one, and does not say."""

from __future__ import annotations

import struct
from typing import BinaryIO

_SKIPPABLE = 0x184D2A5
_MAGIC = 0xFD2FB528
_DICTIONARY_BYTES = (0, 1, 2, 4)
_SIZE_BYTES = (0, 2, 4, 8)
_CHECKSUM_BYTES = 4
_RUN, _RESERVED = 1, 3


def frame_end(file: BinaryIO, place: int) -> int | None:
    """Behind the last byte of the frame that begins at a byte of a file; None where there is none, or not all of it."""
    end = _end(file, place)
    if end is None or end == place:
        return None
    file.seek(end - 1)
    return end if file.read(1) else None


def _end(file: BinaryIO, place: int) -> int | None:
    file.seek(place)
    head = file.read(8)
    if len(head) < 8:
        return None
    magic, size = struct.unpack("<2L", head)
    if magic >> 4 == _SKIPPABLE:
        return place + 8 + int(size)
    if magic != _MAGIC:
        return None
    flags = head[4]
    is_single = bool(flags & 0x20)
    size_bytes = _SIZE_BYTES[flags >> 6] or int(is_single)
    place += 5 + (not is_single) + _DICTIONARY_BYTES[flags & 3] + size_bytes
    while True:
        file.seek(place)
        header = int.from_bytes(file.read(3).ljust(3, b"\xff"), "little")
        kind = header >> 1 & 3
        if kind == _RESERVED:
            return None
        place += 3 + (1 if kind == _RUN else header >> 3)
        if header & 1:
            return place + (_CHECKSUM_BYTES if flags & 4 else 0)
