"""What the clips behind a speech CSV are like, from their headers: lengths, and transcripts too fast to learn.

Headers of an even sample of rows are read, of all rows where there are few. Nothing of this is cached: the clips
may change while the CSV stays the same.
"""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from omni_ray.errors import OmniError
from omni_ray.training.counts import TRANSCRIPT, WAV, open_csv

SAMPLE = 2000
"""At least half as many rows are looked at, and at most so many."""
SAMPLE_RATE = 16_000
MIN_SAMPLES = 513
_MEL_HOP = 160


@dataclass(frozen=True)
class Clips:
    """A look at the clips of one CSV file.

    Attributes:
        rows: rows in the file.
        looked_at: how many of them were looked at.
        frames: samples of each clip found, at 16 kHz, sorted.
        missing: clips not there, or not readable as audio.
        too_short: clips of fewer than 513 samples at 16 kHz; the trainers drop them.
        other_rate: clips not at 16 kHz; the multimodal stage hears them at the wrong speed.
        infeasible: clips whose transcript has more characters than CTC has output frames for.
        first_missing: the path of the first clip that is not there.
    """

    rows: int = 0
    looked_at: int = 0
    frames: tuple[int, ...] = field(default=(), repr=False)
    missing: int = 0
    too_short: int = 0
    other_rate: int = 0
    infeasible: int = 0
    first_missing: str = ""

    def percentile(self, percent: float) -> int:
        """Samples at 16 kHz of the clip at ``percent``; 0 where no clip was found."""
        if not self.frames:
            return 0
        return self.frames[min(len(self.frames) - 1, int(len(self.frames) * percent / 100))]


@dataclass(frozen=True)
class ClipsUnit:
    """One task: a speech CSV, the folder its paths start from, and the encoder's ``downsample_time``."""

    path: str
    root: str
    downsample: int = 8


def look_at(unit: ClipsUnit) -> Clips:
    """Read the headers of an even sample of clips. A file that cannot be read gives an empty look."""
    try:
        rows, sample = even_sample(unit.path, SAMPLE)
    except (OmniError, OSError, csv.Error):
        return Clips()
    frames: list[int] = []
    missing = too_short = other_rate = infeasible = 0
    first_missing = ""
    for path, text in sample:
        found = _header(Path(unit.root) / path)
        if found is None:
            missing += 1
            first_missing = first_missing or path
            continue
        samples, rate = found
        heard = samples * SAMPLE_RATE // rate
        frames.append(heard)
        too_short += heard < MIN_SAMPLES
        other_rate += rate != SAMPLE_RATE
        infeasible += needed_frames(text) > (1 + heard // _MEL_HOP) // unit.downsample
    return Clips(
        rows, len(sample), tuple(sorted(frames)), missing, too_short, other_rate, infeasible, first_missing
    )  # fmt: skip


def needed_frames(text: str) -> int:
    """Output frames CTC needs for ``text``: one a character, and a blank between equal neighbours."""
    return len(text) + sum(a == b for a, b in pairwise(text))


def even_sample(path: str, limit: int) -> tuple[int, list[tuple[str, str]]]:
    """Evenly spaced rows of a speech CSV, the first among them: how many rows it has, and (clip, transcript) of some.

    Between ``limit // 2`` and ``limit`` rows, or all where there are no more than ``limit``. A CSV without a ``text``
    column gives blank transcripts.
    """
    kept: list[tuple[str, str]] = []
    rows, stride = 0, 1
    with open(path, "rb") as file:
        reader, (wav, text) = open_csv(file, path, [WAV], [TRANSCRIPT])
        for row in reader:
            if len(row) <= max(wav, text):
                continue
            if rows % stride == 0:
                if len(kept) == limit:
                    kept = kept[::2]
                    stride *= 2
                if rows % stride == 0:
                    kept.append((row[wav].strip(), row[text].strip() if text >= 0 else ""))
            rows += 1
    return rows, kept


def _header(path: Path) -> tuple[int, int] | None:
    """(samples per channel, rate) of a clip, or None where it is not readable."""
    import soundfile

    try:
        if not os.path.isfile(path):
            return None
        info = soundfile.info(str(path))
    except (RuntimeError, OSError, ValueError, TypeError):
        return None
    return (info.frames, info.samplerate) if info.samplerate > 0 else None
