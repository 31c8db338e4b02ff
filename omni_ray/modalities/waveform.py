"""Waveforms: encoded clips to mono FLAC or WAV at one rate, block by block.

Nothing a header claims is believed before it is seen, and whatever it claims, no more than some blocks of samples
are in memory beside the file that comes in and the file that goes out. Channels are averaged before resampling,
which changes nothing (both are linear) and leaves one channel to resample.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from omni_ray.records import Unusable
from omni_ray.sources.audio_headers import is_flac
from omni_ray.sources.recordings import Recording, opened

Floats = npt.NDArray[np.float32]
"""Mono, full scale at 1.0, shape (n,)."""
Samples = Floats | npt.NDArray[np.int16]
"""Mono, shape (n,): 16-bit samples as long as nothing has changed them, full scale at 32768."""

MAX_SECONDS = 2 * 3600
"""A longer recording is not a training clip."""
MAX_VALUES = 1 << 31
"""Samples of all channels together: two hours of six channels at 48 kHz. Silence can be packed to nearly nothing."""
_SINC_BLOCK = 1 << 19
_HUGE = 1e9
OVERDRIVEN = 2.0
"""MP3 and resampling overshoot full scale a little; twice full scale is a file that was written in another scale."""
_NO_SOUND = 16.0
"""24 dB over full scale: no recording is so loud."""
_INT16_PEAK = 32768
_FLAC_EXTRAS = 1 << 16
"""Bytes that a FLAC file may have besides its samples and still be kept as it is."""

_KAISER: dict[str, Any] = {
    "resampling_method": "sinc_interp_kaiser",
    "lowpass_filter_width": 64,
    "rolloff": 0.9475937167399596,
    "beta": 14.769656459379492,
}
"""torchaudio's "kaiser best" parameters: alias at -144 dB, flat to 7.2 kHz when going to 16 kHz."""


@dataclass(frozen=True)
class Clip:
    """A clip as it goes into a shard.

    Attributes:
        data: the encoded file, mono, 16 bits.
        num_samples: samples in it, counted.
        source_rate: the rate of the file it was made from, in Hz.
        peak: the largest sample there was before 16 bits could hold it; full scale is 1.0.
        is_rescaled: its samples were floats in the scale of 16-bit integers.
    """

    data: bytes
    num_samples: int
    source_rate: int
    peak: float
    is_rescaled: bool = False


def convert(
    data: bytes,
    rate: int,
    audio_format: str,
    resampler: str = "soxr",
    longest: float | None = None,
    channel: int | None = None,
) -> Clip:
    """A whole file (WAV, FLAC, MP3, Ogg, AAC, ...) as mono FLAC or WAV.

    A file that is mono 16-bit FLAC at ``rate`` already is decoded to the end, and then kept as it is, byte for
    byte, if FLAC is wanted: the samples are the same either way. A file of floats in the scale of 16-bit integers is
    brought to full scale.

    Args:
        audio_format: "flac" or "wav" (PCM_16).
        resampler: "soxr" (soxr HQ) or "torchaudio" (Kaiser-windowed sinc).
        longest: seconds after which decoding may stop. It does a second later: the clip's exact length is for the
            caller to judge.
        channel: which of several channels, counted from 1; None for the mean of all.

    Raises:
        Unusable: ``decode_error``, ``truncated``, ``non_finite``, ``wrong_scale``, ``missing_channel``, ``too_long`` or
            ``too_large``.
    """
    kept = _verified(data, rate, longest, channel) if audio_format == "flac" and is_flac(data, rate) else None
    if kept is not None:
        return kept
    made, is_float = _made(data, rate, audio_format, resampler, longest, Downmix(channel))
    if not is_float or made.peak <= OVERDRIVEN:
        return made
    if made.peak <= _INT16_PEAK and _are_integers(data):
        made, _ = _made(data, rate, audio_format, resampler, longest, Downmix(channel, 1 / _INT16_PEAK))
        return replace(made, is_rescaled=True)
    if made.peak > _NO_SOUND:
        raise Unusable("wrong_scale", f"its floats go up to {made.peak:,.0f}, where full scale is 1")
    return made


def _made(
    data: bytes, rate: int, audio_format: str, resampler: str, longest: float | None, mono: Downmix
) -> tuple[Clip, bool]:
    """The clip, and whether it was made from floats of any scale."""
    with opened(data) as recording:
        blocks = map(mono, bounded(recording, longest))
        encoded, count = encode(resampled(blocks, recording.rate, rate, resampler), rate, audio_format)
        return Clip(encoded, count, recording.rate, mono.peak), recording.is_float


def _verified(data: bytes, rate: int, longest: float | None, channel: int | None) -> Clip | None:
    """The file itself, decoded to its end; None where its header miscounts, or there is more in it than sound."""
    with opened(data) as recording:
        mono = Downmix(channel)
        count = sum(len(mono(block)) for block in bounded(recording, longest))
        is_lean = len(data) <= 2 * count + _FLAC_EXTRAS
        return Clip(data, count, rate, mono.peak) if recording.is_as_said and is_lean else None


def _are_integers(data: bytes) -> bool:
    with opened(data) as recording:
        return all(bool((np.rint(block) == block).all()) for block in recording.blocks)


def bounded(recording: Recording, longest: float | None = None) -> Iterator[npt.NDArray[Any]]:
    """The recording's blocks, as long as there are not too many; each good until the next is asked for.

    Args:
        longest: seconds; a second more than that is too long.

    Raises:
        Unusable: ``truncated``, ``too_long`` or ``too_large``.
    """
    frames, rate = 0, recording.rate
    for block in recording.blocks:
        frames += len(block)
        if longest is not None and frames > (longest + 1) * rate:
            raise Unusable("too_long", f"more than {longest:g} s")
        if frames > min(MAX_SECONDS * rate, MAX_VALUES // recording.channels):
            raise Unusable("too_large", f"more than {frames // rate // 60} minutes")
        yield block


class Downmix:
    """Averages channels, or takes one; ``peak``, with full scale at 1.0, grows with what is seen.

    Args:
        channel: counted from 1; None for the mean of all.
        scale: what float samples are multiplied by.
    """

    def __init__(self, channel: int | None = None, scale: float = 1.0) -> None:
        self.peak = 0.0
        self._channel, self._scale = channel, scale

    def __call__(self, block: npt.NDArray[Any]) -> Samples:
        """One channel of the same block; a view where there is only one.

        Raises:
            Unusable: ``non_finite`` or ``missing_channel``.
        """
        if self._channel is not None:
            if self._channel > block.shape[1]:
                raise Unusable("missing_channel", f"no channel {self._channel}: there are {block.shape[1]}")
            block = block[:, self._channel - 1 : self._channel]
        if self._scale != 1 and block.dtype != np.int16:
            block = block * np.float32(self._scale)
        low, high = float(block.min()), float(block.max())
        if not (high < _HUGE and low > -_HUGE):  # false for NaN as well
            raise Unusable("non_finite", "NaN, infinite or absurdly large samples")
        scale = 1 / 32768 if block.dtype == np.int16 else 1.0
        self.peak = max(self.peak, high * scale, -low * scale)
        channels = block.shape[1]
        if channels == 1:
            return block[:, 0]
        mono = block[:, 0].astype(np.float32)
        for number in range(1, channels):
            mono += block[:, number]
        mono /= np.float32(channels)
        return mono if scale == 1 else mono * np.float32(scale)


def resampled(blocks: Iterator[Samples], source: int, target: int, resampler: str) -> Iterator[Samples]:
    """The same at another rate, both in Hz; untouched where they are equal."""
    if source == target:
        yield from blocks
        return
    is_soxr = resampler == "soxr"
    stream = soxr.ResampleStream(source, target, 1, "float32", "HQ") if is_soxr else _Sinc(source, target)
    for block in blocks:
        yield stream.resample_chunk(_floats(block), False)
    yield stream.resample_chunk(np.zeros(0, np.float32), True)


def _floats(block: Samples) -> Floats:
    if block.dtype != np.int16:
        return block  # type: ignore[return-value]
    floats = block.astype(np.float32)  # two steps, each vectorized: numpy is slow at multiplying 16 bits by a float
    floats *= np.float32(1 / 32768)
    return floats


class _Sinc:
    """torchaudio's windowed sinc over blocks: each is resampled with as much before and after it as the filter reaches.

    With rates r and s in lowest terms, output sample j is at input sample j r / s: blocks are cut at multiples
    of r, where an output sample falls on an input sample.
    """

    def __init__(self, source: int, target: int) -> None:
        divisor = math.gcd(source, target)
        self._old, self._new = source // divisor, target // divisor
        reach = math.ceil(
            _KAISER["lowpass_filter_width"] * self._old / (min(self._old, self._new) * _KAISER["rolloff"])
        )
        self._margin = self._old * (math.ceil(reach / self._old) + 1)
        self._transform = _sinc_kernel(source, target)
        self._held: list[Floats] = []
        self._length = 0  # of what is held
        self._before = 0  # samples at the front of what is held that have been resampled already

    def resample_chunk(self, block: Floats, is_last: bool) -> Floats:
        import torch

        self._held.append(block.copy())
        self._length += len(block)
        end = self._length if is_last else (self._length - self._margin) // self._old * self._old
        if not self._length or (not is_last and end - self._before < _SINC_BLOCK):
            return np.zeros(0, np.float32)
        held = np.concatenate(self._held)
        with torch.inference_mode():
            found: Floats = self._transform(torch.from_numpy(held)).numpy()
        first = self._before * self._new // self._old
        found = found[first:] if is_last else found[first : end * self._new // self._old]
        keep = max(0, end - self._margin)
        self._held, self._length, self._before = [held[keep:].copy()], len(held) - keep, end - keep
        return found


@cache
def _sinc_kernel(source: int, target: int) -> Any:
    import torch
    from torchaudio.transforms import Resample

    torch.set_num_threads(1)  # one task, one core: more would fight the other workers
    return Resample(source, target, **_KAISER)


def to_int16(samples: Samples) -> npt.NDArray[np.int16]:
    """16-bit samples: times 32768 and rounded, so that 16-bit sources come back exactly; clamped, never wrapped."""
    if samples.dtype == np.int16:
        return samples  # type: ignore[return-value]
    scaled = samples * np.float32(32768)
    return np.clip(np.rint(scaled, out=scaled), -32768, 32767, out=scaled).astype(np.int16)


class _Sequential(soundfile.SoundFile):  # type: ignore[misc]
    """Writes from front to back: soundfile would seek after each block."""

    def seekable(self) -> bool:
        return False


def encode(blocks: Iterator[Samples], rate: int, audio_format: str) -> tuple[bytes, int]:
    """The file and its number of samples; the same samples give the same bytes."""
    buffer, count = io.BytesIO(), 0
    with _Sequential(buffer, "w", rate, 1, "PCM_16", format=audio_format.upper()) as file:
        for block in blocks:
            file.write(to_int16(block))
            count += len(block)
    return buffer.getvalue(), count
