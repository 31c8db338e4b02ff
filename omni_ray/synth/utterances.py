"""What is said in the synthetic clips: short sentences without punctuation, spelled as they are spoken."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from omni_ray.synth import names, words
from omni_ray.synth.morphology import past, plural, with_article
from omni_ray.synth.numerals import in_words, ordinal_in_words

_SHORT_WORDS = [word for word in words.SHORT_ADJECTIVES if len(word) <= 6]
_SHORT_THINGS = [word for word in (*words.THINGS, *words.ANIMALS, *words.FOODS) if len(word) <= 7]


def _who(r: Random) -> str:
    if r.random() < 0.4:
        return names.plain_given(r)
    return f"the {r.choice(r.choice((words.ANIMALS, words.JOBS, words.PEOPLE)))}"


def _did(r: Random) -> str:
    return f"{_who(r)} {past(r.choice(words.HANDLING_VERBS))} the {r.choice(_SHORT_THINGS)}"


def _moved(r: Random) -> str:
    place = r.choice(r.choice((words.BUILDINGS, words.LANDSCAPES)))
    return f"{_who(r)} {past(r.choice(words.MOTION_VERBS))} {r.choice(('near', 'behind', 'by', 'past'))} the {place}"


def _is(r: Random) -> str:
    return f"the {r.choice(_SHORT_THINGS)} is {r.choice(_SHORT_WORDS)} and {r.choice(_SHORT_WORDS)}"


def _count(r: Random) -> str:
    return f"{in_words(r.randint(2, 99))} {r.choice(_SHORT_WORDS)} {plural(r.choice(_SHORT_THINGS))}"


def _sum(r: Random) -> str:
    a, b = r.randint(1, 12), r.randint(1, 12)
    return f"{in_words(a)} and {in_words(b)} make {in_words(a + b)}"


def _time(r: Random) -> str:
    return f"it is {r.choice(('half past', 'quarter past', 'quarter to'))} {in_words(r.randint(1, 12))}"


def _day(r: Random) -> str:
    order = r.choice(("call", "meet", "visit", "write to"))
    return f"{order} {names.plain_given(r)} on {r.choice(words.DAYS)}"


def _date(r: Random) -> str:
    return f"the {ordinal_in_words(r.randint(1, 28))} of {r.choice(words.MONTHS)}"


def _order(r: Random) -> str:
    return f"please {r.choice(words.HANDLING_VERBS)} the {r.choice(_SHORT_WORDS)} {r.choice(_SHORT_THINGS)}"


def _forbid(r: Random) -> str:
    return f"don't {r.choice(words.HANDLING_VERBS)} my {r.choice(_SHORT_THINGS)}"


def _name(r: Random) -> str:
    name = names.accented_given(r) if r.random() < 0.2 else names.plain_given(r)
    return f"my name is {name}" if r.random() < 0.5 else f"{name} has {with_article(r.choice(_SHORT_THINGS))}"


def _turn(r: Random) -> str:
    return f"turn {r.choice(('left', 'right', 'back'))} at the {r.choice(words.BUILDINGS)}"


def _weather(r: Random) -> str:
    return f"{r.choice(words.WEATHER)} and {r.choice(words.WEATHER)} on {r.choice(words.DAYS)}"


_KINDS: tuple[Callable[[Random], str], ...] = (
    _did, _did, _moved, _moved, _is, _count, _sum, _time, _day, _date, _order, _forbid, _name, _turn, _weather,
)  # fmt: skip


def utterance(r: Random, longest: int) -> str:
    """A sentence of at most ``longest`` characters (at least 24): letters and apostrophes, rarely an accent."""
    while True:
        text = r.choice(_KINDS)(r)
        if len(text) <= longest:
            return text
