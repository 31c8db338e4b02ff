"""Cleaning clips: mended or not, each is judged on its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from omni_ray.quality.account import Account, Cleaned
from omni_ray.quality.audio_rules import AUDIO_RULES, MeasuredClips, encoded, samples_of, trimmed
from omni_ray.quality.cleaner import Cleaner, Rules, judge, switched
from omni_ray.quality.rules import Rule
from omni_ray.trainers.speech import MIN_SAMPLES, SAMPLING_RATE


def clean_audio(rows: pa.Table, rules: Rules, preset: str, overrides: Mapping[str, Any], where: str) -> Cleaned:
    """Clean audio shard rows; a sample is a clip."""
    on = switched(rules, preset, overrides, "audio")
    account = Account(where)
    if "trim_silence" in on and rows.num_rows:
        rows = _trim(rows, account)
    wanted = [step for step in on.values() if isinstance(step, Rule)]
    stays = judge(rows, wanted, MeasuredClips(rows), account, [1] * rows.num_rows)
    kept = rows.filter(pa.array(stays))
    return account.close(kept, rows.num_rows, kept.num_rows)


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


CLEANER = Cleaner(AUDIO_RULES, clean_audio, has_prose=True)
