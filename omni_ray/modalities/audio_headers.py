"""What audio files say of themselves, read from their bytes: libsndfile quietly believes the file, not the header."""

from __future__ import annotations

from typing import Literal

_CHUNKED: dict[bytes, tuple[Literal["little", "big"], bytes]] = {
    b"RIFF": ("little", b"data"),
    b"RF64": ("little", b"data"),
    b"RIFX": ("big", b"data"),
    b"FORM": ("big", b"SSND"),
}
"""WAV and AIFF: the byte order, and the chunk that holds the samples."""
_UNKNOWN_FROM = 0x7FFF_0000
"""Programs that write to a pipe cannot go back to fill in the size, and leave some huge number."""
_STREAMINFO_END = 42


def missing_bytes(data: bytes) -> int:
    """How many bytes a WAV, AIFF or Ogg file lacks of what its own header says; 0 for other formats.

    In WAV and AIFF the chunk of samples has a size; in Ogg every page has one, and the last page must be whole.
    """
    if data[:4] == b"OggS":
        return _missing_of_last_page(data)
    if data[:4] not in _CHUNKED:
        return 0
    order, samples = _CHUNKED[data[:4]]
    at, long_size = 12, 0
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], order)
        if name == b"ds64":
            long_size = int.from_bytes(data[at + 16 : at + 24], "little")
        if name == samples:
            if long_size and size == 0xFFFF_FFFF:
                size = long_size
            elif size >= _UNKNOWN_FROM:
                return 0
            return max(0, at + 8 + size - len(data))
        at += 8 + size + size % 2
    return 0


def _missing_of_last_page(data: bytes) -> int:
    """RFC 3533, section 6: byte 26 of a page counts its segments, whose sizes follow it, then the segments."""
    at = data.rfind(b"OggS")
    table = data[at + 26 : at + 27 + 255]
    if not table:
        return 1
    segments = table[0]
    return max(0, at + 27 + segments + sum(table[1 : 1 + segments]) - len(data))


def is_flac(data: bytes, rate: int) -> bool:
    """Whether ``data`` is plain FLAC, mono, 16 bits, at ``rate`` Hz, with its length in its header.

    Read from STREAMINFO, the first block of every FLAC file (RFC 9639, section 8.2): 20 bits of rate, 3 of
    channels - 1, 5 of bits - 1, 36 of samples. A file with tags of another format before it is not plain.
    """
    if data[:4] != b"fLaC" or len(data) < _STREAMINFO_END or data[4] & 0x7F != 0:
        return False
    packed = int.from_bytes(data[18:26], "big")
    found = (packed >> 44, (packed >> 41 & 7) + 1, (packed >> 36 & 31) + 1)
    return found == (rate, 1, 16) and packed & (1 << 36) - 1 != 0
