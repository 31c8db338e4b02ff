"""Lists of the addresses of pictures, with captions: CC3M, CC12M, LAION, DataComp, and any table with a column of URLs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omni_ray.corpora.base import Corpus, Rejected, SourceOptions, UnitDraft
from omni_ray.errors import SourceError
from omni_ray.records import EXTRA
from omni_ray.sources.captions import captions_of
from omni_ray.sources.tables import read_table_unit, table_format, table_units
from omni_ray.sources.tree import Tree

if TYPE_CHECKING:
    from omni_ray.sources.web import Web

_FINER = 4096
"""A row costs a request, not a microsecond: ranges are this many times smaller than those of tables of texts."""
_ROLES = {
    "url": ("url", "image_url", "img_url", "image_link", "photo_image_url", "coco_url"),
    "captions": ("caption", "captions", "text", "alt_text", "alt", "title", "description", "ai_description"),
}
_ADDRESS = re.compile(r"https?://\S+", re.IGNORECASE)
_HEAD = 1 << 16


class ImageUrls(Corpus):
    """Rows of tables in order. What was fetched stays in the corpus's download folder, and is not fetched again."""

    name = "image_urls"
    modality = "images"
    title = "Pictures by their addresses"
    licence = "each picture its owner's; robots.txt and opt-out headers are honoured"
    layout = "a table (CSV, TSV, JSONL, Parquet) with a column of URLs and one of captions, such as CC3M's, LAION's or DataComp's"
    manual = "Get a list of addresses and captions."
    in_all = False
    keeps_columns = True

    def units(self, tree: Tree, options: SourceOptions) -> Iterator[UnitDraft]:
        if not any(table_format(name) for name in tree.names()):
            return
        if not options.fetched:
            raise SourceError(f"{self.name}: the pictures have to be fetched, and downloading is switched off")
        digest = blake2b(str(tree.spec()).encode("utf-8", "backslashreplace"), digest_size=6).hexdigest()
        folder = Path(options.fetched) / digest
        finer = replace(_without_header(tree, options), unit_scale=options.unit_scale / _FINER)
        for draft in table_units(tree, _ROLES, finer):
            table = draft.payload["table"]
            if "url" not in table["columns"]:
                raise SourceError(
                    f"{table['file']}: no column {' or '.join(_ROLES['url'])}; name the one of addresses: --columns url=..."
                )
            fetched = _fetched(tree, str(folder), table)
            if options.retry_failed:
                fetched.try_again()
            payload = {
                "table": table,
                "folder": str(folder),
                "round": fetched.round,
                "allow_private": options.allow_private,
            }
            yield UnitDraft(payload, draft.inputs, draft.records, draft.samples, draft.reads, draft.evaluation)

    def read(self, tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected]:
        fetched = _fetched(tree, payload["folder"], payload["table"])
        rows: list[dict[str, Any]] = []
        for item in read_table_unit(tree, payload):
            if isinstance(item, Rejected):
                yield item
            else:
                rows += item.to_pylist()
        web = _web(payload["folder"], payload["allow_private"])
        entries = fetched.complete([row["url"] or "" for row in rows], web.get, payload["round"])
        for row, entry in zip(rows, entries, strict=True):
            ident, where = row["id"], row["where"]
            captions, lost = captions_of(row)
            yield from lost
            if not captions:
                continue
            if entry.reason:
                yield Rejected(ident, where, entry.reason, entry.detail, len(captions))
                continue
            yield {
                "id": ident,
                "where": f"{where}: {entry.url}",
                "records": len(captions),
                "image": fetched.path(entry).read_bytes(),
                "path": f"{ident.replace(':', '/')}.jpg",
                "captions": captions,
                "category": None,
                EXTRA: row.get(EXTRA),
            }


def _fetched(tree: Tree, folder: str, table: Mapping[str, Any]) -> Any:
    from omni_ray.sources.fetched import Fetched

    unit = f"{table['file']}\0{table.get('start')}\0{table.get('end')}"
    return Fetched(Path(folder), blake2b(unit.encode("utf-8", "backslashreplace"), digest_size=12).hexdigest(), tree)


@lru_cache(maxsize=1)
def _web(folder: str, allow_private: bool) -> Web:
    """One for the process: it remembers robots.txt files and keeps connections."""
    from omni_ray.sources.web import Web

    return Web(Path(folder).parent, allow_private=allow_private)


def _without_header(tree: Tree, options: SourceOptions) -> SourceOptions:
    """CC3M's and CC12M's lists have no header: the first line already holds a caption and an address."""
    if options.columns or not options.header:
        return options
    for name in tree.names():
        if table_format(name) != "delimited":
            continue
        with tree.open(name) as file:
            first = file.read(_HEAD).split(b"\n")[0].decode("utf-8", "replace").rstrip("\r")
        place = _address_in(first.split("\t"))
        if place is None:
            return options
        other = next((n for n in range(len(first.split("\t"))) if n != place), 0)
        return replace(options, header=False, columns={"url": str(place + 1), "captions": str(other + 1)})
    return options


def _address_in(fields: Sequence[str]) -> int | None:
    places = (place for place, field in enumerate(fields) if _ADDRESS.fullmatch(field.strip()))
    return next(places, None) if len(fields) > 1 else None
