"""The memory estimate against what autograd really keeps."""

from __future__ import annotations

import architectures as arch
import pytest
import torch

from omni_ray.training.configs import default
from omni_ray.training.memory import GIB, Lengths, activations, largest_batch, memory
from omni_ray.training.model_sizes import thinker_size


@pytest.mark.parametrize("gated", [True, False])
def test_thinker_activations(gated: bool) -> None:
    config = {**default("thinker"), "vocab_size": 64, "use_swiglu": gated, "use_amp": False}
    model = arch.Thinker(config).train()
    kept = arch.kept_for_backward(model, torch.zeros(2, 512, dtype=torch.long))
    estimate = activations("thinker", config, Lengths(), {}) * 2
    assert 0.7 * kept < estimate < 2 * kept


def test_vision_activations() -> None:
    config = {**default("vision"), "use_amp": False}
    # With dropout, attention on a CPU keeps its scores, which fused attention on a card does not.
    model = arch.VisionTransformer(224, 16, 128, 4, 2, 512, dropout=0.0).train()
    kept = arch.kept_for_backward(model, torch.zeros(2, 3, 224, 224))
    estimate = activations("vision", config, Lengths(), {}) * 2
    assert 0.7 * kept < estimate < 2 * kept


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
