"""Pixels: encoded pictures to 8-bit RGB, to the size the trainers want, and back to bytes.

Three functions, so that a GPU can do the middle one: :func:`decode`, :func:`resize`, :func:`encode`. Arrays are uint8, shape
(height, width, 3), RGB.
"""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from PIL import Image

Pixels = npt.NDArray[np.uint8]

MAX_PIXELS = 178_956_970
"""Declared pixels above which a picture is refused before anything is decoded; Pillow's own "bomb" limit, doubled."""
FITS = ("squash", "crop", "pad")
FORMATS = {"jpeg": ".jpg", "png": ".png"}
_EXIF_ORIENTATION = 0x0112
_PAD_GREY = 128
_WIDE_MODES = {"I", "F", "I;16", "I;16B", "I;16L", "I;16N"}


class Unusable(Exception):
    """A picture that cannot be used: ``reason`` is a code of omni_ray.reasons, the text says what was seen."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def decode(data: bytes, target: int | None = None) -> tuple[Pixels, tuple[int, int]]:
    """Decode a whole picture: upright, opaque, 8-bit RGB.

    EXIF orientation is applied; transparency is laid on white; 16-bit and float pictures are scaled, not clipped;
    CMYK, palettes and grey are converted; of an animation the first frame is taken.

    Args:
        data: JPEG, PNG, GIF, WebP, BMP, TIFF, or whatever Pillow knows.
        target: the edge it will be resized to. A JPEG at least twice as large is then decoded at 1/2, 1/4 or 1/8,
            never below ``target``: the inverse DCT averages exactly the pixels that resizing would.

    Returns:
        The pixels, and the upright picture's own (width, height).

    Raises:
        Unusable: ``decode_error``, ``truncated`` or ``too_large``.
    """
    from PIL import Image

    if not data:
        raise Unusable("decode_error", "the file is empty")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data)) as image:
                return _upright_rgb(image, target)
    except Image.DecompressionBombError as error:
        raise Unusable("too_large", str(error)) from error
    except Unusable:
        raise
    except (OSError, SyntaxError, ValueError, EOFError, KeyError, TypeError, IndexError, AttributeError) as error:
        is_cut = "truncated" in str(error).lower() or isinstance(error, EOFError)
        reason = "truncated" if is_cut else "decode_error"
        raise Unusable(reason, str(error).split("<")[0].strip() or type(error).__name__) from error
    except MemoryError as error:
        raise Unusable("too_large", "not enough memory to decode it") from error


def _upright_rgb(image: Any, target: int | None) -> tuple[Pixels, tuple[int, int]]:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise Unusable("too_large", f"{width} x {height} pixels")
    orientation = _orientation(image)
    if target is not None and image.format in {"JPEG", "MPO"}:
        image.draft(None, (target, target))
    image.load()
    rgb = _rgb(image)
    pixels = _turned(np.asarray(rgb), orientation)
    return pixels, (height, width) if orientation >= 5 else (width, height)


def _orientation(image: Any) -> int:
    try:
        value = image.getexif().get(_EXIF_ORIENTATION, 1)
    except (SyntaxError, ValueError, OSError, KeyError, TypeError):
        return 1  # broken EXIF says nothing about the pixels
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _turned(pixels: Pixels, orientation: int) -> Pixels:
    """Apply an EXIF orientation (Exif 2.32, tag 0x0112): 5 to 8 swap the axes, then rows or columns are mirrored."""
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in {3, 4, 7, 8}:
        pixels = pixels[::-1]
    if orientation in {2, 3, 6, 7}:
        pixels = pixels[:, ::-1]
    return pixels


def _rgb(image: Image.Image) -> Image.Image:
    from PIL import Image

    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode in _WIDE_MODES:
        return Image.fromarray(_eight_bits(np.asarray(image))).convert("RGB")
    if image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, layer).convert("RGB")
    return image.convert("RGB")


def _eight_bits(values: npt.NDArray[Any]) -> Pixels:
    """More than 8 bits to 8: integers by their 16-bit range, floats by [0, 1] or, beyond it, by their own range."""
    wide = values.astype(np.float64)
    if not np.isfinite(wide).all():
        raise Unusable("decode_error", "NaN or infinite pixels")
    low, high = float(wide.min(initial=0.0)), float(wide.max(initial=0.0))
    if np.issubdtype(values.dtype, np.integer):
        scale, offset = (65535.0, 0.0) if low >= 0 and high <= 65535 else (high - low, low)
    else:
        scale, offset = (1.0, 0.0) if low >= 0 and high <= 1 else (high - low, low)
    return np.rint((wide - offset) / (scale or 1.0) * 255).astype(np.uint8)


def resize(pixels: Pixels, size: int, fit: str, device: str = "cpu") -> Pixels:
    """A picture of ``size`` by ``size``: bicubic with antialiasing, on uint8.

    Args:
        pixels: any height and width.
        size: the edge wanted.
        fit: "squash" (as the trainers do), "crop" (the middle square) or "pad" (the whole picture on grey).
        device: a torch device. A GPU's result differs by at most one grey level.
    """
    height, width = pixels.shape[:2]
    if fit == "crop":
        edge = min(height, width)
        top, left = (height - edge) // 2, (width - edge) // 2
        pixels = pixels[top : top + edge, left : left + edge]
    if fit != "pad":
        return _interpolate(pixels, size, size, device)
    scale = size / max(height, width)
    inner = _interpolate(pixels, max(1, round(height * scale)), max(1, round(width * scale)), device)
    padded = np.full((size, size, 3), _PAD_GREY, np.uint8)
    top, left = (size - inner.shape[0]) // 2, (size - inner.shape[1]) // 2
    padded[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
    return padded


def _interpolate(pixels: Pixels, height: int, width: int, device: str) -> Pixels:
    if pixels.shape[:2] == (height, width):
        return np.ascontiguousarray(pixels)
    torch = _torch()
    # Height, width, channel in memory is torch's "channels last": no copy, and its fastest path.
    tensor = torch.from_numpy(_writable(pixels)).permute(2, 0, 1).unsqueeze(0)
    if device != "cpu":
        tensor = tensor.to(device).float()
    with torch.inference_mode():
        result = torch.nn.functional.interpolate(tensor, (height, width), mode="bicubic", antialias=True)
    if device != "cpu":
        result = result.round().clamp(0, 255).to(torch.uint8).cpu()
    return np.ascontiguousarray(result[0].permute(1, 2, 0).numpy())


def _writable(pixels: Pixels) -> Pixels:
    """torch warns about read-only memory and refuses negative strides; a copy is made only for those."""
    if pixels.flags.writeable and pixels.flags.c_contiguous:
        return pixels
    return pixels.copy()


def _torch() -> Any:
    import torch

    if torch.get_num_threads() != 1:
        torch.set_num_threads(1)  # one task, one core: more would fight the other workers
    return torch


def encode(pixels: Pixels, image_format: str, quality: int) -> bytes:
    """A baseline JPEG (4:2:0) or a PNG; the same pixels give the same bytes."""
    from PIL import Image

    buffer = io.BytesIO()
    image = Image.fromarray(pixels)
    if image_format == "jpeg":
        image.save(buffer, "JPEG", quality=quality, subsampling="4:2:0")
    else:
        image.save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()
