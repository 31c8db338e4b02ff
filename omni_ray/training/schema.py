"""What the values of a training configuration must be like for its trainer to run."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from omni_ray.training.configs import file_name
from omni_ray.training.model_sizes import MEL_BINS, filled, kv_heads

Check = Callable[[Any], bool]


def _is_whole(least: int) -> Check:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and least <= value < 1 << 40


def _is_list(of: Check) -> Check:
    return lambda value: isinstance(value, list) and bool(value) and all(map(of, value))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


_NO_PATH = re.compile("[\0\ud800-\udfff]")
"""Characters that no path has: NUL, and lone surrogates."""
_COUNT = (_is_whole(1), "a whole number of 1 or more")
_CONTEXT = (_is_whole(2), "a whole number of 2 or more")
_COUNT_OR_NONE = (_is_whole(0), "a whole number of 0 or more")
_FLAG = (lambda value: isinstance(value, bool), "true or false")
_PATH = (lambda value: isinstance(value, str) and value.strip() == value != "" and not _NO_PATH.search(value), "a path")
_SHARE = (lambda value: _is_number(value) and 0 <= value < 1, "a number from 0 to less than 1")
_POSITIVE = (lambda value: _is_number(value) and value > 0, "a number above 0")
_NOT_NEGATIVE = (lambda value: _is_number(value) and value >= 0, "a number of 0 or more")
_PERCENT = (lambda value: _is_number(value) and 0 < value <= 100, "a percentage above 0")
_OBJECT = (lambda value: isinstance(value, dict), "an object")
_SEED = (lambda value: isinstance(value, int) and not isinstance(value, bool), "a whole number")
_ODD_COUNTS = (_is_list(lambda value: _COUNT[0](value) and value % 2), "a list of odd whole numbers")
_COUNTS = (_is_list(_COUNT[0]), "a list of numbers")
_LISTS_OF_COUNTS = (_is_list(_COUNTS[0]), "a list of lists of numbers")

_EVERY = {
    "save_dir": _PATH, "seed": _SEED, "val_split": _SHARE, "drop_last": _FLAG, "num_workers": _COUNT_OR_NONE,
    "use_amp": _FLAG, "print_freq": _COUNT, "wd": _NOT_NEGATIVE, "lr": _POSITIVE, "dropout": _SHARE,
    "shuffle_buffer_size": _COUNT_OR_NONE, "use_compile": _FLAG, "use_flash": _FLAG,
}  # fmt: skip
_DECODER = {
    "vocab_size": _COUNT, "n_layers": _COUNT, "d_model": _COUNT, "n_heads": _COUNT, "d_ff": _COUNT,
    "use_gqa": _FLAG, "use_swiglu": _FLAG, "use_moe": _FLAG, "num_experts": _COUNT, "num_experts_per_tok": _COUNT,
    "kv_groups": _COUNT, "dropout": _SHARE, "rope_theta": _POSITIVE,
}  # fmt: skip
_ENCODER = {"n_layers": _COUNT, "d_model": _COUNT, "n_heads": _COUNT, "d_ff": _COUNT}
_PICTURE = {"img_size": _COUNT, "patch": _COUNT}
_KEYS: Mapping[str, Mapping[str, Any]] = {
    "thinker": {**_DECODER, "ctx_len": _CONTEXT, "train_text": _PATH},
    "audio_enc": {
        **_ENCODER, "downsample_time": _COUNT, "mel_bins": _COUNT, "sample_rate": _COUNT, "train_csv": _PATH,
        "ctc_vocab_size": _COUNT, "max_text_len_percentile": _PERCENT, "max_mel_length": _COUNT, "max_mel_length_percentile": _PERCENT,
    },
    "vision": {
        **_ENCODER, **_PICTURE, "embed_dim": _COUNT, "vocab_size": _COUNT, "ctx_len": _CONTEXT, "train_manifest": _PATH,
        "image_root": _PATH, "thinker_ckpt": _PATH, "thinker": _OBJECT, "temperature": _POSITIVE,
    },
    "talker": {
        **_ENCODER, "codebooks": _COUNT, "codebook_size": _COUNT, "use_gqa": _FLAG, "use_swiglu": _FLAG,
        "kv_groups": _COUNT, "rope_theta": _POSITIVE, "n_mels": _COUNT, "sample_rate": _COUNT, "frame_ms": _COUNT, "tts_csv": _PATH,
        "max_mel_length": _COUNT, "max_mel_length_percentile": _PERCENT,
    },
    "omni_sft": {
        "thinker": _OBJECT, "sft_mix": _OBJECT, "ctx_len": _CONTEXT, "thinker_ckpt": _PATH, "audio_ckpt": _PATH,
        "vision_ckpt": _PATH,
    },
    "ocr": {
        **_PICTURE, "vision_d_model": _COUNT, "vision_layers": _COUNT, "vision_heads": _COUNT, "vision_d_ff": _COUNT,
        "decoder_d_model": _COUNT, "decoder_layers": _COUNT, "decoder_heads": _COUNT, "decoder_d_ff": _COUNT,
        "use_gqa": _FLAG, "use_swiglu": _FLAG, "train_csv": _PATH, "image_root": _PATH,
        "max_text_length_percentile": _PERCENT,
    },
    "vocoder": {
        "n_mels": _COUNT, "n_fft": _COUNT, "hop_length": _COUNT, "sample_rate": _COUNT, "train_csv": _PATH,
        "upsample_initial_channel": _COUNT, "resblock_kernel_sizes": _ODD_COUNTS,
        "resblock_dilation_sizes": _LISTS_OF_COUNTS, "mpd_periods": _COUNTS, "mpd_kernel_size": _COUNT,
        "msd_num_scales": _COUNT, "max_audio_length": _COUNT, "max_mel_length": _COUNT,
        "max_audio_length_percentile": _PERCENT, "mpd_stride": _COUNT, "lr_g": _POSITIVE, "lr_d": _POSITIVE,
        "discriminator_update_interval": _COUNT, "discriminator_lr_warmup_steps": _COUNT_OR_NONE,
        "lambda_mel": _NOT_NEGATIVE, "lambda_fm": _NOT_NEGATIVE, "lambda_adv": _NOT_NEGATIVE,
    },
}  # fmt: skip
_MIX = {"text_path": _PATH, "image_manifest": _PATH, "image_root": _PATH, "asr_csv": _PATH}


def problems(name: str, values: Mapping[str, Any]) -> list[str]:
    """What is wrong with a configuration, one sentence each; none where its trainer can build its model."""
    found = list(_wrong_kinds(values, {**_EVERY, **_KEYS[name]}, ""))
    if name in ("vision", "omni_sft") and isinstance(values.get("thinker"), dict):
        found += _wrong_kinds(values["thinker"], _DECODER, "thinker.")
    if isinstance(values.get("sft_mix"), dict):
        found += _wrong_kinds(values["sft_mix"], _MIX, "sft_mix.")
    if not found:
        found = list(_impossible(name, values))
    return [f"{file_name(name)}: {sentence}" for sentence in found]


def _wrong_kinds(values: Mapping[str, Any], keys: Mapping[str, Any], above: str) -> Iterator[str]:
    for key, (is_right, wanted) in keys.items():
        if key in values and not is_right(values[key]):
            yield f"{above}{key} is {str(values[key])[:40]!r}, not {wanted}"


def _impossible(name: str, values: Mapping[str, Any]) -> Iterator[str]:
    if name == "omni_sft":
        yield from _heads(values.get("thinker", {}), "thinker", "thinker.", rotary=True)
        yield from _experts(values.get("thinker", {}), "thinker.")
    elif name == "ocr":
        yield from _heads(values, "ocr", "vision_", rotary=False)
        yield from _heads(values, "ocr", "decoder_", rotary=True)
    elif name == "vocoder":
        yield from _vocoder(values)
    else:
        yield from _heads(values, name, "", rotary=name in ("thinker", "talker"))
        yield from _experts(values, "")
    if name in ("vision", "ocr"):
        c = filled(values, name)
        if c["img_size"] < c["patch"]:
            yield f"img_size {c['img_size']} is smaller than patch {c['patch']}"
    for key in ("mel_bins", "n_mels"):
        if name in ("audio_enc", "talker") and values.get(key, MEL_BINS) != MEL_BINS:
            yield f"{key} is {values[key]}; the models are built for {MEL_BINS}"
    if name == "audio_enc" and values.get("downsample_time", 8) not in (2, 4, 8):
        yield f"downsample_time is {values['downsample_time']}; the encoder can be 2, 4 or 8"
    if name == "talker" and values.get("codebooks", 2) < 2:
        yield "codebooks is 1; the trainer predicts two streams of codes"


def _heads(values: Mapping[str, Any], model: str, prefix: str, *, rotary: bool) -> Iterator[str]:
    """Attention needs heads of equal width; of even width for rotary positions; grouped heads in equal groups."""
    c = filled(values, model)
    # "thinker." only shows where the keys are; "vision_" and "decoder_" are parts of their names.
    part = prefix if prefix.endswith("_") else ""
    d, heads = c[part + "d_model"], c[part + ("heads" if part else "n_heads")]
    wide, many = f"{prefix}d_model {d}", f"{prefix}{'heads' if part else 'n_heads'} {heads}"
    if d % heads:
        yield f"{wide} is not divisible by {many}"
    elif rotary and d // heads % 2:
        yield f"{wide} over {many} makes heads {d // heads} wide; rotary positions need an even width"
    if rotary and c["use_gqa"] and heads % kv_heads(heads):
        yield f"{many} cannot share {kv_heads(heads)} key/value heads evenly; with use_gqa take an even number, 1 or 3"


def _experts(values: Mapping[str, Any], above: str) -> Iterator[str]:
    c = filled(values, "thinker")
    if values.get("use_moe") and c["num_experts_per_tok"] > c["num_experts"]:
        yield f"{above}num_experts_per_tok {c['num_experts_per_tok']} is more than num_experts {c['num_experts']}"


def _vocoder(values: Mapping[str, Any]) -> Iterator[str]:
    c = filled(values, "vocoder")
    if c["upsample_initial_channel"] % 16:
        yield f"upsample_initial_channel {c['upsample_initial_channel']} cannot be halved four times"
    if values.get("hop_length", 256) != 256:
        yield f"hop_length is {values['hop_length']}; the generator makes 256 samples a frame"
    if len(c["resblock_kernel_sizes"]) != len(c["resblock_dilation_sizes"]):
        yield "resblock_kernel_sizes and resblock_dilation_sizes differ in length"
