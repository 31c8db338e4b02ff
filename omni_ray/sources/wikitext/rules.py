"""What a template shows: patterns of the tables, compiled.

A pattern is text with arguments in braces: ``{1}`` is the first, ``{text|1}`` the first of these that is there,
``{-1}`` the last positional one, ``{*, }`` all positional ones with ``, `` between. ``[...]`` shows only if an argument inside is there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

DISAMBIGUATION = "\ue00f"
"""Instead of what a template shows: it makes its page a disambiguation page."""

_LINK = re.compile(r"(\[\[[^\[\]]*\]\])")
_NAME = re.compile(r"\s*([^\s=<>\[\]{}\"'][^=<>\[\]{}\"']{0,40}?)\s*=")
_PART = re.compile(r"\{([^{}]*)\}|\[|\]")


class Language(Protocol):
    """What a call asks of its wiki."""

    base: str

    def is_function(self, name: str) -> bool:
        """Whether ``name:`` begins a call of a parser function."""
        ...


@dataclass(frozen=True)
class Call:
    """A template as it stands in a page: its name, and its arguments in expanded wikitext.

    Attributes:
        name: in lower case; of a parser function (``formatnum:5``), the part before the colon.
        positional: arguments without a name, in order.
        named: those with a name, numbered ones included where they are given by number.
    """

    name: str
    positional: list[str]
    named: Mapping[str, str]
    wiki: Language
    title: str

    @classmethod
    def parse(cls, source: str, wiki: Language, title: str) -> Call:
        """``source`` is the text between the braces."""
        name, *parts = _arguments(source)
        name = name.strip()
        positional: list[str] = []
        named: dict[str, str] = {}
        function, colon, first = name.partition(":")
        colon = colon if wiki.is_function(function) else ""
        if colon:
            positional.append(first.strip())
            name = function
        for part in parts:
            key = None if colon else _NAME.match(part)
            if key is None:
                positional.append(part.strip())
            else:
                named[key[1].lower()] = part[key.end() :].strip()
        return cls(name.lower(), positional, named, wiki, title)

    def get(self, key: str) -> str:
        """An argument by name or number (from 1; negative from the end); "" where there is none."""
        given = self.named.get(key)
        if given or not key.lstrip("-").isdecimal():
            return given or ""
        place = int(key)
        if place < 0:
            return self.positional[place] if len(self.positional) >= -place else ""
        return self.positional[place - 1] if 0 < place <= len(self.positional) else ""

    def first(self, *keys: str) -> str:
        """The first of these arguments that is there."""
        return next((value for key in keys if (value := self.get(key))), "")

    @property
    def is_inline(self) -> bool:
        """Whether line ends in what is shown are only spaces."""
        values = (*self.positional, *self.named.values())
        return not any("\n\n" in value or "\n*" in value or "\n#" in value for value in values)


def _arguments(source: str) -> list[str]:
    """``source`` cut at its bars, but not at those inside links."""
    if "[[" not in source:
        return source.split("|")
    found = [""]
    for number, part in enumerate(_LINK.split(source)):
        if number % 2:
            found[-1] += part
        else:
            first, *others = part.split("|")
            found[-1] += first
            found += others
    return found


class Aside(str):
    """What a template shows that a sentence can do without where it stands in brackets: how a word is spoken, where a place is."""

    __slots__ = ()


Rule = Callable[[Call], "str | None"]
"""What a call shows, as wikitext; None where only the wiki itself can know."""


def pattern(source: str) -> str | Rule:
    """A pattern as a rule; one without arguments as the text it is."""
    if "{" not in source:
        return source
    parts = _PART.split(source)
    marks = [match[0][0] for match in _PART.finditer(source)]

    def rule(call: Call) -> str:
        shown, _ = _fill(parts, marks, 0, call)
        return shown

    return rule


def _fill(parts: list[str | None], marks: list[str], begin: int, call: Call) -> tuple[str, int]:
    """Fills a pattern from its mark number ``begin`` on, up to the end of its group: the text, and the mark after it."""
    shown = parts[2 * begin] or ""
    given = begin == 0
    number = begin
    while number < len(marks):
        mark = marks[number]
        if mark == "]":
            return (shown if given else ""), number + 1
        if mark == "[":
            inside, number = _fill(parts, marks, number + 1, call)
            shown += inside
            given = given or bool(inside)
        else:
            value = _argument(parts[2 * number + 1] or "", call)
            given = given or bool(value)
            shown += value
            number += 1
        shown += parts[2 * number] or ""
    return shown, number


def _argument(keys: str, call: Call) -> str:
    if keys.startswith("*"):
        return keys[1:].join(filter(None, call.positional))
    return call.first(*keys.split("|"))
