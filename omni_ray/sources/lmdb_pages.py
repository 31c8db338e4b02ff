"""LMDB files, looked up by key: a B+ tree of pages, as liblmdb has written it on 64-bit machines since 2011 (data version 1).

Read here, and not by liblmdb, which maps the file and trusts it: a truncated copy would end the process with
a signal. This reads pages through a tree of files, so archives and object stores work as well as a disk.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO

_MAGIC = 0xBEEFC0DE
_VERSION = 1
_HEADER = struct.Struct("<QHHHH")
_META = struct.Struct("<II16xI44x4xHHQQQQQQQ")
_NODE = struct.Struct("<HHHH")
_BRANCH, _LEAF, _OVERFLOW = 1, 2, 4
_BIG = 1
_NONE = (1 << 64) - 1
_MOST_DEPTH = 32
_PAGE_SIZES = frozenset(1 << n for n in range(9, 17))
_HEAD_BYTES = 192
_PAGES_KEPT = 64


class BadLmdb(ValueError):
    """A file is not an LMDB file, or is broken; the message continues after its name."""


@dataclass(frozen=True)
class Meta:
    """What the last commit says: bytes in a page, pages in the file, and the tree of the unnamed database.

    ``entries`` is the number of keys.
    """

    page_bytes: int
    pages: int
    root: int
    entries: int
    commit: int


def is_lmdb(head: bytes) -> bool:
    """Whether a file that begins like this is an LMDB file."""
    return head[16:20] == _MAGIC.to_bytes(4, "little") and len(head) >= _HEAD_BYTES


class Lmdb:
    """One open file.

    Args:
        file: seekable; it is not closed.
        size: its size in bytes.

    Raises:
        BadLmdb: it is no LMDB file, is truncated, or has another version.
    """

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        first = self._meta(0)
        second = self._meta(first.page_bytes)
        self.meta = max(first, second, key=lambda meta: meta.commit)
        if self.meta.pages * self.meta.page_bytes > size:
            raise BadLmdb(
                f"is cut: it has {size:,} of {self.meta.pages * self.meta.page_bytes:,} bytes; copy it once more"
            )
        self._page = lru_cache(_PAGES_KEPT)(self._read_page)

    def get(self, key: bytes) -> bytes | None:
        """The value of a key, None where there is none. Raises BadLmdb where a page on the way to it is broken."""
        number = self.meta.root
        if number == _NONE:
            return None
        try:
            for _ in range(_MOST_DEPTH):
                page, flags = self._page(number)
                place, is_exact = self._search(page, key, flags)
                if flags & _LEAF:
                    return self._value(page, place) if is_exact else None
                low, high, top, _ = _NODE.unpack_from(page, place)
                number = low | high << 16 | top << 32
        except struct.error:
            pass
        raise BadLmdb(f"is broken on the way to {key.decode('latin-1')}")

    def _meta(self, place: int) -> Meta:
        self._file.seek(place)
        head = self._file.read(_HEAD_BYTES)
        if not is_lmdb(head):
            raise BadLmdb("is no LMDB file of a 64-bit machine")
        _, version, page_bytes, _, _, _, _, _, entries, root, last, commit = _META.unpack_from(head, 16)
        if version != _VERSION or page_bytes not in _PAGE_SIZES:
            raise BadLmdb(f"is an LMDB file of version {version} with pages of {page_bytes} bytes, which is not read")
        return Meta(page_bytes, last + 1, root, entries, commit)

    def _read_page(self, number: int) -> tuple[bytes, int]:
        page = self._bytes(number, 0, self.meta.page_bytes)
        own, _, flags, _, _ = _HEADER.unpack_from(page)
        if own != number or not flags & (_BRANCH | _LEAF):
            raise BadLmdb(f"is broken: page {number} is not what it should be")
        return page, flags

    def _bytes(self, number: int, skip: int, count: int) -> bytes:
        place = number * self.meta.page_bytes + skip
        if number >= self.meta.pages or place + count > self.meta.pages * self.meta.page_bytes:
            raise BadLmdb(f"is broken: it names page {number}, and has {self.meta.pages:,}")
        self._file.seek(place)
        data = self._file.read(count)
        if len(data) < count:
            raise BadLmdb(f"ends within page {number}")
        return data

    def _search(self, page: bytes, key: bytes, flags: int) -> tuple[int, bool]:
        """Where in a page the node with a key is; in a branch, the one that leads to it."""
        count = (int.from_bytes(page[12:14], "little") - _HEADER.size) // 2
        nodes = struct.unpack_from(f"<{count}H", page, _HEADER.size)
        low, high = (1 if flags & _BRANCH else 0), count  # the first key of a branch is below all others, and left out
        while low < high:
            middle = (low + high) // 2
            if self._key(page, nodes[middle]) < key:
                low = middle + 1
            else:
                high = middle
        is_exact = low < count and self._key(page, nodes[low]) == key
        if flags & _BRANCH and not is_exact:
            low -= 1
        return (nodes[low] if low < count else 0), is_exact

    def _key(self, page: bytes, place: int) -> bytes:
        size = _NODE.unpack_from(page, place)[3]
        return page[place + _NODE.size : place + _NODE.size + size]

    def _value(self, page: bytes, place: int) -> bytes:
        low, high, flags, key_bytes = _NODE.unpack_from(page, place)
        size, start = low | high << 16, place + _NODE.size + key_bytes
        if flags & ~_BIG:
            raise BadLmdb("has databases within it, which are not read")
        if flags & _BIG:
            (number,) = struct.unpack_from("<Q", page, start)
            header = self._bytes(number, 0, _HEADER.size)
            own, _, kind, _, _ = _HEADER.unpack(header)
            if own != number or not kind & _OVERFLOW:
                raise BadLmdb(f"is broken: page {number} is not what it should be")
            return self._bytes(number, _HEADER.size, size)
        if start + size > len(page):
            raise BadLmdb("is broken: a value leaves its page")
        return page[start : start + size]
