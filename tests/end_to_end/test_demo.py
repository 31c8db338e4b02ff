"""The demo's end: configurations that suit the trainers, and an exit code that says when they do not."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
import soundfile
from typer.testing import CliRunner

from omni_ray.cli.commands import app
from omni_ray.demo import DemoReport, run_demo
from omni_ray.errors import OmniError
from omni_ray.trainers.speech import ctc_frames, ctc_needed
from omni_ray.training.clips import CTC_SHARE
from omni_ray.training.configs import NAMES
from omni_ray.training.plan_types import ConfigPlan
from omni_ray.training.report import PlanReport
from omni_ray.verify.report import VerifyReport


@pytest.mark.parametrize("plan", [None, PlanReport(".", False, plans=[ConfigPlan("ocr")])])
def test_a_configuration_that_cannot_be_planned_fails_the_demo(
    plan: PlanReport | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if plan is not None:
        plan.plans[0].problems.append("configs/ocr_tiny.json: no data")
    report = DemoReport(Path("demo"), verified=VerifyReport(), plan=plan)
    monkeypatch.setattr("omni_ray.demo.run_demo", lambda *_, **__: report)
    result = CliRunner().invoke(app, ["demo", "--root", "demo"])
    assert result.exit_code == 1
    assert ("not planned: configs/ocr_tiny.json: no data" if plan else "not planned: ") in result.output
    assert json.loads(CliRunner().invoke(app, ["demo", "--json"]).stdout)["not_planned"]


def test_a_folder_that_holds_anything_else_is_no_demos(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with pytest.raises(OmniError, match="holds data, and is not a demo's"):
        run_demo(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, DemoReport]]:
    root = tmp_path_factory.mktemp("demo") / "demo"
    yield root, run_demo(root)


def rows_of(path: Path) -> list[Any]:
    """A training file as its trainer numbers it."""
    data = path.read_bytes()
    assert not data.startswith(b"\xef\xbb\xbf"), path
    if path.suffix == ".txt":
        return data.decode().splitlines()
    if path.suffix == ".json":
        return json.loads(data)
    with open(path, encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_the_demos_configurations_suit_the_trainers(demo: tuple[Path, DemoReport]) -> None:
    root, report = demo
    assert report.ok and report.not_planned == []
    written = {name: json.loads((root / f"configs/{name}_tiny.json").read_text("utf-8")) for name in NAMES}
    mix = written["omni_sft"]["sft_mix"]
    files = {
        "thinker": [written["thinker"]["train_text"]],
        "audio_enc": [written["audio_enc"]["train_csv"]],
        "vision": [written["vision"]["train_manifest"]],
        "talker": [written["talker"]["tts_csv"]],
        "omni_sft": [mix["text_path"], mix["image_manifest"], mix["asr_csv"]],
        "ocr": [written["ocr"]["train_csv"]],
        "vocoder": [written["vocoder"]["train_csv"]],
    }
    for name, config in written.items():
        rows = max(len(rows_of(root / path)) for path in files[name])
        batch, steps = config["batch_size"], config["max_steps"]
        held = sum(hash((row, config["seed"])) % 100 < config["val_split"] * 100 for row in range(rows))
        # The step counter moves at no other value.
        assert config["gradient_accumulation_steps"] == 1, name
        # Training makes at least one batch, and validation one or none is asked for.
        per_epoch = (rows - held) // batch
        assert per_epoch >= 1 and (held >= batch or config["val_freq"] > steps), name
        assert config["num_workers"] == 0 and config["drop_last"], name
        # A run of so many epochs, all of each, and its learning rate reaches the top.
        assert 0 < steps <= config["max_epochs"] * per_epoch, name
        assert config["warmup_steps"] <= steps // 10, name
    # Each trains on its own file, and finds its media from its own folder.
    assert files["ocr"] == ["data/ocr/production_ocr.csv"] and files["vocoder"] == ["data/audio/production_tts.csv"]
    entries = rows_of(root / files["vision"][0])
    labels = rows_of(root / files["ocr"][0])
    speech = rows_of(root / files["audio_enc"][0])
    assert all((root / written["vision"]["image_root"] / entry["image"]).is_file() for entry in entries)
    assert all((root / mix["image_root"] / entry["image"]).is_file() for entry in entries)
    assert all((root / written["ocr"]["image_root"] / row["image"]).is_file() for row in labels)
    assert all((root / row["wav"]).is_file() for row in speech)
    # The OCR trainer needs room for both marks, and dies when it saves between.
    assert written["ocr"]["max_text_length"] == max(len(row["text"]) for row in labels) + 2
    assert written["ocr"]["checkpoint_freq"] > written["ocr"]["max_steps"]
    # One tokenizer, as large as every configuration says, and beside it no weights that the last stage cannot load.
    places = [written["thinker"]["save_dir"], written["vision"]["thinker_ckpt"], written["omni_sft"]["thinker_ckpt"]]
    sizes = [sentencepiece.SentencePieceProcessor(str(root / p / "tokenizer.model")).get_piece_size() for p in places]
    assert {
        *sizes, written["thinker"]["vocab_size"], written["vision"]["vocab_size"],
        written["vision"]["thinker"]["vocab_size"], written["omni_sft"]["thinker"]["vocab_size"],
    } == {sizes[0]}  # fmt: skip
    assert places[2] != places[0]
    assert written["vision"]["use_thinker_for_text"] is False
    # Speech that CTC can learn at the encoder's rate.
    factor = written["audio_enc"]["downsample_time"]
    lost = sum(ctc_needed(row["text"]) > ctc_frames(soundfile.info(root / row["wav"]).frames, factor) for row in speech)
    assert lost <= CTC_SHARE * len(speech)
    assert written["audio_enc"]["max_text_len"] == max(len(row["text"]) for row in speech)
