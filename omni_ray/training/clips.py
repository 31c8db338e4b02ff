"""What the clips behind a speech CSV are like, from their headers: lengths, and transcripts too fast to learn.

Headers of an even sample of rows are read, of all rows where there are few. Nothing of this is cached: the clips
may change while the CSV stays the same.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from omni_ray.errors import OmniError
from omni_ray.pipeline.parts import Part
from omni_ray.trainers.files import TRANSCRIPT, WAV
from omni_ray.trainers.reading import open_csv
from omni_ray.trainers.speech import DOWNSAMPLING, MIN_SAMPLES, SAMPLING_RATE, ctc_frames, ctc_needed
from omni_ray.training.skipped_rows import Gap, gap

SAMPLE = 2000
"""At least half as many rows are looked at, and at most so many."""
CTC_SHARE = 0.01
"""Share of clips that may be spoken too fast before it is worth changing or saying something."""


@dataclass(frozen=True)
class ClipSurvey:
    """A look at the clips of one CSV file.

    Attributes:
        rows: rows in the file that name a clip.
        frames: samples of each clip found, at 16 kHz, sorted.
        missing: clips not there, or not readable as audio.
        too_short: clips of fewer than 513 samples at 16 kHz; the trainers drop them.
        other_rate: clips not at 16 kHz; the multimodal stage hears them at the wrong speed.
        infeasible: by ``downsample_time``, clips whose transcript has more characters than CTC has output frames for.
        longest: samples at 16 kHz of the longest clip; of all clips where ``is_longest_of_all``, else of those looked at.
        dropped: rows whose clips the trainers drop; none where not every clip was looked at.
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
    is_longest_of_all: bool = False
    dropped: tuple[Gap, ...] = field(default=(), repr=False)

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


def look_at(unit: ClipsUnit) -> ClipSurvey:
    """Read the headers of an even sample of clips. A file that cannot be read gives an empty look."""
    try:
        rows, sample = even_sample(unit.path, SAMPLE)
    except (OmniError, OSError, csv.Error):
        return ClipSurvey()
    frames: list[int] = []
    dropped: list[int] = []
    missing = too_short = other_rate = 0
    infeasible = dict.fromkeys(DOWNSAMPLING, 0)
    first_missing = ""
    for number, path, text in sample:
        found = _header(Path(unit.root) / path)
        if found is None:
            missing += 1
            dropped.append(number)
            first_missing = first_missing or path
            continue
        samples, rate = found
        heard = samples * SAMPLING_RATE // rate
        frames.append(heard)
        if heard < MIN_SAMPLES:
            too_short += 1
            dropped.append(number)
        other_rate += rate != SAMPLING_RATE
        for factor in DOWNSAMPLING:
            infeasible[factor] += ctc_needed(text) > ctc_frames(heard, factor)
    is_all = len(sample) == rows
    gaps = gap(np.array(dropped, np.int64), dropped[-1] + 1) if dropped and is_all else ()
    return ClipSurvey(
        rows, len(sample), tuple(sorted(frames)), missing, too_short, other_rate, infeasible, first_missing,
        max(frames, default=0), is_all, gaps,
    )  # fmt: skip


def longest_in(shard: Part) -> int | None:
    """Samples at 16 kHz of the longest clip of an audio shard, from its footer; None where that does not say."""
    import pyarrow.parquet as pq

    with shard.storage.open(shard.file) as opened:
        metadata = pq.ParquetFile(opened).metadata
    column = metadata.schema.names.index("num_samples")
    groups = [metadata.row_group(group).column(column).statistics for group in range(metadata.num_row_groups)]
    if not all(statistics is not None and statistics.has_min_max for statistics in groups):
        return None
    return max((statistics.max for statistics in groups), default=0)


def downsampling(clips: ClipSurvey, now: int) -> int:
    """The encoder's ``downsample_time``: 8, or 4 where at 8 too many clips are too fast for CTC to learn from.

    The encoder gives 100 / ``downsample_time`` frames a second, and CTC needs a frame for each character: at 8 those
    are 12.5, and people speak faster. What is configured stays unless the other loses fewer clips.
    """
    lost, at_four = (clips.infeasible.get(factor, 0) for factor in (8, 4))
    return 4 if now == 8 and lost > CTC_SHARE * clips.looked_at and at_four < lost else now


def even_sample(path: str, limit: int) -> tuple[int, list[tuple[int, str, str]]]:
    """Evenly spaced rows of a speech CSV: how many rows name a clip, and of some (row, clip, transcript).

    Between ``limit // 2`` and ``limit`` rows, or all where there are no more than ``limit``. Rows are numbered as the
    trainers do, those that name no clip among them. A CSV without a ``text`` column gives blank transcripts.
    """
    kept: list[tuple[int, str, str]] = []
    rows, stride = 0, 1
    with open(path, "rb") as file:
        reader, (wav, text) = open_csv(file, path, [WAV], [TRANSCRIPT])
        for number, row in enumerate(filter(None, reader)):
            if len(row) <= max(wav, text) or not row[wav].strip():
                continue
            if rows % stride == 0:
                if len(kept) == limit:
                    kept = kept[::2]
                    stride *= 2
                if rows % stride == 0:
                    kept.append((number, row[wav].strip(), row[text].strip() if text >= 0 else ""))
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
