"""JPEG files before any pixel of them: what kind they are, how they are turned, and what libjpeg's warnings mean.

libjpeg is handed whole files by strangers. It reads some kinds of JPEG correctly only under conditions, and gives only the first
of its warnings: a harmless one about the header would hide that the pixels are damaged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_SOI, _EOI, _SOS, _APP0, _APP1, _APP14 = 0xD8, 0xD9, 0xDA, 0xE0, 0xE1, 0xEE
_BARE = {0x01, *range(0xD0, 0xD9)}
"""Markers without a length: TEM, RST0 to RST7, SOI."""
_KINDS = {
    0xC0: "baseline",
    0xC1: "extended sequential",
    0xC2: "progressive",
    0xC3: "lossless",
    0xC9: "arithmetic",
    0xCA: "arithmetic progressive",
    0xCB: "arithmetic lossless",
    0xF7: "JPEG-LS",
    **dict.fromkeys((0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF), "hierarchical"),
}
HUFFMAN = frozenset({"baseline", "extended sequential", "progressive"})
"""The kinds with an 8 by 8 transform that may be decoded at a lower scale. libjpeg-turbo writes a lossless one in full
into room for a scaled one."""
UNREAD = frozenset({"hierarchical", "arithmetic lossless", "JPEG-LS"})
TRANSFORMED = HUFFMAN | {"arithmetic", "arithmetic progressive"}
_PADDING = 64
"""Bytes before the end mark that no pixel needs: more are the rest of a scan whose decoder lost its place."""
_STRAY = re.compile(r"(\d+) extraneous bytes before marker 0x([0-9a-f]{2})")
_OF_THE_HEADER = ("unknown jfif", "unknown adobe", "invalid sos parameters", "bad icc")
_DAMAGE = {
    "premature end": "truncated",
    "corrupt jpeg data": "decode_error",
    "inconsistent progression": "decode_error",
}


@dataclass(frozen=True)
class JpegHeader:
    """What the segments before the pixels say.

    Attributes:
        kind: "baseline", "progressive", "lossless" and so on; "" where there is no frame.
        bits: in a sample.
        may_be_turned: whether EXIF or XMP may be there, which can turn a picture.
    """

    kind: str
    bits: int
    may_be_turned: bool


def frame(data: bytes) -> JpegHeader:
    """The first frame header, and the rest, of a file that starts with a JPEG's first marker."""
    kind, bits, may_be_turned = "", 0, False
    for marker, start, _ in _segments(data):
        may_be_turned = may_be_turned or marker == _APP1
        if marker in _KINDS and not kind and start + 5 <= len(data):
            kind, bits = _KINDS[marker], data[start + 4]
    return JpegHeader(kind, bits, may_be_turned)


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(marker, start, end) of each segment up to the first scan's header, its marker included.

    Finds them as libjpeg does: what is no marker is passed over, and so are fill bytes.
    """
    at = 2
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 4 > len(data):
            return
        marker = data[at + 1]
        if marker in {0x00, 0xFF}:
            at += 1
        elif marker in _BARE:
            at += 2
        elif marker == _EOI:
            return
        else:
            end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
            yield marker, at, end
            if marker == _SOS:
                return
            at = end


def damage(warning: str) -> str:
    """The reason code that a message of libjpeg stands for; "" where it does not speak of damaged pixels."""
    text = warning.lower()
    stray = _STRAY.search(text)
    if stray and int(stray[2], 16) == _EOI and int(stray[1]) <= _PADDING:
        return ""
    return next((reason for sign, reason in _DAMAGE.items() if sign in text), "")


def is_of_the_header(warning: str) -> bool:
    """Whether a message of libjpeg is about what comes before the pixels, and may hide one that is about them."""
    text = warning.lower()
    return bool(_STRAY.search(text)) or any(sign in text for sign in _OF_THE_HEADER)


def is_padding(warning: str) -> bool:
    """Whether a message of libjpeg is about a few bytes before the end mark: after it no other can come."""
    return bool(_STRAY.search(warning.lower())) and not damage(warning)


def plain_header(data: bytes) -> bytes:
    """The file with nothing in its header that libjpeg would warn about; the pixels are untouched.

    Left out: stray bytes, ICC profiles and the like, whose only use here was to warn. Mended: a JFIF version and an Adobe
    transform of the future, and a sequential scan's ranges of frequencies, which libjpeg overrules anyway.
    """
    kept = [data[:2]]
    is_sequential, colours, end = True, 3, 2
    for marker, start, end in _segments(data):
        body = bytearray(data[start:end])
        if marker in _KINDS:
            is_sequential = _KINDS[marker] not in {"progressive", "arithmetic progressive"}
            colours = body[9] if len(body) > 9 else 3
        if marker == _APP0 and body[4:9] == b"JFIF\0" and len(body) > 9:
            body[9] = 1
        if marker == _APP14 and body[4:9] == b"Adobe" and len(body) > 15 and body[15] > 2:
            body[15] = 2 if colours == 4 else 1
        if marker == _SOS and is_sequential and len(body) > 5:
            body[-3:] = b"\0\x3f\0"
        if marker in {_APP0, _APP14} or not 0xE0 <= marker <= 0xFE:
            kept.append(bytes(body))
    return b"".join(kept) + data[end:]
