"""A grammar of English sentences over a large vocabulary, and the text corpus that it makes.

``make_text(seed, start, stop)`` gives the lines ``start`` to ``stop - 1``: each a short passage of two to five
sentences, about two hundred characters long.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from omni_ray.synth import names, words
from omni_ray.synth.morphology import (
    capitalised,
    comparative,
    gerund,
    participle,
    past,
    plural,
    superlative,
    third,
    with_article,
)
from omni_ray.synth.numerals import date, in_words, ordinal, quantity
from omni_ray.synth.phrases import adjective, colour, living, some_thing, thing, when, where, who
from omni_ray.synth.seeds import stream

LINE_LENGTH = (130, 250)
"""A line gets sentences until it has a length drawn from this range, in characters."""


def _handled(r: Random) -> str:
    return f"{capitalised(who(r))} {past(r.choice(words.HANDLING_VERBS))} {some_thing(r)} {where(r)}."


def _handled_when(r: Random) -> str:
    return (
        f"{capitalised(when(r))}, {who(r)} {r.choice(words.MANNER)} {past(r.choice(words.HANDLING_VERBS))} "
        f"{some_thing(r)}."
    )


def _moved(r: Random) -> str:
    return f"{capitalised(who(r))} {past(r.choice(words.MOTION_VERBS))} {r.choice(words.MANNER)} {where(r)}."


def _two_actions(r: Random) -> str:
    joint = r.choice((", and", ", but", " while", " because", ", so", " until", " before", " after", " although"))
    first = f"{capitalised(who(r))} {past(r.choice(words.MOTION_VERBS))} {where(r)}"
    return f"{first}{joint} {living(r)} {past(r.choice(words.HANDLING_VERBS))} {some_thing(r)}."


def _passive(r: Random) -> str:
    return (
        f"The {thing(r)} was {participle(r.choice(words.HANDLING_VERBS))} by {who(r)} "
        f"{r.choice(('', '', f'in {r.randint(1700, 2025)}', where(r)))}".rstrip()
        + "."
    )


def _abstract(r: Random) -> str:
    first, second = r.sample(words.ABSTRACT, 2)
    verb = third(r.choice(words.PROCESS_VERBS))
    return (
        f"{capitalised(adjective(r))} {first} {r.choice(('often', 'rarely', 'always', 'sometimes'))} {verb} {second}."
    )


def _belief(r: Random) -> str:
    abstract = r.choice(words.ABSTRACT)
    return (
        f"{capitalised(who(r))} {past(r.choice(words.MENTAL_VERBS))} that the {abstract} of the "
        f"{r.choice(words.JOBS)} was {adjective(r)}."
    )


def _study(r: Random) -> str:
    subject, other = r.sample(words.SUBJECTS, 2)
    job = r.choice(words.JOBS)
    return (
        f"{names.person(r)}, {with_article(job)} from {names.place(r)}, studied {subject} and {other} before "
        f"{gerund(r.choice(words.PROCESS_VERBS))} the {r.choice(words.ABSTRACT)} of {plural(r.choice(words.JOBS))}."
    )


def _founded(r: Random) -> str:
    building = r.choice(words.BUILDINGS)
    return f"The {building} {where(r)} was {r.choice(('opened', 'built', 'founded', 'sold', 'closed'))} on {date(r)}."


def _place_fact(r: Random) -> str:
    one, two = names.place(r), names.place(r)
    return (
        f"{one} lies {r.randint(2, 900)} {r.choice(('kilometres', 'miles'))} {r.choice(words.DIRECTIONS)} of {two} "
        f"and has about {quantity(r)} inhabitants."
    )


def _landscape(r: Random) -> str:
    return (
        f"A {r.choice(words.SHORT_ADJECTIVES)} {r.choice(words.LANDSCAPES)} runs along the "
        f"{r.choice(words.LANDSCAPES)}, where {plural(r.choice(words.ANIMALS))} and {plural(r.choice(words.ANIMALS))} "
        f"live among the {plural(r.choice(words.PLANTS))}."
    )


def _kind(r: Random) -> str:
    nouns, kind = r.choice(
        (
            (words.ANIMALS, "animal"),
            (words.FOODS, "kind of food"),
            (words.JOBS, "person with a trade"),
            (words.BUILDINGS, "building or place of work"),
            (words.PLANTS, "plant"),
            (words.LANDSCAPES, "feature of the landscape"),
        )
    )
    noun = r.choice(nouns)
    return f"{capitalised(with_article(noun))} is {with_article(kind)}; the plural is {plural(noun)}."


def _comparison(r: Random) -> str:
    short = r.random() < 0.5
    word = r.choice(words.SHORT_ADJECTIVES if short else words.LONG_ADJECTIVES)
    if r.random() < 0.3:
        return (
            f"This is the {superlative(word, short)} {r.choice(words.THINGS)} that {names.given(r)} has ever "
            f"{participle(r.choice(words.MENTAL_VERBS))} of."
        )
    return f"{capitalised(living(r))} is {comparative(word, short)} than {living(r)} {where(r)}."


def _colours(r: Random) -> str:
    return f"The {r.choice(words.THINGS)} is {colour(r)}, the {r.choice(words.THINGS)} is {colour(r)}."


def _sum(r: Random) -> str:
    a, b = r.randint(2, 999), r.randint(2, 999)
    roll = r.randrange(4)
    if roll == 0:
        return f"If you add {a} and {b}, you get {a + b}."
    if roll == 1:
        return f"{capitalised(in_words(a))} plus {in_words(b)} is {in_words(a + b)}."
    if roll == 2:
        a, b = a % 100 + 2, b % 20 + 2
        return f"{a} times {b} equals {a * b:,}."
    x, a = r.randint(1, 30), r.randint(2, 9)
    return f"Math problem: solve for x in {a}x + {b} = {a * x + b}; the answer is x = {x}."


def _recipe(r: Random) -> str:
    one, two = r.sample(words.INGREDIENTS, 2)
    return (
        f"To make {with_article(r.choice(words.DISHES))}, mix {r.randint(2, 500)} {r.choice(words.UNITS)} of {one} "
        f"with {r.randint(2, 90)} {r.choice(words.UNITS)} of {two} and bake for {r.randint(5, 120)} minutes."
    )


def _price(r: Random) -> str:
    item = plural(r.choice(r.choice((words.FOODS, words.THINGS))))
    coin = r.choice(("$", "€", "£"))
    price = f"{coin}{r.randint(1, 400)}.{r.randrange(100):02d}"
    return f"{capitalised(in_words(r.randint(2, 99)))} {item} cost {price} {where(r)}."


def _weather(r: Random) -> str:
    first, second = r.sample(words.WEATHER, 2)
    return (
        f"{capitalised(first)} and {second} are expected in {names.place(r)} on {r.choice(words.DAYS)}, with a high of "
        f"{r.randint(-15, 38)} degrees."
    )


def _dialogue(r: Random) -> str:
    asked, told = names.given(r), names.given(r)
    return (
        f"“Where is the {thing(r)}?” {r.choice(('asked', 'whispered', 'shouted'))} {asked}. "
        f"“It is {where(r)},” {past(r.choice(words.SPEECH_VERBS))} {told}."
    )


def _speech(r: Random) -> str:
    return (
        f"“I {r.choice(words.MENTAL_VERBS)} the {r.choice(words.ABSTRACT)},” {past(r.choice(words.SPEECH_VERBS))} "
        f"{who(r)}, “but we must {r.choice(words.PROCESS_VERBS)} the {r.choice(words.ABSTRACT)} first.”"
    )


def _advice(r: Random) -> str:
    return (
        f"{r.choice(('Never', 'Always', 'Please', 'Do not'))} {r.choice(words.HANDLING_VERBS)} {some_thing(r)} when "
        f"{living(r)} is {gerund(r.choice(words.MOTION_VERBS))}!"
    )


def _condition(r: Random) -> str:
    return (
        f"If {who(r)} {third(r.choice(words.MOTION_VERBS))} {where(r)}, {living(r)} will "
        f"{r.choice(words.HANDLING_VERBS)} {some_thing(r)}."
    )


def _question(r: Random) -> str:
    verb = r.choice(words.HANDLING_VERBS)
    return f"{r.choice(('Why', 'When', 'How', 'Where'))} did {who(r)} {verb} {some_thing(r)}?"


def _firm(r: Random) -> str:
    return (
        f"{names.firm(r)} {r.choice(('makes', 'sells', 'repairs', 'exports'))} {adjective(r)} "
        f"{plural(r.choice(words.THINGS))} and employs {r.randint(2, 9000):,} people in {names.place(r)}."
    )


def _match(r: Random) -> str:
    won, lost = sorted((r.randint(0, 9), r.randint(0, 9)), reverse=True)
    verb = "drew against" if won == lost else "beat"
    contest = f"{ordinal(r.randint(1, 120))} {r.choice(words.CONTESTS)}"
    return f"{names.place(r)} {verb} {names.place(r)} {won} to {lost} in the {contest}."


def _list(r: Random) -> str:
    one, two, three = r.sample(words.THINGS, 3)
    packed = f"{with_article(one)}, {with_article(two)} and {with_article(three)}"
    return f"{names.given(r)} packed {packed} for the {r.choice(words.EVENTS)}."


def _letter(r: Random) -> str:
    return (
        f"Dear {names.person(r)}, thank you for the {r.choice(words.ABSTRACT)} and the {thing(r)} that you "
        f"{past(r.choice(words.HANDLING_VERBS))} {when(r)}."
    )


def _garden(r: Random) -> str:
    return (
        f"The {r.choice(words.PLANTS)} and the {r.choice(words.PLANTS)} grow {r.choice(words.MANNER)} "
        f"{where(r)}, although the {r.choice(words.WEATHER)} can be {adjective(r)}."
    )


_KINDS: tuple[Callable[[Random], str], ...] = (
    _handled, _handled_when, _moved, _two_actions, _passive, _abstract, _belief, _study, _founded, _place_fact,
    _landscape, _kind, _comparison, _colours, _sum, _recipe, _price, _weather, _dialogue, _speech, _advice, _condition,
    _question, _firm, _match, _list, _letter, _garden,
)  # fmt: skip


def sentence(r: Random) -> str:
    """One sentence of any kind."""
    return r.choice(_KINDS)(r)


def passage(r: Random, length: int) -> str:
    """Sentences until there are at least ``length`` characters, joined by spaces."""
    text = sentence(r)
    while len(text) < length:
        text += " " + sentence(r)
    return text


def make_text(seed: int, start: int, stop: int) -> list[str]:
    """Lines ``start`` to ``stop - 1`` of the text corpus.

    Returns:
        Passages without line breaks, about two hundred characters each; each depends on ``seed`` and its index only.
    """
    lines = []
    for index in range(start, stop):
        r = stream(seed, "text", index)
        lines.append(passage(r, r.randint(*LINE_LENGTH)))
    return lines
