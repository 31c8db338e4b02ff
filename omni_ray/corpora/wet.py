"""Web pages as plain text: WET files, as Common Crawl extracts them from its archives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from omni_ray.corpora.base import Corpus, Rejected, SourceOptions, UnitDraft
from omni_ray.records import EXTRA
from omni_ray.sources.copies import names_once
from omni_ray.sources.extra import extra_text, rest_of
from omni_ray.sources.tree import Tree
from omni_ray.sources.warc import WarcRecord, read_warc, warc_ranges

_ENDINGS = (".warc", ".wet", ".warc.wet")
_PACKED = (".gz", ".bz2", ".xz", ".zst")
_PAGE = "conversion"
_ABOUT_THE_FILE = "warcinfo"
_PROBES = 8
_BYTES_PER_SAMPLE = 100
_USED = ("warc-type", "warc-target-uri", "content-length", "content-type", "warc-record-id")
_LANGUAGES = "warc-identified-content-language"
_TOLD = {
    "truncated": "the file, or its stream, ends within the record",
    "decode_error": "the record cannot be unpacked",
    "too_large": "more than 64 MiB, or made to fill a memory",
    "bad_row": "its header is not that of a record",
}


class Wet(Corpus):
    """A record is a page; records of types other than ``conversion`` hold no text. Pages are as they were extracted."""

    name = "wet"
    version = 3
    modality = "text"
    title = "Web pages as text (WET files, Common Crawl)"
    licence = "each page its owner's; Common Crawl's terms of use"
    homepage = "https://commoncrawl.org"
    size = "a crawl: 90,000 files of 70 MB, some 3 billion pages"
    layout = "*.warc.wet.gz files (or .warc.wet, .wet), with records of type conversion"
    manual = "Get files that wet.paths.gz of a crawl at https://data.commoncrawl.org names."
    in_all = False
    keeps_columns = True

    def units(self, tree: Tree, options: SourceOptions) -> Iterator[UnitDraft]:
        """Byte ranges of every such file, in the order of their names."""
        for name in names_once(tree):
            if _is_archive(name) and _has_pages(tree, name):
                size = tree.size(name)
                for start, end, is_unpacked in warc_ranges(tree, name, options):
                    payload: dict[str, Any] = {"warc": name, "start": start, "end": end}
                    payload |= {"is_unpacked": True} if is_unpacked else {}
                    payload |= {"keeps_columns": True} if options.keep_columns else {}
                    yield UnitDraft(payload, (name,), samples=1 + ((end or size) - start) // _BYTES_PER_SAMPLE)

    def read(self, tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected]:
        name = payload["warc"]
        for record in read_warc(tree, name, payload["start"], payload["end"], "is_unpacked" in payload):
            if record.fault or record.fields.get("warc-type") != _ABOUT_THE_FILE:
                yield _page(record, name, "keeps_columns" in payload)

    def why_unread(self, name: str) -> str:
        """Archives of raw server responses, whose pages are HTML, are in a format that is not read."""
        return "format" if _is_archive(name) else ""


def _is_archive(name: str) -> bool:
    lower = name.lower()
    return lower.removesuffix(next((each for each in _PACKED if lower.endswith(each)), "")).endswith(_ENDINGS)


def _has_pages(tree: Tree, name: str) -> bool:
    """Whether one of the first records is a page's text."""
    for _, record in zip(range(_PROBES), read_warc(tree, name, 0, None), strict=False):
        if record.fields.get("warc-type") == _PAGE:
            return True
    return False


def _page(record: WarcRecord, name: str, keeps_columns: bool) -> dict[str, Any] | Rejected:
    fields = record.fields
    where = f"{name}, byte {record.place}"
    ident = fields.get("warc-record-id", "").removeprefix("<urn:uuid:").removesuffix(">") or f"{name}:{record.place}"
    if record.body is None:
        return Rejected(ident, where, record.fault, f"{where}: {_TOLD[record.fault]}")
    if fields.get("warc-type") != _PAGE:
        return Rejected(ident, where, "bad_row", f"{where}: a record of type {fields.get('warc-type')}: no page's text")
    try:
        text = record.body.decode()
    except UnicodeDecodeError as error:
        return Rejected(ident, where, "bad_encoding", f"{where}: {error}")
    languages = fields.get(_LANGUAGES, "").split(",")
    row = {
        "id": ident,
        "where": where,
        "text": text,
        "url": fields.get("warc-target-uri"),
        "lang": languages[0] or None,
    }
    used = (*_USED, _LANGUAGES) if len(languages) == 1 else _USED
    return {**row, EXTRA: extra_text(rest_of(fields, used))} if keeps_columns else row
