"""English inflection by rule, with the irregular forms that the vocabulary needs."""

from __future__ import annotations

import re

from omni_ray.synth.words import listed

_PLURALS = {
    "goose": "geese", "mouse": "mice", "ox": "oxen", "sheep": "sheep", "deer": "deer", "bison": "bison",
    "moose": "moose", "salmon": "salmon", "trout": "trout", "wolf": "wolves", "calf": "calves", "knife": "knives",
    "shelf": "shelves", "scarf": "scarves", "man": "men", "woman": "women", "child": "children", "potato": "potatoes",
    "tomato": "tomatoes", "hero": "heroes", "volcano": "volcanoes", "barracks": "barracks", "cactus": "cacti",
    "oasis": "oases",
}  # fmt: skip
# Past tense, and past participle where it differs.
_IRREGULAR = {
    "break": "broke broken", "bring": "brought", "build": "built", "buy": "bought", "catch": "caught", "cut": "cut",
    "draw": "drew drawn", "find": "found", "forget": "forgot forgotten", "give": "gave given", "grind": "ground",
    "hang": "hung", "hide": "hid hidden", "hold": "held", "keep": "kept", "lose": "lost", "make": "made",
    "sell": "sold", "send": "sent", "shake": "shook shaken", "show": "showed shown", "steal": "stole stolen",
    "throw": "threw thrown", "wear": "wore worn", "fly": "flew flown", "kneel": "knelt", "leap": "leapt",
    "ride": "rode ridden", "rise": "rose risen", "run": "ran run", "sink": "sank sunk", "sit": "sat",
    "slide": "slid", "sleep": "slept", "spin": "spun", "stand": "stood", "swim": "swam swum", "swing": "swung",
    "wake": "woke woken", "say": "said", "feel": "felt", "hear": "heard", "know": "knew known", "see": "saw seen",
    "think": "thought", "understand": "understood", "travel": "travelled", "go": "went gone", "take": "took taken",
    "begin": "began begun", "write": "wrote written", "read": "read", "tell": "told", "win": "won", "eat": "ate eaten",
}  # fmt: skip
_DOUBLING = set(
    listed("drop wrap stir skip slip stop grab plan permit transmit transfer unwrap flat hot sad slim thin wet")
)
_VOWELS = "aeiou"


def plural(noun: str) -> str:
    """The plural of a noun: ``berry`` → ``berries``."""
    if noun in _PLURALS:
        return _PLURALS[noun]
    if re.search(r"(s|x|z|ch|sh)$", noun):
        return noun + "es"
    if noun[-1] == "y" and noun[-2] not in _VOWELS:
        return noun[:-1] + "ies"
    return noun + "s"


def third(verb: str) -> str:
    """The third person of the present: ``carry`` → ``carries``."""
    if verb == "go":
        return "goes"
    return plural(verb) if verb not in _PLURALS else verb + "s"


def _suffixed(stem: str, suffix: str) -> str:
    """``stem`` with a suffix that begins with a vowel, spelled by the usual rules."""
    if stem in _DOUBLING:
        return stem + stem[-1] + suffix
    if stem.endswith("e") and not (suffix == "ing" and stem.endswith(("ee", "ye", "oe"))):
        if suffix == "ing" and stem.endswith("ie"):
            return stem[:-2] + "ying"
        return stem[:-1] + suffix
    if stem[-1] == "y" and stem[-2] not in _VOWELS and suffix != "ing":
        return stem[:-1] + "i" + suffix
    return stem + suffix


def past(verb: str) -> str:
    """The simple past: ``carry`` → ``carried``, ``buy`` → ``bought``."""
    return _IRREGULAR[verb].split()[0] if verb in _IRREGULAR else _suffixed(verb, "ed")


def participle(verb: str) -> str:
    """The past participle: ``hide`` → ``hidden``."""
    return _IRREGULAR[verb].split()[-1] if verb in _IRREGULAR else _suffixed(verb, "ed")


def gerund(verb: str) -> str:
    """The form in -ing: ``make`` → ``making``."""
    if verb == "travel":
        return "travelling"
    doubled = {"cut", "forget", "run", "sit", "spin", "swim", "begin", "win"}
    return verb + verb[-1] + "ing" if verb in doubled else _suffixed(verb, "ing")


def comparative(adjective: str, short: bool) -> str:
    """``calm`` → ``calmer``; with ``short`` false, ``careful`` → ``more careful``."""
    return _suffixed(adjective, "er") if short else f"more {adjective}"


def superlative(adjective: str, short: bool) -> str:
    """``calm`` → ``calmest``; with ``short`` false, ``careful`` → ``most careful``."""
    return _suffixed(adjective, "est") if short else f"most {adjective}"


def with_article(phrase: str) -> str:
    """``an apple``, ``a horse``, ``a university``, ``an hour``."""
    if re.match(r"hour|honest|heir", phrase):
        return f"an {phrase}"
    if re.match(r"uni(?!n)|use|usu|eu|one\b|once|ewe", phrase):
        return f"a {phrase}"
    return f"an {phrase}" if phrase[0].lower() in _VOWELS else f"a {phrase}"


def capitalised(sentence: str) -> str:
    """The sentence with its first letter in upper case."""
    return sentence[:1].upper() + sentence[1:]
