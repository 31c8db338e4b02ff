"""Drawing at any size in relative coordinates, smooth at the edges."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

from PIL import Image, ImageDraw

Colour = tuple[int, int, int]

COLOURS: dict[str, Colour] = {
    "red": (208, 36, 40),
    "orange": (238, 130, 28),
    "yellow": (244, 212, 42),
    "green": (42, 150, 60),
    "blue": (38, 84, 196),
    "purple": (120, 50, 160),
    "pink": (240, 140, 180),
    "brown": (118, 72, 38),
    "black": (24, 24, 26),
    "white": (246, 246, 244),
    "grey": (134, 136, 140),
    "turquoise": (40, 180, 176),
}
PALE: dict[str, Colour] = {
    "pale blue": (206, 224, 244),
    "pale green": (208, 232, 204),
    "pale yellow": (250, 242, 204),
    "pale pink": (248, 220, 226),
    "light grey": (218, 220, 222),
    "cream": (246, 236, 216),
}
_OVERSAMPLING = 2


def varied(colour: Colour, r: Random, by: int = 12) -> Colour:
    """A colour near ``colour``, still of the same name."""
    red, green, blue = (min(255, max(0, value + r.randint(-by, by))) for value in colour)
    return red, green, blue


class Canvas:
    """A picture under way.

    Coordinates are shares of the width and height, (0, 0) at the top left; lengths are shares of the shorter side.

    Args:
        size: width and height in pixels.
        top, bottom: colours of the background, which runs from the one to the other.
    """

    def __init__(self, size: tuple[int, int], top: Colour, bottom: Colour) -> None:
        self._width, self._height = size[0] * _OVERSAMPLING, size[1] * _OVERSAMPLING
        ramp = Image.linear_gradient("L").resize((1, self._height))
        column = Image.composite(Image.new("RGB", ramp.size, bottom), Image.new("RGB", ramp.size, top), ramp)
        self._image = column.resize((self._width, self._height), Image.Resampling.NEAREST)
        self._draw = ImageDraw.Draw(self._image)

    @property
    def aspect(self) -> tuple[float, float]:
        """The shorter side as a share of the width, and of the height."""
        short = min(self._width, self._height)
        return short / self._width, short / self._height

    def _points(self, points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        return [(x * self._width, y * self._height) for x, y in points]

    def polygon(self, points: Sequence[tuple[float, float]], fill: Colour) -> None:
        """A filled polygon."""
        self._draw.polygon(self._points(points), fill=fill)

    def around(self, centre: tuple[float, float], offsets: Sequence[tuple[float, float]], fill: Colour) -> None:
        """A filled polygon given by lengths from a centre."""
        self.polygon(self.placed(centre, offsets), fill)

    def placed(self, centre: tuple[float, float], offsets: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        """Points given by lengths from a centre, in coordinates."""
        across, down = self.aspect
        return [(centre[0] + dx * across, centre[1] + dy * down) for dx, dy in offsets]

    def ellipse(self, centre: tuple[float, float], rx: float, ry: float, fill: Colour) -> None:
        """A filled ellipse of half-axes ``rx`` and ``ry``."""
        (left, top), (right, bottom) = self._points(self.placed(centre, [(-rx, -ry), (rx, ry)]))
        self._draw.ellipse((left, top, right, bottom), fill=fill)

    def box(self, left: float, top: float, right: float, bottom: float, fill: Colour) -> None:
        """A filled rectangle, by coordinates."""
        self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], fill)

    def line(self, points: Sequence[tuple[float, float]], fill: Colour, width: float) -> None:
        """A line through coordinates, ``width`` being a length."""
        pixels = max(1, round(width * min(self._width, self._height)))
        self._draw.line(self._points(points), fill=fill, width=pixels, joint="curve")

    def paste(self, layer: Image.Image, mask: Image.Image, centre: tuple[float, float]) -> None:
        """``layer`` where ``mask`` is, its middle at ``centre``; both of the same size in oversampled pixels."""
        left = round(centre[0] * self._width - mask.width / 2)
        top = round(centre[1] * self._height - mask.height / 2)
        self._image.paste(layer, (left, top), mask)

    def pixels(self, length: float) -> int:
        """A length in oversampled pixels."""
        return max(2, round(length * min(self._width, self._height)))

    def finished(self) -> Image.Image:
        """The picture, RGB, at the size asked for."""
        return self._image.reduce(_OVERSAMPLING)


def regular(corners: int, radius: float, turn: float = 0.0, inner: float | None = None) -> list[tuple[float, float]]:
    """The corners of a regular polygon, or of a star where ``inner`` is the radius of the corners between."""
    radii = [radius] * corners if inner is None else [radius, inner] * corners
    count = len(radii)
    return [
        (value * math.sin(turn + 2 * math.pi * n / count), -value * math.cos(turn + 2 * math.pi * n / count))
        for n, value in enumerate(radii)
    ]
