"""Foreign text never reaches a terminal or a log as anything but text."""

from __future__ import annotations

import ast
import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import omni_ray
from omni_ray.cli import printing
from omni_ray.cli.commands import app
from omni_ray.errors import OmniError
from omni_ray.progress.reporter import Reporter
from omni_ray.results import table
from omni_ray.visible import visible, visible_lines
from tests.made_store import commit, text_row

ANY = st.text(st.characters(exclude_categories=()))
EVIL = (
    "\x1b]0;title\x07\x1b[2Jgone\r\nok: the trainers lose nothing\x9b31m\u202egnp.exe\u2066\udc80\x7f\u2028\U000e0041"
)


def obeyed(text: str, but: str = "\n") -> list[str]:
    """What of a text a terminal would do, rather than show."""
    turns = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    return [
        sign for sign in text
        if sign not in but
        and (unicodedata.category(sign) in {"Cc", "Cs", "Zl", "Zp"} or unicodedata.bidirectional(sign) in turns)
    ]  # fmt: skip


@given(ANY)
def test_any_text_becomes_one_line_that_is_only_shown(text: str) -> None:
    shown = visible(text)
    assert (not obeyed(shown, but="") and shown.isprintable() == text.isprintable()) or not text.isprintable()
    assert visible(shown) == shown and visible_lines(shown) == shown
    shown.encode()


@pytest.mark.parametrize("text", ["Größe", "日本語", "שלום", "مرحبا", "नमस्ते", "👩‍🚀 a‌b", "a b", "C:\\x1b"])
def test_every_script_stays_as_it_is(text: str) -> None:
    assert visible(text) == text


def test_escapes_are_those_of_json() -> None:
    assert visible("a\x1b[1m\n\u202e\U000e0041\udc80") == "a\\u001b[1m\\u000a\\u202e\\udb40\\udc41\\udc80"


@given(st.dictionaries(ANY, st.lists(ANY)))
def test_json_stays_json(value: Any) -> None:
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(printing, "echo_lines", lambda text: said.append(visible_lines(text)))
        printing.print_json(value)
    assert json.loads(said[0]) == value and not obeyed(said[0])
    said[0].encode()


def test_tables_errors_and_progress_show_what_they_are_given(capsys: pytest.CaptureFixture[str]) -> None:
    lines = table(("name", EVIL), [(EVIL, 1), ("b", 2)])
    assert len("\n".join(lines).splitlines()) == 4 and not obeyed("\n".join(lines))
    assert not obeyed(str(OmniError(f"{EVIL}: no such file")), but="")
    reporter = Reporter()
    reporter.say(EVIL)
    reporter.begin(EVIL, 1, stage="prepare")
    reporter.advance(EVIL, kept=1)
    reporter.end()
    assert not obeyed(capsys.readouterr().err)


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_ids_and_places_of_a_hostile_archive_are_shown(tmp_path: Path, more: tuple[str, ...]) -> None:
    evil = EVIL.replace("\udc80", "")  # Parquet holds no such thing
    bad = [{"id": evil, "where": f"{evil}/a.jpg", "reason": "decode_error", "detail": evil}]
    commit(tmp_path, "text", "books", [[text_row(1, id=evil)]], quarantine=bad, source=evil)
    for command in (["status", "--quarantine"], ["status"]):
        done = CliRunner().invoke(app, [*command, "--root", str(tmp_path), *more])
        assert done.exit_code == 0 and not obeyed(done.output)
        assert "ok: the trainers lose nothing" not in done.output.splitlines()
        if more:
            json.loads(done.stdout)


@pytest.mark.slow
def test_one_module_alone_writes_to_streams() -> None:
    """Every other one says what it has to say through it, or through the reporter."""
    package = Path(omni_ray.__file__).parent
    writers = set()
    for file in package.rglob("*.py"):
        for call in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(call, ast.Call) and ast.unparse(call.func) in {
                "print", "typer.echo", "click.echo", "sys.stdout.write", "sys.stderr.write", "traceback.print_exc",
            }:  # fmt: skip
                writers.add(file.relative_to(package).as_posix())
    assert writers <= {"progress/reporter.py"}
