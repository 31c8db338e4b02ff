"""How many samples, tokens and steps a plan counts with: the split, the rule, the batch that fits."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_project import WORDS, make_project
from plans import config, of, planned, put

from omni_ray.errors import OmniError
from omni_ray.pipeline.corpus_state import CorpusState, SampleLimit
from omni_ray.pipeline.manifest import CommittedFile, Manifest
from omni_ray.pipeline.store import Store
from omni_ray.training.configs import default, dump
from omni_ray.training.estimate import EFFECTIVE_BATCH
from omni_ray.training.report import render


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
    with pytest.raises(OmniError, match="and --skip-text-tokenization"):
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


def test_text_without_a_token_is_planned_by_lines(project: Path) -> None:
    planned(project)
    (project / "checkpoints/thinker_tiny/thinker.pt").write_bytes(b"weights, for which the tokenizer is kept")
    (project / "data/text/production_corpus.txt").write_text("\u200b\n" * 200)
    report = planned(project, configs=["thinker"], dry_run=True)
    thinker = of(report, "thinker")
    assert (thinker.value("rows"), thinker.value("tokens"), thinker.figures["steps_rule"].value) == (200, 0, "lines")
    assert "Chinchilla" not in render(report)


def test_rows_without_use_are_said(project: Path) -> None:
    path = project / "data/text/production_corpus.txt"
    path.write_text(path.read_text() + "\n" * 30)
    report = planned(project, configs=["thinker"], dry_run=True)
    assert any("30 of 230 rows are unusable" in warning for warning in of(report, "thinker").warnings)
