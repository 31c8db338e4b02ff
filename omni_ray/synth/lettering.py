"""Text set in type and turned: masks of ink, and exactly where the words are.

The fonts travel with the package (subsets of DejaVu), so that the same text gives the same pixels on every machine.
"""

from __future__ import annotations

import io
import math
from functools import cache
from importlib.resources import files
from random import Random
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from omni_ray.synth.pictures import Colour, Point

FACES = ("DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSansMono", "DejaVuSerif", "DejaVuSerif-Bold")
"""Names of the typefaces."""

Quad = tuple[Point, Point, Point, Point]


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
    data = (files("omni_ray.synth") / "fonts" / f"{face}.ttf").read_bytes()
    # The basic layout engine is in every build of Pillow; the other one depends on a system library.
    return ImageFont.truetype(io.BytesIO(data), size, layout_engine=ImageFont.Layout.BASIC)


def set_text(text: str, face: str, size: int, *, turn: float = 0.0, weight: int = 0) -> Setting:
    """``text`` as ink.

    Args:
        text: one line.
        face: one of :data:`FACES`.
        size: that of the type, in pixels.
        turn: degrees counter-clockwise.
        weight: pixels by which strokes are thickened.
    """
    font = _font(face, size)
    left, top, right, bottom = font.getbbox(text, stroke_width=weight)
    width, height = math.ceil(right) - math.floor(left) + 2, math.ceil(bottom) - math.floor(top) + 2
    upright = Image.new("L", (width, height))
    at = (1 - math.floor(left), 1 - math.floor(top))
    ImageDraw.Draw(upright).text(at, text, fill=255, font=font, stroke_width=weight)
    mask = upright.rotate(turn, Image.Resampling.BICUBIC, expand=True)
    cosine, sine = math.cos(math.radians(turn)), math.sin(math.radians(turn))

    def turned(x: float, y: float) -> Point:
        # About the middles. Rows are counted downwards, so that a counter-clockwise turn takes (x, y) to (cx + sy, -sx + cy).
        dx, dy = x - width / 2, y - height / 2
        return mask.width / 2 + cosine * dx + sine * dy, mask.height / 2 - sine * dx + cosine * dy

    return Setting(mask, (turned(0, 0), turned(width, 0), turned(width, height), turned(0, height)))


def _brightness(colour: Colour) -> float:
    red, green, blue = colour
    return 0.299 * red + 0.587 * green + 0.114 * blue


def ink_for(r: Random, ground: Colour, contrast: float) -> Colour:
    """A colour whose brightness differs from that of ``ground`` by at least ``contrast`` (up to 127) grey levels."""
    while True:
        ink = (r.randrange(256), r.randrange(256), r.randrange(256))
        if abs(_brightness(ink) - _brightness(ground)) >= contrast:
            return ink
