"""Every function of the API has an example, which runs as it is printed, where ``notes`` and a project of it are."""

from __future__ import annotations

import doctest
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from omni_ray import api
from tests.conftest import without_ray

FUNCTIONS = [name for name in api.__all__ if inspect.isfunction(getattr(api, name))]


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
@pytest.mark.parametrize("name", FUNCTIONS)
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
