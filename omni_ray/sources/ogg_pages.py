"""Ogg, page by page: files joined in a chain, missing pages and damaged ones (RFC 3533, section 6), which decoders skip."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

_BEGINS, _ENDS = 2, 4
"""The bits of a page's type that say it is the first, or the last, of its stream."""
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
"""Each byte with its bits in the other order: Ogg's CRC-32 is zlib's with bits reversed and nothing inverted."""
_CHECKSUM = slice(22, 26)


@dataclass
class Pages:
    """What the pages of a file say.

    Attributes:
        links: where each of the files that were joined begins, in bytes.
        missing: pages whose numbers were left out.
        short: bytes that the last page lacks.
        damaged: pages whose checksum does not fit, and places where no page is although the stream goes on.
    """

    links: list[int] = field(default_factory=list)
    missing: int = 0
    short: int = 0
    damaged: int = 0


def scan(data: bytes) -> Pages:
    """The pages of an Ogg file. What comes after the last of them is no part of it."""
    pages, numbers = Pages(), dict[bytes, int]()
    at, is_beginning, is_ending = 0, False, False
    while (place := data.find(b"OggS", at)) >= 0:
        pages.damaged += place > at
        at = place
        count = data[at + 26] if len(data) > at + 26 else 0
        size = 27 + count + sum(data[at + 27 : at + 27 + count])
        kind = int.from_bytes(data[at + 5 : at + 6], "big")
        begins = bool(kind & _BEGINS)
        if begins and not is_beginning:
            pages.links.append(at)
            numbers.clear()
        is_beginning, is_ending = begins, bool(kind & _ENDS)
        stream, number = data[at + 14 : at + 18], int.from_bytes(data[at + 18 : at + 22], "little")
        pages.missing += max(0, number - numbers.get(stream, number - 1) - 1)
        numbers[stream] = number
        pages.short = max(0, at + size - len(data)) or (1 if len(data) < at + 27 else 0)
        pages.damaged += not pages.short and not _is_sound(data[at : at + size])
        at += size
    pages.damaged += at < len(data) and not is_ending
    return pages


def _is_sound(page: bytes) -> bool:
    rest = page[: _CHECKSUM.start] + bytes(4) + page[_CHECKSUM.stop :]
    register = zlib.crc32(rest.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return register.to_bytes(4, "big").translate(_REVERSED) == page[_CHECKSUM]
