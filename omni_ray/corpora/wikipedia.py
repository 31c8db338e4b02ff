"""Wikipedia and other MediaWiki wikis, from XML dumps."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from copy import copy
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from omni_ray.corpora.base import Corpus, Download, Rejected, SourceOptions, UnitDraft
from omni_ray.errors import SourceError
from omni_ray.sources import mediawiki
from omni_ray.sources.copies import names_once
from omni_ray.sources.mediawiki import Page, read_pages
from omni_ray.sources.wikitext import Wiki, is_redirect, render

if TYPE_CHECKING:
    from omni_ray.sources.tree import Tree
    from omni_ray.sources.wikitext import Rendered

_HOST = "https://dumps.wikimedia.org"
_BYTES_PER_SAMPLE = {"bz2": 140, "gz": 170, "xz": 130, "zst": 170}
_BYTES_PER_PLAIN_SAMPLE = 600
"""Bytes of dump to a line of text, from English Wikipedia; only an estimate."""
_PART = re.compile(
    r"^(?P<sha1>[0-9a-f]{40})  (?P<name>(?P<wiki>\w+)-(?P<date>\d{8})-pages-articles\d+\.xml-p(?P<first>\d+)p\d+\.bz2)$",
    re.MULTILINE,
)
_SAMPLES_PER_PART, _BYTES_PER_PART = 1_000_000, 350_000_000
"""Of a part of English Wikipedia: at least, and about."""
_SAMPLES_PER_OTHER_PART, _BYTES_PER_OTHER_PART = 250_000, 1_000_000_000
"""Of a part in another language: the large ones have some six parts. Those of fewer articles come whole."""
_BYTES_WHOLE = 2_000_000_000
"""Of one that comes whole: at most, and about. The user is asked about that much."""
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z]+)*")
_ARTICLES = 0
_SHOWING_NO_TEXT = (-2, 6, 14)  # Media, File, Category
# What wikis put after the name of a page that lists the pages sharing it.
_DISAMBIGUATION_WORDS = (
    "disambiguation|Begriffsklärung|homonymie|homonymes|desambiguación|desambiguação|desambiguació|disambigua"
    "|doorverwijspagina|значения|значення|значэнні|ujednoznacznienie|olika betydelser|flertydig|andre betydninger|tydingar"
    "|täsmennyssivu|täpsustus|rozcestník|rozlišovacia stránka|egyértelműsítő lap|dezambiguizare|anlam ayrımı|disambiguasi"
    "|nyahkekaburan|định hướng|曖昧さ回避|消歧义|消歧義|搞清楚|동음이의|توضيح|ابهام‌زدایی|ضد ابہام|פירושונים|αποσαφήνιση|пояснение"
    "|вишезначна одредница|višeznačna odrednica|razdvojba|razločitev|појаснување|homónimos|apartigilo|argipen|nuorodinis"
    "|բազմիմաստություն|მრავალმნიშვნელოვანი|बहुविकल्पी|দ্ব্যর্থতা নিরসন|แก้ความกำกวม"
)
_DISAMBIGUATION_TITLES = tuple(
    f"{left}{word}{right}" for word in _DISAMBIGUATION_WORDS.split("|") for left, right in ((" (", ")"), ("（", "）"))
)


def _sums(wiki: str) -> Download:
    """The list of a wiki's dump."""
    name = f"{wiki}-latest-sha1sums.txt"
    return Download(f"{_HOST}/{wiki}/latest/{name}", name)


def _whole(wiki: str, about: int) -> Download:
    """The articles of a wiki in one file."""
    name = f"{wiki}-latest-pages-articles.xml.bz2"
    return Download(f"{_HOST}/{wiki}/latest/{name}", name, checksums=_sums(wiki).url, about=about)


class Wikipedia(Corpus):
    """A record is a page, whatever its kind; articles are kept, the others are quarantined by what they are."""

    name = "wikipedia"
    version = 4
    modality = "text"
    title = "Wikipedia, articles as plain paragraphs"
    licence = "CC BY-SA 4.0"
    homepage = _HOST
    size = "24 GB compressed, 7 million articles (English; others by --language), in some 70 parts, of which --max-samples fetches what it needs"
    layout = "*-pages-articles*.xml.bz2 (or .xml, .xml.gz, .xml-p1p41242.bz2), or Parquet, JSONL or CSV files with a column called text"
    language = "en"
    downloads = (_whole("enwiki", 24_000_000_000),)
    catalogue = _sums("enwiki")
    mini = ((), 20_000)
    manual = "Any wiki's *-pages-articles.xml.bz2 from https://dumps.wikimedia.org does."
    hub_id = "hf://datasets/wikimedia/wikipedia/20231101.en"
    columns: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "text": ("text",),
        "id": ("id",),
        "title": ("title",),
        "url": ("url",),
        "lang": ("lang", "language"),
    }

    def listed(self, catalogue: bytes) -> list[Download]:
        """The parts of the articles of a dump, as the list of its checksums has them, in the order of their pages."""
        parts = sorted((int(found["first"]), found) for found in _PART.finditer(catalogue.decode("ascii", "replace")))
        samples, about = _SAMPLES_PER_PART, _BYTES_PER_PART
        if self.language != type(self).language:
            samples, about = _SAMPLES_PER_OTHER_PART, _BYTES_PER_OTHER_PART
        return [
            Download(
                f"{_HOST}/{found['wiki']}/{found['date']}/{found['name']}",
                f"{number:03d}-{found['name'].replace(found['date'], 'latest')}",
                checksum=f"sha1:{found['sha1']}",
                samples=samples,
                about=about,
            )
            for number, (_, found) in enumerate(parts, 1)
        ]

    def in_language(self, language: str) -> Corpus:
        """The Wikipedia whose address begins so: ``de``, ``zh-yue``."""
        if not _LANGUAGE.fullmatch(language):
            raise SourceError(
                f"{self.name}: --language {language}: give what a Wikipedia's address begins with, such as de"
            )
        wiki, other = f"{language.replace('-', '_')}wiki", copy(self)
        vars(other).update(language=language, downloads=(_whole(wiki, _BYTES_WHOLE),), catalogue=_sums(wiki))
        return other

    def units(self, tree: Tree, options: SourceOptions) -> Iterator[UnitDraft]:
        """Byte ranges of every dump in the tree, in the order of their names."""
        exports = [name for name in names_once(tree) if mediawiki.is_export(name)]
        twice = mediawiki.told_twice(exports)
        for name in exports:
            if name in twice:
                tree.set_aside(name, "copy")
                continue
            site = mediawiki.read_site(tree, name)
            if site is None:
                continue
            shared = {
                "base": site.base,
                "lang": site.lang,
                "media": sorted({site.namespaces[n] for n in _SHOWING_NO_TEXT if n in site.namespaces}),
            }
            size = tree.size(name)
            per_sample = _BYTES_PER_SAMPLE.get(name.rpartition(".")[2].lower(), _BYTES_PER_PLAIN_SAMPLE)
            for draft in mediawiki.slices(tree, name, options, site.codec):
                length = max(0, (draft.payload["end"] or size) - draft.payload["start"])
                yield UnitDraft({**draft.payload, **shared}, draft.inputs, samples=1 + length // per_sample)

    def read(self, tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected]:
        """The pages that begin in one slice."""
        wiki = Wiki(payload["lang"], payload["media"])
        for page in read_pages(tree, payload):
            if not isinstance(page, Page):
                yield page
                continue
            rendered = _article(page, wiki)
            if isinstance(rendered, str):
                yield Rejected(page.id, page.where, rendered, page.title)
                continue
            yield {
                "id": page.id,
                "where": page.where,
                "text": "\n".join(rendered.paragraphs),
                "counts": json.dumps(dict(rendered.counts)) if rendered.counts else None,
                "title": page.title,
                "url": payload["base"] + quote(page.title.replace(" ", "_"), safe="/:;@$!*(),~"),
                "lang": payload["lang"],
            }

    def why_unread(self, name: str) -> str:
        """What Wikimedia publishes beside the pages: an index of the dump, tables of its database."""
        base = name.rpartition("/")[2]
        return "documentation" if "-multistream-index" in base or base.endswith((".sql.gz", ".sql")) else ""


def _article(page: Page, wiki: Wiki) -> Rendered | str:
    """The page as text, or the reason code that says why it is no article."""
    if page.namespace != _ARTICLES or page.model != "wikitext":
        return "other_namespace"
    if page.is_redirect or is_redirect(page.text):
        return "redirect"
    rendered = render(page.text, wiki, page.title)
    if rendered.is_disambiguation or page.title.endswith(_DISAMBIGUATION_TITLES):
        return "disambiguation"
    # Pages without text are left to the modality, which first adds up what was left out of them.
    return rendered if rendered.paragraphs or rendered.counts else "stub"
