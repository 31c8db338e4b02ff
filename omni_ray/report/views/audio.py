"""Speech: clips to listen to, with waveform and mel spectrogram; how long they are, and how fast the speech is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from omni_ray.report import media
from omni_ray.report.histogram import Histogram, linear
from omni_ray.report.view import LONGEST_TEXT, Counted, View, floats, lengths, shortened

_TEMPLATE = """\
<div class="clips">
{% for sample in samples %}
<div class="clip"><div>{{ sample.text|visible }}</div><audio controls preload="metadata" src="{{ sample.clip }}" aria-label="Clip {{ loop.index }}: {{ sample.text|visible }}"></audio><svg viewBox="0 0 360 48" role="img" aria-label="Waveform"><path d="{{ sample.wave }}"/></svg><img src="{{ sample.mel }}" alt="Mel spectrogram, low frequencies at the bottom" width="360" height="64"><div class="soft small">{{ sample.id|visible }}, {{ sample.seconds|round(1) }} s{% if sample.is_cut %}, the first 12 s of it{% endif %}{% if sample.speaker %}, speaker {{ sample.speaker|visible }}{% endif %}</div></div>
{% endfor %}
</div>
"""


def _show(row: dict[str, Any]) -> dict[str, Any]:
    samples, rate = media.read_clip(row["audio"]["bytes"])
    return {
        "id": shortened(row["id"]),
        "text": shortened(row["text"], LONGEST_TEXT),
        "speaker": shortened(row["speaker"], 12),
        "seconds": row["duration"],
        "is_cut": len(samples) < row["num_samples"],
        "clip": media.playable(samples, rate),
        "wave": media.waveform(samples),
        "mel": media.mel_picture(samples, rate),
    }


def _histograms() -> dict[str, Histogram]:
    return {
        "durations": linear("Duration", "s", 0, 120),
        "rate": linear("Speaking rate", "characters/s", 0, 60),
    }


def _count(counted: Counted, rows: pa.Table) -> None:
    seconds = floats(pc.fill_null(rows["duration"], 0.0))
    counted.histograms["durations"].add(seconds)
    counted.histograms["rate"].add(lengths(rows["text"]) / np.maximum(seconds, 1e-9))
    counted.count_characters(rows["text"])


def _note(members: Sequence[Counted]) -> str:
    return f", {_span(sum(each.sum('durations') for each in members))} of speech"


def _span(seconds: float) -> str:
    """A length of time in its natural unit."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"


VIEW = View(3, _show, _TEMPLATE, ("text", "duration"), _histograms, _count, _note, "transcripts")
