"""How much GPU memory a training run takes, and the largest batch that fits a card.

Weights, gradients and the two AdamW moments are 4 bytes each a parameter: mixed precision as the trainers do it
(autocast) keeps all of them in float32. That is 16 bytes a trained parameter, as in Rajbhandari et al. 2020 (ZeRO,
section 3.1).

Activations kept for the backward pass follow Korthikanti et al. 2022 ("Reducing Activation Recomputation in Large
Transformer Models", section 4.1): a layer keeps ``34 * d`` bytes a token at 16 bits with a feed-forward part of
``4 * d``; here ``18 * d`` for attention and norms and the rest by the real ``d_ff`` (a gated part keeps five
tensors of that width, a plain one two). Their term for attention scores is absent, because fused attention does
not keep them (Dao et al. 2022); the OCR decoder's cross-attention does, and has their ``5 * heads`` bytes a score.
Output logits are counted with the copies that the loss makes: 16 bytes each.

For convolutions there is no such reference: what is counted is what autograd keeps, the input of each and the input of the
activation after it (the layers are those of Kong et al. 2020, HiFi-GAN, for the vocoder). The same holds for the codec.

It is an estimate: the tests hold it within 0.7 to 1.5 times of what autograd keeps, on a CPU in float32, for the layers of
the thinker, both encoders, the talker with its codec, OCR, and the vocoder with its discriminators. Not checked are the loss and
its logits, a mixture of experts, workspaces, and what 16-bit kernels on a card keep. The multimodal stage is the sum of three
of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from omni_ray.training.model_sizes import (
    CODEC_WIDTH,
    CONV_CHANNELS,
    DEFAULTS,
    MEL_BINS,
    PERIOD_CHANNELS,
    SFT_VOCAB_SIZE,
    ModelSize,
    filled,
    upsample_channels,
)

GIB = 1 << 30
RESERVE = GIB
"""CUDA's context, library workspaces, and what the caching allocator wastes."""
_LOGIT_BYTES = 16
_SFT_IMAGE = 224


@dataclass(frozen=True)
class Memory:
    """Bytes of a training run on one card, by purpose."""

    weights: int
    gradients: int
    optimizer: int
    activations: int
    reserve: int = RESERVE

    @property
    def total(self) -> int:
        """All of them."""
        return self.weights + self.gradients + self.optimizer + self.activations + self.reserve


@dataclass(frozen=True)
class Lengths:
    """How long one sample of a batch is, where the configuration does not say.

    Attributes:
        mel_frames: frames of a padded clip, 100 a second.
        code_frames: frames of a padded clip, 12.5 a second.
        audio_samples: samples of a vocoder crop.
        label: characters of a padded OCR label, both marks included.
        ctc_vocab, ocr_vocab: output widths that come from the data.
    """

    mel_frames: int = 0
    code_frames: int = 0
    audio_samples: int = 0
    label: int = 0
    ctc_vocab: int = 0
    ocr_vocab: int = 0


LENGTHS_OF: Mapping[str, tuple[str, ...]] = {
    "thinker": (), "audio_enc": ("mel_frames", "ctc_vocab"), "vision": (), "talker": ("code_frames",),
    "omni_sft": ("mel_frames",), "ocr": ("label", "ocr_vocab"), "vocoder": ("audio_samples",),
}  # fmt: skip
"""Which of the :class:`Lengths` the activations of each configuration follow from; the rest comes from its own keys."""


def memory(size: ModelSize, activations: int, *, all_have_gradients: bool = False) -> Memory:
    """The total memory of a run.

    Args:
        activations: bytes kept for the backward pass, of the whole batch.
        all_have_gradients: frozen parts get gradients too (the multimodal stage does not switch them off).
    """
    with_gradients = size.resident if all_have_gradients else size.trained
    return Memory(4 * size.resident, 4 * with_gradients, 8 * size.trained, activations)


def largest_batch(wanted: int, fits: Callable[[int], bool]) -> int:
    """``wanted``, or the largest half, quarter, ... of it for which ``fits``; 1 where none does."""
    batch = wanted
    while batch > 1 and not fits(batch):
        batch //= 2
    return batch


def activations(name: str, config: Mapping[str, Any], lengths: Lengths, others: Mapping[str, Any]) -> int:
    """Bytes kept for the backward pass, for one sample.

    Args:
        others: for the multimodal stage, the values of ``audio_enc`` and ``vision``.
    """
    # Activations in 16 bits take two bytes; without autocast, four.
    width = 2 if config.get("use_amp", True) else 4
    if name == "thinker":
        return _language_model(config, filled(config, "thinker")["ctx_len"], width)
    if name == "audio_enc":
        frames = lengths.mel_frames
        outputs = frames // filled(config, "audio_enc")["downsample_time"] * lengths.ctc_vocab
        return int(_audio_encoder(config, frames, width) + outputs * _LOGIT_BYTES)
    if name == "vision":
        return _vision(config, filled(config, "vision")["img_size"], width) + _captions(config)
    if name == "talker":
        return _talker(config, lengths.code_frames, width)
    if name == "omni_sft":
        thinker = {"vocab_size": SFT_VOCAB_SIZE, **config.get("thinker", {})}
        tokens = config.get("ctx_len", DEFAULTS["thinker"]["ctx_len"])
        heard = _audio_encoder(others["audio_enc"], lengths.mel_frames, width)
        seen = _vision(others["vision"], _SFT_IMAGE, width)
        return _language_model(thinker, tokens + tokens // 4 + 1, width) + heard + seen
    if name == "ocr":
        return _ocr(config, lengths.label, lengths.ocr_vocab, width)
    return _vocoder(config, lengths.audio_samples, width)


def _layer(tokens: int, d: int, hidden: int, width: int, *, gated: bool = False, experts: int = 1) -> int:
    return width * tokens * (9 * d + (5 if gated else 2) * hidden * experts)


def _language_model(config: Mapping[str, Any], tokens: int, width: int) -> int:
    c = filled(config, "thinker")
    experts = c["num_experts_per_tok"] if c["use_moe"] else 1
    layer = _layer(tokens, c["d_model"], c["d_ff"], width, gated=c["use_swiglu"], experts=experts)
    return int(c["n_layers"] * layer + tokens * c["vocab_size"] * _LOGIT_BYTES)


def _audio_encoder(config: Mapping[str, Any], frames: int, width: int) -> int:
    c = filled(config, "audio_enc")
    factor = c["downsample_time"]
    stages = {2: (2, 2), 4: (2, 4), 8: (2, 4, 8)}[factor]
    # Each convolution keeps what goes into its activation and what comes out of it.
    convolutions = sum(width * 2 * CONV_CHANNELS * (frames // by) * (MEL_BINS // by) for by in stages)
    return int(convolutions + c["n_layers"] * _layer(frames // factor, c["d_model"], c["d_ff"], width))


def _vision(config: Mapping[str, Any], pixels: int, width: int, prefix: str = "") -> int:
    c = filled(config, "ocr" if prefix else "vision")
    layers, d, hidden = (
        c[prefix + name] for name in (("layers" if prefix else "n_layers"), "d_model", "d_ff")
    )  # fmt: skip
    tokens = 1 + (pixels // c["patch"]) ** 2
    return int(width * 3 * pixels * pixels + layers * _layer(tokens, d, hidden, width))


def _captions(config: Mapping[str, Any]) -> int:
    """Token embeddings of a caption, kept to be averaged."""
    c = filled(config, "vision")
    return int(4 * c["ctx_len"] * c["d_model"])


def _talker(config: Mapping[str, Any], frames: int, width: int) -> int:
    c = filled(config, "talker")
    # The codec compares each frame with each code, and squares the differences: two float32 tensors a codebook.
    distances = c["codebooks"] * 2 * 4 * frames * c["codebook_size"] * CODEC_WIDTH
    layers = c["n_layers"] * _layer(frames, c["d_model"], c["d_ff"], width, gated=c["use_swiglu"])
    return int(distances + layers + 2 * frames * c["codebook_size"] * _LOGIT_BYTES)


def _ocr(config: Mapping[str, Any], label: int, vocab: int, width: int) -> int:
    c = filled(config, "ocr")
    d, heads = c["decoder_d_model"], c["decoder_heads"]
    patches = (c["img_size"] // c["patch"]) ** 2
    # Cross-attention keeps its scores, their softmax and its dropout mask (a byte), and the picture's keys and values.
    scores = (2 * width + 1) * heads * label * patches
    cross = width * (11 * d * label // 2 + 2 * d * patches) + scores
    layers = c["decoder_layers"] * (_layer(label, d, c["decoder_d_ff"], width, gated=c["use_swiglu"]) + cross)
    return int(_vision(config, c["img_size"], width, "vision_") + layers + label * vocab * _LOGIT_BYTES)


def _vocoder(config: Mapping[str, Any], samples: int, width: int) -> int:
    """Generator and discriminators over a crop of ``samples``; real and made-up sound both pass the latter."""
    c = filled(config, "vocoder")
    values = 0
    length = samples // 256
    dilations = sum(map(len, c["resblock_dilation_sizes"]))
    for channels, rate in zip(upsample_channels(c["upsample_initial_channel"])[1:], (8, 8, 2, 2), strict=True):
        length *= rate
        values += channels * length * (2 + 4 * dilations)
    for _ in c["mpd_periods"]:
        values += 2 * 2 * sum(n * samples // 2 ** min(i, 4) for i, n in enumerate(PERIOD_CHANNELS[1:], 1))
    # Channels of the scale discriminator's layers, and how much shorter each is than its input.
    scale = ((128, 1), (128, 2), (256, 4), (512, 16), (1024, 64), (1024, 64), (1024, 64))
    one = sum(channels * samples // by for channels, by in scale)
    values += 2 * 2 * sum(one // 2**i for i in range(max(1, c["msd_num_scales"])))
    return int(width * values)
