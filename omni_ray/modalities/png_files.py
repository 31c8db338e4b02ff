"""PNG files before a reader gets them: checksums are checked, and comments that it would unpack first are left out."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PIXELS = (b"IHDR", b"PLTE", b"IDAT")
_COMMENTS = (b"tEXt", b"zTXt", b"iTXt", b"iCCP")
_TURNS = (b"Raw profile type exif\0", b"XML:com.adobe.xmp\0")
"""Keywords of the comments that can say how a picture is turned."""
_LONGEST_TURN = (1 << 20) - 1
"""Bytes, unpacked: Pillow gives up on a picture with a longer packed text."""


def is_damaged(data: bytes) -> bool:
    """Whether the checksum of a chunk of pixels, or of what they depend on, is wrong; False for other files.

    Pillow does not look at those of pixels, and decompression notices damage only where it makes no sense.
    """
    return any(
        zlib.crc32(memoryview(data)[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big")
        for kind, at, end in _chunks(data)
        if kind in _PIXELS
    )


def without_comments(data: bytes) -> bytes:
    """A PNG without its texts and its colour profile, but for what may turn it; other files as they are.

    Editors keep histories of megabytes there, and a hostile file a bomb: neither says anything about the pixels.
    """
    kept: list[bytes] = []
    last = 0
    for kind, at, end in _chunks(data):
        if kind in _COMMENTS and not _may_turn(data, kind, at + 8, end - 4):
            kept.append(data[last:at])
            last = end
    return b"".join([*kept, data[last:]]) if kept else data


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The kinds of a PNG's chunks, and where each begins and ends; not of one that is cut, which its reader says."""
    at = len(_SIGNATURE)
    while data.startswith(_SIGNATURE) and at + 12 <= len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        if end <= len(data):
            yield data[at + 4 : at + 8], at, end
        at = end


def _may_turn(data: bytes, kind: bytes, start: int, end: int) -> bool:
    """Whether a comment is one that can turn the picture, and short however it is packed."""
    if not data.startswith(_TURNS, start) or end - start > _LONGEST_TURN:
        return False
    keyword_end = data.index(b"\0", start, end)
    if kind == b"iTXt" and data[keyword_end + 1 : keyword_end + 2] == b"\1":  # packed: language\0 keyword\0 text
        packed = data[keyword_end + 3 : end].split(b"\0", 2)[-1]
    elif kind == b"zTXt":
        packed = data[keyword_end + 2 : end]
    else:
        return True
    unpacker = zlib.decompressobj()
    try:
        unpacker.decompress(packed, _LONGEST_TURN)
    except zlib.error:
        return False
    return not unpacker.unconsumed_tail
