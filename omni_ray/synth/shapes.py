"""Pictures of shapes: how many, how large, which colour and texture, and where."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from PIL import Image, ImageDraw

from omni_ray.synth.canvas import COLOURS, PALE, Canvas, Colour, regular, varied
from omni_ray.synth.morphology import capitalised, plural, with_article
from omni_ray.synth.numerals import in_words

_SIZES = {"small": 0.075, "": 0.115, "large": 0.15}
"""Radius as a share of the shorter side; a cell of the 3 by 3 grid has 1/6."""
_TEXTURES = ("", "", "", "striped", "spotted", "checked")
_ROWS = ("top", "middle", "bottom")
_COLUMNS = ("left", "centre", "right")


def _polygon(points: list[tuple[float, float]]) -> Callable[[ImageDraw.ImageDraw, int], None]:
    def paint(draw: ImageDraw.ImageDraw, size: int) -> None:
        draw.polygon([((x + 1) * size / 2, (y + 1) * size / 2) for x, y in points], fill=255)

    return paint


def _circle(draw: ImageDraw.ImageDraw, size: int) -> None:
    draw.ellipse((0, 0, size - 1, size - 1), fill=255)


def _ring(draw: ImageDraw.ImageDraw, size: int) -> None:
    draw.ellipse((0, 0, size - 1, size - 1), fill=255)
    draw.ellipse((size * 0.27, size * 0.27, size * 0.73, size * 0.73), fill=0)


def _crescent(draw: ImageDraw.ImageDraw, size: int) -> None:
    draw.ellipse((0, 0, size - 1, size - 1), fill=255)
    draw.ellipse((size * 0.35, size * 0.02, size * 1.2, size * 0.87), fill=0)


def _heart(draw: ImageDraw.ImageDraw, size: int) -> None:
    outline = []
    for n in range(60):
        t = 2 * math.pi * n / 60
        x = 16 * math.sin(t) ** 3
        y = 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)
        outline.append(((x / 17 + 1) * size / 2, (1 - (y + 2.5) / 17) * size / 2))
    draw.polygon(outline, fill=255)


_CROSS = [
    (-0.3, -1.0), (0.3, -1.0), (0.3, -0.3), (1.0, -0.3), (1.0, 0.3), (0.3, 0.3),
    (0.3, 1.0), (-0.3, 1.0), (-0.3, 0.3), (-1.0, 0.3), (-1.0, -0.3), (-0.3, -0.3),
]  # fmt: skip
_SHAPES: dict[str, Callable[[ImageDraw.ImageDraw, int], None]] = {
    "circle": _circle,
    "square": _polygon([(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)]),
    "triangle": _polygon(regular(3, 1.0)),
    "star": _polygon(regular(5, 1.0, inner=0.42)),
    "hexagon": _polygon(regular(6, 1.0)),
    "diamond": _polygon([(0, -1), (0.66, 0), (0, 1), (-0.66, 0)]),
    "cross": _polygon(_CROSS),
    "arrow": _polygon([(-1, -0.3), (0.1, -0.3), (0.1, -0.75), (1, 0), (0.1, 0.75), (0.1, 0.3), (-1, 0.3)]),
    "ring": _ring,
    "crescent": _crescent,
    "heart": _heart,
}


@dataclass(frozen=True)
class _Kind:
    """What some shapes of a picture have in common."""

    shape: str
    size: str
    colour: str
    texture: str

    def words(self) -> str:
        """``large striped red``"""
        return " ".join(filter(None, (self.size, self.texture, self.colour, self.shape)))

    def counted(self, count: int) -> str:
        """``a large red star``, ``three large red stars``"""
        if count == 1:
            return with_article(self.words())
        return f"{in_words(count)} {self.words()[: -len(self.shape)]}{plural(self.shape)}"


def _filled(kind: _Kind, size: int, r: Random) -> Image.Image:
    """A square of the colour and texture of a shape."""
    colour = varied(COLOURS[kind.colour], r)
    layer = Image.new("RGB", (size, size), colour)
    if not kind.texture:
        return layer
    draw = ImageDraw.Draw(layer)
    second = _second(colour)
    step = max(4, size // r.randint(5, 7))
    if kind.texture == "striped":
        slope = r.choice((0, size))
        for x in range(-size, 2 * size, step):
            draw.line((x, 0, x + slope, size), fill=second, width=step // 2)
    elif kind.texture == "spotted":
        for y in range(0, size, step):
            for x in range(0, size, step):
                draw.ellipse((x + step * 0.25, y + step * 0.25, x + step * 0.75, y + step * 0.75), fill=second)
    else:
        for y in range(0, size, step):
            for x in range((y // step % 2) * step, size, 2 * step):
                draw.rectangle((x, y, x + step - 1, y + step - 1), fill=second)
    return layer


def _second(colour: Colour) -> Colour:
    """The other colour of a texture: a tint of a dark colour, a shade of a light one."""
    red, green, blue = (
        int(value + (255 - value) * 0.6) if sum(colour) < 480 else int(value * 0.45) for value in colour
    )
    return red, green, blue


def _paint(canvas: Canvas, kind: _Kind, centre: tuple[float, float], r: Random) -> None:
    size = canvas.pixels(2 * _SIZES[kind.size])
    mask = Image.new("L", (size, size))
    _SHAPES[kind.shape](ImageDraw.Draw(mask), size)
    canvas.paste(_filled(kind, size, r), mask, centre)


def _joined(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _cell(cell: int) -> str:
    row, column = _ROWS[cell // 3], _COLUMNS[cell % 3]
    return "in the middle" if (row, column) == ("middle", "centre") else f"at the {row} {column}"


def _relation(first: int, second: int, r: Random) -> str:
    """Where cell ``first`` lies, seen from ``second``."""
    ways = []
    if first // 3 != second // 3:
        ways.append("above" if first // 3 < second // 3 else "below")
    if first % 3 != second % 3:
        ways.append("to the left of" if first % 3 < second % 3 else "to the right of")
    return r.choice(ways)


def _captions(kinds: dict[_Kind, list[int]], ground: str, r: Random) -> list[str]:
    parts = [kind.counted(len(cells)) for kind, cells in kinds.items()]
    total = sum(map(len, kinds.values()))
    listed, reversed_ = _joined(parts), _joined(parts[::-1])
    captions = [
        capitalised(f"{listed} on {with_article(ground)} background."),
        f"A drawing of {reversed_}.",
        f"The picture shows {in_words(total)} shape{'s' * (total > 1)} on {ground}: {listed}.",
    ]
    kind, cells = r.choice(list(kinds.items()))
    if len(cells) == 1:
        captions.append(capitalised(f"{kind.counted(1)} {_cell(cells[0])} of {with_article(ground)} picture."))
    else:
        captions.append(capitalised(f"{kind.counted(len(cells))}, one of them {_cell(r.choice(cells))}, on {ground}."))
    singles = [(kind, cells[0]) for kind, cells in kinds.items() if len(cells) == 1]
    if len(singles) > 1:
        (one, at_one), (two, at_two) = r.sample(singles, 2)
        captions.append(capitalised(f"{one.counted(1)} {_relation(at_one, at_two, r)} {two.counted(1)}."))
    else:
        captions.append(f"An abstract picture with {reversed_} against {with_article(ground)} background.")
    return captions


def draw_shapes(r: Random, size: tuple[int, int], *, grey: bool = False) -> tuple[Image.Image, list[str]]:
    """A picture of one to six shapes on a grid, and five captions that are true of it.

    Args:
        r: the random stream.
        size: width and height in pixels.
        grey: use black, white and grey only.
    """
    ground = r.choice(["light grey", "black", "white"] if grey else [*PALE, "black", "white"])
    base = {**PALE, **COLOURS}[ground]
    canvas = Canvas(size, varied(base, r, 6), varied(base, r, 6))
    colours = [name for name in COLOURS if name != ground and not (ground in PALE and name == "white")]
    if grey:
        colours = ["grey", "white" if ground == "black" else "black"]
    kinds: dict[_Kind, list[int]] = {}
    cells = r.sample(range(9), 6)
    for shape in r.sample(sorted(_SHAPES), r.randint(1, 3)):
        kind = _Kind(shape, r.choice(list(_SIZES)), r.choice(colours), r.choice(_TEXTURES))
        kinds[kind] = [cells.pop() for _ in range(r.choice((1, 1, 2)))]
    for kind, where in kinds.items():
        for cell in where:
            x, y = (cell % 3 * 2 + 1) / 6, (cell // 3 * 2 + 1) / 6
            _paint(canvas, kind, (x + r.uniform(-0.012, 0.012), y + r.uniform(-0.012, 0.012)), r)
    return canvas.finished(), _captions(kinds, ground, r)
