"""Clips with transcripts: every record is kept or counted, one bad record costs one record."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import soundfile
from clip_files import decoded, encoded, raw_rows, sine
from hypothesis import given, settings
from hypothesis import strategies as st

from omni_ray.errors import OmniError
from omni_ray.media_names import is_safe_name
from omni_ray.modalities.audio import Audio, AudioParams
from omni_ray.trainers.files import MAX_FIELD_CHARS
from omni_ray.trainers.speech import MIN_SAMPLES, ctc_frames, ctc_needed
from tests.examples import examples

AUDIO = Audio()
CLIP = encoded(sine(440, 22_050), 22_050)


def transform(*rows: dict[str, Any], **params: Any) -> Any:
    raw = raw_rows(*({"audio": CLIP, **row} for row in rows))
    done = AUDIO.transform(raw, "mine", AudioParams(**params))
    assert done.kept.schema.equals(AUDIO.schema)
    assert done.kept.num_rows + sum(r.records for r in done.rejected) == raw.num_rows
    return done


def reasons(*rows: dict[str, Any], **params: Any) -> list[str]:
    return [r.reason for r in transform(*rows, **params).rejected]


def test_a_row_says_what_its_clip_is() -> None:
    [row] = transform({"id": "a", "path": "wavs/a.WAV", "text": "said", "speaker": "s1"}).kept.to_pylist()
    assert row["audio"]["path"] == "wavs/a.flac"
    assert len(decoded(row["audio"]["bytes"])) == row["num_samples"] == 16_000
    assert (row["duration"], row["source_sampling_rate"]) == (1.0, 22_050)
    assert (row["id"], row["corpus"], row["text"], row["speaker"]) == ("a", "mine", "said", "s1")


def test_wav_on_request() -> None:
    [row] = transform({"path": "a/b.mp3"}, audio_format="wav").kept.to_pylist()
    assert row["audio"]["path"] == "a/b.wav"
    assert row["audio"]["bytes"][:4] == b"RIFF"
    assert len(decoded(row["audio"]["bytes"])) == 16_000


def test_both_forms_hold_the_same_samples() -> None:
    flac, wav = (transform({}, audio_format=form).kept["audio"][0].as_py()["bytes"] for form in ("flac", "wav"))
    assert (decoded(flac) == decoded(wav)).all()


@settings(max_examples=examples(40))
@given(st.text(max_size=40))
def test_any_transcript_is_one_clean_line_or_counted(text: str) -> None:
    done = transform({"text": text.encode("utf-8", "replace").decode()})
    for kept in done.kept["text"].to_pylist():
        assert kept == kept.strip() != ""
        assert len(kept.splitlines()) == 1
        assert not any(ord(sign) < 32 for sign in kept)
    assert {r.reason for r in done.rejected} <= {"empty_text"}


def test_transcripts_keep_their_alphabet_and_case() -> None:
    texts = ["Zwölf Boxkämpfer", "ДА", "中文", "it's “quoted”, isn’t it?", "MISTER QUILTER"]
    assert transform(*({"text": text} for text in texts)).kept["text"].to_pylist() == texts


def test_transcripts_that_no_trainer_could_read() -> None:
    rows = [{"text": text} for text in ("", "  \n ", None, "x" * (MAX_FIELD_CHARS + 1), "x" * MAX_FIELD_CHARS)]
    done = transform(*rows)
    assert [r.reason for r in done.rejected] == ["empty_text", "empty_text", "empty_text", "text_too_long"]
    assert done.kept.num_rows == 1


def test_paths_that_no_file_system_could_hold() -> None:
    paths = ["/etc/a.wav", "../a.wav", "a/../../b.wav", "a\nb.wav", "", "x" * 300 + ".wav"]
    kept = transform(*({"path": path} for path in paths)).kept["audio"].to_pylist()
    named = [clip["path"] for clip in kept]
    assert len({name.casefold() for name in named}) == len(paths)
    assert all(is_safe_name(name) and len(name.encode()) < 250 and name.isprintable() for name in named)


def test_one_bad_clip_costs_one_record() -> None:
    nan = encoded(np.full(16_000, np.nan), subtype="FLOAT")
    bad = [b"", b"not audio", CLIP[:5000], nan, encoded(np.zeros(0, np.int16)), encoded(np.zeros(512, np.int16))]
    done = transform({}, *({"audio": data} for data in bad), {})
    assert done.kept["id"].to_pylist() == ["c0", f"c{len(bad) + 1}"]
    found = [r.reason for r in done.rejected]
    assert found == ["decode_error", "decode_error", "truncated", "non_finite", "too_short", "too_short"]
    assert [r.where for r in done.rejected] == [f"file {n}" for n in range(1, len(bad) + 1)]


def test_the_shortest_clip_a_trainer_can_take() -> None:
    rows = [{"audio": encoded(np.zeros(count, np.int16))} for count in (MIN_SAMPLES - 1, MIN_SAMPLES)]
    done = transform(*rows)
    assert [r.reason for r in done.rejected] == ["too_short"]
    assert done.kept["num_samples"].to_pylist() == [MIN_SAMPLES]


@pytest.mark.parametrize("kind", ["WAV", "FLAC"])
def test_limits_of_length_are_exact_and_inclusive(kind: str) -> None:
    counts = [15_999, 16_000, 16_001, 31_999, 32_000, 32_001, 80_000]
    rows = [{"audio": encoded(np.zeros(count, np.int16), kind=kind)} for count in counts]
    done = transform(*rows, min_seconds=1.0, max_seconds=2.0)
    assert done.kept["num_samples"].to_pylist() == [16_000, 16_001, 31_999, 32_000]
    assert [r.reason for r in done.rejected] == ["too_short", "too_long", "too_long"]


@pytest.mark.parametrize(
    "params",
    [
        {"audio_format": "mp3"},
        {"resampler": "linear"},
        {"min_seconds": 3.0, "max_seconds": 3.0},
        {"max_seconds": 0.0},
        {"channel": "0"},
        {"channel": "middle"},
    ],
)
def test_parameters_that_make_no_sense_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(OmniError):
        AudioParams(**params)


def test_rows_do_not_depend_on_each_other() -> None:
    """The same bytes twice, and the same whether rows come together or alone: what makes runs repeatable."""
    rng = np.random.default_rng(5)
    clips = [encoded(rng.uniform(-0.4, 0.4, 9000 + n), rate) for n, rate in enumerate([16_000, 22_050, 48_000] * 7)]
    raw = raw_rows(*({"audio": clip} for clip in clips))
    together = AUDIO.transform(raw, "mine", AudioParams()).kept
    alone = [AUDIO.transform(raw.slice(n, 1), "mine", AudioParams()).kept for n in range(len(clips))]
    assert together.equals(AUDIO.transform(raw, "mine", AudioParams()).kept)
    assert together.equals(pa.concat_tables(alone))


def test_stats_count_what_trains_badly() -> None:
    rows = [
        {"audio": encoded(sine(440, seconds=0.6))},
        {"audio": encoded(sine(440, seconds=2.0)), "text": "spoken much faster than anyone can speak at all"},
        {"audio": encoded(5 * sine(440, seconds=2.0), subtype="FLOAT")},
    ]
    done = transform(*rows)
    assert done.stats == {"seconds": 4.6, "outside_1_10s": 1, "ctc_infeasible": 1, "overdriven": 1, "rescaled": 0}
    said = AUDIO.warnings(done.kept.num_rows, done.stats, AudioParams())
    assert len(said) == 3
    assert AUDIO.warnings(0, {}, AudioParams()) == []


def test_floats_in_the_scale_of_integers_are_brought_to_full_scale_and_a_word() -> None:
    """scipy.io.wavfile.write of ``samples.astype(np.float32)``: not a square wave."""
    samples = np.rint(20_000 * sine(440, level=1.0))
    done = transform({"audio": encoded(samples, subtype="FLOAT")}, {"audio": encoded(samples * 0.7, subtype="FLOAT")})
    [row] = done.kept.to_pylist()
    assert (decoded(row["audio"]["bytes"]) * 32768).tolist() == samples.tolist()
    assert "scale of 16-bit integers" in " ".join(AUDIO.warnings(1, done.stats, AudioParams()))
    assert [(bad.reason, bad.detail) for bad in done.rejected] == [
        ("wrong_scale", "c1.wav: its floats go up to 14,000, where full scale is 1")
    ]


def test_one_channel_of_a_telephone_call() -> None:
    caller, called = sine(440, 8_000, level=0.3), sine(1000, 8_000, level=0.2)
    call = encoded(np.stack([caller, called], axis=1), 8_000)
    for wanted, signal in (("left", caller), ("2", called), ("B", called)):
        [row] = transform({"audio": call}, channel=wanted).kept.to_pylist()
        alone = transform({"audio": encoded(signal, 8_000)}).kept["audio"][0].as_py()
        assert row["audio"]["bytes"] == alone["bytes"]
    rows = [{"audio": call, "channel": name} for name in ("right", "3", "0", "x")]
    done = transform(*rows, channel="left")
    assert [bad.reason for bad in done.rejected] == ["missing_channel"] * 3
    assert len(done.kept) == 1


def test_ctc_needs_a_frame_a_character_and_a_blank_between_equals() -> None:
    assert ctc_needed("") == 0
    assert ctc_needed("abc") == 3
    assert ctc_needed("aabb") == 6
    assert [ctc_frames(n) for n in (0, 1_119, 1_120, 16_000)] == [0, 0, 1, 12]


def test_librispeech_passes_unchanged(corpora: Path) -> None:
    paths = sorted((corpora / "librispeech").rglob("*.flac"))
    kept = transform(*({"audio": path.read_bytes(), "path": path.name} for path in paths)).kept
    for path, row in zip(paths, kept.to_pylist(), strict=True):
        assert hashlib.sha256(row["audio"]["bytes"]).digest() == hashlib.sha256(path.read_bytes()).digest()
        assert row["num_samples"] == soundfile.info(str(path)).frames
        assert row["audio"]["path"] == path.name


@pytest.mark.parametrize(
    ("corpus", "pattern", "rate"), [("ljspeech", "*.wav", 22_050), ("commonvoice", "*.mp3", 48_000)]
)
def test_real_clips_keep_their_length_and_sound(corpora: Path, corpus: str, pattern: str, rate: int) -> None:
    """Below 7 kHz the spectrum is the source's own, but for rounding to 16 bits."""
    paths = sorted((corpora / corpus).rglob(pattern))[:8]
    assert paths
    kept = transform(*({"audio": path.read_bytes()} for path in paths)).kept
    assert kept.num_rows == len(paths)
    for path, row in zip(paths, kept.to_pylist(), strict=True):
        source, found = soundfile.read(io.BytesIO(path.read_bytes()))
        made = decoded(row["audio"]["bytes"])
        assert found == row["source_sampling_rate"] == rate
        assert abs(len(made) - len(source) * 16_000 / rate) <= 1
        count = min(len(source) // rate, len(made) // 16_000)  # whole seconds, so that bins are 1 / count Hz in both
        window = np.hanning
        theirs = np.fft.rfft(source[: count * rate] * window(count * rate)) / rate
        ours = np.fft.rfft(made[: count * 16_000] * window(count * 16_000)) / 16_000
        band = slice(20 * count, 7000 * count)
        error = np.linalg.norm(theirs[band] - ours[band]) / np.linalg.norm(theirs[band])
        assert error < 5e-3
