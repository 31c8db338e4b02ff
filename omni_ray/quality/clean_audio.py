"""Cleaning clips: mended or not, each is judged on its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from omni_ray.quality.account import Account
from omni_ray.quality.audio_rules import AUDIO_RULES, MeasuredClips, encoded, samples_of, trimmed
from omni_ray.quality.clean import Cleaner, row_by_row
from omni_ray.quality.rules import Change, Rule
from omni_ray.trainers.speech import MIN_SAMPLES, SAMPLING_RATE

_judged = row_by_row("audio", MeasuredClips)


def _clean(rows: pa.Table, on: Mapping[str, Rule | Change], settings: Mapping[str, Any], account: Account) -> pa.Table:
    return _judged(_trim(rows, account) if "trim_silence" in on else rows, on, settings, account)


def _trim(rows: pa.Table, account: Account) -> pa.Table:
    made = rows.to_pylist()
    for row in made:
        samples = samples_of(row["audio"]["bytes"])
        short = trimmed(samples)
        if MIN_SAMPLES <= len(short) < len(samples):
            audio_format = "wav" if row["audio"]["path"].endswith(".wav") else "flac"
            row["audio"] = {**row["audio"], "bytes": encoded(short, audio_format)}
            row["num_samples"], row["duration"] = len(short), len(short) / SAMPLING_RATE
            account.mended["trim_silence"] += 1
    return pa.Table.from_pylist(made, schema=rows.schema)


CLEANER = Cleaner(AUDIO_RULES, _clean, has_prose=True)
