"""The plan of a whole project: counted, sized, scheduled, written; the same again when nothing changed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from made_project import WORDS, make_project, write_csv
from plans import Snapshot, config, of, planned, put

from omni_ray.pipeline.engine import on_ray
from omni_ray.pipeline.session import ray_session
from omni_ray.training.configs import NAMES, default, dump
from omni_ray.training.counts import CountItem, Outcome, count
from omni_ray.training.plan import plan
from omni_ray.training.report import render_changes


def test_everything_is_planned_and_written(project: Path) -> None:
    report = planned(project)
    assert (report.problems, report.exit_code) == ([], 0)
    assert [each.name for each in report.plans] == list(NAMES)
    for each in report.plans:
        written = config(project, each.name)
        rows = each.value("rows")
        val_rows = sum(hash((row, 42)) % 100 < 10 for row in range(rows))
        batch = written["batch_size"]
        assert rows == 200
        assert written["gradient_accumulation_steps"] == 1
        assert (each.value("train_rows"), each.value("val_rows")) == (200 - val_rows, val_rows)
        assert each.value("val_batches") == val_rows // batch >= 1
        assert written["max_steps"] <= written["max_epochs"] * ((200 - val_rows) // batch)
        assert written["warmup_steps"] < written["max_steps"]
        assert written["val_freq"] <= written["max_steps"]
    assert config(project, "ocr")["checkpoint_freq"] > config(project, "ocr")["max_steps"]
    assert config(project, "ocr")["max_text_length"] == max(map(len, WORDS)) + 2
    assert config(project, "audio_enc")["max_text_len"] == max(map(len, WORDS))


def test_every_path_in_the_configurations_is_there(project: Path) -> None:
    planned(project)
    for name, keys in {
        "thinker": ["train_text"], "audio_enc": ["train_csv"], "vision": ["train_manifest", "image_root"],
        "talker": ["tts_csv"], "ocr": ["train_csv", "image_root"], "vocoder": ["train_csv"],
    }.items():  # fmt: skip
        for key in keys:
            assert (project / config(project, name)[key]).exists()
    assert all((project / path).exists() for path in config(project, "omni_sft")["sft_mix"].values())


def test_one_vocabulary_for_all(project: Path) -> None:
    report = planned(project)
    assert report.tokenizer is not None
    pieces = report.tokenizer.trained.pieces
    assert pieces < 32_000
    assert config(project, "thinker")["vocab_size"] == pieces
    assert config(project, "vision")["vocab_size"] == config(project, "vision")["thinker"]["vocab_size"] == pieces
    assert config(project, "omni_sft")["thinker"]["vocab_size"] == pieces
    for name, key in (("thinker", "save_dir"), ("vision", "thinker_ckpt"), ("omni_sft", "thinker_ckpt")):
        assert (project / config(project, name)[key] / "tokenizer.model").read_bytes() == report.tokenizer.trained.model


def test_a_dry_run_writes_nothing_at_all(project: Path, snapshot: Snapshot) -> None:
    put(project, "thinker", batch_size=32, gradient_accumulation_steps=4)
    (project / "checkpoints").mkdir()
    before = snapshot(project)
    dry = planned(project, dry_run=True)
    assert snapshot(project) == before
    assert dry.written == [] and dry.exit_code == 0 and dry.tokenizer is not None
    wet = planned(project)
    assert wet.tokenizer is not None and wet.tokenizer.trained == dry.tokenizer.trained
    for one, other in zip(dry.plans, wet.plans, strict=True):
        assert one.figures == other.figures
        assert one.config is not None and other.config is not None and one.config.diff() == other.config.diff()


def test_a_partial_plan_leaves_no_size_behind(project: Path) -> None:
    planned(project)
    before = config(project, "thinker")
    text = project / "data/text/production_corpus.txt"
    text.write_text(text.read_text() + "".join(f"word{n} and{n % 7}\n" for n in range(300)))
    dry = planned(project, configs=["vision"], dry_run=True)
    report = planned(project, configs=["vision"])
    assert report.tokenizer is not None
    pieces = report.tokenizer.trained.pieces
    assert pieces > before["vocab_size"]
    assert config(project, "thinker") == {**before, "vocab_size": pieces}
    assert config(project, "omni_sft")["thinker"]["vocab_size"] == pieces
    for folder in ("thinker_tiny", "thinker_tiny_sft"):
        assert (project / "checkpoints" / folder / "tokenizer.model").read_bytes() == report.tokenizer.trained.model
    assert [each.name for each in dry.sharers] == ["thinker", "omni_sft"]
    assert "+++ configs/thinker_tiny.json" in render_changes(dry)


def test_a_vocabulary_larger_than_the_tokenizer_stays_with_its_weights_and_is_said(project: Path) -> None:
    planned(project)
    put(project, "thinker", vocab_size=5000)
    (project / "checkpoints/thinker_tiny/thinker.pt").write_bytes(b"weights")
    thinker = of(planned(project, configs=["thinker"]), "thinker")
    assert config(project, "thinker")["vocab_size"] == 5000
    assert thinker.value("parameters") > 2 * 256 * 5000
    assert any("vocab_size stays at 5,000" in warning for warning in thinker.warnings)


def test_an_interrupted_plan_does_not_start_over(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[str] = []

    def interrupted(unit: CountItem) -> Outcome:
        if len(counted) == 3:
            raise KeyboardInterrupt
        counted.append(unit.source.path)
        return count(unit)

    monkeypatch.setattr("omni_ray.training.counting.count", interrupted)
    with pytest.raises(KeyboardInterrupt):
        planned(project)
    known: list[str] = []

    def watched(unit: CountItem) -> Outcome:
        known.extend([unit.source.path] if unit.known else [])
        return count(unit)

    monkeypatch.setattr("omni_ray.training.counting.count", watched)
    planned(project)
    assert known == counted


def test_leaving_out_the_tokens_does_not_forget_them(project: Path) -> None:
    planned(project)
    planned(project, skip_text_tokens=True)
    cache = json.loads((project / "data/.omni/plan/counts.json").read_text())["sources"]
    (answers,) = cache[str(project / "data/text/production_corpus.txt")].values()
    assert any(answer["counts"]["tokens"] for answer in answers.values())


def test_a_second_run_changes_nothing(project: Path, snapshot: Snapshot) -> None:
    first = planned(project)
    before = {path: data for path, (_, _, data) in snapshot(project).items() if not path.startswith("data/.omni")}
    second = planned(project)
    after = {path: data for path, (_, _, data) in snapshot(project).items() if not path.startswith("data/.omni")}
    assert first.written and second.written == []
    assert before == after


def test_more_data_after_the_first_plan_is_noticed(project: Path) -> None:
    planned(project)
    make_project(project, rows=400)
    report = planned(project)
    assert {of(report, name).value("rows") for name in NAMES} == {400}


def test_every_number_has_its_rule_and_inputs(project: Path) -> None:
    value = json.loads(json.dumps(planned(project, dry_run=True).as_dict()))
    assert value["exit_code"] == 0
    for each in value["configs"]:
        for name, figure in each["figures"].items():
            assert figure["rule"], (each["name"], name)
            assert set(figure) == {"value", "rule", "inputs"}
        inputs = each["figures"]["memory_bytes"]["inputs"]
        assert inputs["activations"] == inputs["activations_of_one"] * inputs["batch_size"]
        assert {"parameters", "memory_bytes", "batch_size", "max_steps", "val_rows"} <= set(each["figures"])
        assert {change["key"] for change in each["changes"]} >= {"max_steps", "warmup_steps"}


def test_configurations_of_the_reference_are_mended(project: Path) -> None:
    put(project, "thinker", batch_size=2, gradient_accumulation_steps=4, mine={"a": [1]})
    put(project, "omni_sft", gradient_accumulation_steps=4, thinker_ckpt="checkpoints/thinker_tiny/")
    put(project, "vision", use_thinker_for_text=True, image_root="data/nowhere")
    vocoder = {key: value for key, value in default("vocoder").items() if not key.startswith("max_")}
    (project / "configs/vocoder_tiny.json").write_text(dump(vocoder))
    planned(project)
    assert config(project, "thinker")["batch_size"] == 8
    assert config(project, "thinker")["mine"] == {"a": [1]}
    assert config(project, "omni_sft")["gradient_accumulation_steps"] == 1
    assert config(project, "omni_sft")["thinker_ckpt"] == "checkpoints/thinker_tiny_sft"
    assert config(project, "vision")["use_thinker_for_text"] is False
    assert config(project, "vision")["image_root"] == "data/images"
    assert (config(project, "vocoder")["max_audio_length"], config(project, "vocoder")["max_mel_length"]) == (8192, 33)


def test_synthetic_data_where_there_is_nothing_else(tmp_path: Path) -> None:
    root = make_project(tmp_path / "p", production=False)
    planned(root)
    assert config(root, "thinker")["train_text"] == "data/text/tiny_corpus.txt"
    assert config(root, "omni_sft")["sft_mix"]["asr_csv"] == "data/audio/asr.csv"
    make_project(root)
    planned(root)
    assert config(root, "thinker")["train_text"] == "data/text/production_corpus.txt"
    planned(root, data="synthetic")
    assert config(root, "thinker")["train_text"] == "data/text/tiny_corpus.txt"


def test_image_root_moves_along(tmp_path: Path) -> None:
    root = make_project(tmp_path / "p", production=False)
    # Images beside their manifest in a folder of their own, and OCR paths that begin above data/ocr.
    shutil.move(root / "data/images/files", root / "data/images/images/files")
    write_csv(root / "data/ocr/ocr_train.csv", ("image", "text"), [("ocr/files/a.png", "WORD")] * 50)
    planned(root)
    assert config(root, "vision")["image_root"] == "data/images/images"
    assert config(root, "omni_sft")["sft_mix"]["image_root"] == "data/images/images"
    assert config(root, "ocr")["image_root"] == "data"


def test_the_users_own_file_where_there_is_nothing_else(tmp_path: Path) -> None:
    root = tmp_path
    (root / "mine.txt").write_text("".join(f"a line of my own, number {n}\n" for n in range(300)))
    put(root, "thinker", train_text="mine.txt")
    report = planned(root, configs=["thinker"])
    assert report.exit_code == 0 and config(root, "thinker")["train_text"] == "mine.txt"
    assert of(report, "thinker").value("rows") == 300


def test_the_encoders_are_written_for_the_multimodal_stage(project: Path) -> None:
    report = planned(project, configs=["omni_sft"])
    assert report.exit_code == 0
    assert {"configs/omni_sft_tiny.json", "configs/audio_enc_tiny.json", "configs/vision_tiny.json"} <= set(
        report.written
    )
    assert report.tokenizer is not None
    assert config(project, "vision")["vocab_size"] == report.tokenizer.trained.pieces


def test_what_an_earlier_run_left_is_said(project: Path) -> None:
    (project / "checkpoints/omni_sft_tiny").mkdir(parents=True)
    (project / "checkpoints/omni_sft_tiny/omni_metadata.json").write_text("{}")
    report = planned(project, dry_run=True)
    assert any("omni_metadata.json is of an earlier run" in warning for warning in of(report, "omni_sft").warnings)


@pytest.mark.slow
def test_ray_gives_the_same_plan_and_a_dry_run_writes_nothing_there(project: Path, snapshot: Snapshot) -> None:
    here = planned(project, dry_run=True)
    before = snapshot(project)
    with ray_session(num_cpus=2):
        there = plan(project, dry_run=True, run=on_ray)
    assert snapshot(project) == before
    assert here.as_dict() == there.as_dict()
