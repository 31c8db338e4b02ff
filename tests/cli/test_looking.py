"""Commands that only look: what corpora there are, what a machine lacks, what reason codes mean."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from omni_ray.cli.commands import app
from omni_ray.corpora.registry import all_corpora
from omni_ray.doctor import Probe
from omni_ray.errors import FALLS_SHORT
from omni_ray.quality.reasons import QUALITY_REASONS
from omni_ray.reasons import REASONS


def said(*words: str) -> str:
    done = CliRunner().invoke(app, [*words])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_list_says_of_every_corpus_how_to_get_it(tmp_path: Path) -> None:
    listed = json.loads(said("list", "--json", "--root", str(tmp_path)))
    assert [each["name"] for each in listed] == [corpus.name for corpus in all_corpora()]
    blocks = said("list", "audio", "--root", str(tmp_path)).split("\naudio/")
    named = {block.removeprefix("audio/").partition(":")[0]: block for block in blocks}
    assert set(named) == {each["name"] for each in listed if each["modality"] == "audio"}
    folder = tmp_path / "data/downloads/librispeech"
    assert f"omni-ray prepare audio --dataset librispeech, which fetches it into {folder}" in named["librispeech"]
    assert "in parts: --split train-clean-100" in named["librispeech"]
    for each in listed:
        if each["modality"] == "audio" and (each["downloads"] or each["manual"]):
            assert f"licence: {each['licence']}" in named[each["name"]] and each["folder"] in named[each["name"]]


def test_a_machine_without_what_is_required_falls_short(monkeypatch: pytest.MonkeyPatch) -> None:
    there = Probe("ray", True, "2.60.0")
    optional, required = (
        Probe("torch", False, "not there", "`pip install torch`", required=False),
        Probe("disk", False, "1 GB free", "make room"),
    )
    monkeypatch.setattr("omni_ray.cli.doctor.examine", lambda root: [there, optional])
    assert said("doctor") == "ok    ray: 2.60.0\nnone  torch: not there. `pip install torch`\n"
    monkeypatch.setattr("omni_ray.cli.doctor.examine", lambda root: [there, required])
    done = CliRunner().invoke(app, ["doctor"])
    assert (done.exit_code, done.stdout) == (FALLS_SHORT, "ok    ray: 2.60.0\nFAIL  disk: 1 GB free. make room\n")
    assert [each["ok"] for each in json.loads(CliRunner().invoke(app, ["doctor", "--json"]).stdout)] == [True, False]


def test_every_reason_is_explained() -> None:
    explained = said("status", "--reasons")
    codes = {*REASONS, *QUALITY_REASONS}
    assert codes <= {line.split()[0] for line in explained.splitlines() if line}
    assert set(json.loads(said("status", "--reasons", "--json"))) == codes
