"""MediaWiki XML exports (``*pages-articles*.xml``, also compressed, whole or in parts), read in slices.

A slice owns the pages whose ``<page>`` begins in it, and reads on past its end to finish the last one. Pages are
found by their tags (the format escapes ``<`` everywhere else) and parsed one by one. A page is parsed from its own
start tag, where XML allows no document type: entities cannot be declared, so none can expand.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from html import unescape
from typing import Any, BinaryIO

from omni_ray.errors import SourceError
from omni_ray.records import Rejected, SourceOptions, UnitDraft
from omni_ray.sources.bz2_blocks import read_blocks
from omni_ray.sources.encoding import recoded, sniff
from omni_ray.sources.form import Form
from omni_ray.sources.packed import BrokenStream, is_bomb, packing, packing_of, unpack_proven
from omni_ray.sources.packed_ranges import open_range, plain_size
from omni_ray.sources.tree import Tree

MAX_PAGE_BYTES = 16 << 20
"""A page of more bytes is ``too_large``: MediaWiki's own limit for a page's text is 2 MiB."""
SLICE_BYTES = 16 << 20
"""Bytes of a slice, unpacked: some seconds of work."""
_BLOCKS_BYTES = 4 << 20
"""The same for a bzip2 file, in packed bytes."""
_HEAD_BYTES = 1 << 16

_OPEN, _CLOSE = b"<page>", b"</page>"
_TAG = re.compile(rb"</?page>")
_EXPORT = re.compile(
    r"(?P<what>.*?)(?P<multistream>-multistream)?(?P<part>\d+)?\.xml(?P<pages>-p\d+p\d+)?(?:\.(?:gz|bz2|xz|zst))?$",
    re.IGNORECASE,
)
_PAGE_NAME = re.compile(rb"<title>([^<]*)</title>(?:\s*<ns>[^<]*</ns>)?(?:\s*<id>(\d+)</id>)?")


@dataclass(frozen=True)
class Site:
    """What the head of an export says about its wiki.

    Attributes:
        base: what a page's URL begins with.
        lang: language code.
        namespaces: lower-case names by number.
        codec: how the file is encoded, if not in UTF-8; else "".
    """

    base: str
    lang: str
    namespaces: Mapping[int, str]
    codec: str = ""


@dataclass(frozen=True)
class Page:
    """One page: its last revision where there are several. ``where`` names the file and place it came from."""

    id: str
    title: str
    namespace: int
    is_redirect: bool
    model: str
    text: str
    where: str


@dataclass(frozen=True)
class _Piece:
    """Decompressed bytes in order; ``fault`` instead of data where some are lost; ``own`` if the slice's own."""

    data: bytes
    own: bool
    where: str
    fault: str = ""


def is_export(name: str) -> bool:
    """Whether a file's name is that of an XML export."""
    return _EXPORT.match(name) is not None


def told_twice(names: Iterable[str]) -> set[str]:
    """The exports whose pages are also in others, by Wikimedia's names: the parts of a dump that is also there
    whole, and the multistream form of one that is also there in the plain form."""
    found: set[str] = set()
    wholes: set[str] = set()
    plain: set[tuple[str, str]] = set()
    matches = [(name, match) for name in names if (match := _EXPORT.match(name)) and "-pages-" in match["what"]]
    for _, match in matches:
        if not match["part"]:
            wholes.add(match["what"])
        if not match["multistream"]:
            plain.add((match["what"], match["part"] or ""))
    for name, match in matches:
        is_part_of_whole = match["part"] and match["what"] in wholes
        if is_part_of_whole or (match["multistream"] and (match["what"], match["part"] or "") in plain):
            found.add(name)
    return found


def read_site(tree: Tree, name: str) -> Site | None:
    """The head of an export; None where the file is other XML.

    Raises:
        SourceError: it cannot be decompressed, or declares a document type or entities.
    """
    head = _head(tree, name)
    codec = sniff(head)
    if codec.startswith(("utf-16", "utf-32")):
        head = _head(tree, name, codec)
    else:
        codec = ""
    head = head.partition(_OPEN)[0]
    if re.search(rb"<!(?:DOCTYPE|ENTITY)", head, re.IGNORECASE):
        raise SourceError(f"{name}: declares a document type, which no MediaWiki export does; it is not read")
    root = re.search(rb"<mediawiki\b[^>]*>", head)
    if root is None:
        return None
    lang = re.search(rb'xml:lang="([A-Za-z-]+)"', root[0])
    base = re.search(rb"<base>([^<]*/)[^<]*</base>", head)
    names = re.findall(rb'<namespace key="(-?\d{1,6})"[^>]*>([^<]*)</namespace>', head)
    return Site(
        base=unescape(base[1].decode("utf-8", "replace")) if base else "https://en.wikipedia.org/wiki/",
        lang=lang[1].decode() if lang else "en",
        codec=codec,
        namespaces={int(key): unescape(text.decode("utf-8", "replace")).lower() for key, text in names},
    )


def _head(tree: Tree, name: str, codec: str = "") -> bytes:
    head = b""
    with tree.open(name) as file:
        for piece in _pieces(file, name, 0, None, codec):
            if piece.fault:
                raise SourceError(f"{name}: the file cannot be decompressed; fetch it again")
            head += piece.data[: _HEAD_BYTES - len(head)]
            if len(head) >= _HEAD_BYTES or _OPEN in head:
                break
    return head


def slices(tree: Tree, name: str, options: SourceOptions, codec: str = "") -> Iterator[UnitDraft]:
    """Byte ranges of an export; the payload is ``{"file", "start", "end"}``, ``end`` null for the end of the file."""
    size = tree.size(name)
    step = options.scaled(_BLOCKS_BYTES)
    if codec or packing_of(tree, name) != ".bz2":
        plain = plain_size(tree, name, options, Form(codec or "utf-8"))
        size, step = (size, size) if plain is None else (plain, options.scaled(SLICE_BYTES))
    for start in range(0, max(size, 1), max(step, 1)):
        end = start + step if start + step < size else None
        payload = {"file": name, "start": start, "end": end, **({"codec": codec} if codec else {})}
        yield UnitDraft(payload, inputs=(name,))


def read_pages(tree: Tree, payload: Mapping[str, Any]) -> Iterator[Page | Rejected]:
    """The pages of one slice, in order. A page that cannot be read is a :class:`Rejected`; so is a lost block."""
    name, start, end = payload["file"], payload["start"], payload["end"]
    codec = payload.get("codec", "")
    with tree.open(name) as file:
        if packing(file, name) == ".bz2" and not codec:  # whose ranges are of the packed file
            yield from _pages(file, name, start, end)
            return
    with open_range(tree, name, start, end, Form(codec or "utf-8")) as (file, form):
        yield from _pages(file, name, start, end, "" if form.is_recoded else codec)


def _pages(file: BinaryIO, name: str, start: int, end: int | None, codec: str = "") -> Iterator[Page | Rejected]:
    for chunk, where in _page_chunks(_pieces(file, name, start, end, codec)):
        yield _parse(chunk, where) if isinstance(chunk, bytes) else chunk


def _pieces(file: BinaryIO, name: str, start: int, end: int | None, codec: str = "") -> Iterator[_Piece]:
    if packing(file, name) == ".bz2" and not codec:
        unpacked = 0
        for block in read_blocks(file, start):
            own = end is None or block.start < end
            where = f"{name}, block at byte {block.start}"
            unpacked += len(block.data or b"")
            if is_bomb(unpacked, block.start - start + 1):
                yield _Piece(b"", own, where, "too_large")
                return
            yield _Piece(block.data or b"", own, where, block.fault)
        return
    if start:
        file.seek(start)
    position = start
    plain = unpack_proven(file, name)
    try:
        for data in recoded(plain, codec) if codec else plain:
            where = f"{name}, byte {position}"
            inside = len(data) if end is None else max(0, min(len(data), end - position))
            position += len(data)
            if inside:
                yield _Piece(data[:inside], True, where)
            if inside < len(data):
                yield _Piece(data[inside:], False, where)
    except BrokenStream as broken:
        yield _Piece(b"", end is None, f"{name}, byte {position} of its contents", broken.reason)


def _page_chunks(pieces: Iterable[_Piece]) -> Iterator[tuple[bytes | Rejected, str]]:
    """The bytes of each page that begins in an own piece, with where it begins."""
    data = b""
    owned = 0  # how many bytes at the front of data are the slice's own
    begun: int | None = None  # where in data the page being read begins
    where = ""
    for piece in pieces:
        if piece.fault:
            yield from _at_fault(piece, data if begun is not None else None, where)
            if not piece.own:
                return
            data, owned, begun = b"", 0, None
            continue
        scanned = max(0 if begun is None else len(_OPEN), len(data) - len(_CLOSE) + 1)
        data += piece.data
        owned += len(piece.data) if piece.own else 0
        for tag in _TAG.finditer(data, scanned):
            if tag[0] == _CLOSE:
                if begun is not None:
                    yield _checked(data[begun : tag.end()], where), where
                begun = None
                continue
            if begun is not None:
                yield _lost(data[begun : tag.start()], where, "bad_row"), where
            if tag.start() >= owned:
                return
            begun, where = tag.start(), piece.where
        if begun is not None and len(data) - begun > MAX_PAGE_BYTES:
            yield _lost(data[begun:], where, "too_large"), where
            begun = None
        keep = max(0, len(data) - len(_CLOSE) + 1) if begun is None else begun
        data, owned, begun = data[keep:], max(0, owned - keep), None if begun is None else 0
        if begun is None and not owned and not piece.own:
            return
    if begun is not None:
        yield _lost(data, where, "truncated"), where


def _at_fault(piece: _Piece, begun: bytes | None, where: str) -> Iterator[tuple[Rejected, str]]:
    """What is lost where reading breaks: the page that has begun, and those that would begin in an own piece."""
    if begun is not None:
        yield _lost(begun, where, piece.fault), where
    if piece.own:
        yield Rejected(piece.where, piece.where, piece.fault, "the pages that begin here are lost"), piece.where


def _checked(chunk: bytes, where: str) -> bytes | Rejected:
    return chunk if len(chunk) <= MAX_PAGE_BYTES else _lost(chunk, where, "too_large")


def _lost(head: bytes, where: str, reason: str, why: str = "") -> Rejected:
    found = _PAGE_NAME.search(head[:_HEAD_BYTES])
    title = found[1].decode("utf-8", "replace") if found else ""
    name = found[2].decode() if found and found[2] else where
    return Rejected(name, where, reason, f"page {title!r}{why}")


def _parse(chunk: bytes, where: str) -> Page | Rejected:
    try:
        page = ElementTree.fromstring(chunk)
    except ElementTree.ParseError as error:
        try:
            chunk.decode()
        except UnicodeDecodeError:
            return _lost(chunk, where, "bad_encoding")
        return _lost(chunk, where, "bad_row", f": {error}")
    revision = page.findall("revision")[-1:]
    text = revision[0].findtext("text") if revision else None
    model = revision[0].findtext("model") if revision else None
    number = page.findtext("ns") or "0"
    if not (page.findtext("id") or "").isdecimal() or not number.lstrip("-").isdecimal():
        return _lost(chunk, where, "bad_row")
    return Page(
        id=page.findtext("id") or "",
        title=page.findtext("title") or "",
        namespace=int(number[:9]),
        is_redirect=page.find("redirect") is not None,
        model=model or "wikitext",
        text=text or "",
        where=where,
    )
