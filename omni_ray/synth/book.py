"""English to draw from: the sentences of a book in the public domain, its words, and what is made from them.

``text/PROVENANCE.txt`` says which book and what was left out of it.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from random import Random

from omni_ray.synth.seeds import stream

LINE_LENGTH = (130, 250)
"""A line gets sentences until it has a length drawn from this range, in characters."""
_STRIDE = 16_570_577
"""A prime: steps of it visit every pair of sentences once, and far from the one before."""
_SHORTEST_UTTERANCE = 12


@cache
def sentences() -> list[str]:
    """The sentences, of 30 to 250 characters, in the order of the book."""
    return (files("omni_ray.synth") / "text" / "moby-dick.txt").read_text("utf-8").splitlines()


@cache
def words() -> list[str]:
    """The different words of three to twelve plain letters, in lower case, sorted."""
    found = re.findall(r"\b[a-z]{3,12}\b", "\n".join(sentences()).lower())
    return sorted(set(found))


def word(r: Random) -> str:
    """One word of plain letters, in any case."""
    text = r.choice(words())
    return r.choice((text, text, text.capitalize(), text.upper(), text.upper()))


def name(r: Random) -> str:
    """A name for a person, a place or a book: ``Whale Lantern``."""
    return f"{r.choice(words())} {r.choice(words())}".title()


def passage(r: Random, length: int) -> str:
    """Sentences until there are at least ``length`` characters, joined by spaces."""
    return _longer(r.choice(sentences()), r, length)


def _longer(text: str, r: Random, length: int) -> str:
    while len(text) < length:
        text += " " + r.choice(sentences())
    return text


def make_text(seed: int, start: int, stop: int) -> list[str]:
    """Lines ``start`` to ``stop - 1`` of the text corpus.

    Returns:
        Passages of two sentences or more without line breaks; each depends on ``seed`` and its index only. No two of
        the first 26 million begin with the same two sentences.
    """
    pool = sentences()
    first_pair = stream(seed, "text", -1).randrange(len(pool) ** 2)
    lines = []
    for index in range(start, stop):
        first, second = divmod((first_pair + index * _STRIDE) % len(pool) ** 2, len(pool))
        r = stream(seed, "text", index)
        lines.append(_longer(f"{pool[first]} {pool[second]}", r, r.randint(*LINE_LENGTH)))
    return lines


def utterance(r: Random, longest: int) -> str:
    """Words that follow each other in a sentence, 12 to ``longest`` characters: lower case, apostrophes, no more."""
    while True:
        spoken = re.findall(r"[a-z]+(?:'[a-z]+)*", r.choice(sentences()).lower().replace("’", "'"))
        spoken = spoken[r.randrange(len(spoken)) :]
        length = r.randint(_SHORTEST_UTTERANCE, longest)
        while len(text := " ".join(spoken)) > length:
            spoken.pop()
        if len(text) >= _SHORTEST_UTTERANCE:
            return text
