"""TIFF files of more than 8 bits a sample come out as the grey they mean."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from omni_ray.modalities import pixels


def tiff(bits: int, samples: bytes, edge: int, *, white_is_zero: bool = False, signed: bool = False) -> bytes:
    """A little-endian TIFF of one strip of ``edge`` squared grey samples."""
    entries = [
        (256, 3, edge),
        (257, 3, edge),
        (258, 3, bits),
        (259, 3, 1),
        (262, 3, 0 if white_is_zero else 1),
        (273, 4, 8 + 2 + 12 * 9 + 4),
        (277, 3, 1),
        (279, 4, len(samples)),
        (339, 3, 2 if signed else 1),
    ]
    directory = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + directory + b"\0\0\0\0" + samples


def grey_of(data: bytes) -> int:
    made, _ = pixels.decode(data)
    assert np.ptp(made) == 0
    return int(made[0, 0, 0])


@pytest.mark.parametrize("value", [0, 0x111, 3003, 4095])
def test_twelve_bits(value: int) -> None:
    pair = bytes([value >> 4, (value & 15) << 4 | value >> 8, value & 255])
    assert grey_of(tiff(12, pair * 32, 8)) == round(value / 4095 * 255)


@pytest.mark.parametrize("value", [0, 257, 32768, 65535])
def test_sixteen_bits_with_white_as_zero(value: int) -> None:
    samples = struct.pack("<H", value) * 64
    assert grey_of(tiff(16, samples, 8)) == round(value / 65535 * 255)
    assert grey_of(tiff(16, samples, 8, white_is_zero=True)) == 255 - round(value / 65535 * 255)


def test_sixteen_bits_with_a_sign() -> None:
    assert grey_of(tiff(16, struct.pack("<h", 32767) * 64, 8, signed=True)) == 255
