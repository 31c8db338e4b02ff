"""Waveforms: encoded clips to mono FLAC or WAV at one rate, block by block.

Nothing a header claims is believed before it is seen, and whatever it claims, no more than some blocks of samples
are in memory beside the file that comes in and the file that goes out. Channels are averaged before resampling,
which changes nothing (both are linear) and leaves one channel to resample.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from omni_ray.modalities.audio_headers import is_flac, missing_bytes

Floats = npt.NDArray[np.float32]
"""Mono, full scale at 1.0, shape (n,)."""
Samples = Floats | npt.NDArray[np.int16]
"""Mono, shape (n,): 16-bit samples as long as nothing has changed them, full scale at 32768."""

MAX_SECONDS = 2 * 3600
"""A longer recording is not a training clip."""
MAX_VALUES = 1 << 31
"""Samples of all channels together: two hours of six channels at 48 kHz. Silence can be packed to nearly nothing."""
MAX_CHANNELS = 64
RATES = range(1_000, 768_001)
_FORMATS = {"WAV", "WAVEX", "RF64", "W64", "FLAC", "MP3", "OGG", "AIFF", "AU", "CAF", "NIST"}
"""libsndfile also takes the formats of samplers and of MATLAB, whose marks any file might begin with."""
_BLOCK = 1 << 16
"""Values read at once: what fits into a core's cache. libsndfile also clears what it cannot fill of a longer buffer."""
_SINC_BLOCK = 1 << 19
_HUGE = 1e9
_FLAC_EXTRAS = 1 << 16
"""Bytes that a FLAC file may have beside its samples and still be kept as it is."""

RESAMPLERS = ("soxr", "torchaudio")
_KAISER: dict[str, Any] = {
    "resampling_method": "sinc_interp_kaiser",
    "lowpass_filter_width": 64,
    "rolloff": 0.9475937167399596,
    "beta": 14.769656459379492,
}
"""torchaudio's "kaiser best" parameters: alias at -144 dB, flat to 7.2 kHz when going to 16 kHz."""


class Unusable(Exception):
    """A clip that cannot be used: ``reason`` is a code of :mod:`omni_ray.reasons`, the text says what was seen."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True)
class Clip:
    """A clip as it goes into a shard.

    Attributes:
        data: the encoded file, mono, 16 bits.
        num_samples: samples in it, counted.
        source_rate: the rate of the file it was made from, in Hz.
        peak: the largest sample there was before 16 bits could hold it; full scale is 1.0.
    """

    data: bytes
    num_samples: int
    source_rate: int
    peak: float


def convert(data: bytes, rate: int, audio_format: str, resampler: str = "soxr", longest: float | None = None) -> Clip:
    """A whole file (WAV, FLAC, MP3, Ogg Vorbis and Opus, AIFF, ...) as mono FLAC or WAV.

    A file that is mono 16-bit FLAC at ``rate`` already is decoded to the end, and then kept as it is, byte for
    byte, if FLAC is wanted: the samples are the same either way.

    Args:
        data: the file's bytes.
        rate: the rate wanted, in Hz.
        audio_format: "flac" or "wav" (PCM_16).
        resampler: "soxr" (soxr HQ) or "torchaudio" (Kaiser-windowed sinc).
        longest: seconds after which decoding may stop. It does a second later: the clip's exact length is for the
            caller to judge.

    Raises:
        Unusable: ``decode_error``, ``truncated``, ``non_finite``, ``too_long`` or ``too_large``.
    """
    kept = _verified(data, rate, longest) if audio_format == "flac" and is_flac(data, rate) else None
    if kept is not None:
        return kept
    with opened(data) as file:
        mono = Downmix()
        blocks = map(mono, decoded(file, longest))
        encoded, count = encode(resampled(blocks, file.samplerate, rate, resampler), rate, audio_format)
        return Clip(encoded, count, file.samplerate, mono.peak)


def _verified(data: bytes, rate: int, longest: float | None) -> Clip | None:
    """The file itself, decoded to its end; None where it is damaged, or holds pictures or tags behind its samples."""
    with opened(data) as file:
        mono = Downmix()
        try:
            count = sum(len(mono(block)) for block in decoded(file, longest, to_the_end=True))
        except soundfile.LibsndfileError:
            return None
        return Clip(data, count, rate, mono.peak) if len(data) <= 2 * count + _FLAC_EXTRAS else None


class _Forward(soundfile.SoundFile):  # type: ignore[misc]
    """Reads or writes from front to back; reads until nothing comes, however many frames the header counts.

    soundfile would seek after each block, and stop at the number of frames in the header: FLAC that was written to a
    pipe has no such number, and an MP3 file's is a guess.
    """

    def seekable(self) -> bool:
        return False


@contextmanager
def opened(data: bytes) -> Iterator[soundfile.SoundFile]:
    """The file open for reading, once it and what it says of itself are believable.

    Raises:
        Unusable: ``decode_error`` or ``truncated``, inside as well.
    """
    raw = io.BytesIO(data)
    try:
        with _Forward(raw) as file:
            if file.format not in _FORMATS:
                raise Unusable("decode_error", f"a file in the format {file.format}")
            if file.samplerate not in RATES:
                raise Unusable("decode_error", f"a sampling rate of {file.samplerate} Hz")
            if not 1 <= file.channels <= MAX_CHANNELS:
                raise Unusable("decode_error", f"{file.channels} channels")
            missing = missing_bytes(data)
            if missing:
                raise Unusable("truncated", f"{missing} bytes fewer than its header says")
            yield file
    except soundfile.LibsndfileError as error:
        # A decoder that fails inside the file found damage; one that fails at its end wanted more of it.
        is_cut = data[:4] in {b"fLaC", b"RIFF", b"RF64", b"FORM"} and raw.tell() >= len(data)
        raise Unusable("truncated" if is_cut else "decode_error", error.error_string.strip()) from error


def decoded(
    file: soundfile.SoundFile, longest: float | None = None, to_the_end: bool = False
) -> Iterator[npt.NDArray[Any]]:
    """Blocks as they are in the file, shape (n, channels), int16 or float32; each good until the next is asked for.

    Args:
        file: as :func:`opened` gives it.
        longest: seconds; a second more than that is too long.
        to_the_end: ask for more than the header of a FLAC file counts, which finds what is behind.

    Raises:
        Unusable: ``truncated``, ``too_long`` or ``too_large``.
    """
    frames = 0
    # Only FLAC counts its samples: WAV was measured in bytes, the others estimate.
    promised = file.frames if file.format == "FLAC" and file.frames < 1 << 36 else None
    # libsndfile turns 16 bits into floats one by one, which takes longer than reading them.
    dtype = "int16" if file.subtype == "PCM_16" else "float32"
    buffer = np.empty((max(1, _BLOCK // file.channels), file.channels), dtype)
    while promised is None or frames < promised:
        wanted = len(buffer) if promised is None or to_the_end else min(len(buffer), promised - frames)
        block = buffer[: file.buffer_read_into(buffer[:wanted], dtype)]
        frames += len(block)
        if not len(block):
            break
        if longest is not None and frames > (longest + 1) * file.samplerate:
            raise Unusable("too_long", f"more than {longest:g} s")
        if frames > min(MAX_SECONDS * file.samplerate, MAX_VALUES // file.channels):
            raise Unusable("too_large", f"more than {frames // file.samplerate // 60} minutes")
        yield block
    if promised is not None and frames < promised:
        raise Unusable("truncated", f"{frames} of {promised} samples are there")


class Downmix:
    """Averages channels; ``peak``, with full scale at 1.0, grows with what is seen."""

    def __init__(self) -> None:
        self.peak = 0.0

    def __call__(self, block: npt.NDArray[Any]) -> Samples:
        """One channel of the same block; a view where there is only one.

        Raises:
            Unusable: ``non_finite``.
        """
        low, high = float(block.min()), float(block.max())
        if not (high < _HUGE and low > -_HUGE):  # false for NaN as well
            raise Unusable("non_finite", "NaN, infinite or absurdly large samples")
        scale = 1 / 32768 if block.dtype == np.int16 else 1.0
        self.peak = max(self.peak, high * scale, -low * scale)
        channels = block.shape[1]
        if channels == 1:
            return block[:, 0]
        mono = block[:, 0].astype(np.float32)
        for channel in range(1, channels):
            mono += block[:, channel]
        mono /= np.float32(channels)
        return mono if scale == 1 else mono * np.float32(scale)


def resampled(blocks: Iterator[Samples], source: int, target: int, resampler: str) -> Iterator[Samples]:
    """The same at another rate, both in Hz; untouched where they are one."""
    if source == target:
        yield from blocks
        return
    chunk = _RESAMPLERS[resampler](source, target)
    for block in blocks:
        yield chunk(_floats(block), False)
    yield chunk(np.zeros(0, np.float32), True)


def _floats(block: Samples) -> Floats:
    if block.dtype != np.int16:
        return block  # type: ignore[return-value]
    floats = block.astype(np.float32)  # two steps, each vectorized: numpy multiplies 16 bits by a float the slow way
    floats *= np.float32(1 / 32768)
    return floats


def _soxr(source: int, target: int) -> Callable[[Floats, bool], Floats]:
    stream = soxr.ResampleStream(source, target, 1, dtype="float32", quality="HQ")
    return stream.resample_chunk  # type: ignore[no-any-return]


def _torchaudio(source: int, target: int) -> Callable[[Floats, bool], Floats]:
    return _Sinc(source, target).resample_chunk


_RESAMPLERS = {"soxr": _soxr, "torchaudio": _torchaudio}


class _Sinc:
    """torchaudio's windowed sinc over blocks: each is resampled with as much before and behind it as the filter reaches.

    With rates r and s in lowest terms, output sample j stands at input sample j r / s: blocks are cut at multiples
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


def encode(blocks: Iterator[Samples], rate: int, audio_format: str) -> tuple[bytes, int]:
    """The file and its number of samples; the same samples give the same bytes."""
    buffer, count = io.BytesIO(), 0
    with _Forward(buffer, "w", rate, 1, "PCM_16", format=audio_format.upper()) as file:
        for block in blocks:
            file.write(to_int16(block))
            count += len(block)
    return buffer.getvalue(), count
