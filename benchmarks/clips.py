"""Corpora of speech clips for benchmarks: real ones repeated with distinct shifts, or made ones where there are none."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import soundfile

ENDINGS = (".wav", ".flac", ".mp3", ".ogg", ".opus")
LEAST = 4
"""A kind of file of which there are fewer is left out."""


def by_kind(folder: Path | None) -> dict[str, list[bytes]]:
    """Every clip under ``folder``, by rate and format ("22.05 kHz WAV"); made ones without a folder."""
    if folder is None:
        return {"22.05 kHz WAV": [_made(seed, 22_050, "WAV") for seed in range(20)]}
    found: dict[str, list[bytes]] = {}
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS):
        about = soundfile.info(str(path))
        found.setdefault(f"{about.samplerate / 1000:g} kHz {about.format}", []).append(path.read_bytes())
    kinds = {kind: some for kind, some in found.items() if len(some) >= LEAST}
    if not kinds:
        raise SystemExit(f"{folder}: no {', '.join(ENDINGS)}: at least {LEAST} of one rate and format are needed")
    return kinds


def write(folder: Path, originals: list[bytes], count: int) -> list[Path]:
    """``count`` clips in ``folder``: ``<number>.<ending>`` with ``<number>.txt`` beside it.

    Every repetition is turned by another number of samples, which keeps what is in it, its length and its format;
    of lossy formats, which would lose by being written again, there are plain copies.
    """
    folder.mkdir(parents=True)
    paths = []
    for number in range(count):
        data, turn = originals[number % len(originals)], number // len(originals)
        kind = soundfile.info(io.BytesIO(data))
        if turn and kind.format in {"WAV", "FLAC"}:
            samples, rate = soundfile.read(io.BytesIO(data), dtype="int32")
            buffer = io.BytesIO()
            turned = np.roll(samples, 997 * turn, axis=0)
            soundfile.write(buffer, turned, rate, format=kind.format, subtype=kind.subtype)
            data = buffer.getvalue()
        path = folder / f"{number:06d}.{kind.format.lower()}"
        path.write_bytes(data)
        path.with_suffix(".txt").write_text(f"clip number {number}")
        paths.append(path)
    return paths


def seconds(originals: list[bytes]) -> float:
    """How long they are on average."""
    return float(np.mean([soundfile.info(io.BytesIO(data)).duration for data in originals]))


def summary(kinds: Mapping[str, list[bytes]]) -> str:
    """One line for people: how many of which kind, and how long."""
    return "; ".join(f"{len(some)} clips {kind}, {seconds(some):.2f} s on average" for kind, some in kinds.items())


def _made(seed: int, rate: int, kind: str) -> bytes:
    """Six seconds of noise whose spectrum falls as speech's does, in syllables of a quarter of a second."""
    rng = np.random.default_rng(seed)
    count = 6 * rate
    spectrum = np.fft.rfft(rng.standard_normal(count)) / (1 + np.fft.rfftfreq(count, 1 / rate) / 500) ** 2
    noise = np.fft.irfft(spectrum, count) * np.sin(np.pi * 4 * np.arange(count) / rate) ** 2
    buffer = io.BytesIO()
    soundfile.write(buffer, 0.5 * noise / np.abs(noise).max(), rate, format=kind, subtype="PCM_16")
    return buffer.getvalue()
