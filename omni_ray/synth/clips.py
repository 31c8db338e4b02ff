"""Short clips of speech that a character recogniser at 12.5 frames a second can learn.

Connectionist temporal classification needs an output frame for every character and one more between two equal ones;
where a clip has fewer, its loss is zero and it teaches nothing. Every clip here has enough: it is spoken again
more slowly, with longer pauses, until it does.
"""

from __future__ import annotations

import io
from contextlib import AbstractContextManager, nullcontext
from random import Random
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from omni_ray.synth import espeak, tones
from omni_ray.synth.book import utterance
from omni_ray.synth.espeak import Speaker
from omni_ray.synth.seeds import stream
from omni_ray.trainers.speech import DOWNSAMPLING, MEL_HOP, SAMPLING_RATE, ctc_frames, ctc_needed

Engine = Literal["espeak-ng", "tones"]

SHORTEST, LONGEST = 1.0, 4.0
"""Seconds."""
_LONGEST_TEXT = 40
_RATES = (85, 112)
"""Words a minute to start from."""
_SLOWEST = 80


class SpokenSentence(NamedTuple):
    """Int16 samples, mono, at 16,000 Hz; what is said, in lower case; and who says it."""

    pcm: NDArray[np.int16]
    text: str
    speaker: str


class Voice(Protocol):
    """Something that speaks: espeak-ng, or chords."""

    def speak(self, text: str, speaker: Speaker, rate: int, gap: int = 0) -> NDArray[np.int16]:
        """int16 samples at 22,050 Hz, mono."""


def engine() -> Engine:
    """What speaks on this machine: espeak-ng where it is installed, else chords."""
    return "espeak-ng" if espeak.available() else "tones"


def opened(kind: Engine) -> AbstractContextManager[Voice]:
    """A voice in its initial state, for one clip. Raises OmniError where espeak-ng is asked for and not there."""
    return espeak.fresh() if kind == "espeak-ng" else nullcontext(tones)


def is_learnable(text: str, samples: int) -> bool:
    """Whether the transcript fits the clip."""
    return ctc_needed(text) <= ctc_frames(samples)


def say(voice: Voice, text: str, speaker: Speaker, rate: int) -> NDArray[np.int16]:
    """``text`` spoken as near to ``rate`` words a minute as a learnable clip allows.

    Returns:
        int16 samples at 22,050 Hz, mono.
    """
    gap = 0
    while True:
        spoken = voice.speak(text, speaker, rate, gap)
        # One frame fewer than there are: resampling may round the length down.
        if is_learnable(text, len(spoken) * SAMPLING_RATE // espeak.SAMPLE_RATE - MEL_HOP * DOWNSAMPLING[0]):
            return spoken
        if rate > _SLOWEST:
            rate = max(_SLOWEST, rate - 12)
        else:
            gap += 5


def resampled(samples: NDArray[np.int16], rate: int, peak: float) -> NDArray[np.int16]:
    """Speech at another sampling rate and level.

    Args:
        samples: int16 at 22,050 Hz.
        rate: Hz of the result.
        peak: of the result, as a share of full scale.
    """
    import soxr

    wave = samples.astype(np.float32)
    if rate != espeak.SAMPLE_RATE:
        wave = soxr.resample(wave, espeak.SAMPLE_RATE, rate, quality="HQ")
    loudest = float(np.abs(wave).max(initial=0.0)) or 1.0
    return np.round(wave * (peak * 32767 / loudest)).astype(np.int16)


def encoded(pcm: NDArray[np.int16], rate: int, file_format: str) -> bytes:
    """A mono file: "FLAC" or "WAV" of 16 bits, or "MP3"."""
    import soundfile

    buffer = io.BytesIO()
    subtype = "MPEG_LAYER_III" if file_format == "MP3" else "PCM_16"
    soundfile.write(buffer, pcm, rate, format=file_format, subtype=subtype)
    return buffer.getvalue()


def _padded(pcm: NDArray[np.int16], r: Random) -> NDArray[np.int16]:
    """A little silence at both ends, and enough of it to reach the shortest length."""
    before, after = r.randint(0, SAMPLING_RATE // 10), r.randint(0, SAMPLING_RATE // 10)
    after += max(0, int(SHORTEST * SAMPLING_RATE) - len(pcm) - before - after)
    return np.pad(pcm, (before, after))


def make_clip(seed: int, i: int, kind: Engine | None = None) -> SpokenSentence:
    """Clip ``i``: one to four seconds of one of forty voices, and what it says.

    It depends on ``seed``, ``i`` and the engine only, whatever was made before in this process.

    Args:
        kind: what speaks; None for what there is on this machine.

    Raises:
        OmniError: espeak-ng is asked for and not installed.
    """
    r = stream(seed, "clip", i)
    speaker = r.choice(espeak.SPEAKERS)
    rate = r.randint(*_RATES)
    longest = _LONGEST_TEXT
    with opened(kind or engine()) as voice:
        while True:
            text = utterance(r, longest)
            spoken = say(voice, text, speaker, rate)
            pcm = _padded(resampled(spoken, SAMPLING_RATE, r.uniform(0.35, 0.9)), r)
            if len(pcm) <= LONGEST * SAMPLING_RATE:
                return SpokenSentence(pcm, text, speaker.id)
            longest -= 2
