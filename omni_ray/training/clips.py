"""What the clips behind a speech CSV are like, from their headers: lengths, and transcripts too fast to learn.

Headers of an even sample of rows are read, of all rows where there are few. Nothing of this is cached: the clips
may change while the CSV stays the same.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from omni_ray.errors import OmniError
from omni_ray.storage import Storage
from omni_ray.training.counts import TRANSCRIPT, WAV, open_csv

SAMPLE = 2000
"""At least half as many rows are looked at, and at most so many."""
SAMPLE_RATE = 16_000
MIN_SAMPLES = 513
DOWNSAMPLING = (8, 4)
"""What the encoder's ``downsample_time`` can be."""
CTC_SHARE = 0.01
"""Share of clips that may be spoken too fast before it is worth changing or saying something."""
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
        infeasible: by ``downsample_time``, clips whose transcript has more characters than CTC has output frames for.
        first_missing: the path of the first clip that is not there.
        longest: samples at 16 kHz of the longest clip of all, those not looked at included where that is known.
    """

    rows: int = 0
    looked_at: int = 0
    frames: tuple[int, ...] = field(default=(), repr=False)
    missing: int = 0
    too_short: int = 0
    other_rate: int = 0
    infeasible: Mapping[int, int] = field(default_factory=dict)
    first_missing: str = ""
    longest: int = 0

    def percentile(self, percent: float) -> int:
        """Samples at 16 kHz of the clip at ``percent``; 0 where no clip was found."""
        if not self.frames:
            return 0
        return self.frames[min(len(self.frames) - 1, int(len(self.frames) * percent / 100))]


@dataclass(frozen=True)
class ClipsUnit:
    """One task: a speech CSV, and the folder its paths start from."""

    path: str
    root: str


def look_at(unit: ClipsUnit) -> Clips:
    """Read the headers of an even sample of clips. A file that cannot be read gives an empty look."""
    try:
        rows, sample = even_sample(unit.path, SAMPLE)
    except (OmniError, OSError, csv.Error):
        return Clips()
    frames: list[int] = []
    missing = too_short = other_rate = 0
    infeasible = dict.fromkeys(DOWNSAMPLING, 0)
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
        for factor in DOWNSAMPLING:
            infeasible[factor] += needed_frames(text) > (1 + heard // _MEL_HOP) // factor
    return Clips(
        rows, len(sample), tuple(sorted(frames)), missing, too_short, other_rate, infeasible, first_missing,
        max(frames, default=0),
    )  # fmt: skip


def longest_in(shard: tuple[Storage, str]) -> int:
    """Samples at 16 kHz of the longest clip of an audio shard, from its footer."""
    import pyarrow.parquet as pq

    storage, file = shard
    with storage.open(file) as opened:
        metadata = pq.ParquetFile(opened).metadata
    column = metadata.schema.names.index("num_samples")
    groups = (metadata.row_group(group).column(column).statistics for group in range(metadata.num_row_groups))
    return max((statistics.max for statistics in groups if statistics and statistics.has_min_max), default=0)


def downsampling(clips: Clips, now: int) -> int:
    """The encoder's ``downsample_time``: 8, or 4 where at 8 too many clips are too fast for CTC to learn from.

    The encoder gives 100 / ``downsample_time`` frames a second, and CTC needs a frame for each character: at 8 those
    are 12.5, and people speak faster. What is configured stays unless the other loses fewer clips.
    """
    lost = clips.infeasible.get(now, 0)
    other = next(factor for factor in DOWNSAMPLING if factor != now)
    return other if lost > CTC_SHARE * clips.looked_at and clips.infeasible.get(other, 0) < lost else now


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
