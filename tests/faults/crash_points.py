"""Every command, killed at each of the points where it changes the disk, and run again: the result is the undisturbed one.

    python -m tests.faults.crash_points [--sample N] [COMMAND...]

prints the table of docs/reliability.md. The commands follow each other, as a user's would; each starts from what the ones before it
left. Kills at random moments of real runs on Ray are the business of :mod:`tests.faults.storms`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from pathlib import Path
from types import TracebackType

from tests.faults.forked import DIED
from tests.faults.harness import CORPUS_FILE
from tests.sources.file_server import Server

PROJECT = Path(__file__).parents[2]
# Importing the corpus needs an address; its contents do not depend on it.
os.environ.setdefault("FETCHED_FROM", "http://127.0.0.1")
from tests.faults.fetched import CONTENTS  # noqa: E402


@dataclass(frozen=True)
class Command:
    """A command line, without ``--root`` where ``in_project``: with ``{source}`` and ``{out}`` for folders."""

    name: str
    arguments: tuple[str, ...]
    in_project: bool = True


def _omni(name: str, *arguments: str) -> Command:
    return Command(name, ("omni-ray", *arguments, "-q"))


_STORM = (
    "prepare",
    "text",
    "audio",
    "--dataset",
    "storm",
    "--corpus-file",
    str(CORPUS_FILE),
    "--source",
    "{source}/storm",
)
_BOOKS = ("--dataset", "books", "--source", "{source}/storm/books")
WAY = (
    Command("synth --native", ("native", "{out}/native", "1"), in_project=False),
    Command("synth --native, over another", ("native", "{out}/native", "2"), in_project=False),
    _omni("synth", "synth", "--samples", "3"),
    _omni("synth, over another", "synth", "--samples", "4"),
    _omni("prepare text audio", *_STORM, "--max-samples", "9"),
    _omni("prepare, with another parameter", *_STORM, "--max-samples", "9", "--max-line-chars", "300"),
    _omni("prepare --reset", *_STORM, "--max-samples", "9", "--reset"),
    _omni(
        "prepare images", "prepare", "images", "--dataset", "coco", "--source", "{source}/coco", "--max-samples", "9"
    ),
    _omni(
        "prepare ocr", "prepare", "ocr", "--dataset", "mjsynth", "--source", "{source}/mjsynth", "--max-samples", "5"
    ),
    _omni("combine", "combine"),
    _omni("combine --holdout, over another", "combine", "--holdout", "0.3"),
    _omni("tokenizer train", "tokenizer", "train", "--vocab-size", "120"),
    _omni("tokenizer train, over another", "tokenizer", "train", "--vocab-size", "110"),
    _omni("plan", "plan", "--config", "thinker", "--config", "audio_enc"),
    _omni("report", "report"),
    _omni("export hf", "export", "hf", "{out}/hf"),
    _omni("export webdataset", "export", "webdataset", "{out}/wds", "--samples-per-shard", "4"),
    _omni("export mds", "export", "mds", "{out}/mds", "--samples-per-shard", "4"),
    _omni("clean", "clean"),
    _omni("clean --preset strict, over another", "clean", "--preset", "strict"),
    _omni("export hf, over another", "export", "hf", "{out}/hf"),
    _omni("export webdataset, over another", "export", "webdataset", "{out}/wds", "--samples-per-shard", "3"),
    _omni("export mds, over another", "export", "mds", "{out}/mds", "--samples-per-shard", "3"),
    _omni("clean --preset off", "clean", "--preset", "off"),
    Command("download", ("download",)),
    Command("a job of the specification", ("job", "text", *_BOOKS, "--max-samples", "9", "--combine", "-q")),
    Command("run", ("omni-ray", "run", "{source}/recipe.json", "--root", "{out}/run", "-q"), in_project=False),
)


def _recipe(source: Path, export: Path) -> str:
    """From a source to an export: what a recipe runs, short of what the other commands try."""
    books = {"modality": "text", "dataset": "books", "source": str(source / "storm" / "books"), "max_samples": 9}
    return json.dumps(
        {
            "prepare": [books],
            "clean": {"preset": "default"},
            "combine": {"holdout": 0.3},
            "plan": {"config": ["thinker"]},
            "report": None,
            "export": {"hf": {"dir": str(export)}},
        }
    )


@dataclass(frozen=True)
class Result:
    """What came of a command: its points, those tried, and those after which the rerun came out otherwise, with how."""

    command: str
    points: int
    tried: int
    wrong: tuple[str, ...]


class Bench:
    """A place to run commands in, with a small source; the state before each command is kept.

    Args:
        place: an empty folder.
    """

    def __init__(self, place: Path) -> None:
        self._place = place
        self._work, self._before = place / "work", place / "before"
        self._work.mkdir()

    def __enter__(self) -> Bench:
        server = type(
            "Fetched", (Server,), {"plan": [], "requests": [], "is_asked": threading.Event(), "contents": CONTENTS}
        )
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), server)
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.forked"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT,
            env=os.environ | {"FETCHED_FROM": f"http://127.0.0.1:{self._http.server_port}"},
        )  # fmt: skip
        source = self._place / "source"
        code, _, said = self._ask(0, ["native", str(source), "0"])
        assert code == 0, said
        (source / "storm").mkdir()
        for corpus in ("books", "librispeech"):
            shutil.move(source / corpus, source / "storm" / corpus)
        (source / "recipe.json").write_text(_recipe(source, self._work / "out" / "run-hf"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()
        self._http.shutdown()
        self._http.server_close()

    def try_command(self, command: Command, sample: int | None = None) -> Result:
        """Run a command, then kill it at ``sample`` of its points, or all, from the same start; goes on from its end."""
        shutil.rmtree(self._before, ignore_errors=True)
        shutil.copytree(self._work, self._before, symlinks=True)
        code, points, said = self._run(command)
        assert code in {0, 1} and "Traceback" not in said, f"{command.name}: {code}: {said}"
        self._code = code  # 1 where a corpus falls short, as small ones do
        wanted, after = _tree(self._work), self._place / "after"
        self._work.rename(after)
        wrong = []
        tried = list(_spread(points, sample))
        for point in tried:
            shutil.rmtree(self._work, ignore_errors=True)
            shutil.copytree(self._before, self._work, symlinks=True)
            if difference := self._killed_at(command, point, wanted):
                wrong.append(f"{point}: {difference}")
        shutil.rmtree(self._work, ignore_errors=True)
        after.rename(self._work)
        return Result(command.name, points, len(tried), tuple(wrong))

    def _killed_at(self, command: Command, point: int, wanted: dict[str, str]) -> str:
        """What is wrong after a kill at a point and a rerun; empty where nothing is."""
        code, _, said = self._run(command, point)
        if code != DIED:
            return f"was not reached, but ended with {code}: {said}"
        code, _, said = self._run(command)
        if code != self._code or "Traceback" in said:
            return f"the rerun ended with {code}: {said}"
        made = _tree(self._work)
        different = [name for name in sorted(wanted.keys() | made.keys()) if wanted.get(name) != made.get(name)]
        return ", ".join(different[:5])

    def _run(self, command: Command, die_at: int = 0) -> tuple[int, int, str]:
        places = {"source": str(self._place / "source"), "out": str(self._work / "out")}
        arguments = [each.format(**places) for each in command.arguments]
        if command.in_project:
            arguments += ["--root", str(self._work / "project")]
        return self._ask(die_at, arguments)

    def _ask(self, die_at: int, arguments: list[str]) -> tuple[int, int, str]:
        assert self._process.stdin is not None and self._process.stdout is not None
        print(json.dumps([die_at, arguments]), file=self._process.stdin, flush=True)
        code, points, said = json.loads(self._process.stdout.readline())
        return code, points, said


def _spread(points: int, sample: int | None) -> Iterator[int]:
    """Numbers from 1 to ``points``: all, or ``sample`` of them, the first and the last among them."""
    if sample is None or sample >= points:
        yield from range(1, points + 1)
        return
    yield from sorted({round(1 + n * (points - 1) / (sample - 1)) for n in range(sample)} if sample > 1 else ())


def _tree(root: Path) -> dict[str, str]:
    """Names and digests of all that a run leaves for others, links and empty folders too, but no working files."""
    found = {}
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        if ".omni" in relative.parts:
            continue
        if path.is_file() and not path.is_symlink():
            found[str(relative)] = hashlib.sha256(path.read_bytes()).hexdigest()
        else:
            found[str(relative)] = "folder" if path.is_dir() else "link"
    return found


def table(results: Sequence[Result]) -> str:
    """Markdown: command, points, equal."""
    lines = ["| command | points | tried | equal |", "|---|--:|--:|--:|"]
    lines += [f"| {r.command} | {r.points} | {r.tried} | {r.tried - len(r.wrong)} |" for r in results]
    tried = sum(r.tried for r in results)
    wrong = sum(len(r.wrong) for r in results)
    return "\n".join([*lines, f"| all | {sum(r.points for r in results)} | {tried} | {tried - wrong} |"])


def main(argv: Sequence[str] | None = None) -> int:
    """Try the commands; print the table. Returns 1 where a result differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, help="so many points of each command; all by default")
    parser.add_argument("commands", nargs="*", help="only those that begin so, with no points of the others")
    options = parser.parse_args(argv)
    results = []
    with tempfile.TemporaryDirectory() as folder, Bench(Path(folder)) as bench:
        for command in WAY:
            is_wanted = not options.commands or command.name.startswith(tuple(options.commands))
            began = time.monotonic()
            result = bench.try_command(command, options.sample if is_wanted else 0)
            if is_wanted:
                results.append(result)
                print(f"{result.command}: {result.points} points in {time.monotonic() - began:.0f} s", file=sys.stderr)
                print(*(f"  {each}" for each in result.wrong), sep="\n", end="", file=sys.stderr, flush=True)
    print(table(results))
    return int(any(result.wrong for result in results))


if __name__ == "__main__":
    sys.exit(main())
