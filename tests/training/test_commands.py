"""The commands: what they print, and how they exit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from omni_ray.cli import app
from omni_ray.training import tasks

Snapshot = Callable[[Path], dict[str, tuple[int, int, bytes]]]
runner = CliRunner()


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands use Ray; here only their printing is of interest."""
    real = tasks.runner
    for module in ("plan", "vocabulary"):
        monkeypatch.setattr(f"omni_ray.training.{module}.runner", lambda engine, *more: real("inline"))


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
