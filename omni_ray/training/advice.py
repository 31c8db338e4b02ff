"""What a person should know about a plan that works all the same: data that is cut, dropped or never learnt from."""

from __future__ import annotations

from omni_ray.training.clips import CTC_SHARE, Clips
from omni_ray.training.configs import Config
from omni_ray.training.model_sizes import DEFAULTS, Keys, kv_heads
from omni_ray.training.planned import Inputs

MAX_LABEL = 254
"""The longest label an OCR plan pads to; the decoder is declared for 256 positions, both marks included."""


def warnings(config: Config, inputs: Inputs) -> list[str]:
    """One sentence for each thing worth knowing."""
    found = []
    for dataset, counts in inputs.counts.items():
        path = inputs.files[dataset].path
        if counts.rows > counts.usable:
            found.append(
                f"{path}: {counts.rows - counts.usable:,} of {counts.rows:,} rows are of no use; see `omni-ray verify`"
            )
        if counts.fatal:
            found.append(f"{path}: {counts.fatal:,} rows stop the trainer; see `omni-ray verify`")
        if dataset == "text" and counts.unseen_tokens:
            found.append(
                f"{path}: {counts.cut_rows:,} lines are longer than ctx_len; {counts.unseen_tokens:,} of "
                f"{counts.tokens:,} tokens are never seen"
            )
    if config.name == "ocr" and inputs.counts["ocr"].longest > MAX_LABEL:
        long = sum(rows for length, rows in inputs.counts["ocr"].lengths if length > MAX_LABEL)
        found.append(f"{long:,} labels are longer than {MAX_LABEL} characters and are cut")
    if inputs.clips is not None:
        found += _clip_warnings(config, inputs.clips)
    model = config.get("thinker", {}) if config.name == "omni_sft" else config.values
    heads = Keys(model, DEFAULTS.get(config.name, DEFAULTS["thinker"]))["n_heads"]
    if model.get("use_gqa") and "kv_groups" in model and model["kv_groups"] != kv_heads(heads):
        found.append(f"kv_groups {model['kv_groups']} is read by no model; it has {kv_heads(heads)} key/value heads")
    return found


def _clip_warnings(config: Config, clips: Clips) -> list[str]:
    found = []
    if clips.missing:
        found.append(
            f"{_share(clips.missing, clips)} clips are not there or not readable (first: {clips.first_missing})"
        )
    if clips.too_short:
        found.append(f"{_share(clips.too_short, clips)} clips have fewer than 513 samples")
    if clips.other_rate:
        found.append(f"{_share(clips.other_rate, clips)} clips are not at 16 kHz")
    if config.name == "audio_enc":
        factor = int(config.get("downsample_time", 8))
        lost = clips.infeasible.get(factor, 0)
        if lost > CTC_SHARE * clips.looked_at:
            found.append(
                f"{_share(lost, clips)} clips are spoken too fast for CTC at downsample_time {factor}: "
                "nothing is learnt from them"
            )
    return found


def _share(count: int, clips: Clips) -> str:
    of = f"{count:,} of {clips.looked_at:,}"
    return of if clips.looked_at == clips.rows else f"{of} sampled"
