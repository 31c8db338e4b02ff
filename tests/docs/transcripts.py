"""The commands of a page of the documentation, run as they are printed.

A block fenced as ``console`` is a transcript: commands after ``$ ``, and what they print. In other blocks, lines that begin
with ``omni-ray`` are commands. ``python -m tests.docs.transcripts`` writes what the commands print now into the guides.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
import tempfile
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

from typer.testing import CliRunner

from omni_ray.cli.commands import app
from omni_ray.errors import OmniError

DOCS = Path(__file__).parents[2] / "docs"
_PROGRESS = re.compile(r"/s, in \d+:\d\d$")
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Command:
    """A command of a page: its words, the file its output is sent to, and what the page says it prints."""

    words: tuple[str, ...]
    into: str | None
    printed: str | None

    def run(self, folder: Path) -> tuple[int, str]:
        """Run it in ``folder``: its exit code, and what it prints."""
        with chdir(folder):
            words = [os.path.expanduser(word) for word in self.words]
            done = CliRunner().invoke(app, words)
            if isinstance(done.exception, OmniError):
                return done.exception.exit_code, f"omni-ray: {done.exception}\n"
            if done.exception is not None and not isinstance(done.exception, SystemExit):
                raise done.exception
            if self.into is not None:
                Path(self.into).write_text(done.stdout, "utf-8")
                return done.exit_code, done.stderr
            return done.exit_code, "".join(line for line in done.output.splitlines(True) if not _PROGRESS.search(line))


def _command(line: str, printed: str | None) -> Command:
    words = shlex.split(line, comments=True)
    into = words[words.index(">") + 1] if ">" in words else None
    return Command(tuple(words[1 : words.index(">") if into else None]), into, printed)


def commands(page: str) -> Iterator[Command]:
    """The ``omni-ray`` commands of a page, in its order."""
    for kind, text in _BLOCK.findall(page):
        if kind == "console":
            for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                line, _, printed = part.partition("\n")
                if line.startswith("omni-ray "):
                    yield _command(line, printed)
        else:
            yield from (_command(line, None) for line in text.splitlines() if line.startswith("omni-ray "))


def steady(printed: str) -> list[str]:
    """What is printed, without what differs from run to run: seconds, and the room that they take in a table."""
    lines = [re.sub(r"\d+\.\d( s\b.*)?$", "", line.rstrip()) for line in printed.splitlines()]
    return [re.sub(r"-{2,}", "--", re.sub(r" +", " ", line)).rstrip() for line in lines if line.strip()]


def rewritten(page: str, folder: Path) -> str:
    """The page with what its transcripts print now."""

    def ran(block: re.Match[str]) -> str:
        if block[1] != "console":
            return block[0]
        text = ""
        for part in re.split(r"^\$ ", block[2], flags=re.MULTILINE)[1:]:
            line = part.partition("\n")[0]
            if line.startswith("omni-ray "):
                printed = "\n".join(each.rstrip() for each in _command(line, "").run(folder)[1].splitlines() if each)
                text += f"$ {line}\n{printed}\n"
            else:
                text += f"$ {part}"
        return f"```console\n{text.rstrip()}\n```"

    return _BLOCK.sub(ran, page)


def main() -> None:
    """Rewrite the guides, or those that are named."""
    from omni_ray.pipeline.session import ray_session
    from tests.docs.made import GUIDES

    with ray_session(num_cpus=2):
        for name in sys.argv[1:] or GUIDES:
            with tempfile.TemporaryDirectory() as folder:
                GUIDES[name](Path(folder))
                file = DOCS / "guides" / name
                file.write_text(rewritten(file.read_text("utf-8"), Path(folder)), "utf-8")


if __name__ == "__main__":
    main()
