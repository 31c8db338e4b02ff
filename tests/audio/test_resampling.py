"""Resampling: lengths to the sample, sines that stay sines where they were, nothing mirrored into the band."""

from __future__ import annotations

import numpy as np
import pytest
from clip_files import decoded, encoded, fitted, sine
from hypothesis import given, settings
from hypothesis import strategies as st

from omni_ray.modalities import waveform
from omni_ray.modalities.waveform import convert
from omni_ray.sources import recordings
from tests.examples import examples

RATES = [8_000, 11_025, 12_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000]


@settings(max_examples=examples(60))
@given(
    rate=st.one_of(st.sampled_from([*RATES, 16_000]), st.integers(2_000, 200_000)),
    count=st.integers(200, 9_000),
    audio_format=st.sampled_from(["flac", "wav"]),
)
def test_the_length_is_kept_within_a_sample(rate: int, count: int, audio_format: str) -> None:
    clip = convert(encoded(np.full(count, 1000, np.int16), rate), 16_000, audio_format)
    assert abs(clip.num_samples - count * 16_000 / rate) <= 1
    assert clip.num_samples == len(decoded(clip.data))
    assert clip.source_rate == rate


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000])
def test_the_length_is_kept_by_torchaudio_too(rate: int) -> None:
    for count in (1, 513, rate + 1, 3 * rate):
        clip = convert(encoded(np.zeros(count, np.int16), rate), 16_000, "wav", "torchaudio")
        assert abs(clip.num_samples - count * 16_000 / rate) <= 1


@pytest.mark.parametrize("resampler", ("soxr", "torchaudio"))
@pytest.mark.parametrize("rate", RATES)
def test_a_sine_stays_the_same_sine(rate: int, resampler: str) -> None:
    """Level within 0.05 dB, no delay, and what is not the sine 80 dB below it."""
    for hertz in (50.0, 440.0, 1000.0, 3000.0, 5000.0, 7000.0):
        if hertz > 0.42 * rate:
            continue
        clip = convert(encoded(sine(hertz, rate), rate, subtype="FLOAT"), 16_000, "flac", resampler)
        level, phase, over_rest = fitted(decoded(clip.data), hertz)
        assert abs(20 * np.log10(level / 0.5)) < 0.05, hertz
        assert abs(phase) < 1e-3, hertz
        assert over_rest > 80, hertz


@pytest.mark.parametrize("resampler", ("soxr", "torchaudio"))
@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000, 96_000])
def test_nothing_above_the_new_nyquist_frequency_comes_back_below_it(rate: int, resampler: str) -> None:
    for hertz in (8_500.0, 9_000.0, 10_000.0, 15_000.0, 20_000.0):
        if hertz > 0.49 * rate:
            continue
        data = encoded(sine(hertz, rate, level=0.9), rate, subtype="FLOAT")
        left = decoded(convert(data, 16_000, "flac", resampler).data)
        middle = left[len(left) // 10 : -len(left) // 10]
        assert np.sqrt(np.mean(middle**2)) < 0.9 / np.sqrt(2) * 1e-4, hertz  # -80 dB


def test_both_resamplers_agree_on_speech_like_noise() -> None:
    rng = np.random.default_rng(7)
    spectrum = np.fft.rfft(rng.standard_normal(2 * 22_050))
    spectrum[np.fft.rfftfreq(2 * 22_050, 1 / 22_050) > 7000] = 0
    noise = np.fft.irfft(spectrum)
    data = encoded(0.5 * noise / np.abs(noise).max(), 22_050, subtype="FLOAT")
    one, other = (decoded(convert(data, 16_000, "flac", name).data) for name in ("soxr", "torchaudio"))
    middle = slice(1000, -1000)
    assert 20 * np.log10(np.std(one[middle]) / np.std((one - other)[middle])) > 60


@pytest.mark.parametrize("rate", [16_000, 22_050, 48_000])
@pytest.mark.parametrize(("kind", "subtype"), [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("FLAC", "PCM_24")])
def test_blocks_do_not_show(rate: int, kind: str, subtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(rate)
    data = encoded(rng.uniform(-0.5, 0.5, (50_000, 2)), rate, kind, subtype)
    whole = convert(data, 16_000, "flac")
    for size in (997, 4096, 1 << 20):
        monkeypatch.setattr(recordings, "_BLOCK", size)
        assert convert(data, 16_000, "flac") == whole


def test_blocks_of_torchaudio_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(sine(1000, 44_100, 3.0), 44_100, subtype="FLOAT")
    monkeypatch.setattr(waveform, "_SINC_BLOCK", 10_000)
    _, phase, over_rest = fitted(decoded(convert(data, 16_000, "wav", "torchaudio").data), 1000)
    assert abs(phase) < 1e-3
    assert over_rest > 80


def test_full_scale_overshoots_and_is_clamped_not_wrapped() -> None:
    """A square wave between both ends of 16 bits rings beyond them once resampled."""
    square = np.where(np.arange(44_100) // 147 % 2, -32768, 32767).astype(np.int16)
    made = decoded(convert(encoded(square, 44_100), 16_000, "flac").data)
    assert made.max() == 32767 / 32768
    assert made.min() == -1.0
    signs = np.where((np.arange(16_000) * 44_100 / 16_000 // 147) % 2, -1, 1)
    clear = np.abs((np.arange(16_000) * 44_100 / 16_000) % 147 - 73.5) < 60
    assert (np.sign(made[clear]) == signs[clear]).all()


@pytest.mark.parametrize("rate", RATES)
def test_silence_stays_silence(rate: int) -> None:
    assert not decoded(convert(encoded(np.zeros(rate, np.int16), rate), 16_000, "flac").data).any()


@pytest.mark.parametrize("rate", RATES)
def test_a_constant_stays_constant(rate: int) -> None:
    made = decoded(convert(encoded(np.full(rate, 8192, np.int16), rate), 16_000, "flac").data)
    assert np.abs(made[1000:-1000] - 0.25).max() <= 1 / 32768
