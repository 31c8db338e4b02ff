"""Images, decoded to their last row: what the trainers would see."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from omni_ray.verify.media import Flaw, Judge, Verdict

if TYPE_CHECKING:
    from PIL import Image

_FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "AVIF")
"""Formats that Pillow decodes on its own; some of the others it hands to outside programs."""
_STANDARD = {"JPEG", "MPO", "PNG"}
_WIDE = {"I", "F", "I;16", "I;16B", "I;16L", "I;16N"}
_EXIF_ORIENTATION = 0x0112
_PNG_HEAD = struct.Struct(">16x 8x B")
"""Signature and chunk head, width and height, bits a channel (PNG specification, 11.2.2 IHDR)."""


@dataclass(frozen=True)
class PictureJudge(Judge):
    """Judges images.

    Attributes:
        sizes: the edge in pixels that a corpus was prepared with, by its name, which is the first part of a path.
    """

    missing: ClassVar[str] = "image_missing"
    sizes: dict[str, int] = field(default_factory=dict)

    def judge(self, path: Path, text: str) -> Verdict:
        from PIL import Image

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with Image.open(path, formats=_formats()) as image:
                    image.load()
                    flaws = [*self._size(image, path), *_flaws(image, path)]
        except MemoryError:
            return Verdict([("image_undecodable", "there is not enough memory for it")])
        except Exception as error:
            reason = str(error).split(str(path))[0].strip(" '") or type(error).__name__
            return Verdict([("image_undecodable", reason)])
        return Verdict(flaws, True)

    def _size(self, image: Image.Image, path: Path) -> Iterator[Flaw]:
        base = Path(self.project, self.folder)
        corpus = path.relative_to(base).parts[0] if path.is_relative_to(base) else ""
        edge = self.sizes.get(corpus)
        if edge is not None and image.size != (edge, edge):
            yield "image_size", f"{image.width} x {image.height}, not {edge} x {edge}"


@cache
def _formats() -> tuple[str, ...]:
    from PIL import Image

    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _flaws(image: Image.Image, path: Path) -> Iterator[Flaw]:
    form, mode = image.format or "", image.mode
    if form not in _STANDARD:
        yield "image_format", form
    if mode in _WIDE:
        yield "image_depth", f"mode {mode}"
    elif "transparency" in image.info or mode in {"RGBA", "LA", "PA", "RGBa", "La"}:
        yield "image_alpha", f"mode {mode}"
    elif mode != "RGB":
        yield "image_mode", f"mode {mode}"
    elif form == "PNG" and _png_depth(path) > 8:
        yield "image_mode", "16 bits a channel"
    orientation = _orientation(image)
    if orientation != 1:
        yield "image_orientation", f"orientation {orientation}"


def _png_depth(path: Path) -> int:
    with open(path, "rb") as file:
        head = file.read(_PNG_HEAD.size)
    return int(_PNG_HEAD.unpack(head)[0])


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(_EXIF_ORIENTATION, 1)
    except Exception:
        return 1
    return value if isinstance(value, int) and 2 <= value <= 8 else 1
