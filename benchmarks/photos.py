"""Corpora of photographs for benchmarks: real ones repeated with distinct crops, or made ones where there are none."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile, get_sampling


def originals(folder: Path | None) -> Sequence[Image.Image]:
    """Every JPEG under ``folder`` with a short edge of at least 300 pixels; made ones without a folder."""
    if folder is None:
        return [_made(seed, *size) for seed, size in enumerate([(640, 427), (640, 480), (1280, 720)] * 10)]
    found = [Image.open(path) for path in sorted(folder.rglob("*")) if path.suffix.lower() in {".jpg", ".jpeg"}]
    large = [image for image in found if min(image.size) >= 300]
    if not large:
        raise SystemExit(f"{folder}: no JPEG of at least 300 pixels")
    return large


def by_size(photos: Sequence[Image.Image], edge: int) -> dict[str, list[Image.Image]]:
    """Those up to ``edge`` pixels, and, where there are larger ones, both kinds in turn."""
    small = [photo for photo in photos if max(photo.size) <= edge]
    large = [photo for photo in photos if max(photo.size) > edge]
    sets = {"photos": small, "mixed sizes": []}
    if small and large:
        for turn in range(max(len(small), len(large))):
            sets["mixed sizes"] += [small[turn % len(small)], large[turn % len(large)]]
    else:
        sets["mixed sizes"] = large
    return {name: some for name, some in sets.items() if some}


def write(folder: Path, photos: list[Image.Image], count: int) -> list[Path]:
    """``count`` captioned photographs in ``folder``: ``<number>.jpg`` with ``<number>.txt`` beside it.

    Each is another crop of an original, a pixel off the last one, and keeps its quantization tables and chroma
    sampling, hence its bytes per pixel.
    """
    folder.mkdir(parents=True)
    for photo in photos:
        photo.load()  # which threads must not do at once

    def write_one(number: int) -> Path:
        photo = photos[number % len(photos)]
        shift = number // len(photos) % 16
        left, top = shift % 4, shift // 4
        crop = photo.convert("RGB").crop((left, top, photo.width - 3 + left, photo.height - 3 + top))
        path = folder / f"{number:06d}.jpg"
        crop.save(path, "JPEG", **_as_saved(photo))
        path.with_suffix(".txt").write_text(f"photograph {number}")
        return path

    with ThreadPoolExecutor() as threads:
        return list(threads.map(write_one, range(count)))


def _made(seed: int, width: int, height: int) -> Image.Image:
    """A picture whose detail falls with its frequency, as in photographs (amplitude 1 / f)."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    planes = []
    shared = np.fft.rfft2(rng.standard_normal((height, width)))
    for _ in range(3):
        spectrum = shared + 0.4 * np.fft.rfft2(rng.standard_normal((height, width)))
        plane = np.fft.irfft2(spectrum / np.maximum(frequency, 1 / width) ** 1.1, s=(height, width))
        planes.append(128 + 52 * (plane - plane.mean()) / plane.std())
    buffer = io.BytesIO()
    Image.fromarray(np.clip(np.dstack(planes), 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=90)
    return Image.open(buffer)


def _as_saved(photo: Image.Image) -> dict[str, Any]:
    """How a photograph was encoded; one that was put together, as cameras do."""
    if not isinstance(photo, JpegImageFile):
        return {"quality": 90}
    return {"qtables": photo.quantization, "subsampling": max(get_sampling(photo), 0)}


def mosaics(photos: list[Image.Image], width: int) -> list[Image.Image]:
    """As many photographs of ``width`` by two thirds of it, put together of these: enlarged by what ``width`` is over 1,500,
    as a large photograph has fewer details a pixel.
    """
    tiles = [photo.convert("RGB") for photo in photos]
    zoom = max(1.0, width / 1500)

    def one(first: int) -> Image.Image:
        canvas = Image.new("RGB", (width, width * 2 // 3))
        number, top = first, 0
        while top < canvas.height:
            left, tallest = 0, 0
            while left < width:
                tile = tiles[number % len(tiles)]
                tile = tile.resize((round(tile.width * zoom), round(tile.height * zoom)), Image.Resampling.BICUBIC)
                canvas.paste(tile, (left, top))
                left, tallest, number = left + tile.width, max(tallest, tile.height), number + 1
            top += tallest
        return canvas

    with ThreadPoolExecutor() as threads:
        return list(threads.map(one, range(len(tiles))))


def write_again(files: list[Path], count: int) -> list[Path]:
    """``count`` captioned photographs: ``files``, and the same under further names, which take no room."""
    made = list(files)
    for number in range(len(files), count):
        path = files[0].with_name(f"{number:06d}.jpg")
        os.link(files[number % len(files)], path)
        path.with_suffix(".txt").write_text(f"photograph {number}")
        made.append(path)
    return made
