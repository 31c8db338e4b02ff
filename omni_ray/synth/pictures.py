"""Captioned pictures, drawn: how many shapes there are, how large, of which colour and texture, and where."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from PIL import Image, ImageDraw

from omni_ray.synth.seeds import stream

Colour = tuple[int, int, int]
Point = tuple[float, float]

SIZE = (224, 224)
"""Pixels, of the pictures that :func:`make_picture` returns."""
COLOURS: dict[str, Colour] = {
    "red": (208, 36, 40),
    "orange": (238, 130, 28),
    "yellow": (244, 212, 42),
    "green": (42, 150, 60),
    "blue": (38, 84, 196),
    "purple": (120, 50, 160),
    "pink": (240, 140, 180),
    "brown": (118, 72, 38),
    "grey": (134, 136, 140),
    "turquoise": (40, 180, 176),
    "black": (24, 24, 26),
    "white": (246, 246, 244),
}
_GROUNDS: dict[str, Colour] = {
    "pale blue": (206, 224, 244),
    "pale green": (208, 232, 204),
    "pale yellow": (250, 242, 204),
    "pale pink": (248, 220, 226),
    "light grey": (218, 220, 222),
    "black": COLOURS["black"],
}
_OVERSAMPLING = 2
_QUALITY = 90
_SIZES = {"small": 0.075, "": 0.115, "large": 0.15}
"""Radius as a share of the shorter side; a cell of the 3 by 3 grid has 1/6."""
_TEXTURES = ("", "", "", "striped", "spotted", "checked")
_ROWS = ("top", "middle", "bottom")
_COLUMNS = ("left", "centre", "right")
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six")


def _regular(corners: int, inner: float = 1.0) -> list[Point]:
    """A regular polygon in the unit circle, or a star whose corners between have the radius ``inner``."""
    count = corners * (1 if inner == 1 else 2)
    radii = (1.0, inner) * corners
    turns = (2 * math.pi * n / count for n in range(count))
    return [(radius * math.sin(turn), -radius * math.cos(turn)) for radius, turn in zip(radii, turns, strict=False)]


_SHAPES: dict[str, list[Point]] = {
    "circle": _regular(90),
    "square": [(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)],
    "triangle": _regular(3),
    "pentagon": _regular(5),
    "hexagon": _regular(6),
    "star": _regular(5, 0.42),
    "diamond": [(0, -1), (0.66, 0), (0, 1), (-0.66, 0)],
    "bar": [(-1, -0.3), (1, -0.3), (1, 0.3), (-1, 0.3)],
    "arrow": [(-1, -0.3), (0.1, -0.3), (0.1, -0.75), (1, 0), (0.1, 0.75), (0.1, 0.3), (-1, 0.3)],
}


class Picture(NamedTuple):
    """A picture (RGB, 224 by 224 pixels), and five sentences that are true of it."""

    jpeg: bytes
    captions: list[str]


@dataclass(frozen=True)
class _Kind:
    """What some shapes of a picture have in common."""

    shape: str
    size: str
    colour: str
    texture: str

    def counted(self, count: int) -> str:
        """``a large striped red star``, ``three large striped red stars``"""
        words = " ".join(filter(None, (self.size, self.texture, self.colour, self.shape)))
        return _a(words) if count == 1 else f"{_NUMBERS[count]} {words}s"


def varied(colour: Colour, r: Random, by: int = 12) -> Colour:
    """A colour near ``colour``, still of the same name."""
    red, green, blue = (min(255, max(0, value + r.randint(-by, by))) for value in colour)
    return red, green, blue


def _a(words: str) -> str:
    return f"an {words}" if words[0] in "aeiou" else f"a {words}"


def _joined(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."


def _second(colour: Colour) -> Colour:
    """The other colour of a texture: a tint of a dark colour, a shade of a light one."""
    red, green, blue = (
        int(value + (255 - value) * 0.6) if sum(colour) < 480 else int(value * 0.45) for value in colour
    )
    return red, green, blue


def _filled(kind: _Kind, size: int, r: Random) -> Image.Image:
    """A square of the colour and texture of a shape."""
    colour = varied(COLOURS[kind.colour], r)
    layer = Image.new("RGB", (size, size), colour)
    pen, second, step = ImageDraw.Draw(layer), _second(colour), max(4, size // r.randint(5, 7))
    if kind.texture == "striped":
        slope = r.choice((0, size))
        for x in range(-size, 2 * size, step):
            pen.line((x, 0, x + slope, size), fill=second, width=step // 2)
    elif kind.texture:
        draw = pen.ellipse if kind.texture == "spotted" else pen.rectangle
        for y in range(0, size, step):
            for x in range((y // step % 2) * step, size, 2 * step):
                draw((x, y, x + step - 1, y + step - 1), fill=second)
    return layer


def _outline(kind: _Kind, size: int) -> Image.Image:
    mask = Image.new("L", (size, size))
    points = [((x + 1) * size / 2, (y + 1) * size / 2) for x, y in _SHAPES[kind.shape]]
    ImageDraw.Draw(mask).polygon(points, fill=255)
    return mask


def _ground(name: str, size: tuple[int, int], r: Random) -> Image.Image:
    """A background that is shaded from one side to the other: nobody should take a picture of one small shape for blank."""
    light = varied(_GROUNDS[name], r, 4)
    shade = tuple(int(value * 0.85) if sum(light) > 380 else value + 35 for value in light)
    ramp = Image.linear_gradient("L").rotate(r.choice((0, 90, 180, 270))).resize(size)
    return Image.composite(Image.new("RGB", size, shade), Image.new("RGB", size, light), ramp)


def _cell(cell: int) -> str:
    return "in the middle" if cell == 4 else f"at the {_ROWS[cell // 3]} {_COLUMNS[cell % 3]}"


def _relation(first: int, second: int, r: Random) -> str:
    """Where cell ``first`` is, seen from ``second``."""
    ways = []
    if first // 3 != second // 3:
        ways.append("above" if first // 3 < second // 3 else "below")
    if first % 3 != second % 3:
        ways.append("to the left of" if first % 3 < second % 3 else "to the right of")
    return r.choice(ways)


def _captions(kinds: dict[_Kind, list[int]], ground: str, r: Random) -> list[str]:
    parts = [kind.counted(len(cells)) for kind, cells in kinds.items()]
    total = sum(map(len, kinds.values()))
    listed, backwards = _joined(parts), _joined(parts[::-1])
    kind, cells = r.choice(list(kinds.items()))
    placed = f"{kind.counted(1)} {_cell(cells[0])} of {_a(ground)} picture"
    if len(cells) > 1:
        placed = f"{kind.counted(len(cells))}, one of them {_cell(cells[0])}, on {ground}"
    related = f"an abstract picture with {backwards} against {_a(ground)} background"
    singles = [(kind, cells[0]) for kind, cells in kinds.items() if len(cells) == 1]
    if len(singles) > 1:
        (first, at_first), (second, at_second) = r.sample(singles, 2)
        related = f"{first.counted(1)} {_relation(at_first, at_second, r)} {second.counted(1)}"
    return [
        _sentence(f"{listed} on {_a(ground)} background"),
        _sentence(f"a drawing of {backwards}"),
        _sentence(f"the picture shows {_NUMBERS[total]} shape{'s' * (total > 1)} on {ground}: {listed}"),
        _sentence(placed),
        _sentence(related),
    ]


def draw(r: Random, size: tuple[int, int], *, grey: bool = False) -> tuple[Image.Image, list[str]]:
    """A picture of one to six shapes on a grid, and five captions that are true of it.

    Args:
        size: width and height in pixels.
        grey: use black, white and grey only.
    """
    ground = r.choice(["light grey", "black"] if grey else list(_GROUNDS))
    width, height = (edge * _OVERSAMPLING for edge in size)
    image = _ground(ground, (width, height), r)
    colours = ["grey", "white" if ground == "black" else "black"] if grey else list(COLOURS)[:-2]
    kinds: dict[_Kind, list[int]] = {}
    cells = r.sample(range(9), 6)
    for shape in r.sample(list(_SHAPES), r.randint(1, 3)):
        kind = _Kind(shape, r.choice(list(_SIZES)), r.choice(colours), r.choice(_TEXTURES))
        kinds[kind] = [cells.pop() for _ in range(r.choice((1, 1, 2)))]
    for kind, where in kinds.items():
        edge = max(2, round(2 * _SIZES[kind.size] * min(width, height)))
        for cell in where:
            left, top = ((place * 2 + 1) / 6 + r.uniform(-0.012, 0.012) for place in (cell % 3, cell // 3))
            at = (round(left * width - edge / 2), round(top * height - edge / 2))
            image.paste(_filled(kind, edge, r), at, _outline(kind, edge))
    return image.reduce(_OVERSAMPLING), _captions(kinds, ground, r)


def as_jpeg(image: Image.Image, quality: int = _QUALITY) -> bytes:
    """The picture as a JPEG file."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def make_picture(seed: int, i: int) -> Picture:
    """Picture ``i``: it depends on ``seed`` and ``i`` only."""
    image, captions = draw(stream(seed, "picture", i), SIZE)
    return Picture(as_jpeg(image), captions)
