"""Markup that nests: one pass cuts out what shows no running text, and expands templates.

Templates, links, tables and elements are kept on a stack of frames. A frame that is closed becomes text in the frame
below it; one that is never closed is put back as text, with the remaining markup removed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from omni_ray.sources.wikitext import marks
from omni_ray.sources.wikitext.formulas import plain_formula
from omni_ray.sources.wikitext.rules import DISAMBIGUATION, Aside, Call, Rule
from omni_ray.sources.wikitext.unknown import ASIDE, BOX, FORMULA, NEEDED, NOTE, UNKNOWN, Unknown, first_words
from omni_ray.sources.wikitext.wiki import Wiki

# Elements whose content is not wikitext, or not part of the running text.
_RAW = (
    "nowiki|math|chem|ce|ref|references|gallery|timeline|syntaxhighlight|source|score|imagemap|hiero|graph|pre"
    "|templatestyles|templatedata|mapframe|maplink|inputbox|categorytree|indicator|includeonly|section|style|script"
    "|dynamicpagelist|del|strike|s|ref-list|charinsert|languages|phonos"
)
_TOKEN = re.compile(
    rf"\{{[{{|]|\}}\}}|\[\[(?=[^\[\]|\n]{{0,60}}:)|\|\}}(?!\}})|<(?:(?i:(?P<tag>{_RAW})\b[^<>]*|/?table\b[^<>]*)>)"
)
_BRACKETS = re.compile(r"\[\[|\]\]")
_COMMENT_LINE = re.compile(r"\n[ \t]*(?:<!--(?:(?!-->).)*-->[ \t]*)+(?=\n)", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_PARAMETER = re.compile(r"(?<!\{)\{\{\{(?!\{)[^{}|]*\|?([^{}]*)\}\}\}")
_VARIANT = re.compile(r"-\{(?!\{)((?:(?!-\{|\}-).)*)\}-", re.DOTALL)
_VARIANT_FLAGS = re.compile(r"\s*((?:[A-Za-z-]+\s*;?\s*)*)\|(.*)", re.DOTALL)
_VARIANT_CHOICE = re.compile(r"\s*[a-z]{2,4}(?:-[a-z]+)*\s*:(.*)", re.DOTALL)
_MARKUP = re.compile(r"\[\[|\]\]|\{\{|\}\}|''|^[=|!*#]|\{\||\|\}", re.MULTILINE)
_NOT_A_NAME = re.compile(r"[\[\]{}<>\n]")
_TABLE_LINE = re.compile(r"\n[ \t]*[|!].*")
_ARGUMENT_LINE = re.compile(r"\n[ \t]*\|[ \t]*[\w -]+=.*")
_LOST_HEAD = re.compile(r"[^|\n\[\]]{0,60}\|(?:[^|\s\[\]]*\|)*(?:[\w-]+ ?= ?)?")
_MAX_LINK_CHARS = 10_000
_MAX_OPEN_LINKS = 20
"""After this many unclosed pictures in a page, no more are looked for."""
_MAX_NAME_CHARS = 255
_MAX_DEPTH = 40
"""MediaWiki's own limit on templates in templates."""


@dataclass
class Expansion:
    """A page without its nested markup.

    Attributes:
        text: what is left; unknown templates are holes in it.
        unknown: the unknown templates, by the number in their hole.
        disambiguation: a template was there that makes the page a disambiguation page.
    """

    text: str = ""
    unknown: list[Unknown] = field(default_factory=list)
    disambiguation: bool = False


@dataclass(slots=True)
class _Frame:
    """Markup that was opened: its kind, where it begins in the page, and the pieces of its content so far."""

    kind: str
    start: int
    pieces: list[str] = field(default_factory=list)


def expand(wikitext: str, wiki: Wiki, title: str) -> Expansion:
    """``wikitext`` with templates in words and without comments, tables, references and pictures."""
    text = wikitext if wikitext.isascii() and "\0" not in wikitext else marks.PRIVATE.sub("", wikitext)
    if "<!--" in text:
        text = _COMMENT.sub("", _COMMENT_LINE.sub("", text))
    if "{{{" in text:
        text = _PARAMETER.sub(r"\1", text)
    if "-{" in text and wiki.has_variants:
        text = _choose_variants(text)
    return _Expander(wiki, title).run(text)


def _choose_variants(text: str) -> str:
    """``-{zh-hans:A; zh-hant:B}-`` as its first variant, innermost first."""
    for _ in range(_MAX_DEPTH):
        text, count = _VARIANT.subn(lambda match: _variant(match[1]), text)
        if not count:
            break
    return text


def _variant(inside: str) -> str:
    flags = _VARIANT_FLAGS.fullmatch(inside)
    if flags:
        given = {flag.strip().upper() for flag in flags[1].split(";")}
        if given & {"H", "T", "-", "D"}:
            return ""
        inside = flags[2]
    for part in re.split(r";\s*(?=[a-z-]+\s*:)", inside):
        choice = _VARIANT_CHOICE.fullmatch(part)
        if choice and choice[1].strip(" ;\n"):
            return choice[1].strip(" ;\n")
    return inside


class _Expander:
    def __init__(self, wiki: Wiki, title: str) -> None:
        self.wiki = wiki
        self.title = title
        self.found = Expansion()
        self.text = ""
        self.base = _Frame("", 0)
        self.stack = [self.base]
        self.open = {"{{": 0, "{|": 0, "<table": 0}
        self.unclosed: set[str] = set()
        self.open_links = 0

    def run(self, text: str) -> Expansion:
        """All of one page."""
        self.text = text
        position = 0
        pieces = self.base.pieces
        for match in _TOKEN.finditer(text):
            start = match.start()
            if start < position:
                continue  # Inside an element or picture.
            if start > position:
                pieces.append(text[position:start])
            position = match.end()
            mark = match[0]
            if mark == "{{":
                self._push(mark, start)
            elif mark == "}}":
                self._close("{{", mark)
            elif mark == "[[":
                position = self._picture(text, start)
            elif mark in ("{|", "|}"):
                self._table(mark, start)
            elif match["tag"]:
                position = self._element(text, match)
            elif mark[1] == "/":
                self._close("<table", "")
            else:
                self._push("<table", start)
            pieces = self.stack[-1].pieces
        pieces.append(text[position:])
        self._unwind(1)
        self.found.text = "".join(self.base.pieces)
        return self.found

    def _table(self, mark: str, start: int) -> None:
        if not _at_line_start(self.text, start):
            self.stack[-1].pieces.append(mark)
        elif mark == "{|":
            self._push(mark, start)
        else:
            self._close("{|", mark)

    def _push(self, kind: str, start: int) -> None:
        self.stack.append(_Frame(kind, start))
        self.open[kind] += 1

    def _close(self, opener: str, closer: str) -> None:
        """Ends the innermost frame of that kind; frames above it were never closed."""
        if not self.open[opener]:
            self.stack[-1].pieces.append(closer)
            return
        depth = len(self.stack) - 1
        while self.stack[depth].kind != opener:
            depth -= 1
        self._unwind(depth + 1)
        frame = self.stack.pop()
        self.open[opener] -= 1
        pieces = self.stack[-1].pieces
        if opener == "{{":
            pieces.append(self._template(frame))
        else:
            pieces.append("\n")

    def _unwind(self, depth: int) -> None:
        """Puts the frames from ``depth`` up back as text."""
        lower = self.stack[depth - 1].pieces
        for frame in self.stack[depth:]:
            self.open[frame.kind] -= 1
            if frame.kind == "{{":
                lower += _without_head("".join(frame.pieces), _at_line_start(self.text, frame.start))
            elif frame.kind == "{|":
                lower.append(_without_rows("".join(frame.pieces)))
            else:
                lower += frame.pieces
        del self.stack[depth:]

    def _element(self, text: str, match: re.Match[str]) -> int:
        """The end of an element whose content is not wikitext."""
        tag = match["tag"].lower()
        position = match.end()
        pieces = self.stack[-1].pieces
        if match[0].endswith("/>") or tag in self.unclosed:
            return position
        closer = re.compile(rf"</{tag}\s*>", re.IGNORECASE).search(text, position)
        if closer is None:
            self.unclosed.add(tag)
            return position
        inside = text[position : closer.start()]
        if tag == "nowiki":
            # Shown as it is; but where that is markup, the page is explaining its own language.
            pieces.append("" if _MARKUP.search(inside) else _guarded(inside))
        elif tag in ("math", "chem", "ce"):
            shown = plain_formula(inside)
            pieces.append(_guarded(shown) if shown or not inside.strip() else self._hole(Unknown(tag, None, FORMULA)))
        elif "inline" in match[0]:
            pieces.append(_guarded(inside.strip()))
        elif tag in ("pre", "syntaxhighlight", "source", "gallery", "timeline"):
            pieces.append("\n")
        return closer.end()

    def _picture(self, text: str, start: int) -> int:
        """A link that may be to a picture or a category, which show nothing: where to continue."""
        namespace = text[start + 2 : text.index(":", start)].strip(" \t\n\u200e\u200f").replace("_", " ").lower()
        if namespace in self.wiki.media and self.open_links < _MAX_OPEN_LINKS:
            depth = 0
            for match in _BRACKETS.finditer(text, start, start + _MAX_LINK_CHARS):
                depth += 1 if match[0] == "[[" else -1
                if not depth:
                    return match.end()
            self.open_links += 1
        self.stack[-1].pieces.append("[[")
        return start + 2

    def _template(self, frame: _Frame) -> str:
        pieces = frame.pieces
        head = pieces[0] if pieces else ""
        name, bar, _ = head.partition("|")
        if not bar and len(pieces) > 1:
            head = "".join(pieces)
            name = head.partition("|")[0]
        name = name.strip()
        if not name or _NOT_A_NAME.search(name) or len(name) > _MAX_NAME_CHARS:
            return "".join(pieces)
        rule = self.wiki.rule(name)
        if rule == "":
            return ""
        if rule is DISAMBIGUATION:
            self.found.disambiguation = True
            return ""
        if rule is None:
            return self._unknown(name, frame)
        if len(self.stack) > _MAX_DEPTH:
            return self._hole(Unknown(name, None, NEEDED))
        return self._known(rule, name, "".join(pieces))

    def _known(self, rule: str | Rule, name: str, source: str) -> str:
        if isinstance(rule, str):
            return rule
        call = Call.parse(source, self.wiki, self.title)
        shown = rule(call)
        if shown is None or isinstance(shown, Aside):
            return self._hole(Unknown(name, shown, NEEDED if shown is None else ASIDE))
        if not shown and call.positional and any(call.positional):
            return self._hole(Unknown(name, first_words(name, call), UNKNOWN))
        return shown.replace("\n", " ") if call.is_inline else shown

    def _unknown(self, name: str, frame: _Frame) -> str:
        source = "".join(frame.pieces)
        if "\n" in source and _at_line_start(self.text, frame.start):
            return self._hole(Unknown(name, None, BOX))  # of several lines: no part of a sentence
        call = Call.parse(source, self.wiki, self.title)
        noted = bool(call.named) and not call.positional and not call.get("1")
        return self._hole(Unknown(name, first_words(name, call), NOTE if noted else UNKNOWN))

    def _hole(self, unknown: Unknown) -> str:
        self.found.unknown.append(unknown)
        return marks.hole(len(self.found.unknown) - 1)


def _at_line_start(text: str, position: int) -> bool:
    line = text.rfind("\n", 0, position) + 1
    return line == position or not text[line:position].strip(" \t:*#")


def _guarded(text: str) -> str:
    """Text in which no markup is read."""
    return text.replace("<", "&lt;").replace("://", f":{marks.GUARD}//").replace("{", f"{{{marks.GUARD}")


def _without_rows(inside: str) -> str:
    """An unclosed table, without its rows, up to the next heading."""
    table, heading, rest = inside.partition("\n==")
    return _TABLE_LINE.sub("", "\n|" + table) + heading + rest


def _without_head(text: str, line_start: bool) -> list[str]:
    """An unclosed template: its words, without its name and the names of its arguments.

    Where it begins a line and lines of arguments follow, it is a box, and they are removed; what comes after them stays.
    """
    if line_start and re.match(r"[^\n]*\n[ \t]*\|", text):
        rest = re.match(r"[^\n]*(?:\n[ \t]*[|}][^\n]*)+", text)
        return [text[rest.end() :]] if rest else [text]
    head = _LOST_HEAD.match(text)
    return [_ARGUMENT_LINE.sub("", text[head.end() if head else 0 :])]
