"""Text set in type and turned: masks of ink, and where exactly the words lie.

The fonts travel with the package (subsets of DejaVu, and Pillow's own), so that the same text gives the same pixels
on every machine.
"""

from __future__ import annotations

import io
import math
from functools import cache
from importlib.resources import files
from random import Random
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from omni_ray.synth.canvas import Colour

_FILES = ("DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSansMono", "DejaVuSerif", "DejaVuSerif-Bold")
_PILLOW_OWN = "Aileron"
FACES = (*_FILES, _PILLOW_OWN)
"""Names of the typefaces. Aileron has no accented letters."""

Quad = tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]


class Setting(NamedTuple):
    """Text as ink.

    Attributes:
        mask: grey levels, 255 where there is ink; just large enough for the quad.
        quad: corners of the upright text box in pixels of the mask: top left, top right, bottom right, bottom left.
    """

    mask: Image.Image
    quad: Quad


@cache
def _font(face: str, size: int) -> ImageFont.FreeTypeFont:
    if face == _PILLOW_OWN:
        font = ImageFont.load_default(size)
        assert isinstance(font, ImageFont.FreeTypeFont)
        # The basic layout engine is in every build of Pillow; the other one depends on a system library.
        return font.font_variant(layout_engine=ImageFont.Layout.BASIC)
    data = (files("omni_ray.synth") / "fonts" / f"{face}.ttf").read_bytes()
    return ImageFont.truetype(io.BytesIO(data), size, layout_engine=ImageFont.Layout.BASIC)


def choose_face(r: Random, text: str) -> str:
    """A typeface that has all letters of ``text``."""
    return r.choice(FACES if text.isascii() else _FILES)


def set_text(text: str, face: str, size: int, *, turn: float = 0.0, slant: float = 0.0, weight: int = 0) -> Setting:
    """``text`` as ink.

    Args:
        text: one line.
        face: one of :data:`FACES`.
        size: of the type, in pixels.
        turn: degrees counter-clockwise.
        slant: how far the letters lean, as a share of their height; positive leans to the right.
        weight: pixels by which strokes are thickened.
    """
    font = _font(face, size)
    left, top, right, bottom = font.getbbox(text, stroke_width=weight)
    width, height = math.ceil(right) - math.floor(left) + 2, math.ceil(bottom) - math.floor(top) + 2
    upright = Image.new("L", (width, height))
    ImageDraw.Draw(upright).text(
        (1 - math.floor(left), 1 - math.floor(top)), text, fill=255, font=font, stroke_width=weight
    )
    if not turn and not slant:
        return Setting(upright, ((0, 0), (width, 0), (width, height), (0, height)))
    return _transformed(upright, math.radians(turn), slant)


def _transformed(upright: Image.Image, angle: float, slant: float) -> Setting:
    """Leant, then turned; the mask is the smallest upright box round the result."""
    width, height = upright.size
    cosine, sine = math.cos(angle), math.sin(angle)
    # Pixel coordinates run down, so a counter-clockwise turn takes (x, y) to (cx + sy, -sx + cy).
    a, b = cosine, sine - slant * cosine
    c, d = -sine, cosine + slant * sine
    corners = [(a * x + b * y, c * x + d * y) for x, y in ((0, 0), (width, 0), (width, height), (0, height))]
    x0, y0 = min(x for x, _ in corners), min(y for _, y in corners)
    size = (math.ceil(max(x for x, _ in corners) - x0), math.ceil(max(y for _, y in corners) - y0))
    determinant = a * d - b * c
    p, q, s, t = d / determinant, -b / determinant, -c / determinant, a / determinant
    inverse = (p, q, p * x0 + q * y0, s, t, s * x0 + t * y0)
    mask = upright.transform(size, Image.Transform.AFFINE, inverse, Image.Resampling.BICUBIC)
    first, second, third, fourth = ((x - x0, y - y0) for x, y in corners)
    return Setting(mask, (first, second, third, fourth))


def _brightness(colour: Colour) -> float:
    red, green, blue = colour
    return 0.299 * red + 0.587 * green + 0.114 * blue


def ink_for(r: Random, ground: Colour, contrast: float) -> Colour:
    """A colour whose brightness differs from that of ``ground`` by at least ``contrast`` (up to 127) grey levels."""
    while True:
        ink = (r.randrange(256), r.randrange(256), r.randrange(256))
        if abs(_brightness(ink) - _brightness(ground)) >= contrast:
            return ink
