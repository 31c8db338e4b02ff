"""What a plan makes of clips: the encoder's frames, the longest transcript, the crops."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import soundfile
from made_project import make_project, write_csv
from plans import config, of, planned, said

from omni_ray.training.configs import default, dump


def test_clips_that_are_dropped_are_not_counted_as_samples(project: Path) -> None:
    path = project / "data/audio/production_asr.csv"
    lines = path.read_text().splitlines()
    held = [row for row in range(200) if hash((row, 42)) % 100 < 10]
    for row in held[1:]:
        lines[1 + row] = f"gone/{row}.wav,lost"
    path.write_text("\n".join(lines) + "\n")
    audio = of(planned(project, configs=["audio_enc"], dry_run=True), "audio_enc")
    assert [audio.value(key) for key in ("rows", "train_rows", "val_rows")] == [201 - len(held), 200 - len(held), 1]


def test_a_clip_too_short_stops_the_multimodal_stage_alone(project: Path) -> None:
    soundfile.write(project / "data/audio/clips/3.flac", [0.0] * 500, 16_000)
    report = planned(project, configs=["audio_enc", "omni_sft"])
    assert "50 of 200 clips have fewer than 513 samples and stop the trainer" in said(report)
    assert of(report, "audio_enc").problems == []


def test_clips_that_are_not_there(project: Path) -> None:
    shutil.rmtree(project / "data/audio/clips")
    report = planned(project, configs=["audio_enc", "thinker"])
    assert "no clip can be read (first: data/audio/clips/0.flac)" in said(report)


def test_speech_too_fast_is_said(project: Path) -> None:
    rows = [("data/audio/clips/0.flac", "far too many words for a single second")] * 100
    write_csv(project / "data/audio/production_asr.csv", ("wav", "text"), rows)
    report = planned(project, configs=["audio_enc"], dry_run=True)
    assert any("100 of 100 clips are spoken too fast" in warning for warning in of(report, "audio_enc").warnings)


def test_the_encoder_follows_the_speech(project: Path) -> None:
    rows = [("data/audio/clips/0.flac", "twenty words a minute")] * 100  # 21 characters in a second
    write_csv(project / "data/audio/production_asr.csv", ("wav", "text"), rows)
    report = planned(project)
    audio, sft = of(report, "audio_enc"), of(report, "omni_sft")
    assert audio.config is not None and audio.config.get("downsample_time") == 4
    assert not any("too fast" in warning for warning in audio.warnings)
    # The multimodal stage has the same encoder in it: 64 x 32 instead of 64 x 16 inputs to its projection, less a layer.
    slow = planned(make_project(project.parent / "slow"))
    difference = 64 * 16 * 192 - (9 * 64 * 64 + 64)
    assert sft.value("resident_parameters") - of(slow, "omni_sft").value("resident_parameters") == difference


def test_trained_weights_keep_their_encoder(project: Path) -> None:
    rows = [("data/audio/clips/0.flac", "twenty words a minute")] * 100
    write_csv(project / "data/audio/production_asr.csv", ("wav", "text"), rows)
    (project / "checkpoints/audio_enc_tiny").mkdir(parents=True)
    (project / "checkpoints/audio_enc_tiny/audio_enc.pt").write_bytes(b"")
    audio = of(planned(project, configs=["audio_enc"]), "audio_enc")
    assert audio.config is not None and audio.config.get("downsample_time") == 8
    assert any("too fast for CTC at downsample_time 8" in warning for warning in audio.warnings)


def test_no_clip_is_cut(project: Path) -> None:
    audio = of(planned(project, configs=["audio_enc"]), "audio_enc")
    assert audio.config is not None
    # The longest of the clips has 28,000 samples, 176 frames.
    assert audio.config.get("max_mel_length") == 256


def test_a_sample_of_clips_does_not_promise_to_cut_none(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omni_ray.training.clips.SAMPLE", 10)
    figure = of(planned(project, configs=["audio_enc"], dry_run=True), "audio_enc").figures["max_mel_length"]
    assert "out of 200; a longer one is cut" in figure.rule


def test_blank_transcripts_and_labels_leave_room_for_one_character(project: Path) -> None:
    write_csv(project / "data/audio/production_asr.csv", ("wav", "text"), [("data/audio/clips/0.flac", " ")] * 200)
    write_csv(project / "data/ocr/production_ocr.csv", ("image", "text"), [("files/a.png", "")] * 200)
    planned(project, configs=["audio_enc", "ocr"])
    assert config(project, "audio_enc")["max_text_len"] == 1
    assert config(project, "ocr")["max_text_length"] == 3


@pytest.mark.parametrize(
    ("given", "written"),
    [({"max_audio_length": 16_384}, (16_384, 65)), ({"max_mel_length": 65}, (16_384, 65)), ({}, (8192, 33))],
)
def test_both_lengths_of_a_crop_are_written(project: Path, given: dict[str, int], written: tuple[int, int]) -> None:
    values = {key: value for key, value in default("vocoder").items() if not key.startswith("max_")}
    (project / "configs").mkdir()
    (project / "configs/vocoder_tiny.json").write_text(dump({**values, **given}))
    planned(project, configs=["vocoder"])
    made = config(project, "vocoder")
    assert (made["max_audio_length"], made["max_mel_length"]) == written
