"""Real photographs, and one made picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def photos(all_corpora: list[Path]) -> list[bytes]:
    """Eight photographs of about 480 by 400 pixels, two of them grey; more where there are more."""
    return [path.read_bytes() for root in all_corpora for path in sorted((root / "coco").rglob("*.jpg"))]


@pytest.fixture(scope="session")
def scene() -> Image.Image:
    """A picture of 96 by 64 pixels that looks different in every orientation, smooth enough for JPEG."""
    y, x = np.mgrid[0:64, 0:96]
    planes = [x * 255 / 95, y * 255 / 63, 128 + 100 * np.sin(x / 9) * np.cos(y / 7)]
    return Image.fromarray(np.dstack(planes).astype(np.uint8))
