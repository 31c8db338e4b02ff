"""The memory estimate against what autograd really keeps."""

from __future__ import annotations

from typing import Any

import architectures as arch
import pytest
import torch

from omni_ray.training.configs import default
from omni_ray.training.memory import GIB, Lengths, activations, largest_batch, memory
from omni_ray.training.model_sizes import thinker_size


def estimated(name: str, batch: int, lengths: Lengths | None = None, **values: Any) -> int:
    """For float32, as the models of the tests are."""
    config = {**default(name), "use_amp": False, **values}
    return batch * activations(name, config, lengths or Lengths(), {})


@pytest.mark.parametrize("gated", [True, False])
def test_thinker_activations(gated: bool) -> None:
    values = {"vocab_size": 64, "use_swiglu": gated}
    model = arch.Thinker({**default("thinker"), **values}).train()
    kept = arch.kept_for_backward(model, torch.zeros(2, 512, dtype=torch.long))
    assert 0.7 * kept < estimated("thinker", 2, **values) < 1.5 * kept


@pytest.mark.parametrize("factor", [4, 8])
def test_audio_encoder_activations(factor: int) -> None:
    model = arch.AudioEncoder({**default("audio_enc"), "downsample_time": factor}).train()
    kept = arch.kept_for_backward(model, torch.zeros(2, 1024, 128))
    estimate = estimated("audio_enc", 2, Lengths(mel_frames=1024), downsample_time=factor)
    assert 0.7 * kept < estimate < 1.5 * kept


def test_vision_activations() -> None:
    # With dropout, attention on a CPU keeps its scores, which fused attention on a card does not.
    model = arch.VisionTransformer(224, 16, 128, 4, 2, 512, dropout=0.0).train()
    kept = arch.kept_for_backward(model, torch.zeros(2, 3, 224, 224))
    assert 0.7 * kept < estimated("vision", 2) < 1.5 * kept


def test_talker_and_codec_activations() -> None:
    model = arch.TalkerAndCodec(default("talker")).train()
    kept = arch.kept_for_backward(model, torch.randn(2, 256, 128))
    assert 0.7 * kept < estimated("talker", 2, Lengths(code_frames=256)) < 1.5 * kept


@pytest.mark.parametrize("label", [12, 200])
def test_ocr_activations(label: int) -> None:
    model = arch.Ocr(default("ocr"), 100).train()
    kept = arch.kept_for_backward(model, torch.zeros(2, 3, 224, 224), torch.zeros(2, label, dtype=torch.long))
    assert 0.7 * kept < estimated("ocr", 2, Lengths(label=label, ocr_vocab=100)) < 1.5 * kept


@pytest.mark.slow
def test_vocoder_activations() -> None:
    model = arch.Vocoder(default("vocoder")).train()
    kept = arch.kept_for_backward(model, torch.zeros(1, 128, 32), torch.zeros(1, 1, 8192))
    assert 0.7 * kept < estimated("vocoder", 1, Lengths(audio_samples=8192)) < 1.5 * kept


def test_sixteen_bytes_a_trained_parameter() -> None:
    size = thinker_size(default("thinker"))
    used = memory(size, 0)
    assert used.total - used.reserve == 16 * size.trained


def test_the_shipped_models_fit_twelve_gibibytes_at_the_specified_batch() -> None:
    size = thinker_size(default("thinker"))
    one = activations("thinker", default("thinker"), Lengths(), {})
    assert memory(size, 8 * one).total < 12 * GIB


def test_a_small_card_gets_a_smaller_batch() -> None:
    one = activations("thinker", default("thinker"), Lengths(), {})
    size = thinker_size(default("thinker"))
    chosen = [largest_batch(8, lambda b, g=g: memory(size, b * one).total <= g * GIB) for g in (12, 3, 2, 1)]
    assert chosen == sorted(chosen, reverse=True)
    assert chosen[0] == 8 and chosen[-1] == 1
