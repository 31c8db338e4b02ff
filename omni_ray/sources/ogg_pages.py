"""Ogg, page by page: files joined in a chain, and missing pages (RFC 3533, section 6)."""

from __future__ import annotations

from dataclasses import dataclass, field

_BEGINS = 2
"""The bit of a page's type that says it is the first of its stream."""


@dataclass
class Pages:
    """What the pages of a file say.

    Attributes:
        links: where each of the files that were joined begins, in bytes.
        missing: pages whose numbers were left out.
        short: bytes that the last page lacks.
    """

    links: list[int] = field(default_factory=list)
    missing: int = 0
    short: int = 0


def scan(data: bytes) -> Pages:
    """The pages of an Ogg file, as far as they follow each other."""
    pages, numbers = Pages(), dict[bytes, int]()
    at, is_beginning = 0, False
    while data[at : at + 4] == b"OggS":
        count = data[at + 26] if len(data) > at + 26 else 0
        size = 27 + count + sum(data[at + 27 : at + 27 + count])
        begins = bool(data[at + 5 : at + 6]) and bool(data[at + 5] & _BEGINS)
        if begins and not is_beginning:
            pages.links.append(at)
            numbers.clear()
        is_beginning = begins
        stream, number = data[at + 14 : at + 18], int.from_bytes(data[at + 18 : at + 22], "little")
        pages.missing += max(0, number - numbers.get(stream, number - 1) - 1)
        numbers[stream] = number
        pages.short = max(0, at + size - len(data)) or (1 if len(data) < at + 27 else 0)
        at += size
    return pages
