"""A picture's 64-bit perceptual hash: near-duplicate pictures differ in few bits.

pHash (Zauner 2010): brightness, 32 by 32, its two-dimensional DCT, the 8 by 8 lowest frequencies against their median.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

_EDGE, _KEPT = 32, 8


def _dct_matrix() -> npt.NDArray[np.float64]:
    """Rows of the orthonormal DCT-II."""
    k, n = np.mgrid[:_KEPT, :_EDGE]
    rows = np.sqrt(2 / _EDGE) * np.cos(np.pi * (2 * n + 1) * k / (2 * _EDGE))
    rows[0] /= np.sqrt(2)
    return rows  # type: ignore[no-any-return]


_DCT = _dct_matrix()


def grey(data: bytes, edge: int | None = None) -> npt.NDArray[np.float64]:
    """Brightness 0 to 255 (ITU-R 601), of the picture as it is or ``edge`` by ``edge``; (height, width).

    Raises:
        OSError: bytes that are no picture; shards hold none.
    """
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        if edge is not None:
            image.draft("L", (edge * 2, edge * 2))
        plain: Any = image.convert("L")
        if edge is not None:
            plain = plain.resize((edge, edge), Image.Resampling.BOX)
        return np.asarray(plain, np.float64)


def picture_hashes(files: Iterable[Any]) -> npt.NDArray[np.uint64]:
    """The hash of every encoded picture (Arrow binary scalars); uint64."""
    stack = [grey(data.as_py(), _EDGE) for data in files]
    if not stack:
        return np.zeros(0, np.uint64)
    low = (_DCT @ np.stack(stack) @ _DCT.T).reshape(len(stack), -1)
    # The first is the mean brightness: it says nothing about the shape, so it has no part in the median.
    bits = low > np.median(low[:, 1:], axis=1, keepdims=True)
    return (bits.astype(np.uint64) << np.arange(_KEPT * _KEPT, dtype=np.uint64)).sum(axis=1, dtype=np.uint64)  # type: ignore[no-any-return]
