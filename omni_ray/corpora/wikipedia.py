"""Wikipedia and other MediaWiki wikis, from XML dumps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from omni_ray.corpora.base import Corpus, Download, Options, Rejected, UnitDraft

if TYPE_CHECKING:
    from omni_ray.sources.mediawiki import Page
    from omni_ray.sources.tree import Tree

_HOST = "https://dumps.wikimedia.org"
_BYTES_PER_SAMPLE = {".bz2": 140, ".gz": 170, ".xml": 600}
"""Bytes of dump to a line of text, from English Wikipedia; only an expectation."""
_ARTICLES = 0
_SHOWING_NO_TEXT = (-2, 6, 14)  # Media, File, Category


class Wikipedia(Corpus):
    """A record is a page, whatever its kind; articles are kept, the others are quarantined by what they are."""

    name = "wikipedia"
    modality = "text"
    title = "Wikipedia, articles as plain paragraphs"
    licence = "CC BY-SA 4.0"
    homepage = _HOST
    size = "24 GB compressed, 7 million articles (English)"
    layout = "*-pages-articles*.xml.bz2 (or .xml, .xml.gz), or Parquet, JSONL or CSV files with a column called text"
    categories = ("general",)
    downloads = (
        Download(
            f"{_HOST}/enwiki/latest/enwiki-latest-pages-articles.xml.bz2",
            "enwiki-latest-pages-articles.xml.bz2",
            checksums=f"{_HOST}/enwiki/latest/enwiki-latest-sha1sums.txt",
        ),
    )
    manual = "Any wiki's *-pages-articles.xml.bz2 from https://dumps.wikimedia.org does."
    hub_id = "hf://datasets/wikimedia/wikipedia/20231101.en"
    columns: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "text": ("text",),
        "id": ("id",),
        "title": ("title",),
        "url": ("url",),
        "lang": ("lang", "language"),
    }

    def units(self, tree: Tree, options: Options) -> Iterator[UnitDraft]:
        """Byte ranges of every dump in the tree, in the order of their names."""
        from omni_ray.sources import mediawiki

        for name in tree.names():
            site = mediawiki.read_site(tree, name) if mediawiki.is_export(name) else None
            if site is None:
                continue
            shared = {
                "base": site.base,
                "lang": site.lang,
                "media": sorted({site.namespaces[n] for n in _SHOWING_NO_TEXT if n in site.namespaces}),
            }
            size = tree.size(name)
            per_sample = _BYTES_PER_SAMPLE[name[name.rfind(".") :].lower()]
            for draft in mediawiki.slices(tree, name, options):
                length = (draft.payload["end"] or size) - draft.payload["start"]
                yield UnitDraft({**draft.payload, **shared}, draft.inputs, samples=1 + length // per_sample)

    def read(self, tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected]:
        """The pages that begin in one slice."""
        from omni_ray.sources.mediawiki import Page, read_pages
        from omni_ray.sources.wikitext import MEDIA_NAMESPACES

        media = MEDIA_NAMESPACES.union(payload["media"])
        for page in read_pages(tree, payload):
            if not isinstance(page, Page):
                yield page
                continue
            reason, text = _article(page, media)
            if reason:
                yield Rejected(page.id, page.where, reason, page.title)
                continue
            yield {
                "id": page.id,
                "where": page.where,
                "text": text,
                "title": page.title,
                "url": payload["base"] + quote(page.title.replace(" ", "_"), safe="/:;@$!*(),~"),
                "lang": payload["lang"],
            }

    def why_unread(self, name: str) -> str:
        """What Wikimedia publishes beside the pages: an index of the dump, tables of its database."""
        base = name.rpartition("/")[2]
        return "documentation" if "-multistream-index" in base or base.endswith((".sql.gz", ".sql")) else ""


def _article(page: Page, media_namespaces: frozenset[str]) -> tuple[str, str]:
    """Why the page is not an article, or "", and its paragraphs, one a line."""
    from omni_ray.sources import wikitext

    if page.namespace != _ARTICLES or page.model != "wikitext":
        return "other_namespace", ""
    if page.is_redirect or wikitext.is_redirect(page.text):
        return "redirect", ""
    if wikitext.is_disambiguation(page.title, page.text):
        return "disambiguation", ""
    text = "\n".join(wikitext.paragraphs(page.text, media_namespaces))
    return ("", text) if text else ("stub", "")
