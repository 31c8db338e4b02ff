"""A page to its paragraphs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from omni_ray.sources.wikitext.expand import expand
from omni_ray.sources.wikitext.inline import lines
from omni_ray.sources.wikitext.unknown import fill_holes
from omni_ray.sources.wikitext.wiki import ANY, Wiki

_HEADING = re.compile(r"\n(={1,6})([^\n]+?)\1[ \t]*(?=\n)")
_HEADING_MARKS = re.compile(r"'{2,}|<[^<>]*>|\[\[(?:[^\[\]|]*\|)?|\]\]|[\ue000-\ue004]|:\s*$")
_REDIRECT = re.compile(r"\s*#[^\W\d][^\s\[\]#:|]{0,40} {0,3}:? {0,3}\[\[")
_IS_PROSE = re.compile(r"[^\W_]")


@dataclass(frozen=True)
class Rendered:
    """A page as text.

    Attributes:
        paragraphs: a paragraph or list item each; headings, tables and boxes are not in it.
        is_disambiguation: a template (``{{disambiguation}}``) says that the page only lists pages that share a name.
        counts: what became of templates that are not known, by the names in :mod:`.unknown`.
    """

    paragraphs: list[str]
    is_disambiguation: bool
    counts: Mapping[str, int]


def is_redirect(wikitext: str) -> bool:
    """Whether the page is ``#REDIRECT [[Target]]``, in any of the words that wikis use for it."""
    return _REDIRECT.match(wikitext) is not None


def render(wikitext: str, wiki: Wiki = ANY, title: str = "") -> Rendered:
    """The running text of a page.

    Args:
        title: the page's title, which ``{{PAGENAME}}`` shows.
    """
    expansion = expand(wikitext, wiki, title)
    counts: Counter[str] = Counter()
    text = fill_holes(expansion.text, expansion.unknown, counts) if expansion.unknown else expansion.text
    found: list[str] = []
    for section, holds_links in _sections(f"\n{text}\n", wiki):
        shown = lines(section, wiki.media)
        if holds_links:
            beside = lines(section, wiki.media, without_links=True)
            if len(beside) == len(shown):
                shown = [line for line, prose in zip(shown, beside, strict=True) if _IS_PROSE.search(prose)]
        found += filter(None, shown)
    return Rendered(found, expansion.disambiguation, counts)


def _sections(text: str, wiki: Wiki) -> Iterator[tuple[str, bool]]:
    """The text without its headings, in as few pieces as may be; and whether a piece is links and references."""
    if "\n=" not in text:
        yield text, False
        return
    parts = _HEADING.split(text)
    pieces = [parts[0]]
    level = 0  # of the heading for links that we are under, 0 if none
    for marks, heading, section in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        before = level
        if not level or len(marks) <= level:
            name = " ".join(_HEADING_MARKS.sub("", heading).split()).lower()
            level = len(marks) if name in wiki.headings else 0
        if (level > 0) != (before > 0):
            yield "".join(pieces) + "\n", before > 0
            pieces = []
        pieces.append(section)
    yield "".join(pieces), level > 0
