"""The report in the specification's words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omni_ray.training.configs import Config, default
from omni_ray.training.counts import CountedSource, Counts
from omni_ray.training.data import DataFile
from omni_ray.training.estimate import estimate
from omni_ray.training.plan import plan
from omni_ray.training.plan_types import ConfigPlan, Inputs, PlanChoices
from omni_ray.training.report import DataSet, PlanReport, render, render_changes

EXAMPLE = """\
[1] Analyzing Text Dataset...
  Counting tokens (this may take a while for large files)...
  Text samples: 2,500,000 (from data/text/production_corpus.txt)
  Text tokens: 200,000,000 (~200.0M tokens)
  Average tokens per sample: 80.0
[Stage A] Text-only Training (thinker_tiny.json)
  Model size: 20,318,464 params (20.32M)
  Batch size: 8 (gradient accumulation: 1, effective: 8)
  Tokens: 200,000,000 (~200.0M tokens)
  Tokens/step: 4,096
  Steps/epoch: 48,828
  Recommended epochs: 2
  Max steps: 97,656
  Warmup steps: 3,906 (4.0% of total)
[Stage B] Audio Encoder Training (audio_enc_tiny.json)
  Model size: 2,055,198 params (2.06M)
  Batch size: 4 (gradient accumulation: 1, effective: 4)
  Samples: 2,000,000 (transcription tokens: 15,000,000)
  Steps/epoch: 500,000 (based on samples, not tokens)
  Recommended epochs: 2
  Max steps: 1,000,000
  Warmup steps: 40,000 (4.0% of total)
[Stage C] Vision Encoder Training (vision_tiny.json)
  Model size: 5,046,016 params (5.05M)
  Batch size: 8 (gradient accumulation: 1, effective: 8)
  Samples: 1,000,000 (caption tokens: 8,000,000)
  Steps/epoch: 125,000 (based on samples, not tokens)
  Recommended epochs: 2
  Max steps: 250,000
  Warmup steps: 10,000 (4.0% of total)"""

DATA = {
    "thinker": (
        DataSet(
            DataFile("text", "data/text/production_corpus.txt", "production", CountedSource("text", "")),
            Counts(rows=2_500_000, usable=2_500_000, tokens=200_000_000),
        )
    ),
    "audio_enc": (
        DataSet(
            DataFile("asr", "data/audio/production_asr.csv", "production", CountedSource("csv", "")),
            Counts(
                2_000_000, 2_000_000, tokens=15_000_000, characters="ABCDEFGHIJKLMNOPQRSTUVWXYZ '", lengths=((80, 9),)
            ),
        )
    ),
    "vision": (
        DataSet(
            DataFile(
                "images",
                "data/images/production_annotations.json",
                "production",
                CountedSource("json", ""),
                "data/images",
            ),
            Counts(1_000_000, 1_000_000, tokens=8_000_000),
        )
    ),
}


def planned(name: str, each: DataSet, **values: Any) -> ConfigPlan:
    config = Config(name, {**default(name), "val_split": 0.0, **values})
    files, counts = {each.file.dataset: each.file}, {each.file.dataset: each.counts}
    return estimate(Inputs(config, files, counts, None, 32_000, options=PlanChoices(steps_rule="tokens")))


def test_the_specifications_example() -> None:
    plans = [planned(name, each) for name, each in DATA.items()]
    lines = iter(render(PlanReport(".", True, list(DATA.values()), None, plans)).splitlines())
    # Line by line in this order; ours may say more in between.
    for line in EXAMPLE.splitlines():
        assert line in lines, line


def test_rows_held_out_are_not_trained_on() -> None:
    made = planned("audio_enc", DATA["audio_enc"], val_split=0.1)
    train = 2_000_000 - made.value("val_rows")
    assert made.value("steps_per_epoch") == train // 4
    assert 199_000 < made.value("val_rows") < 201_000


def test_a_whole_project(project: Path) -> None:
    report = plan(project, dry_run=True)
    text = render(report)
    for heading in (
        "[1] Analyzing Text Dataset...", "[2] Analyzing Image Dataset...", "[3] Analyzing Audio Dataset...",
        "[4] Analyzing OCR Dataset...", "[Stage A]", "[Stage B]", "[Stage C]", "[Stage D]", "[Stage E]",
        "[OCR]", "[Vocoder]",
    ):  # fmt: skip
        assert heading in text
    assert "based on lines, not tokens" in text
    diff = render_changes(report)
    assert diff.count("+++ configs/") == 7 and "-  " not in diff
