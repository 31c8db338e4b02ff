"""Encoded clips for tests, and what is in them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import soundfile

from omni_ray.modalities.audio import Audio

Signal = npt.NDArray[Any]


def encoded(samples: Signal, rate: int = 16_000, kind: str = "WAV", subtype: str | None = None) -> bytes:
    """A file of ``samples``, shape (n,) or (n, channels), int16 or floats of full scale 1.0."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=kind, subtype=subtype or soundfile.default_subtype(kind))
    return buffer.getvalue()


def decoded(data: bytes) -> Signal:
    """The samples as floats, after a check that this is 16 kHz, mono and 16 bits."""
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        assert (file.samplerate, file.channels, file.subtype) == (16_000, 1, "PCM_16")
        return file.read(dtype="float64")


def sine(hertz: float, rate: int = 16_000, seconds: float = 1.0, level: float = 0.5) -> Signal:
    """A cosine that starts at its crest."""
    return level * np.cos(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def fitted(samples: Signal, hertz: float, rate: int = 16_000) -> tuple[float, float, float]:
    """Level and phase (rad) of the sine of ``hertz`` that is nearest to ``samples``, and the dB of it over the rest.

    The first and last tenth are left out: there the filter sees the edge.
    """
    middle = slice(len(samples) // 10, -len(samples) // 10)
    angle = 2 * np.pi * hertz * np.arange(len(samples))[middle] / rate
    waves = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    found, *_ = np.linalg.lstsq(waves, samples[middle], rcond=None)
    rest = samples[middle] - waves @ found
    level = float(np.hypot(*found))
    return level, float(np.arctan2(-found[1], found[0])), float(20 * np.log10(level / np.sqrt(2) / np.std(rest)))


def raw_rows(*rows: dict[str, Any]) -> pa.Table:
    """Rows of the raw schema; what a row does not say is filled in."""
    filled = [
        {"id": f"c{n}", "where": f"file {n}", "records": 1, "path": f"c{n}.wav", "text": "one two", **row}
        for n, row in enumerate(rows)
    ]
    return pa.Table.from_pylist(filled, schema=Audio().raw_schema)
