"""Boxes of words in the picture they were drawn on, and in the one that was decoded.

Photographs are decoded upright. Whoever outlined the words may have seen them so, or as they are stored, before EXIF turns
them, or at another size. The size that the list gives tells which; where it does not, nothing is cut out on a guess.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from omni_ray.records import Unusable

_SAME_SHAPE = 0.01
"""How far the proportions of two sizes of one picture may differ: they were rounded to pixels."""

Corners = list[float]
Size = tuple[int, int]


def placing(frame: Sequence[int] | None, upright: Size, orientation: int) -> Callable[[Sequence[float]], Corners]:
    """A function from the corners of a word as listed to those in the upright picture: x1, y1, ... in pixels.

    Args:
        frame: (width, height) of the picture that the list refers to; None where it does not say.
        upright: (width, height) of the picture as decoded.
        orientation: EXIF's, 1 to 8, by which it was turned.

    Raises:
        Unusable: ``bad_geometry``: the picture was turned and the list may mean either way, or is of another picture.
    """
    stored = upright[::-1] if orientation >= 5 else upright
    if orientation == 1:
        size, turns = upright, False
    elif frame is not None and orientation >= 5 and _is_like(frame, stored) != _is_like(frame, upright):
        turns = _is_like(frame, stored)
        size = stored if turns else upright
    else:
        raise Unusable(
            "bad_geometry", "EXIF turns the photograph, and the list does not tell whether its boxes are turned"
        )
    if frame is not None and not _is_like(frame, size):
        raise Unusable("bad_geometry", f"the list is of a picture of {_shown(frame)}, and this one has {_shown(size)}")
    scale = np.ones(2) if frame is None else np.array(size) / np.array(frame)

    def place(corners: Sequence[float]) -> Corners:
        if len(corners) % 2:
            raise Unusable("bad_geometry", f"{len(corners)} numbers instead of 8")
        points = np.asarray(corners, np.float64).reshape(-1, 2) * scale
        turned: Corners = (_turned(points, orientation, upright) if turns else points).reshape(-1).tolist()
        return turned

    return place


def _turned(points: npt.NDArray[np.float64], orientation: int, upright: Size) -> npt.NDArray[np.float64]:
    """As :func:`omni_ray.modalities.pixels.decode` turns pixels: the axes are swapped, then rows or columns mirrored."""
    if orientation >= 5:
        points = points[:, ::-1]
    x, y = points[:, 0], points[:, 1]
    if orientation in {3, 4, 7, 8}:
        y = upright[1] - y
    if orientation in {2, 3, 6, 7}:
        x = upright[0] - x
    return np.stack([x, y], axis=1)


def _is_like(one: Sequence[int], other: Sequence[int]) -> bool:
    """Whether two sizes may be of one picture."""
    if tuple(one) == tuple(other):
        return True
    wide, high = one[0] / other[0], one[1] / other[1]
    return abs(wide - high) <= _SAME_SHAPE * max(wide, high)


def _shown(size: Sequence[int]) -> str:
    return f"{size[0]} x {size[1]} pixels"
