"""Pictures of words, as a reader of signs and labels meets them."""

from __future__ import annotations

import re
from random import Random
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from omni_ray.synth import book
from omni_ray.synth.lettering import FACES, ink_for, set_text
from omni_ray.synth.pictures import Colour, as_jpeg, varied
from omni_ray.synth.seeds import stream

LONGEST = 24
"""Characters."""
_WIDEST = 460
"""Pixels of type before it is turned."""
_CONTRAST = 85
_NUMBERS = ("#", "##", "####", "$##.##", "€#.##", "£###", "##:##", "##%", "##/##/19##", "@@## @@@", "#,###,###")
"""Forms of numbers: ``#`` is a figure, ``@`` a capital letter."""
_PHRASES = ("{} {}", "No {}", "Mind the {}", "Beware of the {}", "{} & Sons", "{} & Co.", "## {} Road", "{} #.##")


class WordImage(NamedTuple):
    """A picture of a word, a number or a short phrase (RGB, of any size, the text wholly inside), and what is written."""

    jpeg: bytes
    label: str


def _number(r: Random, form: str) -> str:
    form = re.sub("#", lambda _: str(r.randrange(10)), form)
    return re.sub("@", lambda _: r.choice("ABCDEFGHJKLMNPRSTUVWXYZ"), form)


def label(r: Random) -> str:
    """A word (seven in ten), a number or a short phrase, of at most 24 characters."""
    while True:
        roll = r.random()
        form = "{}" if roll < 0.7 else r.choice(_NUMBERS if roll < 0.85 else _PHRASES)
        text = _number(r, form).format(book.word(r), book.word(r))
        if len(text) <= LONGEST:
            return text


def ground(r: Random, size: tuple[int, int]) -> tuple[Image.Image, Colour]:
    """A background of ``size``: plain, shaded or streaked; and its colour."""
    grey = r.randrange(20, 236)
    colour = varied((grey, grey, grey), r, r.choice((6, 20, 120)))
    image = Image.new("RGB", size, colour)
    kind = r.randrange(3)
    if kind == 1:
        ramp = Image.linear_gradient("L").rotate(r.choice((0, 90, 180, 270))).resize(size)
        image = Image.composite(Image.new("RGB", size, varied(colour, r, 36)), image, ramp)
    elif kind == 2:
        draw = ImageDraw.Draw(image)
        for _ in range(r.randint(3, 9)):
            ends = [(r.randint(0, size[0]), r.randint(0, size[1])) for _ in range(2)]
            draw.line(ends, fill=varied(colour, r, 26), width=r.randint(1, 9))
    return image, colour


def with_noise(image: Image.Image, r: Random, deviation: float) -> Image.Image:
    """The picture with grey noise of ``deviation`` levels."""
    # RandomState's streams are frozen for ever, unlike those of numpy's newer generators.
    noise = np.random.RandomState(r.getrandbits(32)).normal(0.0, deviation, (image.height, image.width, 1))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


def draw_word(r: Random, text: str, size: int) -> Image.Image:
    """``text`` in type of about ``size`` pixels, turned, shaded, blurred and with noise, but legible."""
    size = max(14, min(size, int(_WIDEST / (0.62 * len(text)))))
    turn = r.uniform(-7, 7) if r.random() < 0.6 else 0.0
    weight = r.choice((0, 0, 0, max(1, size // 28)))
    mask = set_text(text, r.choice(FACES), size, turn=turn, weight=weight).mask
    left, top, right, bottom = (r.randint(size // 8 + 2, size // 2 + 3) for _ in range(4))
    image, colour = ground(r, (mask.width + left + right, mask.height + top + bottom))
    ink = ink_for(r, colour, _CONTRAST)
    if r.random() < 0.2:
        shadow, offset = tuple(value // 2 for value in colour), max(1, size // 20)
        image.paste(shadow, (left + offset, top + offset), mask.point(lambda level: level // 2))
    image.paste(ink, (left, top), mask)
    if r.random() < 0.5:
        image = image.filter(ImageFilter.GaussianBlur(r.uniform(0.2, 0.025 * size)))
    if r.random() < 0.15:
        image = ImageChops.invert(image)
    return with_noise(image, r, r.uniform(1, 12)) if r.random() < 0.6 else image


def make_word_image(seed: int, i: int) -> WordImage:
    """Word image ``i``: it depends on ``seed`` and ``i`` only."""
    r = stream(seed, "word image", i)
    text = label(r)
    return WordImage(as_jpeg(draw_word(r, text, r.randint(20, 56)), r.randint(70, 95)), text)
