"""Pictures and sounds small enough to be put inside a page."""

from __future__ import annotations

import base64
import io

import numpy as np
import numpy.typing as npt

MOST_SECONDS = 12.0
"""How much of a clip is put into the page."""
_MEL_BINS = 64
_N_FFT, _HOP = 512, 160
_WAVE_WIDTH, _WAVE_HEIGHT = 360, 48
_COLOURS = ((0, 0, 4), (59, 15, 112), (140, 41, 129), (222, 73, 104), (254, 159, 109), (252, 253, 191))
"""Of matplotlib's "magma", every fifth part: from silence to loud."""


def data_uri(kind: str, data: bytes) -> str:
    """``data`` as a URI that needs no network."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def thumbnail(encoded: bytes, edge: int) -> str:
    """An image no wider or higher than ``edge`` pixels, as a JPEG URI."""
    from PIL import Image

    with Image.open(io.BytesIO(encoded)) as image:
        small = image.convert("RGB")
    small.thumbnail((edge, edge))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=80)
    return data_uri("image/jpeg", buffer.getvalue())


def read_clip(encoded: bytes) -> tuple[npt.NDArray[np.float32], int]:
    """The first 12 s: samples, shape (n,), and rate in Hz."""
    import soundfile

    with soundfile.SoundFile(io.BytesIO(encoded)) as file:
        samples = file.read(int(MOST_SECONDS * file.samplerate), dtype="float32", always_2d=True)
        return samples.mean(axis=1), int(file.samplerate)


def playable(samples: npt.NDArray[np.float32], rate: int) -> str:
    """A clip that browsers play: 16-bit FLAC."""
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format="FLAC", subtype="PCM_16")
    return data_uri("audio/flac", buffer.getvalue())


def waveform(samples: npt.NDArray[np.float32]) -> str:
    """The clip's outline as an SVG path in a box of 360 by 48: the least and greatest sample under each column."""
    if samples.size == 0:
        return ""
    columns = np.array_split(samples, min(_WAVE_WIDTH, samples.size))
    peak = max(float(np.abs(samples).max()), 1e-6)
    middle = _WAVE_HEIGHT / 2
    top = [f"{x},{middle - c.max() / peak * middle:.1f}" for x, c in enumerate(columns)]
    low = [f"{x},{middle - c.min() / peak * middle:.1f}" for x, c in reversed(list(enumerate(columns)))]
    return f"M{' L'.join(top + low)}Z"


def mel_picture(samples: npt.NDArray[np.float32], rate: int) -> str:
    """The clip's mel spectrogram in decibels as a PNG URI, low frequencies at the bottom.

    Triangular filters on the HTK mel scale (mel = 2595 log10(1 + f / 700)), 64 of them, Hann window of 512.
    """
    from PIL import Image

    padded = np.pad(samples, (0, max(0, _N_FFT - samples.size)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _N_FFT)[::_HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(_N_FFT), axis=1)) ** 2
    decibels = 10 * np.log10(power @ _mel_filters(rate).T + 1e-10)
    top = decibels.max()
    level = np.clip((decibels - top + 80) / 80, 0, 1).T[::-1]
    image = Image.fromarray(np.round(level * 63).astype(np.uint8)).resize((_WAVE_WIDTH, _MEL_BINS))
    image.putpalette(_palette(), "RGB")
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return data_uri("image/png", buffer.getvalue())


def _palette() -> bytes:
    """64 colours, dark to light."""
    places = np.linspace(0, len(_COLOURS) - 1, 64)
    channels = [np.interp(places, range(len(_COLOURS)), channel) for channel in zip(*_COLOURS, strict=True)]
    return np.round(channels).astype(np.uint8).T.tobytes()


def _mel_filters(rate: int) -> npt.NDArray[np.float64]:
    top = 2595 * np.log10(1 + rate / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, _MEL_BINS + 2) / 2595) - 1)
    frequencies = np.fft.rfftfreq(_N_FFT, 1 / rate)
    rising = (frequencies - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - frequencies) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0, np.minimum(rising, falling))
