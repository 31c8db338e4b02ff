"""Corpora of photographs for benchmarks: real ones repeated with distinct crops, or made ones where there are none."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import get_sampling

MIXED = ((320, 240), (640, 480), (480, 640), (1024, 768), (1280, 720), (1600, 1200))
"""Widths and heights that photographs of the mixed corpus take in turn: a third is too small for scaled decoding."""


def originals(folder: Path | None) -> list[Image.Image]:
    """Every JPEG under ``folder`` with a short edge of at least 300 pixels; 40 made ones without a folder."""
    if folder is None:
        return [_made(seed) for seed in range(40)]
    found = [Image.open(path) for path in sorted([*folder.rglob("*.jpg"), *folder.rglob("*.jpeg")])]
    large = [image for image in found if min(image.size) >= 300]
    if not large:
        raise SystemExit(f"{folder}: no JPEG of at least 300 pixels")
    return large


def write(folder: Path, photos: list[Image.Image], count: int, *, mixed: bool) -> list[Path]:
    """``count`` captioned photographs in ``folder``: ``<number>.jpg`` with ``<number>.txt`` beside it.

    Each is another crop of an original, a few pixels off the last one, and keeps its quantization tables and
    chroma sampling, hence its bytes per pixel; for the mixed corpus it is then resized to one of :data:`MIXED`.
    """
    folder.mkdir(parents=True)
    paths = []
    for number in range(count):
        photo = photos[number % len(photos)]
        shift = number // len(photos) % 16
        left, top = shift % 4, shift // 4
        crop = photo.convert("RGB").crop((left, top, photo.width - 3 + left, photo.height - 3 + top))
        options = {"quality": 90}
        if photo.format == "JPEG":
            sampling = get_sampling(photo)
            options = {"qtables": photo.quantization, "subsampling": sampling if sampling >= 0 else 0}
        if mixed:
            crop = crop.resize(MIXED[number % len(MIXED)], Image.Resampling.BICUBIC)
        path = folder / f"{number:06d}.jpg"
        crop.save(path, "JPEG", **options)
        path.with_suffix(".txt").write_text(f"photograph {number}")
        paths.append(path)
    return paths


def _made(seed: int) -> Image.Image:
    """640 by 427 pixels whose detail falls with its frequency, as in photographs (amplitude 1 / f)."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(427)[:, None], np.fft.rfftfreq(640)[None])
    planes = []
    shared = np.fft.rfft2(rng.standard_normal((427, 640)))
    for _ in range(3):
        spectrum = shared + 0.4 * np.fft.rfft2(rng.standard_normal((427, 640)))
        plane = np.fft.irfft2(spectrum / np.maximum(frequency, 1 / 640) ** 1.1, s=(427, 640))
        planes.append(128 + 52 * (plane - plane.mean()) / plane.std())
    buffer = io.BytesIO()
    Image.fromarray(np.clip(np.dstack(planes), 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=90)
    return Image.open(buffer)
