"""The commands: what they print, and how they exit."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from omni_ray.api.cluster import Cluster
from omni_ray.cli.commands import app
from omni_ray.pipeline.engine import inline

Snapshot = Callable[[Path], dict[str, tuple[int, int, bytes]]]
runner = CliRunner()


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands use Ray; here only their printing is of interest."""
    monkeypatch.setattr(Cluster, "runner", lambda self, stack: inline)


def test_dry_run(project: Path, snapshot: Snapshot) -> None:
    before = snapshot(project)
    result = runner.invoke(app, ["plan", "--root", str(project), "--dry-run"])
    assert result.exit_code == 0, result.output
    assert "[Stage E]" in result.output and "+++ configs/ocr_tiny.json" in result.output
    assert result.output.rstrip().endswith("dry run: nothing was written")
    assert snapshot(project) == before


def test_json_and_nothing_else(project: Path) -> None:
    result = runner.invoke(app, ["plan", "--root", str(project), "--json"])
    value = json.loads(result.stdout)
    assert value["exit_code"] == result.exit_code == 0
    assert "configs/thinker_tiny.json" in value["written"]


def test_several_names_after_one_flag(project: Path) -> None:
    result = runner.invoke(app, ["plan", "--root", str(project), "--config", "thinker", "ocr"])
    assert result.exit_code == 0
    assert sorted(path.name for path in (project / "configs").iterdir()) == ["ocr_tiny.json", "thinker_tiny.json"]


def figures(project: Path, *flags: str) -> dict[str, dict[str, Any]]:
    result = runner.invoke(app, ["plan", "--root", str(project), "--config", "thinker", "--dry-run", "--json", *flags])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)["configs"][0]["figures"]


def test_flags_reach_the_plan(project: Path) -> None:
    assert figures(project)["batch_size"]["inputs"]["vram_gib"] == 12
    small = figures(project, "--vram", "1.1")
    assert small["batch_size"]["value"] < 8 and small["batch_size"]["inputs"]["vram_gib"] == 1.1
    assert figures(project, "--steps-rule", "tokens")["steps_rule"]["value"] == "tokens"
    assert "tokens" not in figures(project, "--skip-text-tokenization")
    assumed = figures(project, "--skip-text-tokenization", "--assume-text-tokens", "200000000")
    assert assumed["tokens"]["value"] == 200_000_000
    result = runner.invoke(app, ["plan", "--root", str(project), "--assume-text-tokens", "5"])
    assert result.exit_code != 0
    assert "--skip-text-tokenization" in str(result.exception) + result.output


@pytest.mark.slow
def test_the_specifications_script_plans_the_current_folder(project: Path, snapshot: Snapshot) -> None:
    script = Path(__file__).parents[2] / "jobs/update_configs_from_data.py"

    def run(*flags: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(script), *flags], cwd=project, capture_output=True, text=True, check=False
        )

    before = snapshot(project)
    dry = run("--dry-run", "--config", "thinker", "ocr", "--skip-text-tokenization", "--assume-text-tokens", "9000000")
    assert dry.returncode == 0, dry.stderr
    assert "[Stage A]" in dry.stdout and "9,000,000" in dry.stdout and "[Stage B]" not in dry.stdout
    assert snapshot(project) == before
    (project / "data/ocr/production_ocr.csv").unlink()
    wet = run()
    assert wet.returncode == 1
    assert "omni-ray: configs/ocr_tiny.json: no data" in wet.stderr
    assert len(list((project / "configs").iterdir())) == 6


def test_problems_are_one_line_each_and_decide_the_exit_code(project: Path) -> None:
    (project / "configs").mkdir()
    (project / "configs/ocr_tiny.json").write_text("{")
    result = runner.invoke(app, ["plan", "--root", str(project)])
    assert result.exit_code == 1
    assert [line for line in result.stderr.splitlines() if line.startswith("omni-ray: ")] == [
        "omni-ray: configs/ocr_tiny.json: is not valid JSON: "
        "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"
    ]
    assert runner.invoke(app, ["plan", "--root", str(project), "--config", "ocr"]).exit_code == 2


def test_tokenizer_train(project: Path) -> None:
    result = runner.invoke(app, ["tokenizer", "train", "--root", str(project), "--vocab-size", "60"])
    assert result.exit_code == 0, result.output
    assert "vocabulary: 60 pieces" in result.output
    assert (project / "checkpoints/thinker_tiny/tokenizer.model").exists()
