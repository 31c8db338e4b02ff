"""Templates that no table knows: what becomes of them, by their position.

A template alone on its line is a box. One that is attached to a word or follows the end of a sentence is a note. One in
the middle of a sentence is a part of it: its first plain argument is shown. Where there is none, the sentence is
dropped, because a sentence without its number or subject is worse than none.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

from omni_ray.sources.wikitext.marks import APART, HOLE, LOST
from omni_ray.sources.wikitext.rules import Call

SHOWN, NOTES, SENTENCES = "templates_shown_by_guess", "templates_taken_for_notes", "sentences_left_out"
BOXES, FORMULAS = "templates_taken_for_boxes", "formulas_left_out"
"""What is counted, and added up in the manifest."""

UNKNOWN = "unknown"
NOTE = "note"
"""It has named arguments only, as notes for editors have."""
ASIDE = "aside"
"""A table knows it: a sentence can do without it where it stands in brackets."""
NEEDED = "needed"
"""A table knows it, and says that only the wiki can know what it shows."""
BOX = "box"
"""It begins a line and has several."""
FORMULA = "formula"
"""It is not a template, but TeX that plain characters cannot express."""

_MAX_GUESS_CHARS = 120
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z]+)*")
_NUMBER = re.compile(r"[-+\u2212]?[\d.,\u00a0 ]*\d")
_UNIT = re.compile(r"[^\W\d_]{1,6}[/.]?[^\W\d_]{0,3}[23²³]?|[%‰°$€£¥]\w?")
_NOT_PLAIN = re.compile(r"[={}<>\n]|://|\.(?:jpe?g|png|svg|gif|ogg|webm)\b", re.IGNORECASE)
_FORMATTING = re.compile(r"'{2,}|</?[A-Za-z][^<>]*>|\[\[|\]\]")
# Names that are what they show: {{Louis XIV}}, {{XIXe siècle}}, {{1re}}, {{1er janvier}}, {{NATO}}, {{SO2}}.
_NAME_IS_TEXT = re.compile(
    r"[^\W\d_][\w .'-]* [IVX]+(?:er)?|[IVX]+(?:er|re|e)?(?: \w+)?|\d+\w{1,3}(?: \w+){0,2}|[A-Z]{2,6}\d?"
)
_ENDED = re.compile(r"[.!?…。！？]['\"”’»)\]]*\s*\Z")
_SENTENCE_END = re.compile(r"(?<=[.!?…])['\"”’»)\]]*\s+|(?<=[。！？])")
_ABBREVIATION = re.compile(
    r"\b(?:[^\W\d_]|Mrs?|Ms|Drs?|St|Ste|Prof|Gen|Col|Capt|Lt|Sgt|Rev|Hon|Jr|Sr|No|Nos|vs|ca|cf|etc|approx|fl|vol|pp|Inc|Ltd|Co"
    r"|Nr|bzw|usw|geb|gest|bzgl|Mme|Mlle|Sra?|Dra|Sig|Ing|núm|nr|ul|tzw|ул|рис|стр|тыс|млн|гг?|им)\.\Z"
)
_OPENING = " \t\u00a0([{\"'“„«‘‚—–-/＜「『（《"


@dataclass(frozen=True)
class Unknown:
    """A template that stands in a page and whose text is not known.

    Attributes:
        name: as it is written.
        guess: what is shown if it turns out to be part of a sentence; None where nothing can be.
        kind: one of the six above.
    """

    name: str
    guess: str | None
    kind: str


def first_words(name: str, call: Call) -> str | None:
    """What an unknown template most likely shows: its first plain argument, a number with its unit.

    Without arguments it may be named for what it shows.
    """
    given = [value for value in map(call.get, "123") if value]
    if not given:
        return name if _NAME_IS_TEXT.fullmatch(name) and not call.named else None
    if len(given) > 1 and _NUMBER.fullmatch(given[0]) and _UNIT.fullmatch(given[1]):
        return f"{given[0]} {given[1]}"
    if len(given) > 1 and _LANGUAGE.fullmatch(given[0]):
        given = given[1:]
    value = given[0]
    if len(value) > _MAX_GUESS_CHARS or _NOT_PLAIN.search(HOLE.sub("", value)) or not re.search(r"\w", value):
        return None
    return value


def fill_holes(text: str, unknown: list[Unknown], counts: Counter[str]) -> str:
    """``text`` with every hole shown, left empty or marked as a loss."""
    for _ in range(3):  # A guess may hold another hole.
        if not HOLE.search(text):
            return text
        text = "\n".join(_line(line, unknown, counts) if "\ue000" in line else line for line in text.split("\n"))
    return HOLE.sub("", text)


def _line(line: str, unknown: list[Unknown], counts: Counter[str]) -> str:
    if not re.search(r"\w", HOLE.sub("", line)):
        for match in HOLE.finditer(line):
            _left_out(unknown[int(match[1])], counts)
        return HOLE.sub("", line)
    done = ""
    position = 0
    for match in HOLE.finditer(line):
        done += line[position : match.start()]
        position = match.end()
        after = HOLE.sub("", line[position:])
        done += _shown(unknown[int(match[1])], done, after, counts)
    return done + line[position:]


def _shown(template: Unknown, before: str, after: str, counts: Counter[str]) -> str:
    visible = _FORMATTING.sub("", before).lstrip("*#:; \t")
    following = _FORMATTING.sub("", after)
    attached = bool(visible) and visible[-1] not in _OPENING
    if template.kind == BOX or (not visible and (after.lstrip().startswith("'''") or not following.strip())):
        return _left_out(template, counts)  # A hint above the article, or a box.
    ended = bool(_ENDED.search(visible)) and not re.search(r"\w", following)
    if template.kind == ASIDE:
        in_brackets = max(before.rfind("("), before.rfind("（")) > max(before.rfind(")"), before.rfind("）"))
        return "" if in_brackets or ended else APART + (template.guess or "")
    is_note = template.kind not in (NEEDED, FORMULA) and (
        template.kind == NOTE
        or ended
        or (attached and not visible[-1].isdigit() and not following[:1].isalnum())
        or (template.guess is None and _between_sentences(visible, following))
    )
    if is_note:
        counts[NOTES] += 1
        return ""
    if template.guess is None:
        counts[SENTENCES] += 1
        return LOST
    counts[SHOWN] += 1
    return APART + template.guess


def _left_out(template: Unknown, counts: Counter[str]) -> str:
    """What is shown of a template, or a formula, that is alone on its line."""
    if template.kind != ASIDE:
        counts[FORMULAS if template.kind == FORMULA else BOXES] += 1
    return ""


def _between_sentences(visible: str, following: str) -> bool:
    start = following.lstrip()[:1]
    return (not visible or bool(_ENDED.search(visible))) and not start.islower()


def without_lost_sentences(line: str) -> str:
    """``line`` without the sentences that miss something."""
    if LOST not in line:
        return line
    ends = [match.end() for match in _SENTENCE_END.finditer(line) if _is_end(line, match)]
    parts = [line[start:end] for start, end in pairwise([0, *ends, len(line)])]
    return "".join(part for part in parts if LOST not in part).strip()


def _is_end(line: str, stop: re.Match[str]) -> bool:
    """Whether a sentence ends there: not after ``Mr.`` or an initial, and not before a lower-case letter."""
    return not line[stop.end() : stop.end() + 1].islower() and not _ABBREVIATION.search(line, 0, stop.start())
