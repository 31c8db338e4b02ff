"""Pictures and clips that lie about themselves: each costs one record, and memory stays bounded."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from tests.hostile.conftest import Treat
from tests.images.picture_files import png_chunk

pytestmark = pytest.mark.slow


def picture(size: tuple[int, int] = (64, 48), kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(buffer, kind)
    return buffer.getvalue()


def png(width: int, height: int, extra: bytes = b"") -> bytes:
    """A PNG that declares a size, and has next to nothing."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1 << 20))
    return (
        b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", head) + extra + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND", b"")
    )


def jpeg(width: int, height: int) -> bytes:
    """A JPEG whose frame header declares a size."""
    data = bytearray(picture((16, 16), "JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def bmp(width: int, height: int) -> bytes:
    return (
        b"BM"
        + struct.pack("<IHHI", 1 << 31, 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, *[0] * 6)
    )


def gif(width: int, height: int) -> bytes:
    data = bytearray(picture((16, 16), "GIF"))
    data[6:10] = struct.pack("<HH", width, height)
    return bytes(data)


PICTURES = {
    "square.png": png(100_000, 100_000),
    "wide.png": png(2**31 - 1, 1),
    "nothing.png": png(0, 0),
    "huge.jpg": jpeg(65_000, 65_000),
    "huge.bmp": bmp(50_000, 50_000),
    "back.bmp": bmp(-50_000, -(2**31)),
    "huge.gif": gif(65_535, 65_535),
    "empty.png": b"",
    "cut.jpg": picture((640, 480), "JPEG")[:700],
    "program.png": b"#!/bin/sh\nrm -rf /\n",
    "postscript.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\nquit\n",
}


def commented() -> bytes:
    """A picture with a comment of half a gigabyte, which nobody needs to unpack."""
    return png(64, 48, png_chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(1 << 29), 1)))


def captions(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir()
    rows = ["image,caption"]
    for name, data in files.items():
        (folder / name).write_bytes(data)
        rows.append(f"{name},A caption of {name}.")
    (folder / "captions.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_pictures_that_declare_too_much_cost_themselves_only(treat: Treat, tmp_path: Path) -> None:
    good = {**{f"good-{i}.png": picture() for i in range(3)}, "text.png": commented()}
    warm = captions(tmp_path / "warm", good)
    outcome = treat("images", "image_captions", captions(tmp_path / "bad", {**good, **PICTURES}), warm)
    assert outcome.records == {"in": 4 + len(PICTURES), "kept": 4, "quarantined": len(PICTURES)}
    assert outcome.reasons["too_large"] >= 4
    assert set(outcome.reasons) <= {"too_large", "decode_error", "truncated"}
    assert outcome.mib < 64


def wav(seconds: float = 1.0, **fields: int) -> bytes:
    """A WAV of silence, whose header's fields may be overwritten."""
    buffer = io.BytesIO()
    soundfile.write(buffer, np.zeros(int(16_000 * seconds), np.int16), 16_000, format="WAV", subtype="PCM_16")
    data = bytearray(buffer.getvalue())
    places = {"riff": (4, "<I"), "kind": (20, "<H"), "channels": (22, "<H"), "rate": (24, "<I"), "data": (40, "<I")}
    for name, value in fields.items():
        at, form = places[name]
        struct.pack_into(form, data, at, value)
    return bytes(data)


def floats(value: float) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.full(16_000, value, np.float32), 16_000, format="WAV", subtype="FLOAT")
    return buffer.getvalue()


def flac(frames: int, rate: int = 16_000) -> bytes:
    """A FLAC whose header counts ``frames`` samples."""
    buffer = io.BytesIO()
    soundfile.write(buffer, np.zeros(16_000, np.int16), 16_000, format="FLAC", subtype="PCM_16")
    data = bytearray(buffer.getvalue())
    packed = int.from_bytes(data[18:26], "big")
    packed = packed & ~((1 << 36) - 1) | frames
    packed = packed & ~(((1 << 20) - 1) << 44) | rate << 44
    data[18:26] = packed.to_bytes(8, "big")
    return bytes(data)


CLIPS = {
    "nan.wav": floats(float("nan")),
    "infinite.wav": floats(float("inf")),
    "enormous.wav": floats(1e30),
    "declared.wav": wav(data=2**30, riff=2**30 + 36),
    "channels.wav": wav(channels=65_535),
    "still.wav": wav(rate=0),
    "fast.wav": wav(rate=2**32 - 1),
    "counted.flac": flac((1 << 36) - 1),
    "fast.flac": flac(16_000, rate=(1 << 20) - 1),
    "cut.flac": flac(16_000)[:60],
    "empty.wav": b"",
    "page.wav": b"<html>Not found</html>",
}


def clips(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir()
    rows = ["audio,text"]
    for name, data in files.items():
        (folder / name).write_bytes(data)
        rows.append(f"{name},What {name} says.")
    (folder / "clips.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_clips_that_lie_in_their_headers_cost_themselves_only(treat: Treat, tmp_path: Path) -> None:
    good = {f"good-{i}.wav": wav(3.0) for i in range(3)}
    warm = clips(tmp_path / "warm", good)
    outcome = treat("audio", "audio_files", clips(tmp_path / "bad", {**good, **CLIPS}), warm)
    assert outcome.records == {"in": 3 + len(CLIPS), "kept": 3, "quarantined": len(CLIPS)}
    assert outcome.reasons["non_finite"] >= 2
    assert outcome.mib < 64


def test_hours_of_silence_in_a_small_zip_are_not_held_all_at_once(treat: Treat, tmp_path: Path) -> None:
    hour = wav(50 * 60.0)
    (tmp_path / "bad").mkdir()
    with zipfile.ZipFile(tmp_path / "bad" / "silence.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for i in range(8):
            archive.writestr(f"LJSpeech-1.1/wavs/LJ{i:03d}-0000.wav", hour)
        lines = "".join(f"LJ{i:03d}-0000|Silence.|Silence.\n" for i in range(8))
        archive.writestr("LJSpeech-1.1/metadata.csv", lines)
    outcome = treat("audio", "ljspeech", tmp_path / "bad")
    assert outcome.records["in"] == 8
    assert outcome.mib < 8 * len(hour) / (1 << 20)  # all of them would be more than this
