"""Wikitext to plain paragraphs: what a reader sees as running text, and nothing else.

Two steps, both linear in the length of the page, which hostile markup makes mwparserfromhell by itself not. First
balanced templates, tables, references and the like are cut out whole, and what is left falls into lines. Then each
line's links, formatting, tags and entities are parsed by mwparserfromhell and rendered.
"""

from __future__ import annotations

import html.entities
import re
from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any

import mwparserfromhell
from mwparserfromhell import nodes as kinds

MEDIA_NAMESPACES = frozenset({"file", "image", "media", "category"})
"""Links into these show a picture or nothing; wikis in other languages add their own names for them."""

_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
# Elements whose inside is not wikitext, or not part of the running text.
_RAW = (
    "nowiki|math|chem|ce|ref|references|gallery|timeline|syntaxhighlight|source|score|imagemap|hiero|graph|pre"
    "|templatestyles|templatedata|mapframe|maplink|inputbox|categorytree|indicator|includeonly|section"
)
_TOKEN = re.compile(
    rf"\{{\{{|\}}\}}|\[\[|\]\]|^[ \t:*#]*\{{\||^[ \t]*\|\}}(?!\}})|<(?P<tag>{_RAW})\b[^<>]*>",
    re.IGNORECASE | re.MULTILINE,
)
_CLOSERS = {"}}": "{{", "]]": "[[", "|}": "{|"}
_MAX_LINK_CHARS = 10_000
_MARKUP = re.compile(r"\[\[|\]\]|\{\{|\}\}|''|^[=|!*#]|\{\||\|\}", re.MULTILINE)

# Templates that stand in the middle of sentences, and what they show. Digits name arguments. All others go.
_SHOWN = {
    **dict.fromkeys(("nowrap", "nobr", "small", "abbr", "ill", "interlanguage link", "quote", "blockquote"), "1"),
    **dict.fromkeys(("lang", "langx", "transl", "transliteration"), "2"),
    **dict.fromkeys(("convert", "cvt"), "1 2"),
    **dict.fromkeys(("circa", "c."), "c. 1"),
    **dict.fromkeys(("snd", "spnd", "spaced ndash"), " – "),
    **dict.fromkeys(("ndash", "endash"), "–"),
    **dict.fromkeys(("mdash", "emdash"), "—"),
    "nbsp": " ",
    "as of": "As of 1",
}

_HEADING = re.compile(r"(={1,6})(.+?)\1[ \t]*$")
_LIST = re.compile(r"[*#:;]+[ \t]*")
_QUOTES = re.compile("'{2,}")
_AFTER_LETTER = re.compile(r"(?<=\w)'''(?!')")
_NOT_TEXT = re.compile(r"[|!}]|\{(?!\{)|-{4}")
_NEEDS_PARSER = re.compile(r"[\[{<&]|https?:")
_MAX_LINE_CHARS = 20_000
_MAX_OPEN = 40

_LINK_SECTION = re.compile(
    "see also|(?:general )?references|external links|further reading|(?:explanatory )?notes|footnotes|citations"
    "|bibliography|sources|notes and references|references and notes|works cited",
    re.IGNORECASE,
)
_INTERLANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z-]+)?$|simple$")
_BLOCK_TAG = re.compile("p|div|blockquote|li|ul|ol|dl|dt|dd|center|tr|td|th|table|hr|br|poem", re.IGNORECASE)
_DROPPED_TAG = re.compile(rf"{_RAW}|table|del|s")
_TAG = re.compile(r"</?(?P<name>[A-Za-z][A-Za-z0-9]*)\b[^<>]*/?>")
_DEBRIS = re.compile(
    r"\[\[[^\[\]|]*\||\[\[+|\]\]+|\{\{.*|\}\}+|\{\||\|\}|'{2,}"
    r"|__[A-Z]+__|\[https?://\S+|&#[xX]?[0-9A-Fa-f]+;"
)
_OPEN_ENTITY = re.compile(r"&([A-Za-z]{4,8}[0-9]{0,2})\b;?")

_SPACES = re.compile(r"[ \t\xa0]+")
_EMPTY_BRACKETS = re.compile(r" ?\((?:[ ,;:–—-]|\b(?:or|and)\b)*\)")
_OPEN_BRACKET = re.compile(r"\((?: ?[,;])* ?")
_CLOSE_BRACKET = re.compile(r"(?: ?[,;]){1,9} ?\)")
_SPACE_BEFORE_STOP = re.compile(r"(?<=\w) (?=[,.](?: |$))")

_DISAMBIGUATION = re.compile(
    r"\{\{ ?(?:[\w-]+ ){0,3}(?:disambig(?:uation)?|disamb|dab|hndis|geodis|set index article|begriffsklärung|homonymie"
    r"|desambiguación|desambiguação|disambigua|ujednoznacznienie|неоднозначность|dp|doorverwijspagina)\b"
    r"|__DISAMBIG__",
    re.IGNORECASE,
)
_REDIRECT = re.compile(r"\s*#\w+ {0,3}:? {0,3}\[\[")


def is_redirect(wikitext: str) -> bool:
    """Whether the page is ``#REDIRECT [[Target]]``, in any of the words that wikis use for it."""
    return _REDIRECT.match(wikitext) is not None


def is_disambiguation(title: str, wikitext: str) -> bool:
    """Whether the page only lists the pages that share a name: by its title, or by the templates for that."""
    return title.endswith(" (disambiguation)") or _DISAMBIGUATION.search(wikitext) is not None


def paragraphs(wikitext: str, media_namespaces: Collection[str] = MEDIA_NAMESPACES) -> list[str]:
    """The running text of a page, a paragraph or list item each; headings, tables and templates are not in it.

    Args:
        wikitext: the page's source.
        media_namespaces: lower-case names of the namespaces whose links show no text.
    """
    found = []
    in_links = 0
    for line in _cut(wikitext, media_namespaces).split("\n"):
        heading = _HEADING.match(line)
        if heading:
            level = len(heading[1])
            if not in_links or level <= in_links:
                in_links = level if _LINK_SECTION.fullmatch(heading[2].strip(" '")) else 0
            continue
        for text, has_prose in _render_line(line, media_namespaces):
            if has_prose or not in_links:
                found.append(text)
    return found


def _cut(wikitext: str, media_namespaces: Collection[str]) -> str:
    """``wikitext`` without comments, tables, references and templates that show no running text, and with links
    that go over several lines on one."""
    text = _COMMENT.sub("", wikitext)
    spans = sorted(_spans(text), key=lambda span: (span[0], -span[1]))
    text = _join_lines(text, spans)
    parts = []
    done = 0
    for start, end, kind in spans:
        if start < done:
            continue
        shown = _shown_instead(text, start, end, kind, media_namespaces)
        if shown is not None:
            parts += [text[done:start], shown]
            done = end
    return "".join(parts) + text[done:]


def _spans(text: str) -> Iterator[tuple[int, int, str]]:
    """Balanced markup: (start, end, kind), kind being the opening mark or the name of the element."""
    stack: list[tuple[str, int]] = []
    open_now: Counter[str] = Counter()
    unclosed: set[str] = set()
    position = 0
    while match := _TOKEN.search(text, position):
        position = match.end()
        mark = (match["tag"] or match[0].strip(" \t:*#")).lower()
        if match["tag"]:
            if match[0].endswith("/>"):
                yield match.start(), position, "/"
            elif mark not in unclosed:
                closer = re.compile(rf"</{mark}\s*>", re.IGNORECASE).search(text, position)
                if closer:
                    yield match.start(), closer.end(), mark
                    position = closer.end()
                else:
                    unclosed.add(mark)
        elif mark in _CLOSERS:
            opener = _CLOSERS[mark]
            while open_now[opener]:
                kind, start = stack.pop()
                open_now[kind] -= 1
                if kind == opener:
                    yield start, position, kind
                    break
        else:
            stack.append((mark, match.start()))
            open_now[mark] += 1


def _is_link(start: int, end: int, kind: str) -> bool:
    return kind == "[[" and end - start <= _MAX_LINK_CHARS


def _join_lines(text: str, spans: list[tuple[int, int, str]]) -> str:
    """The same text, as long as before, with spaces for line ends inside links and shown templates."""
    parts = []
    done = 0
    for start, end, kind in spans:
        if start < done or "\n" not in text[start:end]:
            continue
        if _is_link(start, end, kind) or (kind == "{{" and _template_shows(text[start : start + 100])):
            parts += [text[done:start], text[start:end].replace("\n", " ")]
            done = end
    return "".join(parts) + text[done:]


def _shown_instead(text: str, start: int, end: int, kind: str, media_namespaces: Collection[str]) -> str | None:
    """What stands in place of a span; None where it is left to the parser."""
    if kind == "nowiki":
        inside = text[text.index(">", start) + 1 : text.rindex("<", start, end)]
        # Shown as it stands; but where that is markup, the page is showing off its own language.
        return "" if _MARKUP.search(inside) else inside
    if kind == "{{":
        return None if _template_shows(text[start : start + 100]) else ""
    if kind == "[[":
        namespace = text[start + 2 : end].partition(":")[0].strip().lower()
        return "" if _is_link(start, end, kind) and namespace in media_namespaces else None
    return "\n" if kind == "{|" else ""


def _template_shows(source: str) -> str:
    """What the template whose source begins so shows in running text; "" for most."""
    name = re.split(r"[|}]", source[2:], maxsplit=1)[0].strip().lower()
    return "1" if name.startswith("lang-") else _SHOWN.get(name, "")


def _render_line(line: str, media_namespaces: Collection[str]) -> Iterator[tuple[str, bool]]:
    """The paragraphs of one line, each with whether there is text beside its links."""
    line = line.strip(" \t")
    if not line or _NOT_TEXT.match(line):
        return
    marker = _LIST.match(line)
    if marker:
        line = line[marker.end() :]
        term, _, definition = line.partition(":")
        if ";" in marker[0] and definition and not _NEEDS_PARSER.search(term):
            line = f"{term.rstrip()}: {definition.lstrip()}"
    line = _keep_apostrophe(line)
    for start in range(0, len(line), _MAX_LINE_CHARS):
        yield from _render(line[start : start + _MAX_LINE_CHARS], media_namespaces)


def _keep_apostrophe(line: str) -> str:
    """``l'''amour''`` is an apostrophe and italics: MediaWiki's rule where bold and italics are both unpaired."""
    runs = Counter(len(run) for run in _QUOTES.findall(line))
    if runs[3] % 2 and runs[2] % 2:
        return _AFTER_LETTER.sub("&#39;''", line, count=1)
    return line


def _render(line: str, media_namespaces: Collection[str]) -> Iterator[tuple[str, bool]]:
    if not _NEEDS_PARSER.search(line):
        pieces: list[tuple[str, bool]] = [(_QUOTES.sub("", line), False)]
    elif _unclosed(line) > _MAX_OPEN:
        # The parser takes quadratic time over marks that nothing closes; no author leaves this many.
        pieces = [(_plain(line), False)]
    else:
        pieces = list(_pieces(mwparserfromhell.parse(line, skip_style_tags=True).nodes, media_namespaces, False))
    paragraph: list[tuple[str, bool]] = []
    for text, is_link in [*pieces, ("\n", False)]:
        first, *others = text.split("\n")
        paragraph.append((first, is_link))
        for other in others:
            shown = _tidy("".join(t for t, _ in paragraph))
            if any(map(str.isalnum, shown)):
                yield shown, any(map(str.isalnum, "".join(t for t, linked in paragraph if not linked)))
            paragraph = [(other, is_link)]


def _unclosed(line: str) -> int:
    count = line.count
    tags = max(count("<") - count(">"), count("<") - 2 * count("</") - count("/>"))
    return max(tags, count("[") - count("]"), count("{") - count("}"))


def _pieces(nodes: Any, media_namespaces: Collection[str], linked: bool) -> Iterator[tuple[str, bool]]:
    """Parsed nodes as text, each piece with whether it is (in) a link's label."""
    for node in nodes:
        if isinstance(node, kinds.Text):
            yield _plain(str(node.value)), linked
        elif isinstance(node, kinds.Wikilink):
            yield from _link(node, media_namespaces)
        elif isinstance(node, kinds.ExternalLink):
            if node.brackets and node.title is not None:
                yield from _pieces(node.title.nodes, media_namespaces, True)
        elif isinstance(node, kinds.HTMLEntity):
            yield _entity(node), linked
        elif isinstance(node, kinds.Template):
            yield from _template(node, media_namespaces, linked)
        elif isinstance(node, kinds.Tag):
            name = str(node.tag).strip().lower()
            around = "\n" if _BLOCK_TAG.fullmatch(name) else ""
            yield around, linked
            if not _DROPPED_TAG.fullmatch(name) and node.contents is not None:
                yield from _pieces(node.contents.nodes, media_namespaces, linked)
            yield around, linked


def _link(node: Any, media_namespaces: Collection[str]) -> Iterator[tuple[str, bool]]:
    target = str(node.title).strip()
    namespace = target.partition(":")[0].strip() if ":" in target else ""
    if namespace.lower() in media_namespaces or (namespace and _INTERLANGUAGE.match(namespace)):
        return
    if node.text is not None:
        yield from _pieces(node.text.nodes, media_namespaces, True)
    else:
        yield _plain(target.lstrip(":")), True


def _template(node: Any, media_namespaces: Collection[str], linked: bool) -> Iterator[tuple[str, bool]]:
    for part in re.split(r"(\d)", _template_shows(str(node)[:100])):
        if not part.isdigit():
            yield part, linked
        elif node.has(part):
            yield from _pieces(node.get(part).value.nodes, media_namespaces, linked)


def _entity(node: Any) -> str:
    try:
        return str(node.normalize())
    except (ValueError, OverflowError):
        return ""


def _plain(text: str) -> str:
    """Text outside all markup, without the tags and quotes that style it or were left open."""
    text = _TAG.sub(lambda tag: "\n" if _BLOCK_TAG.fullmatch(tag["name"]) else "", text)
    text = _OPEN_ENTITY.sub(lambda entity: html.entities.html5.get(entity[1] + ";", entity[0]), text)
    return _QUOTES.sub("", text)


def _tidy(text: str) -> str:
    """Drops marks that nothing closes, and mends the gaps that templates leave: ``( ; born 1960)``, ``Foo ()``."""
    while (cleaned := _DEBRIS.sub("", text)) != text:
        text = cleaned
    text = _SPACES.sub(" ", text)
    text = _EMPTY_BRACKETS.sub("", text)
    text = _CLOSE_BRACKET.sub(")", _OPEN_BRACKET.sub("(", text))
    text = _SPACE_BEFORE_STOP.sub("", text)
    return _SPACES.sub(" ", text).strip()
