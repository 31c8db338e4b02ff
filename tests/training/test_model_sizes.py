"""Parameter counts against the architectures themselves, and against known figures."""

from __future__ import annotations

from typing import Any

import architectures as arch
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from omni_ray.training import model_sizes as sizes
from omni_ray.training.configs import default
from tests.examples import examples

FEW = settings(max_examples=examples(25), deadline=None)


@st.composite
def widths(draw: st.DrawFn, prefix: str = "", head_key: str = "n_heads", d_key: str = "d_model") -> dict[str, int]:
    heads = draw(st.sampled_from([1, 2, 3, 4, 6, 8]))
    return {prefix + head_key: heads, prefix + d_key: heads * 2 * draw(st.integers(1, 16))}


decoders = st.builds(
    lambda shape, rest: {**rest, **shape},
    widths(),
    st.fixed_dictionaries(
        {
            "vocab_size": st.integers(3, 500),
            "n_layers": st.integers(1, 3),
            "d_ff": st.integers(1, 64),
            "use_gqa": st.booleans(),
            "use_swiglu": st.booleans(),
            "use_moe": st.booleans(),
            "num_experts": st.integers(1, 5),
            "kv_groups": st.integers(1, 9),
        }
    ),
)
images = st.fixed_dictionaries({"img_size": st.integers(16, 64), "patch": st.integers(4, 16)})


def built(make: Any) -> int:
    with torch.device("meta"):
        made = make()
    return arch.parameters(*(made if isinstance(made, tuple) else (made,)))


@pytest.mark.slow
@FEW
@given(decoders)
def test_thinker(config: dict[str, Any]) -> None:
    assert sizes.thinker_size(config).trained == built(lambda: arch.Thinker(config))


@FEW
@given(widths(), st.integers(1, 3), st.integers(1, 64), st.sampled_from([2, 4, 8]), st.integers(2, 90))
def test_audio_encoder(shape: dict[str, int], layers: int, hidden: int, factor: int, characters: int) -> None:
    config = {**shape, "n_layers": layers, "d_ff": hidden, "downsample_time": factor}
    size = sizes.audio_size(config, characters)
    assert size.trained == built(lambda: (arch.AudioEncoder(config), nn.Linear(config["d_model"], characters)))


@pytest.mark.slow
@FEW
@given(widths(), images, st.integers(1, 3), st.integers(1, 64), st.integers(3, 400), st.integers(1, 64))
def test_vision(
    shape: dict[str, int], image: dict[str, int], layers: int, hidden: int, pieces: int, joint: int
) -> None:
    d, heads = shape["d_model"], shape["n_heads"]
    config = {**shape, **image, "n_layers": layers, "d_ff": hidden, "embed_dim": joint}
    expected = built(
        lambda: (
            arch.VisionTransformer(image["img_size"], image["patch"], d, layers, heads, hidden),
            nn.Embedding(pieces, d),
            nn.Linear(d, joint),
            nn.Linear(d, joint),
        )
    )
    assert sizes.vision_size(config, pieces).trained == expected


@FEW
@given(decoders, st.integers(2, 5), st.integers(2, 60))
def test_talker(config: dict[str, Any], codebooks: int, codes: int) -> None:
    config = {**config, "use_moe": False, "codebooks": codebooks, "codebook_size": codes}
    assert sizes.talker_size(config).trained == built(lambda: (arch.Talker(config), arch.Codec(config)))


@FEW
@given(
    widths("vision_", "heads"),
    widths("decoder_", "heads"),
    images,
    st.booleans(),
    st.booleans(),
    st.integers(5, 300),
    st.integers(1, 3),
)
def test_ocr(
    seen: dict[str, int],
    written: dict[str, int],
    image: dict[str, int],
    gqa: bool,
    gated: bool,
    vocab: int,
    layers: int,
) -> None:
    config = {
        **seen, **written, **image, "use_gqa": gqa, "use_swiglu": gated, "vision_layers": layers, "vision_d_ff": 24,
        "decoder_layers": layers + 1, "decoder_d_ff": 40,
    }  # fmt: skip
    assert sizes.ocr_size(config, vocab).trained == built(lambda: arch.Ocr(config, vocab))


@FEW
@given(
    st.sampled_from([16, 32, 64]),
    st.lists(st.sampled_from([1, 3, 5, 7]), min_size=1, max_size=3),
    st.lists(st.integers(1, 5), min_size=1, max_size=3),
    st.integers(1, 4),
    st.integers(1, 5),
    st.integers(1, 3),
)
def test_vocoder(width: int, kernels: list[int], dilations: list[int], periods: int, kernel: int, scales: int) -> None:
    config = {
        "n_mels": 20, "upsample_initial_channel": width, "resblock_kernel_sizes": kernels,
        "resblock_dilation_sizes": [dilations] * len(kernels), "mpd_periods": [2] * periods, "mpd_kernel_size": kernel,
        "msd_num_scales": scales,
    }  # fmt: skip
    assert sizes.vocoder_size(config).trained == built(lambda: (arch.Generator(config), arch.Discriminators(config)))


@FEW
@given(decoders, widths(), widths())
def test_multimodal_stage_trains_the_thinker_and_projectors(
    thinker: dict[str, Any], heard: dict[str, int], seen: dict[str, int]
) -> None:
    size = sizes.sft_size({"thinker": thinker}, heard, seen)
    d = thinker["d_model"]
    expected = built(lambda: (arch.Thinker(thinker), nn.Linear(heard["d_model"], d), nn.Linear(seen["d_model"], d)))
    assert size.trained == expected
    assert (
        size.resident == size.trained + sizes.audio_encoder(heard) + sizes.vision_size(seen, 0).parts["vision encoder"]
    )


def test_known_figures() -> None:
    thinker, audio, vision = default("thinker"), default("audio_enc"), default("vision")
    assert sizes.thinker_size(thinker).trained == 20_318_464
    assert sizes.audio_encoder(audio) == 2_049_408
    assert sizes.audio_size(audio, 30).trained - 2_049_408 == 5_790
    assert sizes.audio_size(audio, 100).trained - 2_049_408 == 19_300
    assert sizes.audio_encoder({**audio, "downsample_time": 4}) == 2_209_088
    assert sizes.audio_encoder({**audio, "downsample_time": 2}) == 2_602_304
    assert sizes.vision_size(vision, 32_000).parts["vision encoder"] == 916_992
    assert sizes.vision_size(vision, 32_000).trained == 5_046_016
    assert sizes.speech_decoder(default("talker")) == 2_238_592
    assert sizes.codec(default("talker")) == 32_960
    assert sizes.talker_size(default("talker")).trained == 2_271_552
    assert sizes.ocr_size(default("ocr"), 128).trained == 6_265_856
    vocoder = sizes.vocoder_size(default("vocoder"))
    assert vocoder.parts == {
        "generator": 2_204_065, "period discriminators": 14_800_131, "scale discriminators": 19_740_418,
    }  # fmt: skip
    assert vocoder.trained == 36_744_614
    sft = sizes.sft_size(default("omni_sft"), audio, vision)
    assert sft.parts["projectors"] == 82_432
    assert (sft.trained, sft.resident) == (20_400_896, 23_367_296)


@pytest.mark.parametrize("groups", [1, 2, 8])
def test_kv_groups_is_read_by_no_model(groups: int) -> None:
    base = default("thinker")
    assert sizes.decoder({**base, "kv_groups": groups}) == sizes.decoder(base)
