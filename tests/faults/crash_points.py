"""Every command, killed at each of the points where it changes the disk, and run again: the result is the undisturbed one.

    python -m tests.faults.crash_points [--sample N] [--results FILE] [COMMAND...]

prints the table of docs/reliability.md. The commands follow each other, as a user's would; each starts from what the ones before it
left. It is not killed hundreds of times for that: what it would have left is copied at each point, while it stands still, and is
where a rerun begins. Kills at random moments of real runs on Ray are the business of :mod:`tests.faults.storms`.
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
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType

from tests.faults.harness import CORPUS_FILE
from tests.loopback import served_by
from tests.made_store import picture
from tests.sources.file_server import Server

PROJECT = Path(__file__).parents[2]
# Importing the corpus needs an address; its contents do not depend on it.
os.environ.setdefault("FETCHED_FROM", "http://127.0.0.1")
from tests.faults.fetched import CONTENTS  # noqa: E402

WEB = {**CONTENTS, "a.jpg": picture(1), "robots.txt": b"User-agent: *\nDisallow: /private\n"}
"""What the server has, by name."""
Outcome = tuple[int, Mapping[str, str]]
"""A command's exit code, and names and digests of what it left."""


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
_MADE = ("mjsynth", "wikipedia", "text_parquet")
"""Some corpora: all of them are written and removed alike."""
_BOOKS = ("--dataset", "books", "--source", "{source}/storm/books")
_PAIR = (
    "prepare",
    "text",
    "--dataset",
    "books",
    "--name",
    "pair",
    "--source",
    "{source}/storm/books",
    "--source",
    "{source}/lines.txt",
    "--combine",
    "--root",
    "{out}/shared",
    "--store",
    "{out}/store",
)
WAY = (
    Command("synth --native", ("native", "{out}/native", "1", *_MADE), in_project=False),
    Command("synth --native, over another", ("native", "{out}/native", "2", *_MADE), in_project=False),
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
    _omni("combine --replace --no-shuffle", "combine", "--replace", "--no-shuffle"),
    _omni("report, over another", "report"),
    _omni("plan, over another", "plan", "--config", "thinker", "--config", "audio_enc"),
    _omni("verify", "verify"),
    Command("download", ("download",)),
    _omni(
        "prepare images, by addresses",
        "prepare",
        "images",
        "--dataset",
        "image_urls",
        "--source",
        "{source}/urls.csv",
        "--allow-private",
    ),
    Command("a job of the specification", ("job", "text", *_BOOKS, "--max-samples", "9", "--combine", "-q")),
    Command("prepare --store, of two sources", ("omni-ray", *_PAIR, "-q"), in_project=False),
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
    """What came of a command: its points, the states of the disk at them that were tried, and those after which the rerun came
    out otherwise, with how.
    """

    command: str
    points: int
    tried: int
    wrong: tuple[str, ...]


class Found:
    """What reruns came to, kept in a file line by line, so that a long try that was cut off goes on where it was.

    Args:
        file: may be there already, of the same version; None keeps nothing.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        lines = file.read_text().splitlines() if file is not None and file.exists() else []
        self._known = {
            (each["command"], each["points"], each["point"]): each["wrong"] for each in map(json.loads, lines)
        }

    def of(self, command: str, points: int, point: int, look: Callable[[], str]) -> str:
        """What is wrong after a kill at a point; ``look`` finds it out where it is not known."""
        key = command, points, point
        if key not in self._known:
            self._known[key] = wrong = look()
            if self._file is not None:
                with self._file.open("a") as file:
                    print(json.dumps({"command": command, "points": points, "point": point, "wrong": wrong}), file=file)
        return self._known[key]


class Bench:
    """A place to run commands in, with a small source; the state before each command is kept.

    Args:
        place: an empty folder.
    """

    def __init__(self, place: Path) -> None:
        self._place = place
        self._work = place / "work"
        self._work.mkdir()

    def __enter__(self) -> Bench:
        server = type(
            "Fetched", (Server,), {"plan": [], "requests": [], "is_asked": threading.Event(), "contents": WEB}
        )
        with ExitStack() as opened:
            web = opened.enter_context(served_by(server))
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.forked"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=PROJECT,
                env=os.environ | {"FETCHED_FROM": web},
            )  # fmt: skip
            opened.callback(self._process.communicate)
            self._make_sources(web)
            self._opened = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def _make_sources(self, web: str) -> None:
        source = self._place / "source"
        code, _, _, said = self._ask((), ["native", str(source), "0", "books", "librispeech", "coco", "mjsynth"])
        assert code == 0, said
        (source / "storm").mkdir()
        for corpus in ("books", "librispeech"):
            shutil.move(source / corpus, source / "storm" / corpus)
        (source / "lines.txt").write_text("".join(f"This is line {n} of a text of its own.\n" for n in range(9)))
        address = f"{web}/a.jpg"
        (source / "urls.csv").write_text(f"url,caption\n{address},A picture by its address.\n")
        (source / "recipe.json").write_text(_recipe(source, self._work / "out" / "run-hf"))

    def try_command(self, command: Command, sample: int | None = None, found: Found | None = None) -> Result:
        """Run a command, then again after each state that a kill at ``sample`` of its points, or all, would have left; what
        it comes to undisturbed stays.
        """
        found = found or Found()
        before, after, kept = self._place / "before", self._place / "after", self._place / "kept"
        shutil.copytree(self._work, before, symlinks=True)
        code, points, _, said = self._run(command)
        assert code in {0, 1} and "Traceback" not in said, f"{command.name}: {code}: {said}"
        wanted = code, _tree(self._work)  # 1 where a corpus falls short, as small ones do
        self._work.rename(after)
        before.rename(self._work)
        kept.mkdir()
        wrong = []
        states = self._run(command, _spread(points, sample))[2]
        if difference := _difference(wanted, code, _tree(self._work)):
            wrong.append(f"the second time: {difference}")
        for point in states:
            look = partial(self._went_on, command, kept / str(point), wanted)
            if difference := found.of(command.name, points, point, look):
                wrong.append(f"{point}: {difference}")
        shutil.rmtree(kept)
        shutil.rmtree(self._work)
        after.rename(self._work)
        return Result(command.name, points, len(states), tuple(wrong))

    def _went_on(self, command: Command, state: Path, wanted: Outcome) -> str:
        """What is wrong after a rerun from a state; empty where nothing is."""
        shutil.rmtree(self._work)
        state.rename(self._work)
        code, _, _, said = self._run(command)
        return said if "Traceback" in said else _difference(wanted, code, _tree(self._work), said)

    def _run(self, command: Command, points: Iterable[int] = ()) -> tuple[int, int, list[int], str]:
        places = {"source": str(self._place / "source"), "out": str(self._work / "out")}
        arguments = [each.format(**places) for each in command.arguments]
        if command.in_project:
            arguments += ["--root", str(self._work / "project")]
        return self._ask(points, arguments)

    def _ask(self, points: Iterable[int], arguments: list[str]) -> tuple[int, int, list[int], str]:
        assert self._process.stdin is not None and self._process.stdout is not None
        asked = [str(self._work), str(self._place / "kept"), list(points), arguments]
        print(json.dumps(asked), file=self._process.stdin, flush=True)
        code, seen, kept, said = json.loads(self._process.stdout.readline())
        return code, seen, kept, said


def _difference(wanted: Outcome, code: int, made: Mapping[str, str], said: str = "") -> str:
    """How a run came out otherwise than it should; empty where it did not."""
    if code != wanted[0]:
        return f"ended with {code}: {said}"
    different = [name for name in sorted(wanted[1].keys() | made.keys()) if wanted[1].get(name) != made.get(name)]
    return ", ".join(different[:5])


def _spread(points: int, sample: int | None) -> Iterable[int]:
    """Numbers from 1 to ``points``: all, or ``sample`` of them, each in the middle of its share."""
    if sample is None or sample >= points:
        return range(1, points + 1)
    return [1 + (2 * n + 1) * points // (2 * sample) for n in range(sample)]


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
    """Markdown: command, points, states of the disk at them, and after how many of those the rerun came out equal."""
    lines = ["| command | points | states | equal |", "|---|--:|--:|--:|"]
    lines += [f"| {r.command} | {r.points} | {r.tried} | {r.tried - len(r.wrong)} |" for r in results]
    tried = sum(r.tried for r in results)
    wrong = sum(len(r.wrong) for r in results)
    return "\n".join([*lines, f"| all | {sum(r.points for r in results)} | {tried} | {tried - wrong} |"])


def main(argv: Sequence[str] | None = None) -> int:
    """Try the commands; print the table. Returns 1 where a result differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, help="so many points of each command; all by default")
    parser.add_argument("--results", type=Path, help="a file that keeps what was found; what it has is not tried again")
    parser.add_argument("commands", nargs="*", help="only those that begin so, with no points of the others")
    options = parser.parse_args(argv)
    results, found = [], Found(options.results)
    with tempfile.TemporaryDirectory() as folder, Bench(Path(folder)) as bench:
        for command in WAY:
            is_wanted = not options.commands or command.name.startswith(tuple(options.commands))
            began = time.monotonic()
            result = bench.try_command(command, options.sample if is_wanted else 0, found)
            if is_wanted:
                results.append(result)
                print(
                    f"{result.command}: {result.points} points, {result.tried} states in {time.monotonic() - began:.0f} s",
                    file=sys.stderr,
                )
                print(*(f"  {each}" for each in result.wrong), sep="\n", end="", file=sys.stderr, flush=True)
    print(table(results))
    return int(any(result.wrong for result in results))


if __name__ == "__main__":
    sys.exit(main())
