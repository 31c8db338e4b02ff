"""What a user should know about a plan that works anyway: data that is cut, dropped or never learnt from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from omni_ray.training.clips import CTC_SHARE, ClipSurvey
from omni_ray.training.configs import Config, file_name
from omni_ray.training.model_sizes import filled, kv_heads
from omni_ray.training.plan_types import Inputs

_SHAPE = ("n_layers", "d_model", "n_heads", "d_ff", "use_gqa", "use_swiglu", "use_moe")
MAX_LABEL = 254
"""The longest label an OCR plan pads to; the decoder is declared for 256 positions, both marks included."""


def warnings(config: Config, inputs: Inputs) -> list[str]:
    """One sentence for each thing worth knowing."""
    found = []
    for dataset, counts in inputs.counts.items():
        path = inputs.files[dataset].path
        if counts.rows > counts.usable:
            found.append(
                f"{path}: {counts.rows - counts.usable:,} of {counts.rows:,} rows are unusable; see `omni-ray verify`"
            )
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
    size = int(config.get("thinker.vocab_size" if config.name == "omni_sft" else "vocab_size", 0))
    if inputs.has_weights and size > inputs.pieces:
        found.append(
            f"vocab_size stays at {size:,} for the weights that are there; the tokenizer has {inputs.pieces:,}"
        )
    found += _kv_warnings(config)
    if config.name == "omni_sft":
        found += _shape_warnings(config.get("thinker", {}), inputs.others["thinker"])
    return found


def stops(name: str, inputs: Inputs) -> list[str]:
    """One sentence for each kind of row on which the trainer of ``name`` stops."""
    found = []
    for dataset, counts in inputs.counts.items():
        # The multimodal stage opens every image, and reads no caption.
        fatal = counts.imageless if name == "omni_sft" and dataset == "images" else counts.fatal
        if fatal:
            found.append(f"{inputs.files[dataset].path}: {fatal:,} rows stop the trainer; see `omni-ray verify`")
    if name == "omni_sft" and inputs.clips is not None and inputs.clips.too_short:
        short = _share(inputs.clips.too_short, inputs.clips)
        found.append(f"{inputs.files['asr'].path}: {short} clips have fewer than 513 samples and stop the trainer")
    return found


_HEADS = {"thinker": "n_heads", "talker": "n_heads", "omni_sft": "n_heads", "ocr": "decoder_heads"}
"""For models that can group their heads, the key that says how many there are."""


def _kv_warnings(config: Config) -> list[str]:
    if config.name not in _HEADS:
        return []
    model = config.get("thinker", {}) if config.name == "omni_sft" else config.values
    heads = kv_heads(filled(model, "thinker" if config.name == "omni_sft" else config.name)[_HEADS[config.name]])
    if not model.get("use_gqa") or model.get("kv_groups", heads) == heads:
        return []
    return [f"kv_groups {model['kv_groups']} is read by no model; it has {heads} key/value heads"]


def _shape_warnings(own: Mapping[str, Any], stage_a: Mapping[str, Any]) -> list[str]:
    one, other = filled(own, "thinker"), filled(stage_a, "thinker")
    keys = (*_SHAPE, "num_experts") if one["use_moe"] else _SHAPE
    differing = [f"{key} {one[key]} against {other[key]}" for key in keys if one[key] != other[key]]
    if not differing:
        return []
    return [f"its thinker is not that of {file_name('thinker')}, whose weights do not fit: {', '.join(differing)}"]


def _clip_warnings(config: Config, clips: ClipSurvey) -> list[str]:
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


def _share(count: int, clips: ClipSurvey) -> str:
    of = f"{count:,} of {clips.looked_at:,}"
    return of if clips.looked_at == clips.rows else f"{of} sampled"
