"""What can be chosen is said once, on the fields of a dataclass: functions and commands take the same, and refuse the same."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from omni_ray import api
from omni_ray.cli.commands import app
from omni_ray.corpora.base import SourceOptions
from omni_ray.errors import OmniError
from omni_ray.option import options_of

NOTES = {"dataset": "text_files", "source": "notes"}


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a corpus."""
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/monday.csv").write_text("said;who\nIt rained all day long.;me\n".replace(";", ","))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def command(name: str) -> Any:
    return typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]


def test_every_field_that_can_be_chosen_is_an_option_with_its_default() -> None:
    params = {param.name: param for param in command("prepare").params}
    for field in options_of(api.PrepareOptions):
        assert (field.flag in params[field.name].opts) != field.option.is_argument
        assert params[field.name].help == field.option.help
    assert params["max_samples"].default == api.PrepareOptions.max_samples == 1_000_000


def test_a_function_shows_the_fields_that_it_takes() -> None:
    shown = inspect.signature(api.prepare).parameters
    assert [*shown][:2] == ["root", "modality"] and shown["max_samples"].default == 1_000_000
    with pytest.raises(TypeError, match="max_sample"):
        api.prepare("project", "text", max_sample=5)  # type: ignore[call-arg]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"evaluation": "some"}, "--evaluation some: choose one of train, heldout, drop"),
        ({"clean": "very"}, "--clean very: choose one of off, default, strict"),
        ({"modality": "video"}, "video"),
        ({"max_samples": -1}, "--max-samples -1: at least 0"),
        ({"max_quarantine": 2.0}, "--max-quarantine 2.0: from 0 to 1"),
        ({"params": {"text": {"max_line_chars": 5}}}, "--max-line-chars 5: from 32 to 100000"),
        ({"encoding": "klingon"}, "--encoding klingon"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, dict) else "",
)
def test_what_is_no_choice_is_refused_in_a_sentence(given: dict[str, Any], said: str, notes: Path) -> None:
    with pytest.raises(OmniError, match=said):
        api.prepare("project", **{"modality": "text", **NOTES, **given})  # type: ignore[arg-type]


def test_so_is_a_cluster_of_no_size() -> None:
    with pytest.raises(OmniError, match="--cpus 0: at least 1"):
        api.Cluster(num_cpus=0)


@pytest.mark.usefixtures("no_ray")
def test_how_to_read_is_said_by_fields_or_as_one_value(notes: Path) -> None:
    by_fields = api.prepare("one", "text", **NOTES, columns={"text": "said"})  # type: ignore[arg-type]
    as_value = api.prepare("two", "text", **NOTES, options=SourceOptions(columns={"text": "said"}))  # type: ignore[arg-type]
    assert [each.summaries[0].as_dict() for each in (by_fields, as_value)] == [by_fields.summaries[0].as_dict()] * 2


@pytest.mark.usefixtures("no_ray")
def test_a_command_makes_what_the_function_makes(notes: Path) -> None:
    words = (
        "prepare text --dataset text_files --source notes --columns text=said --max-samples 0 --no-shuffle --combine"
    )
    assert CliRunner().invoke(app, [*words.split(), "--root", "one"]).exit_code == 0
    api.prepare("two", "text", **NOTES, columns={"text": "said"}, max_samples=None, seed=None, combine=True)  # type: ignore[arg-type]
    one, two = (notes / root / "data/shards/accounts/text/text_files/part-00000.json" for root in ("one", "two"))
    assert one.read_text() == two.read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--size 64", "--size is for images, which is not prepared here"),
        ("--columns text", "--columns text: write role=column pairs, e.g. text=sentence,audio=clip"),
    ],
)
def test_a_command_refuses_what_makes_no_sense(words: str, said: str, notes: Path) -> None:
    done = CliRunner().invoke(app, ["prepare", "text", "--source", "notes", *words.split()])
    assert isinstance(done.exception, OmniError) and str(done.exception) == said
