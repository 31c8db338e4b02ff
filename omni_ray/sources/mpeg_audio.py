"""MP3 and its older layers: how many frames a file has, and how many its headers say it has.

No decoder reports this: each believes a header, or guesses from the first frames, or stops where a second file was joined
on. Frames are found as in ISO/IEC 11172-3, 2.4.1.3; Xing's, LAME's and Fraunhofer's headers as their
encoders write them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

_VERSIONS = {0: 2.5, 2: 2.0, 3: 1.0}
_RATES = {1.0: (44100, 48000, 32000), 2.0: (22050, 24000, 16000), 2.5: (11025, 12000, 8000)}
_KBITS = {
    (1.0, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1.0, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1.0, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2.0, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2.0, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_COUNTING = (b"Xing", b"Info")
_HEAD_BYTES = 1 << 14
_LONGEST_HEADER = 64
"""A counting header begins within this many bytes of its frame."""
_MAX_JUNK = 16 << 20
"""Bytes that are neither frames nor tags: a file with more of them is not scanned to its end."""
_DECODER_DELAY = 529


@dataclass(frozen=True)
class Frame:
    """What the header of one frame says: its bytes, samples in each channel, Hz, and whether it has one channel."""

    size: int
    samples: int
    rate: int
    is_mono: bool


@dataclass
class MpegAudio:
    """The frames of a file.

    Attributes:
        frames: whole frames of sound, counted.
        samples: in each channel, over those frames.
        promised: frames that the headers of its parts say there are; None where no part has one.
        unheard: samples of delay and padding that its encoders say they added, which decoders leave out.
        ends_early: the last frame is cut.
        parts: files that begin with a header that counts; more than one were joined.
        is_uniform: rate and channels stay the same.
    """

    frames: int = 0
    samples: int = 0
    promised: int | None = None
    unheard: int = 0
    ends_early: bool = False
    parts: int = 0
    is_uniform: bool = True


def scan(data: bytes) -> MpegAudio | None:
    """The frames of an MP3 (or MP1, MP2) file; None where there are none."""
    found, counted = MpegAudio(), 0
    marks = _marks(data)
    kind: tuple[int, bool] | None = None
    at, junk = 0, 0
    while at + 4 <= len(data) and junk < _MAX_JUNK:
        frame = _frame(data[at : at + 4])
        if frame is None:
            tag = _tag(data, at)
            start, at = at, (at + tag if tag else _next(data, at))
            junk += 0 if tag else at - start
            continue
        if at + frame.size > len(data):
            found.ends_early = True
            break
        while marks and marks[-1] < at:
            marks.pop()
        if marks and marks[-1] < at + _LONGEST_HEADER:
            found.parts += 1
            promised, unheard = _counting_header(data, marks.pop())
            counted += promised
            found.unheard += unheard
        else:
            found.frames += 1
            found.samples += frame.samples
            found.is_uniform = found.is_uniform and (kind is None or kind == (frame.rate, frame.is_mono))
            kind = frame.rate, frame.is_mono
        at += frame.size
    if counted:
        found.promised = counted
    return found if found.frames and junk <= len(data) // 2 else None


@lru_cache(maxsize=4096)
def _frame(header: bytes) -> Frame | None:
    """None where four bytes are no frame's header, or that of a free-format frame, whose size is unknown."""
    word = int.from_bytes(header, "big")
    version, layer = _VERSIONS.get(word >> 19 & 3), 4 - (word >> 17 & 3)
    bits, rate = word >> 12 & 15, word >> 10 & 3
    if word >> 21 != 0x7FF or version is None or layer == 4 or bits in (0, 15) or rate == 3:
        return None
    hertz, padding, is_mono = _RATES[version][rate], word >> 9 & 1, word >> 6 & 3 == 3
    table = _KBITS[(1.0, layer) if version == 1.0 else (2.0, min(layer, 2))]
    bits_a_second = 1000 * table[bits - 1]
    if layer == 1:
        return Frame((12 * bits_a_second // hertz + padding) * 4, 384, hertz, is_mono)
    samples = 576 if layer == 3 and version != 1.0 else 1152
    return Frame(samples // 8 * bits_a_second // hertz + padding, samples, hertz, is_mono)


def _next(data: bytes, at: int) -> int:
    """Where the next frame may begin: where two headers are as far apart as the first says."""
    while (at := data.find(b"\xff", at + 1)) >= 0:
        frame = _frame(data[at : at + 4])
        if frame is not None:
            behind = data[at + frame.size : at + frame.size + 4]
            if len(behind) < 4 or _frame(behind) is not None or _tag(behind, 0):
                return at
    return len(data)


def _tag(data: bytes, at: int) -> int:
    """Bytes of the tag that begins here: ID3 before the sound or between two files, ID3v1 or APE after it; 0 for none."""
    if data[at : at + 3] == b"ID3":
        return id3_size(data[at + 6 : at + 10])
    if data[at : at + 3] == b"TAG":
        return 128
    return 32 + int.from_bytes(data[at + 12 : at + 16], "little") if data[at : at + 8] == b"APETAGEX" else 0


def id3_size(field: bytes) -> int:
    """Bytes of an ID3 tag, by the field of its header that has seven bits of their number in each byte."""
    a, b, c, d = (byte & 0x7F for byte in field.ljust(4, b"\0"))
    return 10 + (a << 21 | b << 14 | c << 7 | d)


def _marks(data: bytes) -> list[int]:
    """The positions of the names of counting headers, the first of them last."""
    places = []
    for name in _COUNTING:
        at = data.find(name)
        while at >= 0:
            places.append(at)
            at = data.find(name, at + 4)
    fraunhofer = data.find(b"VBRI", 0, _HEAD_BYTES)
    return sorted(places if fraunhofer < 0 else [*places, fraunhofer], reverse=True)


def _counting_header(data: bytes, at: int) -> tuple[int, int]:
    """Frames that a Xing, Info or VBRI header counts (0 where it does not), and samples of delay and padding."""
    if data[at : at + 4] == b"VBRI":
        return int.from_bytes(data[at + 14 : at + 18], "big"), 0
    flags = int.from_bytes(data[at + 4 : at + 8], "big")
    frames = int.from_bytes(data[at + 8 : at + 12], "big") if flags & 1 else 0
    encoder = at + 8 + 4 * (flags & 1) + 4 * (flags >> 1 & 1) + 100 * (flags >> 2 & 1) + 4 * (flags >> 3 & 1)
    if data[encoder : encoder + 4] not in (b"LAME", b"Lavf", b"Lavc", b"GOGO", b"L3.9"):
        return frames, _DECODER_DELAY
    both = int.from_bytes(data[encoder + 21 : encoder + 24], "big")
    return frames, (both >> 12) + (both & 0xFFF) + _DECODER_DELAY
