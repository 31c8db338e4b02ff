"""Captioned pictures, drawn: shapes, and simple landscapes."""

from __future__ import annotations

import io
from random import Random
from typing import NamedTuple

from PIL import Image

from omni_ray.synth.scenes import draw_scene
from omni_ray.synth.seeds import stream
from omni_ray.synth.shapes import draw_shapes

SIZE = (224, 224)
"""Pixels, of the pictures that :func:`make_picture` returns."""
_QUALITY = 90


class Picture(NamedTuple):
    """A picture and what can truly be said of it.

    Attributes:
        jpeg: RGB, 224 by 224 pixels.
        captions: five sentences.
    """

    jpeg: bytes
    captions: list[str]


def draw(r: Random, size: tuple[int, int]) -> tuple[Image.Image, list[str]]:
    """A picture of ``size`` (width, height) pixels, RGB, and five true captions."""
    return draw_shapes(r, size) if r.random() < 0.45 else draw_scene(r, size)


def as_jpeg(image: Image.Image, quality: int = _QUALITY) -> bytes:
    """The picture as a JPEG file."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def make_picture(seed: int, i: int) -> Picture:
    """Picture ``i``: it depends on ``seed`` and ``i`` only."""
    image, captions = draw(stream(seed, "picture", i), SIZE)
    return Picture(as_jpeg(image), captions)
