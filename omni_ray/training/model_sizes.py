"""How many parameters each model has: exact, from the configuration keys its trainer really reads.

The architectures are those of the seven trainers. RMSNorm has one vector; "plain" feed-forward layers have biases,
gated (SwiGLU) ones have none; grouped-query attention always has ``max(1, n_heads // 2)`` key/value heads, whatever
``kv_groups`` says. The tests build every model from ``torch.nn`` layers and compare the counts.

Every ``config`` here is a mapping in which absent keys take the trainer's own default (:data:`DEFAULTS`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType
from typing import Any

MEL_BINS = 128
"""Mel bins per frame: fixed in the audio encoder, the codec and the multimodal stage."""
CODEC_WIDTH = 64
CONV_CHANNELS = 64
SCALE_DISCRIMINATOR = 9_870_209
"""One scale discriminator: seven 1-d convolutions and the last one; no key changes it."""
UPSAMPLE_KERNELS = (16, 16, 4, 4)
PERIOD_CHANNELS = (1, 32, 128, 512, 1024, 1024)

DEFAULTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "thinker": {
            "vocab_size": 32000, "n_layers": 4, "d_model": 256, "n_heads": 4, "d_ff": 1024, "use_gqa": False,
            "use_swiglu": True, "use_moe": False, "num_experts": 8, "num_experts_per_tok": 2, "ctx_len": 512,
        },
        "audio_enc": {"d_model": 192, "n_layers": 4, "n_heads": 3, "d_ff": 768, "downsample_time": 8},
        "vision": {
            "img_size": 224, "patch": 16, "d_model": 128, "n_layers": 4, "n_heads": 2, "d_ff": 512,
            "vocab_size": 32000, "ctx_len": 512,
        },
        "talker": {
            "d_model": 384, "n_layers": 8, "n_heads": 6, "d_ff": 1536, "codebooks": 2, "codebook_size": 128,
            "use_gqa": False, "use_swiglu": True,
        },
        "ocr": {
            "img_size": 224, "patch": 16, "vision_d_model": 128, "vision_layers": 4, "vision_heads": 2,
            "vision_d_ff": 512, "decoder_d_model": 256, "decoder_layers": 4, "decoder_heads": 4,
            "decoder_d_ff": 1024, "use_gqa": False, "use_swiglu": True,
        },
        "vocoder": {
            "n_mels": 128, "upsample_initial_channel": 256, "resblock_kernel_sizes": (3, 5, 7),
            "resblock_dilation_sizes": ((1, 2), (1, 2), (1, 2)), "mpd_periods": (2, 3, 5), "mpd_kernel_size": 3,
            "msd_num_scales": 2,
        },
    }
)  # fmt: skip
"""What the trainers take where a key is absent. The multimodal stage's ``thinker`` has the thinker's, but for
``vocab_size`` (see :data:`SFT_VOCAB_SIZE`)."""
SFT_VOCAB_SIZE = 5000


@dataclass(frozen=True)
class ModelSize:
    """Parameters of one training run.

    Attributes:
        parts: parameters by part of the model.
        frozen: names of the parts that are in memory but not optimized.
    """

    parts: Mapping[str, int]
    frozen: frozenset[str] = field(default_factory=frozenset)

    @property
    def trained(self) -> int:
        """Parameters the optimizer updates."""
        return sum(count for name, count in self.parts.items() if name not in self.frozen)

    @property
    def resident(self) -> int:
        """Parameters in memory, trained or not."""
        return sum(self.parts.values())


def filled(config: Mapping[str, Any], model: str) -> dict[str, Any]:
    """A configuration with the trainer's defaults in the place of absent keys."""
    return {**DEFAULTS[model], **config}


def kv_heads(n_heads: int) -> int:
    """Key/value heads of grouped-query attention."""
    return max(1, n_heads // 2)


def _attention(d: int, n_heads: int, use_gqa: bool) -> int:
    """Self-attention without biases: query, key, value and output matrices."""
    if not use_gqa:
        return 4 * d * d
    width = d // n_heads
    return d * n_heads * width + 2 * d * kv_heads(n_heads) * width + d * d


def _feed_forward(d: int, hidden: int, use_swiglu: bool) -> int:
    return 3 * d * hidden if use_swiglu else 2 * d * hidden + hidden + d


def _biased_attention(d: int) -> int:
    return 4 * d * d + 4 * d


def decoder(config: Mapping[str, Any]) -> int:
    """The language model ("thinker"): embedding and output matrix untied, RMSNorm before each half of a layer."""
    c = filled(config, "thinker")
    d = c["d_model"]
    mlp = _feed_forward(d, c["d_ff"], c["use_swiglu"])
    if c["use_moe"]:
        mlp = d * c["num_experts"] + c["num_experts"] * mlp
    layer = _attention(d, c["n_heads"], c["use_gqa"]) + mlp + 2 * d
    return int(2 * c["vocab_size"] * d + c["n_layers"] * layer + d)


def audio_encoder(config: Mapping[str, Any]) -> int:
    """Two or (at ``downsample_time`` 8) three 3x3 convolutions of 64 channels, a projection, encoder layers."""
    c = filled(config, "audio_enc")
    d, factor, channels = c["d_model"], c["downsample_time"], CONV_CHANNELS
    first, other = 9 * channels + channels, 9 * channels * channels + channels
    convolutions = first + other * (2 if factor == 8 else 1)
    projection = channels * (MEL_BINS // factor) * d + d
    layer = _biased_attention(d) + _feed_forward(d, c["d_ff"], False) + 2 * d
    return int(convolutions + projection + c["n_layers"] * layer + d)


def vision_transformer(img_size: int, patch: int, d: int, n_layers: int, d_ff: int) -> int:
    """Patch convolution, class token, positions, pre-norm layers with LayerNorm (two vectors each), final RMSNorm."""
    positions = 1 + (img_size // patch) ** 2
    layer = _biased_attention(d) + _feed_forward(d, d_ff, False) + 4 * d
    return 3 * patch * patch * d + d + d + positions * d + n_layers * layer + d


def codec(config: Mapping[str, Any]) -> int:
    """The residual vector quantizer: its codebooks, and a projection from and to mel frames."""
    c = filled(config, "talker")
    projections = (MEL_BINS * CODEC_WIDTH + CODEC_WIDTH) + (CODEC_WIDTH * MEL_BINS + MEL_BINS)
    return int(c["codebooks"] * c["codebook_size"] * CODEC_WIDTH + projections)


def speech_decoder(config: Mapping[str, Any]) -> int:
    """The talker: one embedding for both code streams, a start vector, decoder layers, two output layers."""
    c = filled(config, "talker")
    d, codes = c["d_model"], c["codebook_size"]
    layer = _attention(d, c["n_heads"], c["use_gqa"]) + _feed_forward(d, c["d_ff"], c["use_swiglu"]) + 2 * d
    return int(codes * d + d + c["n_layers"] * layer + d + 2 * (codes * d + codes))


def text_decoder(config: Mapping[str, Any], vocab_size: int) -> int:
    """The OCR decoder: self-attention without biases, cross-attention with them, three RMSNorms a layer."""
    c = filled(config, "ocr")
    d, seen = c["decoder_d_model"], c["vision_d_model"]
    layer = 3 * d + _attention(d, c["decoder_heads"], c["use_gqa"]) + _biased_attention(d)
    layer += _feed_forward(d, c["decoder_d_ff"], c["use_swiglu"])
    return int(2 * vocab_size * d + seen * d + d + d + c["decoder_layers"] * layer)


def upsample_channels(initial: int) -> list[int]:
    """Channels before the first and after each of the four upsampling layers."""
    return [initial // 2**stage for stage in range(len(UPSAMPLE_KERNELS) + 1)]


def generator(config: Mapping[str, Any]) -> int:
    """The vocoder's generator: after each upsampling, one residual block a kernel, two convolutions a dilation."""
    c = filled(config, "vocoder")
    channels = upsample_channels(c["upsample_initial_channel"])
    total = 7 * c["n_mels"] * channels[0] + channels[0]
    for before, width, kernel in zip(channels, channels[1:], UPSAMPLE_KERNELS, strict=False):
        total += before * width * kernel + width
        for size, dilations in zip(c["resblock_kernel_sizes"], c["resblock_dilation_sizes"], strict=False):
            total += 2 * len(dilations) * (width * width * size + width)
    return int(total + 7 * channels[-1] + 1)


def period_discriminators(periods: Sequence[int], kernel_size: int) -> int:
    """Five 2-d convolutions and a last one of kernel 3, for each period."""
    one = sum(a * b * kernel_size + b for a, b in pairwise(PERIOD_CHANNELS)) + 3 * PERIOD_CHANNELS[-1] + 1
    return len(periods) * one


def _linear(inputs: int, outputs: int) -> int:
    return inputs * outputs + outputs


def thinker_size(config: Mapping[str, Any]) -> ModelSize:
    """Stage A."""
    return ModelSize({"thinker": decoder(config)})


def audio_size(config: Mapping[str, Any], ctc_vocab: int) -> ModelSize:
    """Stage B: the encoder and its CTC output layer over ``ctc_vocab`` characters (2 of them special)."""
    d = filled(config, "audio_enc")["d_model"]
    return ModelSize({"audio encoder": audio_encoder(config), "CTC head": _linear(d, ctc_vocab)})


def vision_size(config: Mapping[str, Any], vocab_size: int) -> ModelSize:
    """Stage C: the image encoder, a token embedding as wide, and one projection for each side.

    Args:
        vocab_size: pieces of the tokenizer; the trainer takes them from the tokenizer, not from the configuration.
    """
    d = filled(config, "vision")["d_model"]
    joint = config.get("embed_dim", d)
    return ModelSize(
        {
            "vision encoder": _vit(config),
            "token embedding": vocab_size * d,
            "projections": 2 * _linear(d, joint),
        }
    )


def _vit(config: Mapping[str, Any], prefix: str = "", model: str = "vision") -> int:
    c = filled(config, model)
    names = ("d_model", "layers", "d_ff") if prefix else ("d_model", "n_layers", "d_ff")
    return vision_transformer(c["img_size"], c["patch"], *(c[prefix + name] for name in names))


def talker_size(config: Mapping[str, Any]) -> ModelSize:
    """Stage D: the talker and the codec it is trained with."""
    return ModelSize({"talker": speech_decoder(config), "codec": codec(config)})


def sft_size(config: Mapping[str, Any], audio_enc: Mapping[str, Any], vision: Mapping[str, Any]) -> ModelSize:
    """Stage E: the thinker and two projectors are trained; both encoders are in memory.

    Args:
        config: omni_sft_tiny.json; its own ``thinker`` counts, not thinker_tiny.json.
        audio_enc: audio_enc_tiny.json, vision: vision_tiny.json, as the trainer reads them beside it.
    """
    thinker = {"vocab_size": SFT_VOCAB_SIZE, **config.get("thinker", {})}
    d = filled(thinker, "thinker")["d_model"]
    heard = filled(audio_enc, "audio_enc")["d_model"]
    seen = filled(vision, "vision")["d_model"]
    return ModelSize(
        {
            "thinker": decoder(thinker),
            "projectors": _linear(heard, d) + _linear(seen, d),
            "audio encoder": audio_encoder(audio_enc),
            "vision encoder": _vit(vision),
        },
        frozenset({"audio encoder", "vision encoder"}),
    )


def ocr_size(config: Mapping[str, Any], vocab_size: int) -> ModelSize:
    """OCR: image encoder and text decoder over ``vocab_size`` characters (4 of them special)."""
    return ModelSize(
        {"vision encoder": _vit(config, "vision_", "ocr"), "text decoder": text_decoder(config, vocab_size)}
    )


def vocoder_size(config: Mapping[str, Any]) -> ModelSize:
    """Vocoder: the generator, and the two families of discriminators that are trained against it."""
    c = filled(config, "vocoder")
    return ModelSize(
        {
            "generator": generator(config),
            "period discriminators": period_discriminators(c["mpd_periods"], c["mpd_kernel_size"]),
            "scale discriminators": max(1, c["msd_num_scales"]) * SCALE_DISCRIMINATOR,
        }
    )
