"""Rules that need more than a pattern; the table of templates calls them ``@name``."""

from __future__ import annotations

import re
from collections.abc import Callable

from omni_ray.sources.wikitext import measures
from omni_ray.sources.wikitext.dates import as_of, birth_and_death, date_of, old_style
from omni_ray.sources.wikitext.italian import biography
from omni_ray.sources.wikitext.rules import Aside, Call, Rule

_LANGUAGE = re.compile(r"[a-z]{2,3}(?:[-_][A-Za-z0-9]+)*|[A-Z]{2}")
_MUSIC = {
    "flat": "♭",
    "b": "♭",
    "sharp": "♯",
    "#": "♯",
    "natural": "♮",
    "n": "♮",
    "double flat": "𝄫",
    "double sharp": "𝄪",
}
_LANGUAGE_OF_SOUND = re.compile(
    r"(?:UK|US|AU|NZ|CA|GA|RP|GB|lang|local|pron|also|audio|small|IPA|en-\w+)\s?|.*\.(?:ogg|oga|wav|mp3)", re.IGNORECASE
)
_ROMAN = re.compile(r"[ivxlcdm]+", re.IGNORECASE)


def _ship(prefix: str) -> Rule:
    """``{{USS|Falconer|CV-99|6}}``, ``{{ship|HMS|Heron}}``: prefix, name and hull number, as the format wants."""

    def rule(call: Call) -> str | None:
        given = call.positional if prefix else call.positional[1:]
        before = prefix or call.get("1")
        name, hull, form = (*given, "", "", "")[:3]
        if not name:
            return None
        full = f"{before} {name}".strip()
        shown = {"1": hull, "2": name, "3": f"{name} ({hull})", "4": f"{before} {hull}", "5": before, "6": full}
        return shown.get(form) or (f"{full} ({hull})" if hull else full)

    return rule


def _class_of_ship(call: Call) -> str | None:
    """``{{sclass|Nimitz|aircraft carrier}}``: Nimitz-class aircraft carrier."""
    name, kind, form = call.get("1"), call.get("2"), call.get("3")
    if form in ("1", "3", "5"):
        return f"{name} class" if form != "3" else f"{name}-class"
    return f"{name}-class {kind}".rstrip() if name else None


def _last_language_argument(call: Call) -> str:
    """``{{transl|ar|ALA|Allāh}}``: the last argument; before it come a language and a standard."""
    given = [value for value in call.positional if value]
    return call.first("text") or (given[-1] if given else "")


def _in_language(call: Call) -> str:
    """``{{lang|fr|texte}}``, ``{{langue|texte=...}}``: the words after the code of their language."""
    given = call.positional
    if call.first("text", "texte", "texto", "testo"):
        return call.first("text", "texte", "texto", "testo")
    if len(given) > 1 and _LANGUAGE.fullmatch(given[0]):
        return given[1]
    return call.get("2") or ("" if given and _LANGUAGE.fullmatch(given[0]) else call.get("1"))


def _scripts(call: Call) -> str:
    """``{{zh|s=...|t=...|p=...}}``, ``{{korean|hangul=...|rr=...}}``: each way to write it."""
    skipped = {"labels", "links", "first", "scase", "out", "lang", "label", "link", "context"}
    named = [
        value for key, value in call.named.items() if key not in skipped and value not in ("no", "yes", "off", "on")
    ]
    return "; ".join(filter(None, [*call.positional, *named]))


def _link_between_wikis(call: Call) -> str:
    """``{{ill|Target|de|Ziel|lt=label}}`` and its likes: the label, else the target."""
    return call.first("lt", "label", "texte", "fr", "text", "texto", "testo", "текст", "display", "1", "trad")


def _music(call: Call) -> str:
    return _MUSIC.get(call.get("1").lower(), call.get("1"))


def _chosen(call: Call) -> str:
    """``{{#if:condition|then|else}}``."""
    return call.get("2") if call.get("1") else call.get("3")


def _case(change: Callable[[str], str]) -> Callable[[str], Rule]:
    return lambda _: lambda call: change(call.get("1"))


def _century(pattern: str) -> Rule:
    """``{{s|XIX}}``, ``{{siglo|XIX}}``: Roman numbers in the pattern, where ``e`` stands for what French appends to them."""

    def rule(call: Call) -> str | None:
        numbers = [
            value.upper() for value in call.positional if _ROMAN.fullmatch(value) and value not in ("e", "s", "er")
        ]
        if not numbers:
            return call.get("1") or None
        shown = [f"{value}{'er' if value == 'I' else 'e'}" if call.wiki.base == "fr" else value for value in numbers]
        joined = " et ".join(shown) if call.wiki.base == "fr" else "-".join(shown)
        return pattern.replace("#", joined).replace("siècle", "siècles" if len(shown) > 1 else "siècle")

    return rule


def _aside(separator: str) -> Rule:
    """``{{IPA|de|[x]}}``, ``{{IPAc-en|k|æ|t}}``: how a word is spoken."""

    def rule(call: Call) -> str:
        given = [value for value in call.positional if value]
        while len(given) > 1 and _LANGUAGE.fullmatch(given[0]) and separator == "first":
            given = given[1:]
        if separator == "first":
            return Aside(given[0] if given else "")
        sounds = [value for value in given if not _LANGUAGE_OF_SOUND.fullmatch(value)]
        return Aside(f"/{''.join(sounds)}/" if separator == "sounds" else "-".join(sounds))

    return rule


def _coordinates(call: Call) -> str:
    """``{{coord|13|19|N|169|9|W}}``: degrees, minutes and seconds, where they stand in the text."""
    if call.get("display").startswith("t"):
        return ""
    shown = ""
    signs = "°′″"
    for value in call.positional:
        if value.upper() in ("N", "S", "E", "W", "O"):
            shown, signs = f"{shown}{value.upper()} ", "°′″"
        elif re.fullmatch(r"-?[\d.]+", value) and signs:
            shown, signs = f"{shown}{value}{signs[0]}", signs[1:]
        else:
            break
    return Aside(shown.strip() if shown.endswith(" ") else shown.replace("°", "°, ").replace("′", "°").strip(" ,"))


def _spanish_century(call: Call) -> str | None:
    """``{{siglo|XIX||s}}``, ``{{siglo|II|a}}``: the number, with the word and the era where they are asked for."""
    word = {"s": "siglo ", "S": "Siglo "}.get(call.get("3"), "")
    era = {"a": " a. C.", "d": " d. C."}.get(call.get("2").lower()[:1], "")
    return f"{word}{call.get('1').upper()}{era}" if call.get("1") else None


def _nothing_known(call: Call) -> None:
    """What only the wiki itself can know: an age today, an inflated sum, a population from its data."""


def _plain(rule: Rule) -> Callable[[str], Rule]:
    return lambda _: rule


FUNCTIONS: dict[str, Callable[[str], Rule]] = {
    "aside": _aside,
    "coordinates": _plain(_coordinates),
    "spanish_century": _plain(_spanish_century),
    "as_of": _plain(as_of), "birth_and_death": _plain(birth_and_death), "biography": _plain(biography),
    "century": _century, "chosen": _plain(_chosen), "class_of_ship": _plain(_class_of_ship), "convert": _plain(measures.convert),
    "currency": _plain(measures.currency), "date": lambda _: date_of, "duration": _plain(measures.duration),
    "formatnum": _plain(measures.formatted), "fraction": _plain(measures.fraction), "height": _plain(measures.height),
    "in_language": _plain(_in_language), "last": _plain(_last_language_argument), "link": _plain(_link_between_wikis),
    "lower": _case(str.lower), "money": measures.money, "music": _plain(_music), "old_style": _plain(old_style),
    "percentage": _plain(measures.percentage), "power": _plain(measures.power), "scripts": _plain(_scripts), "ship": _ship,
    "temperature": _plain(measures.temperature), "title": _plain(lambda call: call.title or None), "unit": _plain(measures.with_unit),
    "unknowable": _plain(_nothing_known), "upper": _case(str.upper), "upper_first": _case(lambda text: text[:1].upper() + text[1:]),
    "value": _plain(measures.value),
}  # fmt: skip
