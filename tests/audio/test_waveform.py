"""Encoded clips: every format and width comes out as it was, and every damage is noticed."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from clip_files import decoded, encoded, fitted, sine
from hypothesis import given, settings
from hypothesis import strategies as st

from omni_ray.modalities import waveform
from omni_ray.modalities.waveform import convert
from omni_ray.records import Unusable
from tests.examples import examples

NOISE = np.random.default_rng(3).uniform(-0.3, 0.3, 40_000)


@pytest.mark.parametrize(
    ("kind", "subtype", "least"),
    [
        ("WAV", "PCM_U8", 40),
        ("WAV", "PCM_16", 85),
        ("WAV", "PCM_24", 85),
        ("WAV", "PCM_32", 85),
        ("WAV", "FLOAT", 85),
        ("WAV", "DOUBLE", 85),
        ("WAV", "ULAW", 35),
        ("WAV", "ALAW", 35),
        ("WAV", "IMA_ADPCM", 25),
        ("WAVEX", "PCM_16", 85),
        ("RF64", "PCM_16", 85),
        ("W64", "PCM_16", 85),
        ("AIFF", "PCM_16", 85),
        ("AIFF", "PCM_24", 85),
        ("AU", "ULAW", 35),
        ("CAF", "ALAC_16", 85),
        ("FLAC", "PCM_S8", 40),
        ("FLAC", "PCM_16", 85),
        ("FLAC", "PCM_24", 85),
        ("OGG", "VORBIS", 20),
        ("OGG", "OPUS", 20),
        ("MP3", "MPEG_LAYER_III", 20),
    ],
)
def test_a_tone_survives_every_format(kind: str, subtype: str, least: float) -> None:
    """Lossy formats may turn the phase, so that the level and what is not the tone are judged."""
    clip = convert(encoded(sine(440), 16_000, kind, subtype), 16_000, "flac")
    assert abs(clip.num_samples - 16_000) <= (2304 if kind == "MP3" else 505 if subtype == "IMA_ADPCM" else 0)
    level, _, over_rest = fitted(decoded(clip.data), 440)
    assert level == pytest.approx(0.5, rel=0.03)
    assert over_rest > least


@settings(max_examples=examples(40))
@given(
    st.lists(st.integers(-32768, 32767), min_size=1, max_size=300),
    st.sampled_from([("WAV", "PCM_16"), ("AIFF", "PCM_16"), ("FLAC", "PCM_16"), ("WAV", "FLOAT"), ("WAV", "PCM_32")]),
    st.sampled_from(["flac", "wav"]),
)
def test_sixteen_bits_at_16_khz_come_back_exactly(values: list[int], source: tuple[str, str], wanted: str) -> None:
    clip = convert(encoded(np.array(values, np.int16) / 32768, 16_000, *source), 16_000, wanted)
    assert (decoded(clip.data) * 32768).tolist() == values
    assert clip.peak == pytest.approx(max(abs(v) for v in values) / 32768)


def test_a_file_that_is_right_already_is_kept_byte_for_byte() -> None:
    data = encoded(NOISE, 16_000, "FLAC", "PCM_16")
    clip = convert(data, 16_000, "flac")
    assert clip.data == data
    assert clip.num_samples == 40_000
    assert convert(data, 16_000, "wav").data != data


@pytest.mark.parametrize(
    "data",
    [
        encoded(NOISE, 22_050, "FLAC", "PCM_16"),
        encoded(NOISE, 16_000, "FLAC", "PCM_24"),
        encoded(np.stack([NOISE, NOISE], axis=1), 16_000, "FLAC", "PCM_16"),
        encoded(NOISE, 16_000, "FLAC", "PCM_16") + bytes(1 << 18),
    ],
    ids=["rate", "24 bits", "stereo", "something behind"],
)
def test_other_flac_is_made_anew(data: bytes) -> None:
    clip = convert(data, 16_000, "flac")
    assert clip.data != data
    assert len(decoded(clip.data)) == clip.num_samples


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_channels_are_averaged(rate: int, subtype: str) -> None:
    left, right, third = sine(440, rate), sine(1000, rate, level=0.2), np.full(rate, 0.1)
    for channels in ([left, right], [left, right, third]):
        made = convert(encoded(np.stack(channels, axis=1), rate, subtype=subtype), 16_000, "wav")
        wanted = convert(encoded(np.mean(channels, axis=0), rate, subtype="FLOAT"), 16_000, "wav")
        assert np.abs(decoded(made.data) - decoded(wanted.data)).max() <= 2 / 32768


def test_opposite_channels_cancel_and_nothing_overflows() -> None:
    full = np.array([32767, -32767] * 5000, np.int16)
    opposite = decoded(convert(encoded(np.stack([full, -full], axis=1)), 16_000, "flac").data)
    same = decoded(convert(encoded(np.stack([full, full], axis=1)), 16_000, "flac").data)
    assert not opposite.any()
    assert (same * 32768).tolist() == full.tolist()


def test_floats_beyond_full_scale_are_clamped_and_reported() -> None:
    clip = convert(encoded(np.array([4.0, -3.0, 0.5] * 400), subtype="FLOAT"), 16_000, "wav")
    assert clip.peak == 4.0
    assert decoded(clip.data)[:3].tolist() == [32767 / 32768, -1.0, 0.5]


def test_floats_are_rounded_to_the_nearest_of_16_bits() -> None:
    values = np.array([0.4, 0.6, -0.4, -0.6, 100.51, -100.51, 2.5, 3.5] * 100) / 32768
    made = decoded(convert(encoded(values, subtype="FLOAT"), 16_000, "flac").data) * 32768
    assert made[:8].tolist() == [0, 1, 0, -1, 101, -101, 2, 4]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
@pytest.mark.parametrize("place", [0, 70_000, -1])
def test_a_single_sample_that_is_no_number_is_refused(value: float, subtype: str, place: int) -> None:
    samples = np.zeros(80_000)
    samples[place] = value
    with pytest.raises(Unusable) as caught:
        convert(encoded(samples, subtype=subtype), 16_000, "flac")
    assert caught.value.reason == "non_finite"


@pytest.mark.parametrize(
    ("kind", "subtype"),
    [
        ("WAV", "PCM_16"),
        ("WAV", "FLOAT"),
        ("AIFF", "PCM_16"),
        ("FLAC", "PCM_16"),
        ("OGG", "VORBIS"),
        ("OGG", "OPUS"),
        ("MP3", None),
    ],
)
@pytest.mark.parametrize("share", [0.5, 0.9, 0.999])
def test_a_file_cut_short_is_noticed(kind: str, subtype: str | None, share: float) -> None:
    data = encoded(NOISE, 16_000, kind, subtype)
    with pytest.raises(Unusable) as caught:
        convert(data[: int(len(data) * share)], 16_000, "flac")
    assert caught.value.reason in {"truncated", "decode_error"}


@pytest.mark.parametrize("rate", [16_000, 22_050])
def test_flac_that_counts_more_samples_than_it_has_is_truncated(rate: int) -> None:
    """As one that was cut between two frames: every frame that is there is sound."""
    data = bytearray(encoded(NOISE, rate, "FLAC", "PCM_16"))
    data[22:26] = (len(NOISE) + 1).to_bytes(4, "big")
    with pytest.raises(Unusable) as caught:
        convert(bytes(data), 16_000, "flac")
    assert caught.value.reason == "truncated"


@pytest.mark.parametrize("at", [200, 20_000, -2_000])
def test_flac_with_a_flipped_bit_is_not_passed_on(at: int) -> None:
    data = bytearray(encoded(NOISE, 16_000, "FLAC", "PCM_16"))
    data[at] ^= 0x10
    with pytest.raises(Unusable):
        convert(bytes(data), 16_000, "flac")


@settings(max_examples=examples(150))
@given(st.binary(max_size=400), st.sampled_from([b"", b"RIFF", b"fLaC", b"OggS", b"ID3\x03", b"\xff\xfb\x90", b"FORM"]))
def test_any_bytes_are_a_clip_or_unusable(data: bytes, start: bytes) -> None:
    try:
        clip = convert(start + data, 16_000, "flac")
    except Unusable as error:
        assert error.reason in {"decode_error", "truncated", "non_finite", "too_large"}
    else:
        assert clip.num_samples == 0 or len(decoded(clip.data)) == clip.num_samples


@settings(max_examples=examples(80))
@given(st.integers(0, 4000), st.integers(0, 255), st.sampled_from(["WAV", "FLAC", "OGG", "MP3", "AIFF"]))
def test_a_changed_byte_is_a_clip_or_unusable(at: int, value: int, kind: str) -> None:
    data = bytearray(encoded(NOISE[:4000], 22_050, kind))
    data[at % len(data)] = value
    try:
        clip = convert(bytes(data), 16_000, "flac")
    except Unusable:
        return
    assert clip.num_samples == 0 or len(decoded(clip.data)) == clip.num_samples


@pytest.mark.parametrize("kind", ["WAV", "AIFF", "FLAC"])
def test_a_file_without_samples_has_none(kind: str) -> None:
    try:
        assert convert(encoded(np.zeros(0, np.int16), 16_000, kind), 16_000, "flac").num_samples == 0
    except Unusable as error:
        assert error.reason in {"decode_error", "truncated"}


def test_sampler_formats_and_odd_rates_are_refused() -> None:
    for data in (encoded(NOISE, 16_000, "SVX", "PCM_16"), encoded(NOISE, 900), encoded(NOISE, 1_000_000)):
        with pytest.raises(Unusable) as caught:
            convert(data, 16_000, "flac")
        assert caught.value.reason == "decode_error"


@pytest.mark.slow
@pytest.mark.parametrize("resampler", ("soxr", "torchaudio"))
def test_a_long_recording_goes_through_block_by_block(resampler: str) -> None:
    """Five minutes at 48 kHz are 58 MB of floats; the file and the clip are next to nothing."""
    data = encoded(np.zeros(5 * 60 * 48_000, np.int16), 48_000, "FLAC")
    convert(encoded(np.zeros(4800, np.int16), 48_000), 16_000, "flac", resampler)  # the kernel, and imports
    tracemalloc.start()
    try:
        clip = convert(data, 16_000, "flac", resampler)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert clip.num_samples == 5 * 60 * 16_000
    assert peak < len(data) + 2 * len(clip.data) + (16 << 20)


def test_longer_than_any_clip_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waveform, "MAX_SECONDS", 2)
    assert convert(encoded(np.zeros(32_000, np.int16)), 16_000, "flac").num_samples == 32_000
    for data in (encoded(np.zeros(32_001, np.int16)), encoded(np.zeros(32_001, np.int16), kind="FLAC")):
        with pytest.raises(Unusable) as caught:
            convert(data, 16_000, "flac")
        assert caught.value.reason == "too_large"


def test_what_is_too_long_is_not_decoded_to_its_end() -> None:
    samples = np.zeros(20 * 16_000)
    samples[-1] = np.nan  # nobody gets that far
    with pytest.raises(Unusable) as caught:
        convert(encoded(samples, subtype="FLOAT"), 16_000, "flac", longest=3.0)
    assert caught.value.reason == "too_long"


def test_the_same_bytes_every_time() -> None:
    for data in (encoded(NOISE, 22_050), encoded(NOISE, 44_100, "MP3"), encoded(NOISE, 16_000, "OGG")):
        assert convert(data, 16_000, "flac") == convert(data, 16_000, "flac")


def test_wav_is_plain_pcm() -> None:
    data = convert(encoded(NOISE, 44_100), 16_000, "wav").data
    assert data[:4] == b"RIFF"
    assert data[20:24] == b"\x01\x00\x01\x00"  # PCM, one channel
    assert len(data) == 44 + 2 * len(decoded(data))
