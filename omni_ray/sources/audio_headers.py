"""What audio files say about themselves, read from their bytes: decoders quietly believe the file, not the header."""

from __future__ import annotations

import io
import re
from typing import Any, Literal

from omni_ray.sources.mpeg_audio import id3_size

_CHUNKED: dict[bytes, tuple[Literal["little", "big"], bytes]] = {
    b"RIFF": ("little", b"data"),
    b"RF64": ("little", b"data"),
    b"RIFX": ("big", b"data"),
    b"FORM": ("big", b"SSND"),
}
"""WAV and AIFF: the byte order, and the chunk that holds the samples."""
_UNKNOWN_FROM = 0x7FFF_0000
"""Programs that write to a pipe cannot go back to fill in the size, and leave some huge number there."""
_STREAMINFO_END = 42
_CHUNK_NAME = re.compile(rb"[A-Za-z0-9 _\-\xa9]{4}")
_LOOKS = 16
"""How many frames of a FLAC file are compared with its first."""
_JOINED = "another file is joined to it"
_LITTLE_BEHIND = 4096
"""Bytes after the samples that may be anything: some programs pad."""
_AU_BYTES = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}
"""Bytes per sample, by the number of its format."""
_AMR_FRAMES = {
    b"#!AMR\n": (13, 14, 16, 18, 20, 21, 27, 32),
    b"#!AMR-WB\n": (18, 24, 33, 37, 41, 47, 51, 59, 61),
}
"""Bytes per fiftieth of a second, by kind."""
_NIST_FIELD = re.compile(rb"^(\w+) -i (\d+)", re.MULTILINE)


def missing_bytes(data: bytes) -> int:
    """How many bytes of the samples that its own header counts are missing; 0 if it says nothing.

    Reads WAV, Wave64, AIFF, AU, CAF and NIST SPHERE.
    """
    place = _samples_of(data)
    return 0 if place is None else max(0, place[1] - len(data))


def seconds_of(head: bytes, tail: bytes, size: int) -> float:
    """About how long a recording is; 0 where its bytes do not say.

    Args:
        head, tail: its first kilobyte, and for Ogg its last pages; all of it where it is shorter.
        size: of the file, in bytes.

    Reads FLAC, WAV, AU, NIST SPHERE and AMR by their headers, Ogg (Opus, Vorbis, Speex) by its last page.
    """
    if (start := flac_start(head)) is not None:
        rate = int.from_bytes(head[start + 18 : start + 21], "big") >> 4
        return flac_samples(head, start) / rate if rate else 0
    if head.startswith(b"OggS"):
        rate, place = _ogg_rate(head), tail.rfind(b"OggS")
        count = int.from_bytes(tail[place + 6 : place + 14], "little", signed=True)
        return max(0, count) / rate if rate and place >= 0 else 0
    if head[:8] == b"NIST_1A\n":
        said = {name: int(value) for name, value in _NIST_FIELD.findall(head)}
        return said.get(b"sample_count", 0) / max(1, said.get(b"sample_rate", 1))
    a_second = _bytes_a_second(head)
    return size / a_second if a_second else 0


def _ogg_rate(head: bytes) -> int:
    """Units per second in the pages of an Ogg file; 0 where it holds anything but sound."""
    for name, place in ((b"\x01vorbis", 12), (b"Speex   ", 36)):
        if (at := head.find(name)) >= 0:
            return int.from_bytes(head[at + place : at + place + 4], "little")
    return 48_000 if b"OpusHead" in head else 0


def _bytes_a_second(head: bytes) -> int:
    for name, frames in _AMR_FRAMES.items():
        if head.startswith(name):
            kind = head[len(name)] >> 3 & 15 if len(head) > len(name) else 15
            return 50 * frames[kind] if kind < len(frames) else 0
    if head[:4] in (b"RIFF", b"RF64") and (at := head.find(b"fmt ", 12)) >= 0:
        return int.from_bytes(head[at + 16 : at + 20], "little")
    if head[:4] == b".snd":
        encoding, rate, channels = (int.from_bytes(head[at : at + 4], "big") for at in (12, 16, 20))
        return _AU_BYTES.get(encoding, 0) * rate * channels
    return 0


def second_file(data: bytes) -> str:
    """What follows the samples that a file counts, if it does not belong to the file; else "".

    ``cat`` joins files so, and recorders that are cut off leave a count that is too small. Reads WAV, Wave64, AIFF, AU, CAF,
    MP4, True Audio and Monkey's Audio.
    """
    if data[4:8] == b"ftyp":
        return _JOINED if _count_of_boxes(data, b"moov") > 1 else ""
    if data[:4] in (b"TTA1", b"MAC "):
        return _JOINED if data.find(data[:12], 12) >= 0 else ""
    place = _samples_of(data)
    if place is None or place[1] + 8 > len(data):
        return ""
    if data[:4] not in _CHUNKED:
        return _JOINED if data.find(data[:8], place[1]) >= 0 else ""
    order, of_samples = _CHUNKED[data[:4]]
    at = place[1] + (place[1] - place[0]) % 2
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], order)
        if name in _CHUNKED:
            return _JOINED
        if name == of_samples and size:
            return "its samples are in several chunks"
        if not _CHUNK_NAME.fullmatch(name) or at + 8 + size > len(data):
            behind = len(data) - at
            return f"{behind:,} bytes behind the samples that its header counts" if behind > _LITTLE_BEHIND else ""
        at += 8 + size + size % 2
    return ""


def _count_of_boxes(data: bytes, wanted: bytes) -> int:
    """How many boxes of a name an MP4 file has at its top (ISO/IEC 14496-12, 4.2)."""
    at = count = 0
    while at + 8 <= len(data):
        size, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        count += name == wanted
        if size < 8:
            break  # 0: to the end of the file
        at += size
    return count


def _samples_of(data: bytes) -> tuple[int, int] | None:
    """Where the samples begin and should end, in bytes; None where the header does not say."""
    if data[:4] in _CHUNKED:
        return _of_chunks(data)
    if data[:4] == b"riff":
        return _of_wave64(data)
    if data[:4] == b"caff":
        return _of_caf(data)
    if data[:4] == b".snd":
        start, size = int.from_bytes(data[4:8], "big"), int.from_bytes(data[8:12], "big")
        return None if size >= _UNKNOWN_FROM else (start, start + size)
    if data[:8] == b"NIST_1A\n":
        said = {name: int(value) for name, value in _NIST_FIELD.findall(data[:4096])}
        wanted = (b"sample_count", b"sample_n_bytes", b"channel_count")
        if b"shorten" in data[:1024] or any(name not in said for name in wanted):
            return None
        start = int(data[8:16]) if data[8:16].strip().isdigit() else 1024
        return start, start + said[wanted[0]] * said[wanted[1]] * said[wanted[2]]
    return None


def _of_chunks(data: bytes) -> tuple[int, int] | None:
    order, samples = _CHUNKED[data[:4]]
    at, long_size = 12, 0
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], order)
        if name == b"ds64":
            long_size = int.from_bytes(data[at + 16 : at + 24], "little")
        if name == samples:
            if long_size and size == 0xFFFF_FFFF:
                size = long_size
            elif size >= _UNKNOWN_FROM or not size:
                return None
            return at + 8, at + 8 + size
        at += 8 + size + size % 2
    return None


def _of_wave64(data: bytes) -> tuple[int, int] | None:
    """Chunks with names of 16 bytes and sizes of 8, which count name and size, each beginning at a multiple of 8."""
    at = 40
    while at + 24 <= len(data):
        size = int.from_bytes(data[at + 16 : at + 24], "little")
        if data[at : at + 4] == b"data":
            return at + 24, at + size
        at += max(24, size + -size % 8)
    return None


def _of_caf(data: bytes) -> tuple[int, int] | None:
    at = 8
    while at + 12 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 12], "big", signed=True)
        if data[at : at + 4] == b"data":
            return None if size < 0 else (at + 12, at + 12 + size)
        at += 12 + max(0, size)
    return None


def adts_is_cut(data: bytes) -> bool:
    """Whether the last frame of raw AAC is cut: each states its size (ISO/IEC 13818-7, 6.2)."""
    at = 0
    while at + 6 <= len(data) and data[at] == 0xFF and data[at + 1] & 0xF6 == 0xF0:
        size = (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
        if at + size > len(data):
            return True
        at += max(7, size)
    return False


def flac_start(data: bytes) -> int | None:
    """Where FLAC begins, which may be after a tag; None where the file is not FLAC."""
    at = id3_size(data[6:10]) if data[:3] == b"ID3" and len(data) > 10 else 0
    is_flac = data[at : at + 4] == b"fLaC" and len(data) >= at + _STREAMINFO_END and data[at + 4] & 0x7F == 0
    return at if is_flac else None


def flac_samples(data: bytes, start: int) -> int:
    """Samples in each channel, by the header; 0 where it does not count them."""
    return int.from_bytes(data[start + 21 : start + 26], "big") & (1 << 36) - 1


class WithoutCount(io.BytesIO):
    """A FLAC file with a header that counts no samples: then decoders read to the true end. Nothing is copied."""

    def __init__(self, data: bytes, start: int) -> None:
        super().__init__(data)
        self._at = start + 21
        self._shown = bytes([data[self._at] & 0xF0, 0, 0, 0, 0])

    def readinto(self, buffer: Any) -> int:
        """As for any file."""
        begin = self.tell()
        count = super().readinto(buffer)
        for place in range(max(begin, self._at), min(begin + count, self._at + 5)):
            buffer[place - begin : place - begin + 1] = self._shown[place - self._at : place - self._at + 1]
        return count


def flac_changes(data: bytes, start: int) -> bool:
    """Whether a frame differs from the first in rate or bits per sample, which libFLAC does not notice.

    RFC 9639, section 9.1: a frame begins with 15 bits that are hardly found elsewhere, and its header ends with a checksum of
    only eight bits: one clip of a few hundred has such a header in its samples. Changes last, so the next frame has it, too.
    """
    at, is_last = start + 4, False
    while not is_last and at + 4 <= len(data):
        is_last = data[at] >= 0x80
        at += 4 + int.from_bytes(data[at + 1 : at + 4], "big")
    sync = data[at : at + 2]
    if sync not in (b"\xff\xf8", b"\xff\xf9") or at + 4 > len(data):
        return False
    first = _rate_and_bits(data, at)
    step = max(2, len(data) // _LOOKS)  # not every frame needs to be seen
    while (at := data.find(sync, at + step)) >= 0 and at + 4 <= len(data):
        found = _rate_and_bits(data, at)
        if found != first and _is_flac_frame(data[at : at + 16]) and _next_frame(data, sync, at) == found:
            return True
    return False


def _rate_and_bits(data: bytes, at: int) -> tuple[int, int]:
    """What the frame at ``at`` says about its rate and bits per sample, as RFC 9639 codes them."""
    return data[at + 2] & 0x0F, data[at + 3] & 0x0E


def _next_frame(data: bytes, sync: bytes, at: int) -> tuple[int, int] | None:
    """What the first frame after ``at`` says; None where there is none."""
    while (at := data.find(sync, at + 2)) >= 0 and at + 4 <= len(data):
        if _is_flac_frame(data[at : at + 16]):
            return _rate_and_bits(data, at)
    return None


def _is_flac_frame(header: bytes) -> bool:
    size, rate = header[2] >> 4, header[2] & 0x0F
    if len(header) < 16 or not size or rate == 15 or header[3] & 1 or header[3] >> 4 > 10:
        return False
    number = next((n for n in range(8) if not header[4] << n & 0x80), 8)  # bytes of the coded number, as in UTF-8
    length = 4 + max(1, number) + {6: 1, 7: 2}.get(size, 0) + {12: 1, 13: 2, 14: 2}.get(rate, 0)
    check = 0
    for byte in header[:length]:
        check = _CRC8[check ^ byte]
    return number != 1 and check == header[length]


def _crc8(byte: int) -> int:
    for _ in range(8):
        byte = byte << 1 ^ (0x107 if byte & 0x80 else 0)
    return byte


_CRC8 = tuple(map(_crc8, range(256)))


def is_flac(data: bytes, rate: int) -> bool:
    """Whether ``data`` is plain FLAC, mono, 16 bits, at ``rate`` Hz, with its length in its header.

    Read from STREAMINFO, the first block of every FLAC file (RFC 9639, section 8.2): 20 bits of rate, 3 of
    channels - 1, 5 of bits - 1, 36 of samples. A file with tags of another format before it is not plain.
    """
    if flac_start(data) != 0:
        return False
    packed = int.from_bytes(data[18:26], "big")
    found = (packed >> 44, (packed >> 41 & 7) + 1, (packed >> 36 & 31) + 1)
    return found == (rate, 1, 16) and packed & (1 << 36) - 1 != 0
