"""What a new user sees first."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from omni_ray.cli.commands import app

WIDE = {"COLUMNS": "200", "TERMINAL_WIDTH": "200"}


def shown(*words: str) -> str:
    done = CliRunner().invoke(app, list(words), env=WIDE)
    assert done.exit_code == 0
    return done.output


def groups(text: str) -> dict[str, str]:
    parts = re.split(r"(?m)^(\S[^\n:]*):\n", text)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("words", [[], ["prepare"], ["export"], ["export", "hf"], ["tokenizer", "train"]], ids=" ".join)
def test_h_is_help(words: list[str]) -> None:
    assert shown(*words, "-h") == shown(*words, "--help")


@pytest.mark.parametrize("words", [[], ["export"], ["tokenizer"]], ids=" ".join)
def test_summaries_are_whole(words: list[str]) -> None:
    summaries = groups(shown(*words, "-h"))["Commands"]
    assert summaries.strip() and "..." not in summaries


def test_options_are_in_groups_and_those_of_one_modality_marked() -> None:
    found = groups(shown("prepare", "-h"))
    assert list(found) == [
        "Arguments", "Source", "What to make", "Only for text", "Only for audio", "Only for images and ocr",
        "Where to run", "Other options",
    ]  # fmt: skip
    assert (
        "--source" in found["Source"] and "--max-samples" in found["What to make"] and "--cpus" in found["Where to run"]
    )
    assert (
        "--resampler <soxr|torchaudio>" in found["Only for audio"]
        and "--fit <squash|crop|pad>" in found["Only for images and ocr"]
    )
    assert "MODALITY <list[text|audio|images|ocr]>" in found["Arguments"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["prepare", "video"], "'video' is not one of 'text', 'audio', 'images', 'ocr'; see `omni-ray prepare -h`"),
        (["prepare", "text", "--max-sample", "5"], "--max-samples"),
        (["prepare"], "Missing argument"),
        (["prepare", "text", "--size"], "--size"),
        (["prepar"], "Did you mean 'prepare'"),
        (["-x"], "No such option: -x; see `omni-ray -h`"),
        (["export", "tar", "x"], "No such command 'tar'"),
    ],
)
def test_wrong_usage_is_one_line(words: list[str], said: str) -> None:
    done = CliRunner().invoke(app, words, env=WIDE, prog_name="omni-ray")
    assert done.exit_code == 2 and done.output.count("\n") == 1
    assert done.output.startswith("omni-ray: ") and said in done.output


def test_there_is_completion() -> None:
    done = CliRunner().invoke(
        app, [], env={"_OMNI_RAY_COMPLETE": "complete_bash", "COMP_WORDS": "omni-ray prepare --clean ", "COMP_CWORD": "3"},
        prog_name="omni-ray",
    )  # fmt: skip
    assert done.output.split() == ["off", "default", "strict"]


def test_the_page_is_a_file_of_this_machine(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["report", "--out", "s3://key:secret@bucket/page.html", "--root", str(tmp_path)])
    assert done.exception is not None and "--out s3://bucket/page.html" in str(done.exception)
