"""Every function of the API has an example, which runs as it is printed, where ``notes`` and a project of it are."""

from __future__ import annotations

import doctest
import inspect
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from typer.testing import CliRunner

from omni_ray import api
from omni_ray.api import Report
from omni_ray.cli.commands import app
from tests.conftest import without_ray

QUERIES = {"dataset", "quarantine", "removed", "rules"}
"""Functions that only read, and give rows and no report."""
FUNCTIONS = [name for name in api.__all__ if inspect.isfunction(getattr(api, name))]
SLOW = {"synthesize_native"}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder: three notes of two lines, and a project of them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes").mkdir()
    for name in ("monday", "tuesday", "wednesday"):
        (tmp_path / f"notes/{name}.txt").write_text(f"On {name} it rained.\nWe stayed inside and read.\n")
    with without_ray():
        api.prepare("project", "text", dataset="text_files", source="notes", combine=True)
        yield tmp_path


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("name", [pytest.param(each, marks=[pytest.mark.slow] * (each in SLOW)) for each in FUNCTIONS])
def test_the_example_of(name: str) -> None:
    function: Any = getattr(api, name)
    [example] = doctest.DocTestFinder(recurse=False).find(function, name, module=False, globs={"api": api})
    assert example.examples, "it has an example"
    said: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=said.append)
    assert not said, "".join(said)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_project_comes_first_and_who_is_told_is_called_so_everywhere(name: str) -> None:
    shown = [*inspect.signature(getattr(api, name)).parameters]
    assert shown[0] in {"root", "folder", "modalities"}
    assert {"address", "num_cpus", "tell", "say", "engine"}.isdisjoint(shown), "a cluster= and a reporter="


@pytest.mark.parametrize("name", sorted({*FUNCTIONS} - QUERIES))
def test_what_is_done_is_reported_alike(name: str) -> None:
    known = {each: getattr(api, each) for each in api.__all__}  # what is imported late is known by its name there
    report = get_type_hints(inspect.unwrap(getattr(api, name)), localns=known)["return"]
    assert issubclass(report, Report) and not inspect.isabstract(report)
    assert report.__name__ in api.__all__ and report.__str__ is Report.__str__


def test_all_of_a_call_is_shown_by_one_reporter() -> None:
    asked = api.PrepareOptions("text")
    assert asked.told is asked.told and replace(asked, reset=True).told is asked.told


@pytest.mark.usefixtures("here")
def test_a_report_says_in_python_what_the_command_prints() -> None:
    told = CliRunner().invoke(app, ["combine", "--root", "project", "--holdout", "0.5"])
    files = api.combine("project", holdout=0.5)
    assert told.exit_code == files.exit_code == 0
    assert f"{files}\n" == told.stdout and "2 samples to train on" in str(files)
    as_json = CliRunner().invoke(app, ["combine", "--root", "project", "--holdout", "0.5", "--json"])
    assert json.loads(as_json.stdout) == files.as_json() == files.as_dict()["items"]
    assert files[0].path == "data/text/text_files.txt" and "<pre>" in files._repr_html_()
    (corpus,) = api.status("project")
    assert corpus.samples == 6 and "<td>text/text_files</td>" in api.status("project")._repr_html_()
