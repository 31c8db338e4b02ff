"""Runs of apostrophes: which of them are bold and italics, and which are apostrophes. MediaWiki's own rules."""

from __future__ import annotations

import re

_RUN = re.compile("('{2,})")


def plain_quotes(line: str) -> str:
    """``line`` without its bold and italics."""
    parts = _RUN.split(line)
    runs = [len(run) for run in parts[1::2]]
    for number, length in enumerate(runs):
        if length == 4 or length > 5:
            runs[number] = 3 if length == 4 else 5
            parts[2 * number] += "'" * (length - runs[number])
    bold = sum(length in (3, 5) for length in runs)
    italics = sum(length in (2, 5) for length in runs)
    if bold % 2 and italics % 2:
        _demote(parts, runs)
    return "".join(parts[::2])


def _demote(parts: list[str], runs: list[int]) -> None:
    """Both are unpaired: one run of three is an apostrophe and italics, as in ``l'''amour''``."""
    one_letter = word = spaced = -1
    for number, length in enumerate(runs):
        if length != 3:
            continue
        before = parts[2 * number]
        if before.endswith(" ") or not before:
            spaced = number if spaced < 0 else spaced
        elif before[-2:-1] == " ":
            one_letter = number
            break
        elif word < 0:
            word = number
    chosen = next((number for number in (one_letter, word, spaced) if number >= 0), -1)
    if chosen >= 0:
        parts[2 * chosen] += "'"
