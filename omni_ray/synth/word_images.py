"""Pictures of words, as a reader of signs and labels meets them."""

from __future__ import annotations

import io
from random import Random
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from omni_ray.synth import names, words
from omni_ray.synth.canvas import Colour, varied
from omni_ray.synth.lettering import choose_face, ink_for, set_text
from omni_ray.synth.morphology import past, plural
from omni_ray.synth.seeds import stream

LONGEST = 24
"""Characters."""
_WIDEST = 460
"""Pixels of type before it is turned."""
_CONTRAST = 85


class WordImage(NamedTuple):
    """A picture of a word, a number or a short phrase.

    Attributes:
        jpeg: RGB, of any size; the text lies wholly inside.
        label: what is written.
    """

    jpeg: bytes
    label: str


def _cased(r: Random, text: str) -> str:
    return r.choice((text, text, text.capitalize(), text.upper(), text.upper()))


def word(r: Random) -> str:
    """One word without blanks, in any case: common, inflected or a name."""
    roll = r.random()
    if roll < 0.5:
        return _cased(r, r.choice(words.ALL))
    if roll < 0.62:
        return _cased(r, plural(r.choice(words.NOUNS)))
    if roll < 0.7:
        return _cased(r, past(r.choice(words.VERBS)))
    if roll < 0.85:
        return _cased(r, names.surname(r))
    return names.given(r) if roll < 0.95 else names.place(r).split()[0].upper()


def _number(r: Random) -> str:
    kind = r.randrange(7)
    if kind == 0:
        return str(r.randint(0, 9999))
    if kind == 1:
        return f"{r.choice('$£€')}{r.randint(0, 999)}.{r.randrange(100):02d}"
    if kind == 2:
        return f"{r.randint(0, 23):02d}:{r.randrange(60):02d}"
    if kind == 3:
        return f"{r.randint(1, 100)}%"
    if kind == 4:
        return f"{r.randint(1, 28):02d}/{r.randint(1, 12):02d}/{r.randint(1900, 2030)}"
    if kind == 5:
        letters = "ABCDEFGHJKLMNPRSTUVWXYZ"
        return f"{r.choice(letters)}{r.choice(letters)}{r.randint(10, 99)} {''.join(r.choices(letters, k=3))}"
    return f"{r.randint(1000, 9_999_999):,}"


def _phrase(r: Random) -> str:
    kind = r.randrange(5)
    if kind == 0:
        return _cased(r, f"{r.choice(words.SHORT_ADJECTIVES)} {r.choice(words.NOUNS)}")
    if kind == 1:
        return f"{r.choice(('No', 'Mind the', 'To the', 'Beware of the'))} {r.choice(words.BUILDINGS)}"
    if kind == 2:
        return f"{names.surname(r)} & {r.choice(('Sons', 'Co.', 'Daughters'))}"
    if kind == 3:
        return f"{r.randint(1, 200)} {names.place(r)} {r.choice(('Road', 'Street', 'Lane'))}"
    return f"{plural(r.choice(words.FOODS)).upper()} {r.randint(1, 20)}.{r.randrange(100):02d}"


def label(r: Random) -> str:
    """A word (seven in ten), a number or a short phrase, of at most 24 characters."""
    while True:
        roll = r.random()
        text = word(r) if roll < 0.7 else _number(r) if roll < 0.85 else _phrase(r)
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
    """``text`` in type of about ``size`` pixels, turned, leant, shaded, blurred and with noise, but legible."""
    face = choose_face(r, text)
    size = max(14, min(size, int(_WIDEST / (0.62 * len(text)))))
    turn = r.uniform(-7, 7) if r.random() < 0.6 else 0.0
    slant = r.uniform(-0.2, 0.3) if r.random() < 0.35 else 0.0
    weight = r.choice((0, 0, 0, max(1, size // 28)))
    mask = set_text(text, face, size, turn=turn, slant=slant, weight=weight).mask
    margins = [r.randint(size // 8 + 2, size // 2 + 3) for _ in range(4)]
    at = (margins[0], margins[1])
    image, colour = ground(r, (mask.width + margins[0] + margins[2], mask.height + margins[1] + margins[3]))
    ink = ink_for(r, colour, _CONTRAST)
    if r.random() < 0.2:
        shadow = tuple(value // 2 for value in colour)
        offset = max(1, size // 20)
        image.paste(shadow, (at[0] + offset, at[1] + offset), mask.point(lambda level: level // 2))
    image.paste(ink, at, mask)
    if r.random() < 0.5:
        image = image.filter(ImageFilter.GaussianBlur(r.uniform(0.2, 0.025 * size)))
    if r.random() < 0.15:
        image = ImageChops.invert(image)
    return with_noise(image, r, r.uniform(1, 12)) if r.random() < 0.6 else image


def make_word_image(seed: int, i: int) -> WordImage:
    """Word image ``i``: it depends on ``seed`` and ``i`` only."""
    r = stream(seed, "word image", i)
    text = label(r)
    image = draw_word(r, text, r.randint(20, 56))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=r.randint(70, 95))
    return WordImage(buffer.getvalue(), text)
