"""Pictures of simple landscapes: what stands in them, how many, of which colour, and on which side."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

from PIL import Image

from omni_ray.synth.canvas import COLOURS, Canvas, Colour, regular, varied
from omni_ray.synth.morphology import capitalised, plural, with_article
from omni_ray.synth.numerals import in_words

_SKIES: dict[str, tuple[Colour, Colour]] = {
    "clear blue": ((92, 156, 232), (204, 226, 248)),
    "grey": ((130, 138, 148), (204, 208, 212)),
    "dark night": ((10, 14, 44), (38, 46, 92)),
    "orange evening": ((196, 82, 58), (250, 196, 110)),
}
_GROUNDS: dict[str, tuple[Colour, str]] = {
    "grass": ((84, 156, 66), "on green grass"),
    "sand": ((230, 204, 140), "on yellow sand"),
    "snow": ((238, 242, 248), "on white snow"),
    "sea": ((40, 96, 156), "on the blue sea"),
}
_PAINTS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "white", "brown")
_COLOURED_PART = {"sailing boat": "sail", "snowman": "hat"}
_SLOTS = (0.16, 0.5, 0.84)
_SIDES = ("on the left", "in the middle", "on the right")


@dataclass(frozen=True)
class _Item:
    """Something that stands in a third of the picture.

    Attributes:
        noun: what it is.
        count: how many there are of it, side by side.
        look: a kind of tree, or the colour of it, of its sail, or of its hat.
    """

    noun: str
    count: int
    look: str

    def words(self) -> str:
        """``a red house``, ``three tall trees``"""
        if self.noun in _COLOURED_PART:
            return f"{with_article(self.noun)} with {with_article(self.look)} {_COLOURED_PART[self.noun]}"
        if self.count == 1:
            return with_article(f"{self.look} {self.noun}".strip())
        return f"{in_words(self.count)} {f'{self.look} {plural(self.noun)}'.strip()}"


def _house(canvas: Canvas, at: tuple[float, float], look: str, r: Random) -> None:
    wall, roof = varied(COLOURS[look], r), varied(COLOURS["brown" if look != "brown" else "black"], r)
    canvas.around(at, [(-0.09, 0), (-0.09, -0.12), (0.09, -0.12), (0.09, 0)], wall)
    canvas.around(at, [(-0.11, -0.12), (0, -0.21), (0.11, -0.12)], roof)
    canvas.around(at, [(-0.02, 0), (-0.02, -0.065), (0.02, -0.065), (0.02, 0)], (70, 48, 32))
    for x in (-0.055, 0.055):
        canvas.around(
            at, [(x - 0.018, -0.06), (x - 0.018, -0.1), (x + 0.018, -0.1), (x + 0.018, -0.06)], (250, 240, 170)
        )


def _tree(canvas: Canvas, at: tuple[float, float], look: str, r: Random) -> None:
    leaf = varied((36, 112, 48), r)
    canvas.around(at, [(-0.013, 0), (-0.013, -0.09), (0.013, -0.09), (0.013, 0)], (96, 64, 38))
    if look == "pine":
        for level in range(3):
            base, width = -0.05 - level * 0.055, 0.075 - level * 0.018
            canvas.around(at, [(-width, base), (0, base - 0.085), (width, base)], leaf)
    else:
        for dx, dy in ((-0.035, -0.12), (0.035, -0.12), (0, -0.16)):
            canvas.ellipse(canvas.placed(at, [(dx, dy)])[0], 0.052, 0.05, leaf)


def _car(canvas: Canvas, at: tuple[float, float], look: str, r: Random) -> None:
    paint = varied(COLOURS[look], r)
    canvas.around(at, [(-0.1, -0.02), (-0.1, -0.06), (0.1, -0.06), (0.1, -0.02)], paint)
    canvas.around(at, [(-0.06, -0.06), (-0.04, -0.1), (0.04, -0.1), (0.065, -0.06)], paint)
    canvas.around(at, [(-0.045, -0.062), (-0.032, -0.09), (0.032, -0.09), (0.048, -0.062)], (200, 224, 240))
    for x in (-0.055, 0.055):
        wheel = canvas.placed(at, [(x, -0.02)])[0]
        canvas.ellipse(wheel, 0.023, 0.023, (26, 26, 28))
        canvas.ellipse(wheel, 0.01, 0.01, (190, 190, 190))


def _boat(canvas: Canvas, at: tuple[float, float], look: str, r: Random) -> None:
    canvas.around(at, [(-0.09, -0.04), (0.09, -0.04), (0.06, 0), (-0.06, 0)], (108, 66, 36))
    canvas.around(at, [(-0.004, -0.04), (-0.004, -0.2), (0.004, -0.2), (0.004, -0.04)], (60, 44, 30))
    canvas.around(at, [(0.008, -0.05), (0.008, -0.19), (0.085, -0.05)], varied(COLOURS[look], r))


def _flower(canvas: Canvas, at: tuple[float, float], look: str, r: Random) -> None:
    canvas.around(at, [(-0.005, 0), (-0.005, -0.08), (0.005, -0.08), (0.005, 0)], (40, 120, 44))
    paint = varied(COLOURS[look], r)
    for n in range(6):
        angle = n * math.pi / 3
        petal = canvas.placed(at, [(0.026 * math.sin(angle), -0.1 - 0.026 * math.cos(angle))])[0]
        canvas.ellipse(petal, 0.018, 0.018, paint)
    canvas.ellipse(canvas.placed(at, [(0, -0.1)])[0], 0.014, 0.014, (70, 52, 20))


def _snowman(canvas: Canvas, at: tuple[float, float], look: str, r: Random) -> None:
    for dy, radius in ((-0.05, 0.058), (-0.13, 0.042), (-0.19, 0.03)):
        canvas.ellipse(canvas.placed(at, [(0, dy)])[0], radius + 0.004, radius + 0.004, (150, 160, 176))
        canvas.ellipse(canvas.placed(at, [(0, dy)])[0], radius, radius, (252, 252, 252))
    brim, top = -0.205, -0.255
    hat = [(-0.032, brim), (0.032, brim), (0.02, brim - 0.01), (0.02, top), (-0.02, top), (-0.02, brim - 0.01)]
    canvas.around(at, hat, varied(COLOURS[look], r))
    canvas.around(at, [(0, -0.195), (0.03, -0.188), (0, -0.181)], (236, 120, 30))


def _buoy(canvas: Canvas, at: tuple[float, float], look: str, r: Random) -> None:
    paint = varied(COLOURS[look], r)
    canvas.around(at, [(-0.055, -0.02), (-0.02, -0.1), (0.02, -0.1), (0.055, -0.02)], paint)
    canvas.ellipse(canvas.placed(at, [(0, -0.02)])[0], 0.055, 0.02, paint)
    canvas.ellipse(canvas.placed(at, [(0, -0.112)])[0], 0.014, 0.014, (250, 240, 170))


def _umbrella(canvas: Canvas, at: tuple[float, float], look: str, r: Random) -> None:
    canvas.around(at, [(-0.006, 0), (-0.006, -0.2), (0.006, -0.2), (0.006, 0)], (90, 70, 52))
    paint = varied(COLOURS[look], r)
    arc = [(0.1 * math.cos(n * math.pi / 20), -0.14 - 0.075 * math.sin(n * math.pi / 20)) for n in range(21)]
    canvas.around(at, arc, paint)


_DRAWN = {
    "house": _house,
    "tree": _tree,
    "car": _car,
    "sailing boat": _boat,
    "flower": _flower,
    "snowman": _snowman,
    "umbrella": _umbrella,
    "buoy": _buoy,
}
_MATCHING = {
    "grass": ("house", "tree", "car", "flower"),
    "sand": ("house", "car", "umbrella", "tree"),
    "snow": ("house", "tree", "snowman"),
    "sea": ("sailing boat", "sailing boat", "buoy"),
}
_PLURAL_LIMIT = {"tree": 3, "flower": 4}


def _items(ground: str, count: int, r: Random) -> list[_Item]:
    """``count`` items, no two of the same kind and look."""
    items: dict[tuple[str, str], _Item] = {}
    while len(items) < count:
        noun = r.choice(_MATCHING[ground])
        look = r.choice(("", "pine")) if noun == "tree" else r.choice(_PAINTS)
        items[noun, look] = _Item(noun, r.randint(1, _PLURAL_LIMIT.get(noun, 1)), look)
    return list(items.values())


def _stand(canvas: Canvas, item: _Item, slot: int, horizon: float, r: Random) -> None:
    across = canvas.aspect[0]
    foot = horizon + r.uniform(0.12, 0.2)
    for n in range(item.count):
        x = _SLOTS[slot] + (n - (item.count - 1) / 2) * (0.07 if item.noun == "flower" else 0.086) * across
        _DRAWN[item.noun](canvas, (x, foot), item.look, r)


def _clouds(canvas: Canvas, count: int, r: Random) -> None:
    shade = varied((246, 247, 250), r, 5)
    for n in range(count):
        x, y = (n + 0.5) / count * 0.56 + 0.05, r.uniform(0.07, 0.17)
        for dx, radius in ((-0.05, 0.032), (0, 0.045), (0.05, 0.032)):
            canvas.ellipse(canvas.placed((x, y), [(dx, 0)])[0], radius * 1.2, radius * 0.8, shade)


def _birds(canvas: Canvas, count: int, r: Random) -> None:
    for n in range(count):
        at = ((n + 0.5) / count * 0.8 + 0.1, r.uniform(0.25, 0.33))
        wings = canvas.placed(at, [(-0.035, -0.014), (-0.018, -0.022), (0, 0), (0.018, -0.022), (0.035, -0.014)])
        canvas.line(wings, (30, 30, 34), 0.008)


def _mountains(canvas: Canvas, horizon: float, r: Random) -> None:
    shade = varied((104, 110, 128), r)
    for x in (0.2, 0.55, 0.88):
        top, width = horizon - r.uniform(0.14, 0.24), r.uniform(0.22, 0.32)
        canvas.polygon([(x - width, horizon), (x, top), (x + width, horizon)], shade)
        cap = 0.25
        canvas.polygon(
            [(x - width * cap, top + (horizon - top) * cap), (x, top), (x + width * cap, top + (horizon - top) * cap)],
            (244, 246, 250),
        )


def _light(canvas: Canvas, sky: str) -> str:
    """The sun or the moon, at the top right; what it is, in words."""
    at = (0.84, 0.14)
    if sky == "dark night":
        canvas.ellipse(at, 0.07, 0.07, (244, 240, 214))
        for x, y in ((0.1, 0.08), (0.25, 0.2), (0.4, 0.06), (0.55, 0.16), (0.66, 0.07), (0.07, 0.28)):
            canvas.around((x, y), regular(4, 0.014, inner=0.004), (250, 250, 230))
        return "the moon and stars"
    if sky == "grey":
        return ""
    canvas.ellipse(at, 0.075, 0.075, (255, 226, 74) if sky == "clear blue" else (255, 120, 60))
    return "the sun"


def _captions(items: list[_Item], ground: str, sky: str, above: list[str], mountains: bool, r: Random) -> list[str]:
    things = [item.words() for item in items]
    listed = things[0] if len(things) == 1 else f"{', '.join(things[:-1])} and {things[-1]}"
    place = _GROUNDS[ground][1]
    air = f" with {' and '.join(above)} in the sky" if above else ""
    slot = r.randrange(len(items))
    side = f" {_SIDES[slot]}" if len(items) == 3 else ""
    behind = " in front of snowy mountains" if mountains else ""
    second = f"{things[0]} to the left of {things[1]}" if len(items) > 1 else f"{things[0]} by itself"
    return [
        capitalised(f"{listed} {place} under {with_article(sky)} sky."),
        capitalised(f"{listed} {place}{air}."),
        capitalised(f"there {'is' if items[slot].count == 1 else 'are'} {things[slot]}{side} {place}{behind}."),
        capitalised(f"{second}{behind}, under {with_article(sky)} sky."),
        f"A simple picture of {listed}{behind}{air}.",
    ]


def draw_scene(r: Random, size: tuple[int, int]) -> tuple[Image.Image, list[str]]:
    """A landscape with one to three things, side by side, and five captions that are true of it."""
    sky = r.choice(list(_SKIES))
    ground = r.choice(list(_GROUNDS))
    horizon = r.uniform(0.56, 0.64)
    canvas = Canvas(size, *(varied(colour, r, 8) for colour in _SKIES[sky]))
    light = _light(canvas, sky)
    above = [light] if light else []
    if sky != "dark night" and r.random() < 0.6:
        count = r.randint(1, 3)
        _clouds(canvas, count, r)
        above.append(f"{in_words(count)} white cloud{'s' * (count > 1)}" if count > 1 else "a white cloud")
    if sky != "dark night" and r.random() < 0.4:
        count = r.randint(2, 5)
        _birds(canvas, count, r)
        above.append(f"{in_words(count)} birds")
    mountains = ground != "sea" and r.random() < 0.35
    if mountains:
        _mountains(canvas, horizon, r)
    base = _GROUNDS[ground][0]
    canvas.box(0, horizon, 1, 1, varied(base, r, 10))
    if ground == "sea":
        for n in range(4):
            y = horizon + 0.06 + n * 0.09
            canvas.line([(0.1 * k, y + 0.012 * (k % 2)) for k in range(11)], varied((120, 170, 210), r, 8), 0.006)
    items = _items(ground, r.randint(1, 3), r)
    slots = {1: (1,), 2: (0, 2), 3: (0, 1, 2)}[len(items)]
    for item, slot in zip(items, slots, strict=True):
        _stand(canvas, item, slot, horizon, r)
    return canvas.finished(), _captions(items, ground, sky, above, mountains, r)
