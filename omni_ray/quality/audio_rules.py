"""The rules for speech clips: level, clipping, noise, silence, speaking rate, transcript."""

from __future__ import annotations

import io
from functools import cached_property
from operator import attrgetter

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from omni_ray.quality.rules import BOTH, OURS, Change, Rule, Values, column
from omni_ray.trainers.speech import SAMPLING_RATE, ctc_frames, ctc_needed

Samples = npt.NDArray[np.float32]

FRAME = SAMPLING_RATE // 50
"""20 ms."""
_FLOOR = 1e-10
_FULL_SCALE = 0.999
_SILENT_DB = 40.0
"""A frame this far below the clip's loudest is silence."""
_LOUD_FRAMES = 5
"""A tenth of a second: a click is shorter, a word is not."""
PAD_SECONDS = 0.1
"""Silence that trimming leaves at both ends."""


def samples_of(data: bytes) -> Samples:
    """The samples of a shard's clip, in [-1, 1]. Raises soundfile.LibsndfileError for bytes that are no clip."""
    import soundfile

    samples, _ = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    return samples[:, 0]  # type: ignore[no-any-return]


def encoded(samples: Samples, audio_format: str) -> bytes:
    """16-bit "flac" or "wav" of samples that came from 16 bits: exact."""
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, pcm(samples), SAMPLING_RATE, format=audio_format.upper(), subtype="PCM_16")
    return buffer.getvalue()


def pcm(samples: Samples) -> npt.NDArray[np.int16]:
    """The 16-bit values of a shard's samples."""
    return np.clip(np.rint(samples * 32768.0), -32768, 32767).astype(np.int16)  # type: ignore[no-any-return]


def frame_levels(samples: Samples) -> Values:
    """Power of 20 ms frames in dB of full scale, at least one frame; the last, shorter one does not count."""
    count = max(1, len(samples) // FRAME)
    frames = samples[: count * FRAME].astype(np.float64)
    power = np.add.reduceat(frames**2, np.arange(0, len(frames), FRAME)) / FRAME if len(frames) else np.zeros(1)
    return 10 * np.log10(power + _FLOOR)


def loudest(levels: Values) -> float:
    """The level in dB that the loudest tenth of a second reaches, however long the clip and however rare the speech."""
    return float(np.sort(levels)[-min(_LOUD_FRAMES, len(levels))])


def silent_ends(levels: Values) -> tuple[float, float]:
    """Seconds of silence before the first and after the last loud frame.

    Loud is above 40 dB under the loudest tenth of a second: relative, so that a quiet recording is not silence.
    """
    loud = np.flatnonzero(levels > loudest(levels) - _SILENT_DB)
    if not len(loud):
        return 0.0, 0.0
    return float(loud[0]) * 0.02, float(len(levels) - 1 - loud[-1]) * 0.02


def snr(levels: Values) -> float:
    """Signal to noise ratio in dB: 95th against 10th percentile of the frames' power, noise power subtracted from the first.

    Speech pauses often enough for its quietest tenth of frames to be background (the idea of Martin's minimum statistics,
    2001). An estimate: clips without pauses read too low, and digital silence as up to 100 dB.
    """
    signal, noise = (10 ** (np.percentile(levels, at) / 10) for at in (95, 10))
    return float(10 * np.log10(max(signal - noise, _FLOOR) / max(noise, _FLOOR)))


class MeasuredClips:
    """Audio shard rows, measured once: waveforms are decoded one at a time and not kept."""

    def __init__(self, rows: pa.Table) -> None:
        self.rows = rows

    @cached_property
    def text(self) -> list[str]:
        """The transcripts."""
        return [value or "" for value in self.rows["text"].to_pylist()]

    @cached_property
    def seconds(self) -> Values:
        """Durations."""
        return self.rows["num_samples"].to_numpy().astype(np.float64) / SAMPLING_RATE  # type: ignore[no-any-return]

    @cached_property
    def measured(self) -> Values:
        """(clips, 5): level in dB, share of clipped samples, SNR in dB, silence before and after in seconds."""
        rows = [_measure(samples_of(data.as_py())) for data in self.rows["audio"].combine_chunks().field("bytes")]
        return np.array(rows, np.float64).reshape(-1, 5)


def _measure(samples: Samples) -> tuple[float, float, float, float, float]:
    levels = frame_levels(samples)
    full = np.abs(samples) >= _FULL_SCALE
    # Two neighbours at full scale are clipping; a single one is a peak.
    flat = float(np.mean(full[1:] & full[:-1])) if len(samples) > 1 else 0.0
    return loudest(levels), flat, snr(levels), *silent_ends(levels)


def _silence(clips: MeasuredClips) -> Values:
    return clips.measured[:, 3:].max(axis=1, initial=0.0)  # type: ignore[no-any-return]


def _rate(clips: MeasuredClips) -> Values:
    return np.array([len(text) for text in clips.text]) / np.maximum(clips.seconds, 1e-3)


def _text_length(clips: MeasuredClips) -> Values:
    return np.array([len(text) for text in clips.text], np.float64)


def _ctc_load(clips: MeasuredClips) -> Values:
    """Frames that CTC needs for each that the encoder gives at ``downsample_time`` 8: above 1 nothing is learnt there.

    At ``downsample_time`` 4 a frame of 80 ms is two, so that 2 is the limit.
    """
    counts = clips.rows["num_samples"].to_pylist()
    load = [ctc_needed(text) / max(ctc_frames(n), 0.5) for n, text in zip(counts, clips.text, strict=True)]
    return np.array(load, np.float64)


def spoken_share(texts: pa.Array) -> Values:
    """Share of characters that can be heard or pace speech: letters, their marks, digits, blanks, .,?!;:'’- and quotes."""
    heard = pc.utf8_length(pc.replace_substring_regex(texts, r"[^\p{L}\p{M}\p{N} .,?!;:'’\-\"“”«»–—…]", ""))
    letters = pc.match_substring_regex(texts, r"\p{L}|\p{N}")
    share = heard.to_numpy() / np.maximum(pc.utf8_length(texts).to_numpy(), 1)
    return share * letters.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def _alphabet(clips: MeasuredClips) -> Values:
    return spoken_share(pa.array(clips.text, pa.string()))


AUDIO_RULES: tuple[Rule | Change, ...] = (
    # First, so that the others judge what is left.
    Change("trim_silence", "cuts silence at both ends, leaving 0.1 s", OURS, ("strict",)),
    # Above the longest utterance of LibriSpeech (35 s): anything longer is an uncut recording.
    Rule("too_long", "clip", "too_long", "seconds", OURS, attrgetter("seconds"), high=40.0, presets=BOTH),
    Rule("clip_seconds", "clip", "duration", "seconds", OURS, attrgetter("seconds"), low=0.5, high=30.0, presets=("strict",)),
    Rule("transcript_length", "clip", "text_length", "characters of the transcript", OURS, _text_length, low=1, high=1000, presets=BOTH),
    Rule("transcript_alphabet", "clip", "alphabet", "share of signs that can be spoken", OURS, _alphabet, low=0.9, presets=BOTH),
    Rule("speaking_rate", "clip", "speaking_rate", "characters a second", OURS, _rate, low=2, high=35, presets=BOTH),
    Rule(
        "ctc_feasible", "clip", "ctc_infeasible", "characters (and gaps between equal ones) for each frame of 80 ms",
        "CTC (Graves et al. 2006)", _ctc_load, high=2, presets=BOTH,
    ),
    Rule("level", "clip", "quiet", "dB of full scale of the loudest tenth of a second", OURS, column(0), low=-50, presets=BOTH),
    Rule("clipping", "clip", "clipped", "share of samples that stay at full scale", OURS, column(1), high=0.01, presets=BOTH),
    Rule("snr", "clip", "noisy", "dB of speech over noise", "after minimum statistics (Martin 2001)", column(2), low=10, presets=("strict",)),
    Rule("end_silence", "clip", "silence", "seconds of silence at either end", OURS, _silence, high=3.0, presets=()),
)  # fmt: skip


def trimmed(samples: Samples) -> Samples:
    """``samples`` without silence at the ends, but for 0.1 s; the whole where there is less."""
    before, after = silent_ends(frame_levels(samples))
    start = max(0, int((before - PAD_SECONDS) * SAMPLING_RATE))
    end = len(samples) - max(0, int((after - PAD_SECONDS) * SAMPLING_RATE))
    return samples[start:end]
