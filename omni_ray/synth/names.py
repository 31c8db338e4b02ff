"""Invented people, places and firms, put together from syllables, so that the vocabulary has a long tail."""

from __future__ import annotations

from random import Random

from omni_ray.synth.words import listed

_GIVEN = listed("""
Ada Adam Agnes Alan Alice Amir Anita Anna Arthur Astrid Bela Ben Bruno Carla Cecil Clara Daniel David Dora Edgar
Edith Elena Elias Ella Emil Emma Erik Esther Eva Felix Fiona Flora Frank Freya George Gita Grace Greta Hana Hannah
Harold Hassan Hector Helen Henry Hugo Ida Igor Ingrid Irene Iris Isaac Ivan Jack Jane Jasper Joan John Julia Karim
Kate Keiko Klara Laila Lars Laura Leah Leo Lena Lily Linus Lucas Lucy Luis Mabel Magda Marco Maria Mark Martha Mary
Max Maya Mei Mina Mira Miriam Nadia Naomi Nina Noah Nora Olga Oliver Omar Oscar Paul Pedro Peter Petra Rachel Rafael
Ravi Rita Robert Rosa Ruth Samuel Sara Sergei Sigrid Simon Sofia Stefan Tara Theo Thomas Tomas Ursula Uma Vera Victor
Viola Walter Wanda Wen Xavier Yara Yusuf Zara
""")
_ACCENTED_GIVEN = listed(
    "André Anaïs Björn Chloé Édith Françoise Håkon Inês Jörg José Léa Mónica Noël René Renée Søren Zoë"
)

_ONSETS = listed("""
b bl br c ch cl cr d dr f fl fr g gl gr h j k kl kr l m n p pl pr r s sh sk sl sm sn sp st str t th tr v w z
""")
_NUCLEI = listed("a a a e e e i i o o u ai ea ee ei ia io oa oo ou")
_CODAS = ["", "", "", "l", "m", "n", "nd", "nt", "r", "rd", "rk", "rn", "s", "st", "ss", "t", "x", "ck", "lm", "ld"]
_SURNAME_ENDS = listed("""
sen son ton well ford ley man er ing ski ova ini etti ez ard ault berg feld stein wood worth bridge croft gate
""")
_PLACE_ENDS = listed("""
borough bourne bridge burg bury by cester dale field ford gate ham haven hill holm hurst land leigh ley mere minster
mont mouth pool port side stead stock stow thorpe ton ville wall well wick wold worth ia ona ara essa
""")
_ACCENTED = {"a": "á", "e": "é", "i": "í", "o": "ö", "u": "ü"}
_REGIONS = listed("Bay Falls Heath Hills Island Junction Lake Park Plains Point Springs Valley")
_FIRMS = listed("Brothers Group Holdings Limited Partners Press Society Trust Works Yards Foundry Mills Railway")


def _syllable(r: Random) -> str:
    return r.choice(_ONSETS) + r.choice(_NUCLEI) + r.choice(_CODAS)


def _composed(r: Random, ends: list[str]) -> str:
    """A syllable or two and an ending; about one in forty has an accent."""
    stem = _syllable(r) if r.random() < 0.55 else r.choice(_ONSETS) + r.choice(_NUCLEI) + _syllable(r)
    if r.random() < 0.025:
        vowel = next(letter for letter in stem if letter in _ACCENTED)
        stem = stem.replace(vowel, _ACCENTED[vowel], 1)
    return (stem + r.choice(ends)).capitalize()


def given(r: Random) -> str:
    """A first name; about one in twenty has an accent."""
    return r.choice(_ACCENTED_GIVEN if r.random() < 0.05 else _GIVEN)


def plain_given(r: Random) -> str:
    """A first name in plain letters."""
    return r.choice(_GIVEN)


def accented_given(r: Random) -> str:
    """A first name with an accent."""
    return r.choice(_ACCENTED_GIVEN)


def surname(r: Random) -> str:
    """An invented surname."""
    return _composed(r, _SURNAME_ENDS)


def person(r: Random) -> str:
    """First name and surname."""
    return f"{given(r)} {surname(r)}"


def place(r: Random) -> str:
    """An invented town or region, sometimes of two words."""
    name = _composed(r, _PLACE_ENDS)
    roll = r.random()
    if roll < 0.06:
        return f"{r.choice(('North', 'South', 'East', 'West', 'New', 'Upper', 'Lower', 'Saint'))} {name}"
    return f"{name} {r.choice(_REGIONS)}" if roll < 0.1 else name


def firm(r: Random) -> str:
    """An invented company or institution."""
    return f"{surname(r)} {r.choice(_FIRMS)}" if r.random() < 0.7 else f"{surname(r)} and {surname(r)}"
