"""Noun phrases and the like: what sentences of every kind are made of."""

from __future__ import annotations

from random import Random

from omni_ray.synth import names, words
from omni_ray.synth.morphology import plural, with_article
from omni_ray.synth.numerals import in_words

_POSITIONS = words.listed("""
above across against along around behind below beneath beside beyond by inside near opposite outside over past through
towards under
""")


def adjective(r: Random) -> str:
    """Any adjective."""
    return r.choice(words.ADJECTIVES)


def colour(r: Random) -> str:
    """A colour, sometimes with its shade."""
    shade = r.choice(("light ", "dark ", "pale ", "bright ", "", "", "", "", ""))
    return shade + r.choice(words.COLOURS)


def thing(r: Random) -> str:
    """A noun for something that can be held, with up to two adjectives: ``dusty brass bell``."""
    noun = r.choice(words.THINGS)
    if r.random() < 0.25:
        noun = f"{r.choice(words.MATERIALS)} {noun}"
    elif r.random() < 0.15:
        noun = f"{colour(r)} {noun}"
    return f"{adjective(r)} {noun}" if r.random() < 0.55 else noun


def some_thing(r: Random) -> str:
    """A thing with its article or number: ``the dusty brass bell``, ``seven kites``."""
    roll = r.random()
    if roll < 0.45:
        return f"the {thing(r)}"
    if roll < 0.7:
        return with_article(thing(r))
    noun = plural(r.choice(words.THINGS))
    if roll < 0.85:
        return f"{in_words(r.randint(2, 20))} {noun}"
    return f"{r.choice(('several', 'many', 'a few', 'some', 'most of the', 'all the'))} {adjective(r)} {noun}"


def living(r: Random) -> str:
    """Somebody or some animal, with its article."""
    noun = r.choice(r.choice((words.ANIMALS, words.JOBS, words.PEOPLE)))
    return f"the {adjective(r)} {noun}" if r.random() < 0.45 else f"the {noun}"


def who(r: Random) -> str:
    """The subject of a sentence: a person by name or by kind, or an animal."""
    roll = r.random()
    if roll < 0.3:
        return names.given(r)
    if roll < 0.55:
        return names.person(r)
    return living(r)


def where(r: Random) -> str:
    """A place adverbial: ``behind the old mill``, ``in Branford``."""
    roll = r.random()
    if roll < 0.35:
        return f"{r.choice(_POSITIONS)} the {r.choice(words.BUILDINGS)}"
    if roll < 0.6:
        return f"{r.choice(_POSITIONS)} the {adjective(r)} {r.choice(words.LANDSCAPES)}"
    if roll < 0.85:
        return f"{r.choice(('in', 'near', 'outside'))} {names.place(r)}"
    return f"{r.choice(_POSITIONS)} the {r.choice(words.THINGS)}"


def when(r: Random) -> str:
    """A time adverbial: ``on Tuesday``, ``at half past six``, ``last winter``."""
    roll = r.randrange(7)
    if roll == 0:
        return f"on {r.choice(words.DAYS)}"
    if roll == 1:
        return f"at {r.choice(('half past', 'quarter past', 'quarter to'))} {in_words(r.randint(1, 12))}"
    if roll == 2:
        return f"at {r.randint(0, 23):02d}:{r.randrange(0, 60, 5):02d}"
    if roll == 3:
        return f"in {r.choice(words.MONTHS)}"
    if roll == 4:
        return f"{r.choice(('last', 'every', 'early one', 'late one'))} {r.choice((*words.SEASONS, 'week', 'morning'))}"
    if roll == 5:
        number = r.randint(2, 40)
        return f"{in_words(number)} {r.choice(('days', 'weeks', 'months', 'years', 'hours', 'minutes'))} ago"
    return f"{r.choice(('before', 'after', 'during'))} the {r.choice(words.EVENTS)}"
