"""``-v`` and ``-q`` on every command, and what ``-v`` tells."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from omni_ray.cli.commands import app
from omni_ray.cli.running import run
from omni_ray.errors import OmniError
from omni_ray.progress.reporter import Reporter
from omni_ray.verbosity import is_verbose

COMMANDS = [
    ["prepare"], ["combine"], ["verify"], ["plan"], ["status"], ["list"], ["doctor"], ["synth"], ["report"], ["demo"],
    ["export", "hf"], ["export", "webdataset"], ["tokenizer", "train"],
]  # fmt: skip


@pytest.fixture(autouse=True)
def afterwards(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("OMNI_RAY_VERBOSE", raising=False)
    yield
    os.environ.pop("OMNI_RAY_VERBOSE", None)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_both(command: list[str]) -> None:
    shown = CliRunner().invoke(app, [*command, "--help"]).output
    assert "-v" in shown and "--verbose" in shown and "-q" in shown and "--quiet" in shown


def test_the_option_is_heard_and_silent_by_default(tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["status", "--root", str(tmp_path), "-q"]).exit_code == 0
    assert not is_verbose()
    assert CliRunner().invoke(app, ["status", "--root", str(tmp_path), "-v"]).exit_code == 0
    assert is_verbose()


def ended(command: Callable[[], None], capsys: pytest.CaptureFixture[str]) -> tuple[object, str]:
    with pytest.raises(SystemExit) as end:
        run(command)
    return end.value.code, capsys.readouterr().err


def wrong() -> None:
    raise OmniError("the source is not there")


def fault() -> None:
    raise KeyError("nonesuch")


def interrupted() -> None:
    raise KeyboardInterrupt


def test_an_error_is_one_line_and_its_traceback_comes_on_demand(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ended(wrong, capsys) == (2, "omni-ray: the source is not there\n")
    code, said = ended(fault, capsys)
    assert code == 1 and said.count("\n") == 1 and "KeyError: 'nonesuch'" in said and __file__ in said and "-v" in said
    monkeypatch.setenv("OMNI_RAY_VERBOSE", "1")
    code, said = ended(wrong, capsys)
    assert code == 2 and said.startswith("Traceback") and said.endswith("\nomni-ray: the source is not there\n")
    code, said = ended(interrupted, capsys)
    assert code == 130 and "Traceback" not in said


def test_ctrl_c_inside_typer_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    one = typer.Typer()
    one.command()(interrupted)
    code, said = ended(lambda: one([]), capsys)
    assert code == 130 and "run the same command again" in said


def test_notes_are_for_the_verbose(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    reporter = Reporter(stream=stream)
    reporter.note("a commit")
    assert stream.getvalue() == ""
    monkeypatch.setenv("OMNI_RAY_VERBOSE", "1")
    reporter.note("a commit")
    assert stream.getvalue() == "a commit\n"
