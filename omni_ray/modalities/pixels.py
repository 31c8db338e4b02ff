"""Pixels: encoded pictures to 8-bit RGB, to the size the trainers want, and back to bytes.

Three steps, so that a GPU can do the middle one: :func:`decode`, :func:`resize`, :func:`encode`. Arrays are uint8,
shape (height, width, 3), RGB. JPEG goes through libjpeg-turbo straight into such an array; everything else, and
every JPEG that is out of the ordinary (:mod:`omni_ray.modalities.jpeg_files`), through Pillow.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from omni_ray.modalities import jpeg_files, png_files
from omni_ray.records import Unusable
from omni_ray.sources.signatures import named

if TYPE_CHECKING:
    from PIL import Image

Pixels = npt.NDArray[np.uint8]

MAX_PIXELS = 178_956_970
"""Declared pixels above which a picture is refused before anything is decoded; Pillow's own "bomb" limit, doubled."""
READABLE = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "DIB", "TIFF", "PPM", "JPEG2000", "AVIF", "ICO", "QOI", "SGI")
"""What Pillow may open. It knows more: one starts Ghostscript, some have no mark of their own and take any bytes."""
PAD_GREY = 128
_TIFF_SUBFILE, _TIFF_BITS, _TIFF_PHOTOMETRIC, _TIFF_SAMPLES = 254, 258, 262, 339
_NOT_A_PAGE, _WHITE_IS_ZERO, _SIGNED = 0b101, 0, 2
"""Bits of a TIFF's subfile type (a smaller copy, a mask), and values of other tags."""

_EXIF_ORIENTATION = 0x0112
_WIDE_MODES = {"I", "F", "I;16", "I;16B", "I;16L", "I;16N"}
_ROWS_AT_ONCE = 256
"""Rows of a picture of more than 8 bits that are converted together: as floats they take eight times as much memory."""
_PILLOW_RAISES = (
    *(OSError, SyntaxError, ValueError, EOFError, KeyError, TypeError, IndexError, AttributeError, OverflowError),
    *(RuntimeError, AssertionError, ZeroDivisionError, struct.error, zlib.error),
)
"""What its readers raise on hostile bytes."""


def decode(data: bytes, target: int | None = None) -> tuple[Pixels, tuple[int, int]]:
    """Decode a whole picture: upright, opaque, 8-bit RGB.

    EXIF orientation is applied; transparency is laid on white; 16-bit and float pictures are scaled, not clipped;
    CMYK, palettes and grey are converted; of an animation, the first frame is taken. The name's ending does not matter.

    Args:
        data: a file in one of the formats of :data:`READABLE`.
        target: the edge it will be resized to. A JPEG whose edges are both at least twice as long is then decoded at
            1/2, 1/4 or 1/8, never below ``target``: the inverse DCT leaves out the frequencies that resizing would.

    Returns:
        The pixels, and the upright picture's own (width, height).

    Raises:
        Unusable: ``decode_error``, ``truncated`` or ``too_large``.
    """
    if not data:
        raise Unusable("decode_error", "the file is empty")
    try:
        plain = _decode_jpeg(data, target) if data[:3] == b"\xff\xd8\xff" else None
        return plain if plain is not None else _decode_any(data)
    except MemoryError as error:
        raise Unusable("too_large", "not enough memory to decode it") from error


def pages(data: bytes) -> int:
    """How many pages or frames a file has, of which :func:`decode` takes the first; smaller copies are none.

    Nothing is decoded, and only a file that may have several is opened. Where those after the first cannot be counted,
    there are 2; where there is no picture, 1.
    """
    from PIL import Image

    if not _may_have_pages(data):
        return 1
    try:
        with _opened(data) as image:
            return _pages_of(image)
    except (*_PILLOW_RAISES, Image.DecompressionBombError):
        return 1


def _may_have_pages(data: bytes) -> bool:
    """By its first bytes: a GIF, a TIFF, and a PNG, WebP or AVIF that says that it is animated."""
    is_animated_webp = data[8:16] == b"WEBPVP8X" and bool(data[20:21]) and bool(data[20] & 2)
    is_animated_png = data.startswith(b"\x89PNG") and b"acTL" in data[: data.find(b"IDAT")]
    return data.startswith((b"GIF8", b"II", b"MM")) or is_animated_webp or is_animated_png or data[4:12] == b"ftypavis"


def _pages_of(image: Any) -> int:
    try:
        count: int = getattr(image, "n_frames", 1)
        if image.format != "TIFF" or count == 1:
            return count
        kinds = [image.tag_v2.get(_TIFF_SUBFILE, 0) for number in range(1, count) if image.seek(number) is None]
    except _PILLOW_RAISES:
        return 2
    return 1 + sum(not kind & _NOT_A_PAGE for kind in kinds)


def _decode_jpeg(data: bytes, target: int | None) -> tuple[Pixels, tuple[int, int]] | None:
    """A JPEG as nearly all are; None where Pillow has to look at it."""
    import simplejpeg

    frame = jpeg_files.frame(data)
    if frame.bits not in (0, 8):
        raise Unusable("decode_error", f"a JPEG of {frame.bits} bits a sample; 8 are read")
    if frame.kind in jpeg_files.UNREAD:
        raise Unusable("decode_error", f"a JPEG of the kind {frame.kind}, which is not read")
    if frame.kind not in jpeg_files.TRANSFORMED:
        return None
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError as error:
        bare = jpeg_files.plain_header(data)
        if bare != data and jpeg_files.is_of_the_header(str(error)):
            return _decode_jpeg(bare, target)
        _refuse_damaged(str(error))
        return None
    _refuse_bomb(width, height)
    scale = _dct_scale(width, height, target) if frame.kind in jpeg_files.HUFFMAN else 1
    is_cmyk = colours in {"CMYK", "YCCK"}
    pixels = _by_libjpeg(data, "CMYK" if is_cmyk else "RGB", -(-width // scale), -(-height // scale), scale)
    if pixels is None:
        return None
    turn = _stored_orientation(data, ("JPEG",)) if frame.may_be_turned else 1
    return _upright(_of_inks(pixels) if is_cmyk else pixels, turn, (width, height))


def _by_libjpeg(data: bytes, colours: str, width: int, height: int, scale: int) -> Pixels | None:
    """All pixels, undamaged; None where libjpeg-turbo cannot decode the file.

    Raises:
        Unusable: ``truncated`` or ``decode_error``: libjpeg decodes it, but warns that the pixels are damaged.
    """
    import simplejpeg

    decode: Callable[..., Pixels] = partial(
        simplejpeg.decode_jpeg, colorspace=colours, min_height=height, min_width=width, min_factor=scale
    )
    try:
        return decode(data)
    except ValueError as error:
        message = str(error)
    if jpeg_files.is_of_the_header(message) and not jpeg_files.is_padding(message):
        # Only the first warning is given. Without what caused it, the next one is.
        try:
            return decode(jpeg_files.plain_header(data))
        except ValueError as error:
            message = str(error)
    if jpeg_files.is_padding(message):
        return decode(data, strict=False)
    _refuse_damaged(message)
    return None


def _of_inks(cmyk: Pixels) -> Pixels:
    """RGB of the CMYK of a JPEG, whose inks are inverted, as Adobe's programs and all others write them."""
    from PIL import Image

    inks = Image.frombytes("CMYK", (cmyk.shape[1], cmyk.shape[0]), (255 - cmyk).tobytes())
    return np.asarray(inks.convert("RGB"))


def is_plain_jpeg(data: bytes) -> bool:
    """Whether it is a JPEG in grey or YCbCr, of a usual kind, of an acceptable size, upright, and with its end mark."""
    import simplejpeg

    if data[:3] != b"\xff\xd8\xff" or data[-2:] != b"\xff\xd9":
        return False
    frame = jpeg_files.frame(data)
    if frame.kind not in jpeg_files.HUFFMAN or frame.bits != 8:
        return False
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError:
        return False
    is_upright = not frame.may_be_turned or _stored_orientation(data, ("JPEG",)) == 1
    return colours in {"YCbCr", "Gray"} and width * height <= MAX_PIXELS and is_upright


def orientation(data: bytes) -> int:
    """How :func:`decode` turns a file: its EXIF orientation, 1 to 8; 1 where there is none, or no picture."""
    if data[:3] == b"\xff\xd8\xff":
        return _stored_orientation(data, ("JPEG",)) if jpeg_files.frame(data).may_be_turned else 1
    return _stored_orientation(data)


def _stored_orientation(data: bytes, formats: tuple[str, ...] = ()) -> int:
    from PIL import Image

    try:
        with _opened(data, formats) as image:
            return _orientation(image)
    except (*_PILLOW_RAISES, Image.DecompressionBombError):
        return 1


def _dct_scale(width: int, height: int, target: int | None) -> int:
    """1, 2, 4 or 8: for these the inverse DCT is vectorized, and decoding at 3/8 or 5/8 is slower than in full."""
    room = 1 if target is None else min(width // target, height // target)
    return next(scale for scale in (8, 4, 2, 1) if scale <= room or scale == 1)


def _refuse_bomb(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise Unusable("too_large", f"{width} x {height} pixels")


def _refuse_damaged(message: str) -> None:
    reason = jpeg_files.damage(message) or ("decode_error" if jpeg_files.is_of_the_header(message) else "")
    if reason:
        raise Unusable(reason, message)


def _decode_any(data: bytes) -> tuple[Pixels, tuple[int, int]]:
    from PIL import Image, UnidentifiedImageError

    if png_files.is_damaged(data):
        raise Unusable("decode_error", "damaged: a checksum of its pixels is wrong")
    try:
        with _opened(data) as image:
            if image.format == "JPEG2000" and b"\xff\xd9" not in data:
                raise Unusable("truncated", "no end mark")  # OpenJPEG shows what it has, blurred
            return _upright_rgb(image)
    except Image.DecompressionBombError as error:
        raise Unusable("too_large", str(error)) from error
    except UnidentifiedImageError as error:
        name = named(data)
        said = f"it is {name}" if name else "not a picture, or of a format that is not read"
        raise Unusable("decode_error", said) from error
    except _PILLOW_RAISES as error:
        is_cut = "truncated" in str(error).lower() or isinstance(error, EOFError)
        reason = "truncated" if is_cut else "decode_error"
        raise Unusable(reason, str(error).split("<")[0].strip() or type(error).__name__) from error


@contextmanager
def _opened(data: bytes, formats: tuple[str, ...] = ()) -> Iterator[Any]:
    """What Pillow makes of a file, by default of one of any format: without its warnings, and a PNG's comments."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(io.BytesIO(png_files.without_comments(data)), formats=formats or _formats()) as image:
            yield image


@cache
def _formats() -> tuple[str, ...]:
    """Those of :data:`READABLE` that this build of Pillow has."""
    from PIL import Image

    Image.init()
    return tuple(name for name in READABLE if name in Image.OPEN)


def _upright_rgb(image: Any) -> tuple[Pixels, tuple[int, int]]:
    _refuse_bomb(*image.size)
    image.load()
    # Pillow turns a TIFF itself while it loads it, and forgets the tag: hence only now.
    return _upright(np.asarray(_rgb(image)), _orientation(image), image.size)


def _upright(pixels: Pixels, orientation: int, size: tuple[int, int]) -> tuple[Pixels, tuple[int, int]]:
    """Turned pixels, and the (width, height) ``size`` turned with them."""
    return _turned(pixels, orientation), size[::-1] if orientation >= 5 else size


def _orientation(image: Any) -> int:
    try:
        value = image.getexif().get(_EXIF_ORIENTATION, 1)
    except _PILLOW_RAISES:
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
        return Image.fromarray(_narrow(image)).convert("RGB")
    if image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, layer).convert("RGB")
    return image.convert("RGB")


def _narrow(image: Image.Image) -> Pixels:
    """8-bit grey of a picture of one channel with more bits."""
    values = np.asarray(image)
    tags = getattr(image, "tag_v2", {}) if image.format == "TIFF" else {}
    bits = min(tags.get(_TIFF_BITS, (16,))[0], 16) - (tags.get(_TIFF_SAMPLES, (1,))[0] == _SIGNED)
    grey = _eight_bits(values, (1 << bits) - 1)
    if image.format == "TIFF" and tags.get(_TIFF_PHOTOMETRIC) == _WHITE_IS_ZERO:
        grey = 255 - grey  # Pillow inverts these only where they have 8 bits or fewer
    clear = image.info.get("transparency")
    if isinstance(clear, int) and image.mode.startswith("I;16"):
        grey[values == clear] = 255
    return grey


def _eight_bits(values: npt.NDArray[Any], full_integer: int) -> Pixels:
    """More than 8 bits to 8: integers by their range up to ``full_integer``, floats by [0, 1]; beyond it, by their own."""
    low, high = float(values.min(initial=0)), float(values.max(initial=0))
    if not (np.isfinite(low) and np.isfinite(high)):
        raise Unusable("decode_error", "NaN or infinite pixels")
    full = float(full_integer) if np.issubdtype(values.dtype, np.integer) else 1.0
    scale, offset = (full, 0.0) if low >= 0 and high <= full else (high - low, low)
    narrow = np.empty(values.shape, np.uint8)
    for top in range(0, len(values), _ROWS_AT_ONCE):
        rows = values[top : top + _ROWS_AT_ONCE].astype(np.float64)
        narrow[top : top + _ROWS_AT_ONCE] = np.rint((rows - offset) / scale * 255)
    return narrow


def resize(pixels: Pixels, size: int, fit: str) -> Pixels:
    """A picture of ``size`` by ``size``: bicubic (a = -0.5) with antialiasing, on uint8.

    Rows first, then columns, each rounded and saturated to 8 bits: within one grey level of Pillow's bicubic filter
    applied in that order, two at a few sharp lines and where noise is enlarged. (Pillow itself begins with whichever axis is cheaper.)

    Args:
        fit: "squash" (as the trainers do), "crop" (the middle square) or "pad" (the whole picture on grey).
    """
    pixels = framed(pixels, fit)
    height, width = inner_size(pixels.shape[0], pixels.shape[1], size, fit)
    return on_grey(_interpolate(pixels, height, width), size)


def framed(pixels: Pixels, fit: str) -> Pixels:
    """The part of a picture that will be seen: its middle square for "crop", else all of it; a view."""
    if fit != "crop":
        return pixels
    height, width = pixels.shape[:2]
    edge = min(height, width)
    top, left = (height - edge) // 2, (width - edge) // 2
    return pixels[top : top + edge, left : left + edge]


def inner_size(height: int, width: int, size: int, fit: str) -> tuple[int, int]:
    """Height and width to interpolate to: all of ``size``, or, for "pad", what keeps the shape."""
    if fit != "pad":
        return size, size
    scale = size / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def on_grey(inner: Pixels, size: int) -> Pixels:
    """``inner`` in the middle of a grey square, where it does not fill it."""
    height, width = inner.shape[:2]
    if (height, width) == (size, size):
        return inner
    square = np.full((size, size, 3), PAD_GREY, np.uint8)
    top, left = (size - height) // 2, (size - width) // 2
    square[top : top + height, left : left + width] = inner
    return square


def _interpolate(pixels: Pixels, height: int, width: int) -> Pixels:
    if pixels.shape[:2] == (height, width):
        return np.ascontiguousarray(pixels)
    import torch

    if torch.get_num_threads() != 1:
        torch.set_num_threads(1)  # one task, one core: more would fight the other workers
    # Height, width, channel in memory is torch's "channels last", which it must be able to tell from the strides of
    # a batch of one: it then reads and writes that order, else it makes a planar copy first and last.
    batch = torch.from_numpy(_writable(pixels).reshape(1, *pixels.shape)).permute(0, 3, 1, 2)
    with torch.inference_mode():
        result = torch.nn.functional.interpolate(batch, (height, width), mode="bicubic", antialias=True)
    return np.ascontiguousarray(result[0].permute(1, 2, 0).numpy())


def _writable(pixels: Pixels) -> Pixels:
    """torch warns about read-only memory and refuses negative strides; a copy is made only for those."""
    if pixels.flags.writeable and pixels.flags.c_contiguous:
        return pixels
    return pixels.copy(order="C")


def encode(pixels: Pixels, image_format: str, quality: int) -> bytes:
    """A baseline JPEG (4:2:0, standard Huffman tables) or a PNG; the same pixels give the same bytes."""
    if image_format == "jpeg":
        import simplejpeg

        return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(pixels), quality, "RGB", "420", fastdct=False))
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()
