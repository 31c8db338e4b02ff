"""Waveforms: bytes to 16 kHz mono samples and back. Memory is bounded whatever a header claims.

Samples are float32 in [-1, 1]. Channels are averaged before resampling, which is exact (both are linear) and costs
one resampling instead of several.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

MAX_SECONDS = 4 * 3600.0
"""A longer recording is not a training clip but a mistake, or an attack: four hours of 16 kHz are 920 MB."""
MAX_CHANNELS = 64
RATES = range(1_000, 1_000_001)
_BLOCK_FRAMES = 1 << 20

RESAMPLERS = ("soxr", "torchaudio")
_KAISER = {
    "resampling_method": "sinc_interp_kaiser",
    "lowpass_filter_width": 64,
    "rolloff": 0.9475937167399596,
    "beta": 14.769656459379492,
}
"""torchaudio's "kaiser best" parameters: alias at -144 dB, flat to 7.2 kHz when going to 16 kHz."""


class Unusable(Exception):
    """A clip that cannot be used: ``reason`` is a code of omni_ray.reasons, the text says what was seen."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def decode(data: bytes, rate: int, resampler: str = "soxr") -> tuple[Samples, int]:
    """Decode a whole file: WAV, FLAC, MP3, Ogg, or whatever libsndfile knows.

    Args:
        data: the file's bytes.
        rate: the rate wanted, in Hz.
        resampler: "soxr" (soxr HQ, streamed) or "torchaudio" (windowed sinc, whole clip).

    Returns:
        Mono samples at ``rate``, float32, shape (n,), and the file's own rate in Hz.

    Raises:
        Unusable: ``decode_error``, ``truncated`` (fewer frames than the header of a WAV or FLAC states),
            ``non_finite`` or ``too_large``.
    """
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            _check_header(file)
            source_rate = int(file.samplerate)
            convert = _soxr_stream(source_rate, rate) if resampler == "soxr" else None
            pieces = [convert(block, False) if convert else block for block in _mono_blocks(file)]
    except soundfile.LibsndfileError as error:
        # libsndfile reports a file that ends inside a frame as "lost sync" or the like.
        raise Unusable("truncated" if _ends_early(data) else "decode_error", str(error)) from error
    except (RuntimeError, TypeError, ValueError) as error:
        raise Unusable("decode_error", f"{type(error).__name__}: {error}") from error
    if convert:
        pieces.append(convert(np.zeros(0, np.float32), True))
    samples = np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
    if not convert:
        samples = _torchaudio(samples, source_rate, rate)
    return samples, source_rate


def _check_header(file: Any) -> None:
    if file.samplerate not in RATES:
        raise Unusable("decode_error", f"a sampling rate of {file.samplerate} Hz")
    if not 1 <= file.channels <= MAX_CHANNELS:
        raise Unusable("decode_error", f"{file.channels} channels")


def _mono_blocks(file: Any) -> Iterator[Samples]:
    """Mono blocks of at most a million frames; checks what comes against what the header says."""
    # MP3 and Ogg only estimate their length, so that no promise of theirs can be broken.
    promised = int(file.frames) if file.format in {"WAV", "WAVEX", "RF64", "W64", "FLAC", "AIFF", "AU", "CAF"} else None
    limit = int(MAX_SECONDS * file.samplerate)
    frames = 0
    step = max(1, _BLOCK_FRAMES // file.channels)
    while len(block := file.read(step, dtype="float32", always_2d=True)):
        frames += len(block)
        if frames > limit:
            raise Unusable("too_large", f"longer than {MAX_SECONDS / 3600:.0f} hours")
        if not np.isfinite(block).all():
            raise Unusable("non_finite", "NaN or infinite samples")
        yield block[:, 0] if block.shape[1] == 1 else block.mean(axis=1, dtype=np.float32)
    if promised is not None and frames < promised:
        raise Unusable("truncated", f"{frames} of {promised} frames are there")


def _ends_early(data: bytes) -> bool:
    return data[:4] in {b"fLaC", b"RIFF", b"OggS"} and len(data) > 64


def _soxr_stream(source: int, target: int) -> Any:
    """A function (block, is_last) -> resampled block; the identity where the rates agree."""
    if source == target:
        return lambda block, is_last: block
    import soxr

    return soxr.ResampleStream(source, target, 1, dtype="float32", quality="HQ").resample_chunk


def _torchaudio(samples: Samples, source: int, target: int) -> Samples:
    if source == target or samples.size == 0:
        return samples
    import torch

    with torch.inference_mode():
        resampled: Samples = _transform(source, target)(torch.from_numpy(samples)).numpy()
    return resampled


@cache
def _transform(source: int, target: int) -> Any:
    import torch
    from torchaudio.transforms import Resample

    torch.set_num_threads(1)  # one task, one core: more would fight the other workers
    return Resample(source, target, **_KAISER)


def to_int16(samples: Samples) -> npt.NDArray[np.int16]:
    """16-bit samples: scaled by 32768 and rounded as libsndfile does, clamped so that nothing wraps around."""
    clamped: npt.NDArray[np.int16] = np.clip(np.rint(samples * 32768.0), -32768, 32767).astype(np.int16)
    return clamped


def encode(samples: npt.NDArray[np.int16], rate: int, audio_format: str) -> bytes:
    """A mono 16-bit file, "flac" or "wav"; the same samples give the same bytes."""
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=audio_format.upper(), subtype="PCM_16")
    return buffer.getvalue()


def is_ready_flac(data: bytes, rate: int) -> bool:
    """Whether ``data`` is FLAC, mono, 16 bits, at ``rate`` Hz: read from STREAMINFO, which every FLAC begins with."""
    if data[:4] != b"fLaC" or len(data) < 42 or data[4] & 0x7F != 0:
        return False
    packed = int.from_bytes(data[18:26], "big")
    return (packed >> 44, (packed >> 41 & 7) + 1, (packed >> 36 & 31) + 1) == (rate, 1, 16)
