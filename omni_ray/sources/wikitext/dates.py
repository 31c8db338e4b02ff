"""Templates of dates."""

from __future__ import annotations

import re

from omni_ray.sources.wikitext.languages import date, month
from omni_ray.sources.wikitext.rules import Call

_ISO = re.compile(r"(\d{4})-(\d{2})(?:-(\d{2}))?(?:[T ].*)?")


def date_of(call: Call) -> str | None:
    """``{{date|14|juillet|2001}}``, ``{{birth date|1950|6|2|df=yes}}``: year first or day first, as the numbers say."""
    given = [call.positional[i] if i < len(call.positional) else "" for i in range(3)]
    named = [
        call.first(*keys)
        for keys in (
            ("year", "año", "année", "jahr", "rok", "ano"),
            ("month", "mes", "mois", "mês"),
            ("day", "día", "dia", "jour"),
        )
    ]
    lang = call.wiki.base or "en"
    if any(named):
        return date(lang, named[0], named[1], named[2])
    iso = _ISO.fullmatch(given[0])
    if iso:
        return date(lang, iso[1], iso[2].lstrip("0"), iso[3] or "", _day_first(call))
    if not given[1] and not given[2]:
        return given[0] or None
    first, second, third = (value.lstrip("0") if value.isdecimal() else value for value in given)
    if _is_year(first) and not _is_year(third):
        return date(lang, first, second, third, _day_first(call))
    if lang == "en" and first.isalpha():
        return date(lang, third, first, second)
    if first.isalpha() and _is_year(second):
        return date(lang, second, first, "")
    return date(lang, third, second, first, day_first=True)


def _day_first(call: Call) -> bool:
    return call.get("df") in ("y", "yes", "1", "true")


def _is_year(text: str) -> bool:
    return text.isdecimal() and (len(text) > 2 or int(text) > 31)


def as_of(call: Call) -> str | None:
    """``{{as of|2010|5}}``: As of May 2010."""
    if call.get("alt"):
        return call.get("alt")
    lower = call.get("lc") in ("y", "yes", "on", "1")
    since = call.get("since") in ("y", "yes", "on", "1")
    words = ("since" if lower else "Since") if since else ("as of" if lower else "As of")
    given = [value for value in call.positional if value]
    if not given:
        return None
    year, number, day = (*given, "", "")[:3]
    when = (
        f"{day.lstrip('0')} {month('en', number.lstrip('0'))} {year}"
        if day
        else f"{month('en', number.lstrip('0'))} {year}"
    )
    return f"{words} {when.strip()}"


def old_style(call: Call) -> str | None:
    """``{{OldStyleDate|20 December|1918|7 December}}``."""
    new, year, old = call.get("1"), call.get("2"), call.get("3")
    return f"{new} [O.S. {old}] {year}".replace(" [O.S. ]", "").strip() or None


def birth_and_death(call: Call) -> str | None:
    """``{{bd|1950年|6月2日|2010年|1月1日}}`` as Chinese wikis use it: born and died."""
    born, died = call.get("1") + call.get("2"), call.get("3") + call.get("4")
    if not born and not died:
        return None
    return f"（{born}－{died}）" if born and died else f"（{born or '？'}－{died}）"
