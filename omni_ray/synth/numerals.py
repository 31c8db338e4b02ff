"""Numbers and dates, in figures and in words."""

from __future__ import annotations

from random import Random

from omni_ray.synth.words import MONTHS, listed

_ONES = listed("""
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
eighteen nineteen
""")
_TENS = listed("- - twenty thirty forty fifty sixty seventy eighty ninety")
_ORDINALS = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth"}
_DAYS_IN_MONTH = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def in_words(n: int) -> str:
    """``n`` from 0 to 999,999 as it is spoken: 342 → ``three hundred and forty two`` (no hyphens)."""
    if n < 20:
        return _ONES[n]
    if n < 100:
        tens = _TENS[n // 10]
        return f"{tens} {_ONES[n % 10]}" if n % 10 else tens
    if n < 1000:
        rest = f" and {in_words(n % 100)}" if n % 100 else ""
        return f"{_ONES[n // 100]} hundred{rest}"
    below = n % 1000
    joint = " and " if 0 < below < 100 else " "
    return f"{in_words(n // 1000)} thousand{joint + in_words(below) if below else ''}"


def ordinal_in_words(n: int) -> str:
    """``n`` from 1 to 99: 21 → ``twenty first``."""
    *front, last = in_words(n).split()
    if last in _ORDINALS:
        last = _ORDINALS[last]
    elif last == "twelve":
        last = "twelfth"
    else:
        last = last[:-1] + "ieth" if last.endswith("y") else last + "th"
    return " ".join([*front, last])


def ordinal(n: int) -> str:
    """21 → ``21st``."""
    suffix = "th" if n % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{suffix}"


def date(r: Random) -> str:
    """A day in one of the usual written forms, to follow "on"."""
    month = r.randrange(12)
    day = r.randint(1, _DAYS_IN_MONTH[month])
    year = r.randint(1650, 2029)
    form = r.randrange(4)
    if form == 0:
        return f"{day} {MONTHS[month]} {year}"
    if form == 1:
        return f"{MONTHS[month]} {day}, {year}"
    if form == 2:
        return f"the {ordinal(day)} of {MONTHS[month]} {year}"
    return f"{year}-{month + 1:02d}-{day:02d}"


def quantity(r: Random) -> str:
    """A number of any size: ``7``, ``480``, ``3,910``, ``2.7 million``."""
    scale = r.random()
    if scale < 0.3:
        return str(r.randint(2, 20))
    if scale < 0.6:
        return str(r.randint(21, 999))
    if scale < 0.9:
        return f"{r.randint(1000, 999_999):,}"
    return f"{r.randint(11, 999) / 10:.1f} million"
