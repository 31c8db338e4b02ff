"""Clips: speech that matches its transcript, can be learned, and does not depend on what was said before."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from random import Random

import numpy as np
import pytest
from numpy.typing import NDArray

from omni_ray.errors import OmniError
from omni_ray.synth import espeak, tones
from omni_ray.synth.clips import (
    Engine,
    SpokenSentence,
    encoded,
    is_learnable,
    make_clip,
    resampled,
)
from omni_ray.synth.espeak import SPEAKERS

ENGINES: tuple[Engine, ...] = ("espeak-ng", "tones")


def _digest(clip: SpokenSentence) -> str:
    return hashlib.sha256(clip.pcm.tobytes() + clip.text.encode()).hexdigest()


@pytest.fixture(scope="module", params=ENGINES)
def clips(request: pytest.FixtureRequest) -> list[SpokenSentence]:
    if request.param == "espeak-ng" and not espeak.available():
        pytest.skip("espeak-ng is not installed (the extra 'speech')")
    return [make_clip(42, i, request.param) for i in range(120)]


@pytest.mark.slow
def test_every_clip_can_be_learned(clips: list[SpokenSentence]) -> None:
    assert all(is_learnable(clip.text, len(clip.pcm)) for clip in clips)


def test_clips_are_one_to_four_seconds_of_sound(clips: list[SpokenSentence]) -> None:
    for clip in clips:
        assert clip.pcm.dtype == np.int16
        assert 16_000 <= len(clip.pcm) <= 64_000
        level = np.abs(clip.pcm.astype(np.int32))
        assert 10_000 < level.max() < 32_767
        assert np.sqrt(np.mean(level.astype(float) ** 2)) > 500


def test_clips_vary(clips: list[SpokenSentence]) -> None:
    assert len({clip.speaker for clip in clips}) > 30
    assert len({clip.text for clip in clips}) > 110


@pytest.mark.parametrize("kind", ENGINES)
def test_a_clip_does_not_depend_on_what_was_said_before(kind: Engine) -> None:
    if kind == "espeak-ng" and not espeak.available():
        pytest.skip("espeak-ng is not installed (the extra 'speech')")
    forward = [_digest(make_clip(3, i, kind)) for i in range(24)]
    order = list(range(24))
    Random(0).shuffle(order)
    shuffled = {i: _digest(make_clip(3, i, kind)) for i in order}
    assert [shuffled[i] for i in range(24)] == forward


def test_threads_take_turns(speaking: None) -> None:
    alone = [_digest(make_clip(5, i)) for i in range(8)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda i: _digest(make_clip(5, i)), range(8))) == alone


@pytest.mark.slow
def test_another_process_with_another_locale_says_the_same(speaking: None) -> None:
    program = (
        "import hashlib; from omni_ray.synth.clips import make_clip;"
        "print(hashlib.sha256(b''.join(make_clip(9, i).pcm.tobytes() for i in range(6))).hexdigest())"
    )
    outputs = {
        subprocess.run([sys.executable, "-c", program], env={"LC_ALL": locale}, capture_output=True, check=True).stdout
        for locale in ("C", "C.UTF-8")
    }
    here = hashlib.sha256(b"".join(make_clip(9, i).pcm.tobytes() for i in range(6))).hexdigest()
    assert outputs == {here.encode() + b"\n"}


def test_every_speaker_speaks_and_sounds_different(speaking: None) -> None:
    said = {}
    for speaker in SPEAKERS:
        with espeak.fresh() as voice:
            said[speaker.id] = voice.speak("a word", speaker, 100).tobytes()
    assert len(SPEAKERS) == 40
    assert min(map(len, said.values())) > 10_000
    assert len(set(said.values())) == 40


def test_slower_is_longer_and_gaps_add_pauses(speaking: None) -> None:
    with espeak.fresh() as voice:
        fast = voice.speak("one two three", SPEAKERS[1], 160)
        slow = voice.speak("one two three", SPEAKERS[1], 90)
        gaps = voice.speak("one two three", SPEAKERS[1], 90, 20)
    assert len(fast) < len(slow) < len(gaps)


def test_an_unknown_voice_is_said_so_and_harms_nothing(speaking: None) -> None:
    before = _digest(make_clip(1, 1))
    with pytest.raises(OmniError, match="no voice xx-yy"), espeak.fresh() as voice:
        voice.speak("a", espeak.Speaker("x", "xx-yy"), 100)
    assert _digest(make_clip(1, 1)) == before


def test_without_espeak_the_chords_are_used_and_speech_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(espeak, "_paths", lambda: None)
    assert np.array_equal(make_clip(1, 2).pcm, make_clip(1, 2, "tones").pcm)
    with pytest.raises(OmniError, match="pip install"):
        make_clip(1, 2, "espeak-ng")


def _recognised(samples: NDArray[np.int16], rate: int, pitch: float) -> str:
    """Chords back to letters: the two strongest frequencies of every sound."""
    count = int(espeak.SAMPLE_RATE * 60 / (rate * 6))
    silence = espeak.SAMPLE_RATE // 10
    letters = []
    for start in range(silence, len(samples) - silence - count + 1, count):
        sound = samples[start : start + count].astype(float)
        if np.abs(sound).max() < 100:
            letters.append(" ")
            continue
        spectrum = np.abs(np.fft.rfft(sound * np.hanning(count), 8 * count))
        scale = espeak.SAMPLE_RATE / (8 * count)
        rows = [spectrum[round(hz * pitch / scale)] for hz in tones._LOW]
        columns = [spectrum[round(hz * pitch / scale)] for hz in tones._HIGH]
        letters.append(tones._LETTERS[int(np.argmax(rows)) + len(rows) * int(np.argmax(columns))])
    return "".join(letters)


@pytest.mark.parametrize("number", [0, 4, 8, 17])
def test_chords_can_be_read_back_letter_by_letter(number: int) -> None:
    text = "the quick brown fox jumps over 37 lazy dogs, all of them tall"
    samples = tones.speak(text, SPEAKERS[number], 100)
    assert _recognised(samples, 100, 2.0 ** ((number % 9 - 4) / 48)) == text


def test_equal_letters_in_a_row_are_two_sounds() -> None:
    samples = np.abs(tones.speak("ll", SPEAKERS[0], 100).astype(float))
    count = int(espeak.SAMPLE_RATE * 60 / 600)
    middle = espeak.SAMPLE_RATE // 10 + count
    assert samples[middle - 20 : middle + 20].max() < 0.05 * samples.max()


def test_resampled_speech_keeps_its_length_and_peak() -> None:
    samples = tones.speak("hello there", SPEAKERS[3], 100)
    for rate in (16_000, 22_050, 48_000):
        changed = resampled(samples, rate, 0.5)
        assert len(changed) == pytest.approx(len(samples) * rate / 22_050, abs=2)
        assert np.abs(changed.astype(int)).max() == pytest.approx(0.5 * 32_767, abs=2)


@pytest.mark.parametrize("file_format", ["FLAC", "WAV", "MP3"])
def test_sound_files_hold_what_was_put_in(file_format: str) -> None:
    import io

    import soundfile

    pcm = make_clip(1, 1, "tones").pcm
    samples, rate = soundfile.read(io.BytesIO(encoded(pcm, 16_000, file_format)), dtype="int16")
    assert rate == 16_000
    if file_format != "MP3":
        assert np.array_equal(samples, pcm)
