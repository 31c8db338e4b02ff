"""The plan of a whole project: counted, sized, scheduled, written; or said in one line why not."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from made_project import WORDS, make_project, write_csv

from omni_ray.errors import OmniError
from omni_ray.pipeline.corpus_state import CorpusState, SampleLimit
from omni_ray.pipeline.manifest import CommittedFile, Manifest
from omni_ray.pipeline.store import Store
from omni_ray.training.configs import NAMES, default, dump
from omni_ray.training.counts import CountItem, Outcome, count
from omni_ray.training.estimate import EFFECTIVE_BATCH
from omni_ray.training.plan import PlanReport, plan
from omni_ray.training.plan_types import ConfigPlan
from omni_ray.training.report_text import render, render_changes

Snapshot = Callable[[Path], dict[str, tuple[int, int, bytes]]]


def planned(root: Path, **options: Any) -> PlanReport:
    return plan(root, engine="inline", **options)


def of(report: PlanReport, name: str) -> ConfigPlan:
    return next(each for each in report.plans if each.name == name)


def config(root: Path, name: str) -> dict[str, Any]:
    return json.loads((root / f"configs/{name}_tiny.json").read_text())


def put(root: Path, name: str, **values: Any) -> None:
    path = root / f"configs/{name}_tiny.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(dump({**default(name), **values}) + "\n")


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

    monkeypatch.setattr("omni_ray.training.plan.count", interrupted)
    with pytest.raises(KeyboardInterrupt):
        planned(project)
    known: list[str] = []

    def watched(unit: CountItem) -> Outcome:
        known.extend([unit.source.path] if unit.known else [])
        return count(unit)

    monkeypatch.setattr("omni_ray.training.plan.count", watched)
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


@pytest.mark.parametrize("rows", [1, 2, 16, 17, 21, 40, 77])
def test_small_corpora(tmp_path: Path, rows: int) -> None:
    root = make_project(tmp_path / "p", rows=rows)
    report = planned(root)
    val_rows = sum(hash((row, 42)) % 100 < 10 for row in range(rows))
    if rows == val_rows:
        assert report.exit_code == 2
        return
    assert report.problems == []
    for each in report.plans:
        written = config(root, each.name)
        assert 1 <= written["batch_size"] <= rows - val_rows
        if val_rows == 0:
            # Where nothing can be validated, only training rows bound the batch.
            assert 2 * written["batch_size"] > min(EFFECTIVE_BATCH[each.name], rows)
        assert (val_rows < written["batch_size"]) == (written["val_freq"] > written["max_steps"])


def test_the_split_is_of_the_files_own_row_numbers(project: Path) -> None:
    text = project / "data/text/production_corpus.txt"
    # Half of the lines are blank, and every row to be held out among them.
    lines = text.read_text().splitlines()
    numbers = [row for row in range(400) if hash((row, 42)) % 100 >= 10][:200]
    rows = [""] * (numbers[-1] + 1)
    for row, line in zip(numbers, lines, strict=True):
        rows[row] = line
    text.write_text("\n".join(rows) + "\n")
    captions = json.loads((project / "data/images/production_annotations.json").read_text())
    captions[1:1] = [{"image": "files/a.png"}] * 57
    (project / "data/images/production_annotations.json").write_text(json.dumps(captions))
    report = planned(project, configs=["thinker", "vision"], dry_run=True)
    thinker, vision = of(report, "thinker"), of(report, "vision")
    assert [thinker.value(key) for key in ("rows", "train_rows", "val_rows")] == [200, 200, 0]
    assert thinker.value("val_freq") > thinker.value("max_steps")
    val_rows = sum(hash((row, 42)) % 100 < 10 for row in [0, *range(58, 257)])
    assert [vision.value(key) for key in ("rows", "val_rows")] == [200, val_rows]


def test_clips_that_are_dropped_are_not_counted_as_samples(project: Path) -> None:
    path = project / "data/audio/production_asr.csv"
    lines = path.read_text().splitlines()
    held = [row for row in range(200) if hash((row, 42)) % 100 < 10]
    for row in held[1:]:
        lines[1 + row] = f"gone/{row}.wav,lost"
    path.write_text("\n".join(lines) + "\n")
    audio = of(planned(project, configs=["audio_enc"], dry_run=True), "audio_enc")
    assert [audio.value(key) for key in ("rows", "train_rows", "val_rows")] == [201 - len(held), 200 - len(held), 1]


def test_without_a_split_nothing_is_validated(project: Path) -> None:
    put(project, "thinker", val_split=0)
    made = of(planned(project, configs=["thinker"], dry_run=True), "thinker")
    assert [made.value(key) for key in ("train_rows", "val_rows", "batch_size")] == [200, 0, 8]
    assert made.value("val_freq") > made.value("max_steps")
    assert any(warning.startswith("never validates: 0 rows held out") for warning in made.warnings)


def test_workers_deal_rows_out_as_the_trainers_default_to(project: Path) -> None:
    for name in ("thinker", "vocoder"):
        values = {key: value for key, value in default(name).items() if key != "num_workers"}
        (project / "configs").mkdir(exist_ok=True)
        (project / f"configs/{name}_tiny.json").write_text(dump(values))
    report = planned(project, configs=["thinker", "vocoder"], dry_run=True)
    for each in report.plans:
        assert len(each.figures["train_batches"].inputs["rows_by_worker"]) == 2


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


# --- shards that are not combined yet ---


def commit(root: Path, modality: str, table: pa.Table, samples: int, *, cut: SampleLimit | None = None) -> None:
    """One corpus of one shard, as ``prepare`` leaves it."""
    corpus = Store(root).corpus(modality, "made")
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=70)
    data = sink.getvalue()
    corpus.storage.write("part-00000.parquet", data)
    shard = CommittedFile("part-00000.parquet", table.num_rows, len(data), hashlib.sha256(data).hexdigest())
    manifest = Manifest(0, "f", shard, None, samples, {"in": samples, "kept": samples, "quarantined": 0}, {})
    corpus.storage.write("part-00000.json", manifest.as_json())
    corpus.save_state(CorpusState("made", "made", modality, "", {}, None, 1, 1, 0, cut, "", ""))


def test_shards_are_counted_where_nothing_is_combined(project: Path) -> None:
    lines = (project / "data/text/production_corpus.txt").read_text().splitlines()
    captions = [[line, line.upper()] for line in lines]
    expected = planned(project, dry_run=True)
    for path in ("data/text/production_corpus.txt", "data/images/production_annotations.json"):
        (project / path).unlink()
    commit(project, "text", pa.table({"id": lines, "text": pa.array(lines, pa.large_string())}), 200)
    commit(project, "images", pa.table({"id": lines, "captions": captions}), 400, cut=SampleLimit(0, 150, 150))
    report = planned(project, dry_run=True)
    assert report.problems == []
    assert of(report, "thinker").figures["tokens"] == of(expected, "thinker").figures["tokens"]
    assert of(report, "vision").value("rows") == 150
    assert any("omni-ray combine" in warning for warning in of(report, "thinker").warnings)
    assert of(report, "vision").config.get("train_manifest") == "data/images/production_annotations.json"  # type: ignore[union-attr]


# --- token rule ---


def test_steps_rules(project: Path) -> None:
    (project / "data/text/production_corpus.txt").write_text((" ".join(WORDS) + "\n") * 600)
    put(project, "thinker", ctx_len=64)
    lines = planned(project, configs=["thinker"], steps_rule="lines", dry_run=True)
    tokens = planned(project, configs=["thinker"], steps_rule="tokens", dry_run=True)
    figures = of(tokens, "thinker").figures
    counted = figures["tokens"].value
    train_rows = figures["train_rows"].value
    assert figures["steps_per_epoch"].value == counted * train_rows // 600 // (8 * 64)
    assert of(lines, "thinker").value("steps_per_epoch") == train_rows // 8
    put(project, "thinker", ctx_len=counted // 600 + 1)
    packed = of(planned(project, configs=["thinker"], dry_run=True), "thinker")
    assert packed.figures["steps_rule"].value == "tokens"
    assert 0.8 < packed.value("steps_per_epoch") / (train_rows // 8) <= 1


def test_assumed_tokens(project: Path) -> None:
    report = planned(
        project, configs=["thinker"], skip_text_tokens=True, assume_text_tokens=200_000_000, steps_rule="tokens",
        dry_run=True,
    )  # fmt: skip
    assert of(report, "thinker").figures["tokens"].value == 200_000_000
    assert of(report, "thinker").value("epochs") == 2
    report = planned(project, configs=["thinker"], skip_text_tokens=True, dry_run=True)
    assert "tokens" not in of(report, "thinker").figures
    with pytest.raises(OmniError, match="goes with"):
        planned(project, assume_text_tokens=5)


def test_memory_decides_the_batch(project: Path) -> None:
    (project / "data/text/production_corpus.txt").write_text(
        "".join(f"{w} {n}\n" for n in range(9000) for w in WORDS[:3])
    )
    put(project, "thinker", d_model=1024, n_heads=16, d_ff=4096, n_layers=12, vocab_size=4000)
    small = of(planned(project, configs=["thinker"], vram_gib=6, dry_run=True), "thinker")
    large = of(planned(project, configs=["thinker"], vram_gib=80, dry_run=True), "thinker")
    folded = of(planned(project, configs=["thinker"], vram_gib=6, allow_accumulation=True, dry_run=True), "thinker")
    assert small.value("batch_size") < large.value("batch_size") == 8
    assert small.value("memory_bytes") <= 6 << 30
    assert folded.value("batch_size") * folded.value("gradient_accumulation_steps") == 8
    tiny = of(planned(project, configs=["thinker"], vram_gib=1, dry_run=True), "thinker")
    assert tiny.value("batch_size") == 1 and any("--vram" in warning for warning in tiny.warnings)


# --- bad input: one line each, the others planned ---


def said(report: PlanReport) -> str:
    assert all("\n" not in problem for problem in report.problems)
    return "\n".join(report.problems)


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


def test_the_encoders_are_written_for_the_multimodal_stage(project: Path) -> None:
    report = planned(project, configs=["omni_sft"])
    assert report.exit_code == 0
    assert {"configs/omni_sft_tiny.json", "configs/audio_enc_tiny.json", "configs/vision_tiny.json"} <= set(
        report.written
    )
    assert report.tokenizer is not None
    assert config(project, "vision")["vocab_size"] == report.tokenizer.trained.pieces


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


def test_a_clip_too_short_stops_the_multimodal_stage_alone(project: Path) -> None:
    soundfile.write(project / "data/audio/clips/3.flac", [0.0] * 500, 16_000)
    report = planned(project, configs=["audio_enc", "omni_sft"])
    assert "50 of 200 clips have fewer than 513 samples and stop the trainer" in said(report)
    assert of(report, "audio_enc").problems == []


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


def test_text_without_a_token_is_planned_by_lines(project: Path) -> None:
    planned(project)
    (project / "checkpoints/thinker_tiny/thinker.pt").write_bytes(b"weights, for which the tokenizer is kept")
    (project / "data/text/production_corpus.txt").write_text("\u200b\n" * 200)
    report = planned(project, configs=["thinker"], dry_run=True)
    thinker = of(report, "thinker")
    assert (thinker.value("rows"), thinker.value("tokens"), thinker.figures["steps_rule"].value) == (200, 0, "lines")
    assert "Chinchilla" not in render(report)


def test_what_an_earlier_run_left_is_said(project: Path) -> None:
    (project / "checkpoints/omni_sft_tiny").mkdir(parents=True)
    (project / "checkpoints/omni_sft_tiny/omni_metadata.json").write_text("{}")
    report = planned(project, dry_run=True)
    assert any("omni_metadata.json is of an earlier run" in warning for warning in of(report, "omni_sft").warnings)


def test_rows_without_use_are_said(project: Path) -> None:
    path = project / "data/text/production_corpus.txt"
    path.write_text(path.read_text() + "\n" * 30)
    report = planned(project, configs=["thinker"], dry_run=True)
    assert any("30 of 230 rows are of no use" in warning for warning in of(report, "thinker").warnings)


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


@pytest.mark.slow
def test_ray_gives_the_same_plan_and_a_dry_run_writes_nothing_there(project: Path, snapshot: Snapshot) -> None:
    here = planned(project, dry_run=True)
    before = snapshot(project)
    there = plan(project, dry_run=True, engine="ray", num_cpus=2)
    assert snapshot(project) == before
    assert here.as_dict() == there.as_dict()
