"""JPEGs that are out of the ordinary: kinds that libjpeg overruns, damage that it only warns of, odd headers."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from picture_files import encoded
from PIL import Image

from omni_ray.modalities import jpeg_files, pixels
from omni_ray.records import Unusable


@pytest.fixture(scope="module")
def noisy() -> Image.Image:
    """A picture whose scan is long enough to have holes: 160 by 160."""
    noise = np.random.default_rng(1).integers(0, 256, (40, 40, 3)).astype(np.uint8)
    return Image.fromarray(noise).resize((160, 160), Image.Resampling.BICUBIC)


def refusal(data: bytes, target: int | None = None) -> Unusable:
    with pytest.raises(Unusable) as caught:
        pixels.decode(data, target)
    return caught.value


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def lossless(edge: int) -> bytes:
    """A lossless JPEG (SOF3) of ``edge`` squared grey pixels: each is what is foretold, and coded by one bit, 0."""
    frame = segment(0xC3, struct.pack(">BHHB", 8, edge, edge, 1) + bytes([1, 0x11, 0]))
    table = segment(0xC4, bytes([0, 1, *[0] * 15, 0]))
    scan = segment(0xDA, bytes([1, 1, 0, 1, 0, 0]))
    return b"\xff\xd8" + frame + table + scan + b"\0" * (edge * edge // 8) + b"\xff\xd9"


@pytest.mark.parametrize("target", [None, 8, 16, 32, 64])
def test_a_lossless_jpeg_is_never_scaled(target: int | None) -> None:
    made, size = pixels.decode(lossless(64), target)
    assert (made.shape, size) == ((64, 64, 3), (64, 64))
    assert (made == 128).all()
    assert not pixels.is_plain_jpeg(lossless(64))


def test_kinds_that_nobody_decodes_are_named(noisy: Image.Image) -> None:
    plain = encoded(noisy, "JPEG")
    at = plain.index(b"\xff\xc0")
    deep = plain[: at + 4] + b"\x0c" + plain[at + 5 :]
    assert "12 bits" in str(refusal(deep, 20))
    for marker, kind in {0xC5: "hierarchical", 0xCB: "arithmetic lossless", 0xF7: "JPEG-LS"}.items():
        other = plain[: at + 1] + bytes([marker]) + plain[at + 2 :]
        assert kind in str(refusal(other, 20))
        assert not pixels.is_plain_jpeg(other)


def closed(data: bytes) -> bytes:
    """``data`` cut in half, with an end mark."""
    return data[: len(data) // 2] + b"\xff\xd9"


def holed(data: bytes) -> bytes:
    """``data`` with zeros from its middle on, as a sector of a disk that was not written leaves it."""
    at = len(data) // 2
    return data[:at] + b"\0" * (len(data) // 3) + data[at + len(data) // 3 :]


@pytest.mark.parametrize("spoil", [closed, holed])
@pytest.mark.parametrize(
    "mode, options",
    [
        ("RGB", {}),
        ("RGB", {"progressive": True}),
        ("RGB", {"restart_marker_blocks": 5}),
        ("L", {"restart_marker_rows": 1}),
        ("CMYK", {}),
    ],
)
@pytest.mark.parametrize("target", [None, 20])
def test_damage_is_noticed(noisy: Image.Image, mode: str, options: dict[str, int], target: int | None, spoil) -> None:  # type: ignore[no-untyped-def]
    data = encoded(noisy.convert(mode), "JPEG", quality=90, **options)
    assert pixels.decode(data, target)[1] == (160, 160)
    assert refusal(spoil(data), target).reason in {"truncated", "decode_error"}


def odd_headers(data: bytes) -> dict[str, bytes]:
    """``data`` with headers that libjpeg warns of, and reads."""
    jfif = data.index(b"JFIF\0")
    return {
        "stray bytes": data[:20] + b"\x00" * 99 + data[20:],
        "a JFIF of the future": data[: jfif + 5] + b"\x09" + data[jfif + 6 :],
        "an Adobe transform of the future": data[:20] + segment(0xEE, b"Adobe\0\x64\0\0\0\0\x07") + data[20:],
        "half an ICC profile": data[:20] + segment(0xE2, b"ICC_PROFILE\0\x01\x02" + b"x" * 50) + data[20:],
        "no range of frequencies": data[: data.index(b"\xff\xda") + 11]
        + b"\0\0\0"
        + data[data.index(b"\xff\xda") + 14 :],
    }


@pytest.mark.parametrize("what", list(odd_headers(b"JFIF\0\xff\xda")))
def test_an_odd_header_costs_nothing_and_hides_nothing(noisy: Image.Image, what: str) -> None:
    plain = encoded(noisy, "JPEG", quality=90)
    odd = odd_headers(plain)[what]
    assert np.array_equal(pixels.decode(odd)[0], pixels.decode(plain)[0])
    assert refusal(odd_headers(closed(plain))[what]).reason == "truncated"
    assert refusal(odd_headers(holed(plain))[what]).reason in {"truncated", "decode_error"}


def test_a_scaled_cmyk_jpeg_is_what_pillow_drafts(noisy: Image.Image) -> None:
    data = encoded(noisy.convert("CMYK"), "JPEG", quality=95)
    drafted = Image.open(io.BytesIO(data))
    drafted.draft(None, (40, 40))
    assert np.array_equal(pixels.decode(data, 40)[0], np.asarray(drafted.convert("RGB")))


@pytest.mark.parametrize(
    "warning, reason",
    [
        ("Corrupt JPEG data: 2 extraneous bytes before marker 0xd9", ""),
        ("Corrupt JPEG data: 3930 extraneous bytes before marker 0xd9", "decode_error"),
        ("Corrupt JPEG data: 2 extraneous bytes before marker 0xd3", "decode_error"),
        ("Corrupt JPEG data: found marker 0xd7 instead of RST1", "decode_error"),
        ("Corrupt JPEG data: bad arithmetic code", "decode_error"),
        ("Inconsistent progression sequence for component 0 coefficient 3", "decode_error"),
        ("Premature end of JPEG file", "truncated"),
        ("Unsupported color conversion request", ""),
    ],
)
def test_what_a_warning_means(warning: str, reason: str) -> None:
    assert jpeg_files.damage(warning) == reason
