"""Any picture to upright, opaque 8-bit RGB, or a reason why not."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from picture_files import encoded, png_chunk
from PIL import Image, ImageOps

from omni_ray.modalities import pixels
from omni_ray.records import Unusable
from tests.examples import examples


def reason_of(data: bytes, target: int | None = None) -> str:
    with pytest.raises(Unusable) as caught:
        pixels.decode(data, target)
    assert str(caught.value) and "\n" not in str(caught.value)
    return caught.value.reason


def by_pillow(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_every_exif_orientation_is_applied_as_pillow_does(scene: Image.Image, kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    lossless = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(scene, kind, exif=exif, **lossless)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    made, size = pixels.decode(data)
    assert np.array_equal(made, upright)
    assert size == (upright.shape[1], upright.shape[0])
    small, size = pixels.decode(data, 16)
    assert size == (upright.shape[1], upright.shape[0])
    assert (small.shape[0] > small.shape[1]) == (upright.shape[0] > upright.shape[1])


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff", b"Exif\0\0garbage" * 5, b"\xff" * 40]
)
def test_broken_exif_costs_nothing(scene: Image.Image, exif: bytes) -> None:
    plain = encoded(scene, "JPEG")
    broken = plain[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + plain[2:]
    assert np.array_equal(pixels.decode(broken)[0], pixels.decode(plain)[0])


def test_an_orientation_beyond_eight_means_nothing(scene: Image.Image) -> None:
    exif = Image.Exif()
    exif[0x0112] = 9
    assert np.array_equal(pixels.decode(encoded(scene, "JPEG", exif=exif))[0], by_pillow(encoded(scene, "JPEG")))


@pytest.mark.parametrize(
    "options",
    [
        {"quality": 95, "subsampling": "4:4:4"},
        {"quality": 60, "subsampling": "4:2:0"},
        {"quality": 80, "progressive": True},
        {"quality": 80, "keep_rgb": True},
        {"quality": 80, "restart_marker_blocks": 4},
    ],
)
def test_a_jpeg_is_what_pillow_makes_of_it(scene: Image.Image, options: dict[str, object]) -> None:
    data = encoded(scene, "JPEG", **options)
    assert np.array_equal(pixels.decode(data)[0], by_pillow(data))


def test_real_photographs_are_what_pillow_makes_of_them(photos: list[bytes]) -> None:
    for data in photos:
        made, (width, height) = pixels.decode(data)
        assert np.array_equal(made, by_pillow(data))
        assert made.shape == (height, width, 3)


def test_a_large_jpeg_is_decoded_at_the_lowest_scale_that_is_enough(photos: list[bytes]) -> None:
    data = encoded(Image.open(io.BytesIO(photos[0])).resize((1000, 600)), "JPEG", quality=90)
    for target, shape in {24: (75, 125), 75: (75, 125), 76: (150, 250), 151: (300, 500), 301: (600, 1000)}.items():
        made, size = pixels.decode(data, target)
        assert (made.shape[:2], size) == (shape, (1000, 600))
    drafted = Image.open(io.BytesIO(data))
    drafted.draft(None, (250, 150))
    assert np.array_equal(pixels.decode(data, 150)[0], np.asarray(drafted))


def test_a_scaled_decoding_differs_no_more_than_another_filter_would(photos: list[bytes]) -> None:
    for data in photos[:8]:
        large = Image.open(io.BytesIO(data)).convert("RGB").resize((1280, 960), Image.Resampling.BICUBIC)
        file = encoded(large, "JPEG", quality=95)
        exact = pixels.resize(pixels.decode(file)[0], 224, "squash").astype(float)
        scaled = pixels.resize(pixels.decode(file, 224)[0], 224, "squash")
        assert 10 * np.log10(255**2 / np.mean((scaled - exact) ** 2)) > 36  # dB; a box filter: 36 to 41


@pytest.mark.parametrize("scale", [1, 8, 257])
def test_sixteen_bit_grey_is_scaled_not_clipped(scale: int) -> None:
    values = (np.arange(200 * 300).reshape(200, 300) % 255 * scale).astype(np.uint16)
    for data in (encoded(Image.fromarray(values), "PNG"), encoded(Image.fromarray(values), "TIFF")):
        made, _ = pixels.decode(data)
        assert np.array_equal(made[..., 1], np.rint(values / 65535 * 255).astype(np.uint8))


def test_sixteen_bit_colour_keeps_its_high_bytes() -> None:
    # Pillow cannot write it: signature, IHDR (16 bits, colour type 2), one IDAT, IEND.
    values = np.random.default_rng(0).integers(0, 65536, (5, 7, 3)).astype(">u2")
    lines = b"".join(b"\0" + line.tobytes() for line in values)
    made, _ = pixels.decode(png(7, 5, 16, 2, zlib.compress(lines)))
    assert np.array_equal(made, (values >> 8).astype(np.uint8))


def png(width: int, height: int, depth: int, colour: int, data: bytes) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", head) + png_chunk(b"IDAT", data) + png_chunk(b"IEND", b"")


@pytest.mark.parametrize("low, high", [(0.0, 1.0), (0.0, 255.0), (-3.0, 5.0)])
def test_float_pictures_use_the_whole_range(low: float, high: float) -> None:
    values = np.linspace(low, high, 600, dtype=np.float32).reshape(20, 30)
    made, _ = pixels.decode(encoded(Image.fromarray(values), "TIFF"))
    assert (made.min(), made.max()) == (0, 255)
    assert np.all(np.diff(made[..., 0].reshape(-1).astype(int)) >= 0)


def test_a_float_picture_of_one_value_is_of_one_grey() -> None:
    for value in (0.0, 0.5, 7.0, -7.0):
        made, _ = pixels.decode(encoded(Image.fromarray(np.full((4, 4), value, np.float32)), "TIFF"))
        assert np.ptp(made) == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_no_pixels(bad: float) -> None:
    values = np.zeros((6, 6), np.float32)
    values[3, 3] = bad
    assert reason_of(encoded(Image.fromarray(values), "TIFF")) == "decode_error"


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_modes_without_transparency_are_converted_as_pillow_does(scene: Image.Image, mode: str) -> None:
    data = encoded(scene.convert(mode), "PNG")
    assert np.array_equal(pixels.decode(data)[0], by_pillow(data))


def test_cmyk_and_adobe_inverted_ycck(scene: Image.Image) -> None:
    cmyk = encoded(scene.convert("CMYK"), "JPEG", quality=95)
    made, size = pixels.decode(cmyk)
    assert np.array_equal(made, by_pillow(cmyk))
    # The same scan declared YCCK by its Adobe marker (transform 2) is another, equally valid, picture.
    at = cmyk.index(b"Adobe") + 11
    ycck = cmyk[:at] + b"\x02" + cmyk[at + 1 :]
    assert np.array_equal(pixels.decode(ycck)[0], by_pillow(ycck))
    assert size == scene.size
    assert np.abs(made.astype(int) - np.asarray(scene)).mean() < 12


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_is_transparent_becomes_white(scene: Image.Image, mode: str) -> None:
    layer = scene.convert(mode)
    alpha = Image.new("L", scene.size, 255)
    alpha.paste(0, (0, 0, 48, 64))
    layer.putalpha(alpha)
    made, _ = pixels.decode(encoded(layer, "PNG"))
    assert (made[:, :48] == 255).all()
    assert np.array_equal(made[:, 48:], np.asarray(scene.convert(mode[:-1]).convert("RGB"))[:, 48:])


def test_half_transparent_is_half_white() -> None:
    made, _ = pixels.decode(encoded(Image.new("RGBA", (3, 3), (0, 0, 0, 128)), "PNG"))
    assert abs(int(made[1, 1, 0]) - 127) <= 1


def test_a_palette_with_transparent_colours(scene: Image.Image) -> None:
    palette = scene.quantize(16)
    clear = int(np.asarray(palette)[0, 0])
    made, _ = pixels.decode(encoded(palette, "PNG", transparency=clear))
    assert (made[np.asarray(palette) == clear] == 255).all()
    solid = np.asarray(palette.convert("RGB"))
    assert np.array_equal(made[np.asarray(palette) != clear], solid[np.asarray(palette) != clear])


def test_a_transparent_colour_key(scene: Image.Image) -> None:
    made, _ = pixels.decode(encoded(Image.new("RGB", (4, 4), (9, 8, 7)), "PNG", transparency=(9, 8, 7)))
    assert (made == 255).all()


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_an_animation_the_first_frame(scene: Image.Image, kind: str) -> None:
    frames = [Image.new("RGB", (20, 10), colour) for colour in ("red", "blue", "lime")]
    lossless = {"lossless": True} if kind == "WEBP" else {}
    made, size = pixels.decode(encoded(frames[0], kind, save_all=True, append_images=frames[1:], **lossless))
    assert size == (20, 10)
    assert np.array_equal(made, np.asarray(frames[0]))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_pages_are_counted(scene: Image.Image, kind: str) -> None:
    more = [Image.new("RGB", scene.size, colour) for colour in ("red", "blue")]
    assert pixels.pages(encoded(scene, kind, save_all=True, append_images=more)) == 3
    assert pixels.pages(encoded(scene, kind)) == 1


def test_a_smaller_copy_in_a_tiff_is_no_page_and_a_damaged_page_is_one(scene: Image.Image) -> None:
    copy, page = scene.resize((9, 9)), scene.copy()
    copy.encoderinfo = {"tiffinfo": {254: 1}}
    data = encoded(scene, "TIFF", save_all=True, append_images=[copy, page])
    assert pixels.pages(data) == 2
    assert pixels.pages(encoded(scene, "TIFF", save_all=True, append_images=[page])[:-200]) == 2


def test_what_is_no_picture_has_one_page() -> None:
    assert [pixels.pages(data) for data in (b"", b"II*\0", b"GIF89a", b"MM")] == [1] * 4


def test_of_a_multi_picture_file_the_first(scene: Image.Image) -> None:
    data = encoded(scene, "MPO", save_all=True, append_images=[Image.new("RGB", (30, 30), "red")])
    made, size = pixels.decode(data)
    assert size == scene.size
    assert np.array_equal(made, by_pillow(data))


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (3, 2)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_odd_sizes(size: tuple[int, int], kind: str) -> None:
    data = encoded(Image.new("RGB", size, (200, 100, 50)), kind)
    made, told = pixels.decode(data, 224)
    assert told == size
    assert made.shape == (size[1], size[0], 3)
    assert np.abs(made.astype(int) - (200, 100, 50)).max() <= 3


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_cut_at_any_byte_is_never_a_picture(scene: Image.Image, progressive: bool) -> None:
    data = encoded(scene, "JPEG", quality=50, progressive=progressive)
    for target in (None, 8):
        reasons = {reason_of(data[:end], target) for end in range(len(data) - 1)}
        assert reasons == {"truncated", "decode_error"}
    assert reason_of(data[: len(data) // 2]) == "truncated"


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP", "BMP", "TIFF", "JPEG2000", "AVIF"])
def test_other_files_cut_at_any_byte(scene: Image.Image, kind: str) -> None:
    data = encoded(scene.resize((24, 16)), kind)
    whole = pixels.decode(data)[0]
    for end in range(len(data)):
        try:
            made, _ = pixels.decode(data[:end])
        except Unusable as error:
            assert error.reason in {"truncated", "decode_error"}
        else:  # only what holds no pixels was cut off
            assert np.array_equal(made, whole)


def test_a_jpeg_that_was_cut_and_closed_again_is_noticed(photos: list[bytes]) -> None:
    data = photos[0]
    assert reason_of(data[: len(data) // 2] + b"\xff\xd9") == "truncated"


@pytest.mark.parametrize("more", [b"\0", b"\xff", b"junk after the end" * 100])
def test_what_follows_the_end_of_a_jpeg_is_ignored(scene: Image.Image, more: bytes) -> None:
    data = encoded(scene, "JPEG")
    assert np.array_equal(pixels.decode(data + more)[0], pixels.decode(data)[0])


def test_stray_bytes_before_the_end_mark_are_ignored(scene: Image.Image) -> None:
    data = encoded(scene, "JPEG")
    assert np.array_equal(pixels.decode(data[:-2] + b"\0\0" + data[-2:])[0], pixels.decode(data)[0])


@pytest.mark.parametrize(
    "data", [b"", b"\0", b"\xff\xd8", b"\xff\xd8\xff", b"<html>404</html>", b"GIF89a", b"\0" * 999]
)
def test_garbage(data: bytes) -> None:
    assert reason_of(data) in {"decode_error", "truncated"}


def test_a_postscript_file_is_not_run() -> None:
    assert reason_of(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nquit\n") == "decode_error"


def test_declared_bombs_are_refused_before_they_are_decoded(scene: Image.Image) -> None:
    assert reason_of(png(60000, 60000, 8, 2, zlib.compress(b"\0" * 1000))) == "too_large"
    jpeg = bytearray(encoded(scene, "JPEG"))
    at = jpeg.index(b"\xff\xc0")
    jpeg[at + 5 : at + 9] = struct.pack(">HH", 65000, 65000)
    assert reason_of(bytes(jpeg)) == "too_large"
    exif = b"\xff\xe1" + struct.pack(">H", 8) + b"Exif\0\0"
    assert reason_of(bytes(jpeg[:2] + exif + jpeg[2:])) == "too_large"


@pytest.mark.parametrize(
    "kind, body",
    [
        (b"zTXt", b"k\0\0" + zlib.compress(b"x" * (80 << 20), 1)),
        (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b"x" * (3 << 20))),
        (b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(b"x" * (3 << 20))),
        (b"tEXt", b"k\0" + b"x" * (3 << 20)),
        (b"iCCP", b"k\0\0" + zlib.compress(b"x" * (3 << 20))),
    ],
)
def test_a_comment_of_a_png_is_never_unpacked(kind: bytes, body: bytes) -> None:
    whole = png(2, 2, 8, 2, zlib.compress(b"\0\1\2\3\4\5\6" * 2))
    comment = png_chunk(kind, body)
    made, _ = pixels.decode(whole[:33] + comment + whole[33:-12] + comment + whole[-12:])
    assert np.array_equal(made, pixels.decode(whole)[0])


def test_a_png_with_a_changed_pixel_is_damaged(scene: Image.Image) -> None:
    data = bytearray(encoded(scene, "PNG", compress_level=0))
    pixels.decode(bytes(data))
    data[len(data) // 2] ^= 8
    assert reason_of(bytes(data)) == "decode_error"


@pytest.mark.parametrize("packed", [False, True])
def test_a_png_that_only_a_comment_turns(packed: bool) -> None:
    whole = png(2, 1, 8, 2, zlib.compress(b"\0\1\2\3\4\5\6"))
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="3"/></x:xmpmeta>'
    head = b"XML:com.adobe.xmp\0" + (b"\1" if packed else b"\0") + b"\0\0\0"
    turning = png_chunk(b"iTXt", head + (zlib.compress(xmp) if packed else xmp))
    made, _ = pixels.decode(whole[:33] + turning + whole[33:])
    assert made[0].tolist() == [[4, 5, 6], [1, 2, 3]]


@settings(max_examples=examples(150))
@given(st.data())
def test_bytes_changed_at_random_give_pixels_or_a_reason(data: st.DataObject) -> None:
    kind = data.draw(
        st.sampled_from(["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "JPEG2000", "PPM", "ICO", "QOI", "SGI"])
    )
    y, x = np.mgrid[0:12, 0:17]
    image = Image.fromarray(np.dstack([x * 15, y * 20, x * y]).astype(np.uint8))
    if kind == "ICO":
        image = image.resize((16, 16))
    file = bytearray(encoded(image, kind))
    for _ in range(data.draw(st.integers(1, 6))):
        file[data.draw(st.integers(0, len(file) - 1))] = data.draw(st.integers(0, 255))
    try:
        made, (width, height) = pixels.decode(bytes(file), data.draw(st.sampled_from([None, 4])))
    except Unusable as error:
        assert error.reason in {"decode_error", "truncated", "too_large"}
    else:
        assert made.dtype == np.uint8 and made.ndim == 3 and made.shape[2] == 3
        assert width * height <= pixels.MAX_PIXELS
