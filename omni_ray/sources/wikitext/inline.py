"""Sections without nested markup to lines of text: links, tags, quotes, entities, and the gaps that markup leaves.

Every step is a regular expression over a whole section, skipped where the section does not even have its first mark.
"""

from __future__ import annotations

import html.entities
import re
from collections import Counter
from urllib.parse import unquote

from omni_ray.sources.wikitext.marks import APART, GUARD, LOST
from omni_ray.sources.wikitext.quotes import plain_quotes
from omni_ray.sources.wikitext.unknown import without_lost_sentences

_LINK = re.compile(r"\[\[([^\[\]|\n]+)(?:\|([^\[\]]*(?:\](?!\])[^\[\]]*)*))?\]\]")
_SCHEME = r"(?:https?|ftps?|sftp|ircs?|gopher|telnet|nntp|worldwind|svn|git|mms|ssh|redis)://"
_URL_CHAR = rf"(?:[^\s\[\]<>\"'{GUARD}]|'(?!'))"
_HOST = r"(?:\[[0-9A-Fa-f:.]+\])?"
_EXTERNAL = re.compile(rf"\[(?:(?i:{_SCHEME}|mailto:|news:)|//(?=\w)){_HOST}{_URL_CHAR}*(?:[^\S\n]*([^\[\]\n]*))?\]")
# Full stops at the end are not part of an address.
_FREE = re.compile(
    rf"(?<!\w)(?i:{_SCHEME}|mailto:(?=[^\s@]{{1,64}}@)|news:(?=\w+\.\w))(?=[^\s<>.,;:!?)\]\"']){_HOST}{_URL_CHAR}*(?<![.,;:!?)])"
)
_ADDRESS = re.compile(rf"(?i:{_SCHEME}|//(?=\w))")
_NESTED = re.compile(r"\[\[([^\[\]|\n]+)\|([^\[\]]*)\]\]")
_ADDRESS_MARKS = ("://", "mailto:", "news:")
_PICTURE = re.compile(rf"(?i:{_SCHEME})\S+\.(?i:png|jpe?g|gif|svg)\s*")
_NO_TITLE = re.compile(r"[<>\ufffd]|%[0-9A-Fa-f]{2}")
# Short names of wikis that are no languages: their links stand in the text.
_INTERLANGUAGE = re.compile(
    r"(?!(?:mw|doi|rfc|bug|rev|hdl|osm|wmf|sep|gnu|arx|irc|oed)\Z)[a-z]{2,3}(?:-[a-z-]+)?|simple"
)
_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9-]*)(?=[\s/>])([^<>]*)>")
_TAG_NAME = re.compile(r"</?([A-Za-z][A-Za-z0-9-]*)(?=[\s/>])")
_BLOCK = frozenset(
    """
    p div blockquote li ul ol dl dt dd center tr td th table hr br poem h1 h2 h3 h4 h5 h6 caption
    """.split()
)
_INLINE = frozenset(
    """
    abbr b bdi bdo big cite code data del dfn em font i ins kbd mark nowiki q rb rp rt rtc ruby s samp small span
    strike strong sub sup time tt u var wbr link meta noinclude onlyinclude includeonly translate tvar nomobile ref
    references math gallery section source syntaxhighlight pre templatestyles score timeline hiero imagemap graph chem
    ce indicator mapframe maplink inputbox categorytree templatedata languages langconvert thead tbody tfoot col
    colgroup style script img
    """.split()
)
_TAGS = _BLOCK | _INLINE
_ENTITY = re.compile(
    r"&(?:#(?:0*([0-9]{1,7})|[xX]0*([0-9A-Fa-f]{1,6}))|([A-Za-z][A-Za-z0-9]{1,30}));|&([A-Za-z]{4,8}[0-9]{0,2})\b(?!;)"
)
_DIRECTION = re.compile("&(?:רלמ|رلم);")  # MediaWiki's own names for the right-to-left mark.
_ODD_SPACES = "\t\xa0\u2007\u202f"
_LIST = re.compile(r"\n[ \t]*[*#:;]+[ \t]*")
_TERM = re.compile(r"\n;[ \t]*(?!(?:news|mailto):)([^\n:\[{<&]*?)[ \t]*:(?!//)[ \t]*(?=[^\s])")
_RULE = re.compile(r"\n-{4,}")
_SWITCH = re.compile(r"__[^\W\d_]{3,}__")
_LINK_DEBRIS = re.compile(r"\[\[[^\[\]|\n]*\||\[\[+|\]\]+|\[(?:https?:)?//\S+")
_TEMPLATE_DEBRIS = re.compile(r"\{\{+|\}\}+|\{\||\|\}")
_TABLE_MARK = re.compile(r"\n\|[-+}]?")

_EMPTY_BRACKETS = re.compile(r"\((?=[ ,;:–—)-]|or\b|and\b)(?:[ ,;:–—-]|\b(?:or|and)\b)*\)")
_EMPTY_WIDE_BRACKETS = re.compile(r"（[，、；：,; ]*）")
_OPEN_BRACKET = re.compile(r"\((?:(?: ?[,;])+ ?| )")
_OPEN_WIDE_BRACKET = re.compile(r"（[，、；]+")
_CLOSE_BRACKET = re.compile(r"[ ,;]{1,9}\)")
_SPACE_BEFORE_STOP = re.compile(r" (?<=\w )(?=[,.](?: |$))", re.MULTILINE)
_VISIBLE = re.compile(r"[^\W_]")


def lines(section: str, media: frozenset[str], without_links: bool = False) -> list[str]:
    """The lines of a section as text; those without a letter or digit are empty.

    Args:
        section: wikitext without nested markup; it begins with a line feed.
        media: names of the namespaces whose links show nothing.
        without_links: leave out the labels of links, to see what is beside them.
    """
    text = section
    if "&ר" in text or "&ر" in text:
        text = _DIRECTION.sub("", text)
    for space in _ODD_SPACES:
        if space in text:
            text = text.replace(space, " ")
    if "\n;" in text:
        text = _TERM.sub(r"\n\1: ", text)
    text = _LIST.sub("\n", text)
    if "\n|" in text:
        text = _TABLE_MARK.sub("\n", text)
    if "\n----" in text:
        text = _RULE.sub("\n", text)
    if "<" in text:
        text = _without_tags(text)
    if "[" in text:
        text = _links(text, media, without_links)
    if any(mark in text for mark in _ADDRESS_MARKS):
        text = _without_addresses(text)
    if "''" in text:
        text = "\n".join([plain_quotes(line) if "''" in line else line for line in text.split("\n")])
    text = _tidy(_decode(text))
    return [line.strip() if _VISIBLE.search(line) else "" for line in text.split("\n")]


def _links(text: str, media: frozenset[str], without: bool) -> str:
    def internal(match: re.Match[str]) -> str:
        target, label = match.groups()
        if "//" in target and not label and _ADDRESS.match(target):
            return "" if without else target.partition(" ")[2]
        if ":" in target:
            namespace = target.partition(":")[0].strip(" \u200e\u200f")
            if namespace and (namespace.lower() in media or _INTERLANGUAGE.fullmatch(namespace)):
                return ""
        if without:
            return ""
        return _label(label.replace("\n", " ")) if label else _target(target)

    def external(match: re.Match[str]) -> str:
        return "" if without or not match[1] or _PICTURE.fullmatch(match[1]) else _label(match[1])

    if "[[" in text:
        text = _LINK.sub(internal, text)
        if "[[" in text:
            text = _NESTED.sub("" if without else _outer, text)
    return _EXTERNAL.sub(external, text) if "//" in text or "[mailto:" in text or "[news:" in text else text


def _outer(match: re.Match[str]) -> str:
    """What is not a link because there was another in its label."""
    return match[2] if _ADDRESS.match(match[1]) else f"{match[1]} {match[2]}"


def _label(label: str) -> str:
    if "''" in label:
        label = plain_quotes(label)
    return label.replace("://", f":{GUARD}//") if "://" in label else label


def _target(target: str) -> str:
    """The name of a page as a link without a label shows it."""
    target = target.strip().removeprefix(":")
    if "%" in target:
        decoded = unquote(target)
        target = target if _NO_TITLE.search(decoded.partition("#")[0]) else decoded
    if "&" in target:
        target = _decode(target).replace("&", f"&{GUARD}").replace("<", f"<{GUARD}")
    if "''" in target:
        target = target.replace("''", f"'{GUARD}'")
    return target


def _without_addresses(text: str) -> str:
    found = text.split("\n")
    for number, line in enumerate(found):
        if any(mark in line for mark in _ADDRESS_MARKS):
            found[number] = _FREE.sub("", line)
    return "\n".join(found)


def _without_tags(text: str) -> str:
    """``text`` without its tags; what only looks like one (``<President>``) stays."""
    known = _TAGS
    names = {name.lower() for name in _TAG_NAME.findall(text)}
    if not names <= known:
        # Elements of unknown extensions come in pairs.
        known |= {name for name in names if f"</{name}>" in text and re.search(rf"<{name}[\s>]", text)}
    open_now: Counter[str] = Counter()

    def shown(match: re.Match[str]) -> str:
        closing, name, rest = match[1], match[2].lower(), match[3]
        if name not in known and not rest.endswith("/"):
            return match[0]
        if name not in _BLOCK:
            return GUARD
        if closing and name in ("div", "p") and not open_now[name]:
            return ""
        open_now[name] += -1 if closing else 1
        return "\n"

    return _TAG.sub(shown, text)


def _decode(text: str) -> str:
    return _ENTITY.sub(_entity, text) if "&" in text else text


def _entity(match: re.Match[str]) -> str:
    decimal, hexadecimal, name, unended = match.groups()
    if name or unended:
        shown = html.entities.html5.get(f"{name or unended};", match[0])
        return " " if shown == "\xa0" else shown
    code = int(decimal) if decimal else int(hexadecimal, 16)
    is_text = code >= 0xA0 or 0x20 <= code < 0x7F or code in (9, 10)
    if not is_text or code > 0x10FFFF or 0xD800 <= code < 0xE000 or code in (0xFFFE, 0xFFFF):
        return match[0]
    return " " if code in (9, 10, 0xA0) else chr(code)


def _tidy(text: str) -> str:
    """Drops unclosed marks, and mends the gaps that markup leaves: ``( ; born 1960)``, ``Foo ()``."""
    if "[[" in text or "]]" in text or "[http" in text or "[//" in text:
        text = _LINK_DEBRIS.sub("", text)
    if "{" in text or "}" in text:
        text = _TEMPLATE_DEBRIS.sub("", text)
    if "__" in text:
        text = _SWITCH.sub("", text)
    if APART in text:
        text = re.sub(rf"(?<=\d){APART}(?=\w)", " ", text).replace(APART, "")
    if LOST in text:
        text = "\n".join(map(without_lost_sentences, text.split("\n")))
    if GUARD in text:
        text = text.replace(GUARD, "")
    text = _single_spaces(text)
    if "（" in text:
        text = _OPEN_WIDE_BRACKET.sub("（", _EMPTY_WIDE_BRACKETS.sub("", text))
    if "(" in text:
        text = _single_spaces(_OPEN_BRACKET.sub("(", _EMPTY_BRACKETS.sub("", text)))
        if " )" in text or ",)" in text or ";)" in text:
            text = _CLOSE_BRACKET.sub(")", text)
    if " ," in text or " ." in text:
        text = _SPACE_BEFORE_STOP.sub("", text)
    return text


def _single_spaces(text: str) -> str:
    while "  " in text:
        text = text.replace("  ", " ")
    return text
