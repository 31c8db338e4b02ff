"""What a plan cannot be made of: one line each, and the others planned."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from plans import Snapshot, config, of, planned, put, said

from omni_ray.errors import OmniError
from omni_ray.training.configs import NAMES, default


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "configs/thinker_tiny.json: is not valid JSON"),
        ('{"d_model": 250, "n_heads": 4}', "d_model 250 is not divisible by n_heads 4"),
        ('{"d_model": 320, "n_heads": 5, "use_gqa": true}', "n_heads 5 cannot share"),
        ('{"d_model": 12, "n_heads": 4}', "even width"),
    ],
)
def test_a_bad_configuration_stops_only_itself(project: Path, snapshot: Snapshot, text: str, sentence: str) -> None:
    put(project, "audio_enc")
    (project / "configs/thinker_tiny.json").write_text(text)
    report = planned(project)
    assert sentence in said(report)
    assert report.exit_code == 1
    assert (project / "configs/thinker_tiny.json").read_text() == text
    assert {each.name for each in report.plans if not each.problems} == {"audio_enc", "talker", "ocr", "vocoder"}
    assert config(project, "audio_enc")["max_steps"] != default("audio_enc")["max_steps"]


def test_the_multimodal_stage_needs_its_encoders(project: Path) -> None:
    (project / "configs").mkdir()
    (project / "configs/vision_tiny.json").write_text('{"patch": "big"}')
    report = planned(project)
    assert "configs/omni_sft_tiny.json: its trainer reads configs/vision_tiny.json too" in said(report)
    put(project, "vision", img_size=64)
    report = planned(project)
    assert "configs/omni_sft_tiny.json: its trainer feeds images of 224" in said(report)
    assert not of(report, "vision").problems


@pytest.mark.parametrize(
    ("path", "text", "sentences"),
    [
        ("data/audio/production_asr.csv", "lonely\n", {"audio_enc": "1 rows stop", "omni_sft": "1 rows stop"}),
        ("data/images/production_annotations.json", {"image": "files/a.png", "caption": 3}, {"vision": "1 rows stop"}),
        ("data/images/production_annotations.json", {"caption": "x"}, {"omni_sft": "1 rows stop"}),
    ],
)
def test_a_row_that_stops_a_trainer_is_a_problem(
    project: Path, path: str, text: str | dict[str, Any], sentences: dict[str, str]
) -> None:
    if isinstance(text, str):
        (project / path).write_text((project / path).read_text() + text)
    else:
        (project / path).write_text(json.dumps([*json.loads((project / path).read_text()), text]))
    report = planned(project)
    assert report.exit_code == 1
    found = {each.name: each.problems for each in report.plans if each.problems}
    assert found.keys() == sentences.keys()
    assert all(path in found[name][0] and sentence in found[name][0] for name, sentence in sentences.items())


def test_a_thinker_of_another_shape_than_stage_a_is_said(project: Path) -> None:
    put(project, "thinker", n_layers=6)
    report = planned(project, configs=["omni_sft"], dry_run=True)
    assert any("n_layers 4 against 6" in warning for warning in of(report, "omni_sft").warnings)


@pytest.mark.parametrize("name", NAMES)
def test_key_value_heads_are_said_for_the_models_that_have_them(project: Path, name: str) -> None:
    values: dict[str, Any] = {"use_gqa": True, "kv_groups": 3}
    put(project, name, **({"thinker": {**default(name)["thinker"], **values}} if name == "omni_sft" else values))
    report = planned(project, dry_run=True)
    assert report.problems == []
    has_some = any("kv_groups 3 is read by no model" in warning for warning in of(report, name).warnings)
    assert has_some == (name in ("thinker", "talker", "omni_sft", "ocr"))


def test_no_data(tmp_path: Path, snapshot: Snapshot) -> None:
    report = planned(tmp_path)
    assert report.exit_code == 2
    assert "configs/ocr_tiny.json: no data: data/ocr/production_ocr.csv is not there" in said(report)
    assert "omni-ray prepare ocr --combine" in said(report)
    assert not (tmp_path / "configs").exists()


def test_data_for_one_stage(project: Path) -> None:
    for path in ("data/text", "data/audio", "data/ocr"):
        shutil.rmtree(project / path)
    report = planned(project)
    assert report.exit_code == 1
    assert [each.name for each in report.plans if not each.problems] == ["vision"]
    assert report.tokenizer is not None and "production_annotations.json" in report.tokenizer.how


def test_an_unreadable_file(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may read everything, so the system's answer is made up.
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).endswith("production_ocr.csv"))
    report = planned(project)
    assert said(report) == "configs/ocr_tiny.json: data/ocr/production_ocr.csv: permission denied"
    assert report.exit_code == 1


def test_broken_data(project: Path) -> None:
    (project / "data/images/production_annotations.json").write_text('[{"image": "files/a.png", "caption": "x"}, {')
    (project / "data/audio/production_asr.csv").write_bytes(b"\xef\xbb\xbfwav,text\na,b\n")
    (project / "data/ocr/production_ocr.csv").write_text("image,text\nnot/there.png,A\n")
    report = planned(project)
    assert "configs/vision_tiny.json: data/images/production_annotations.json: is not valid JSON" in said(report)
    assert "configs/audio_enc_tiny.json: data/audio/production_asr.csv: begins with a byte order mark" in said(report)
    assert "configs/ocr_tiny.json: data/ocr/production_ocr.csv: not/there.png is under none of data/ocr" in said(report)
    assert str(project) not in said(report)
    assert [each.name for each in report.plans if not each.problems] == ["thinker", "talker", "vocoder"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"configs": ["thinker", "thinkr"]}, "thinkr: no such configuration"),
        ({"vram_gib": 0}, "--vram"),
        ({"vram_gib": float("nan")}, "--vram"),
    ],
)
def test_options_that_make_no_sense(project: Path, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(OmniError, match=sentence):
        planned(project, **options)


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(OmniError, match="no such folder"):
        planned(tmp_path / "nowhere")
