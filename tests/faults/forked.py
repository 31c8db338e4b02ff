"""Commands in forked children of a process that has imported what they need, and no Ray; what a kill would leave is kept.

    python -m tests.faults.forked

reads a JSON value a line, ``[watched, kept, [points...], [arguments...]]``, and answers with one: ``[exit code, points, [points
kept...], what it said]``. A point is a call that changes what is on the disk (a rename, a removal, a sync, a link, a folder). Just
before each of those named, while the command stands still, the folder ``watched`` is copied to ``KEPT/POINT``: it is what the
command would have left, had it been killed there. A point at which it is as it was at the last one kept is left out. What would be
Ray tasks runs in the same process, one after the other.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

POINTS = (
    "rename",
    "replace",
    "unlink",
    "remove",
    "fsync",
    "link",
    "symlink",
    "rmdir",
    "mkdir",
    "truncate",
    "ftruncate",
)


@contextmanager
def _no_session(*args: object, **more: object) -> Iterator[None]:
    yield


def _inline(function: Callable[[Any], Any], items: Iterable[Any], **more: object) -> Iterator[Any]:
    return map(function, items)


def _acknowledged(stage: Callable[[Any], Any], items: Iterable[Any], shape: object) -> Iterator[tuple[int, Any]]:
    return enumerate(map(stage, items))


def without_ray() -> None:
    """Replace what starts Ray, before anything imports it by name."""
    from omni_ray.pipeline import engine, session

    session.ray_session = _no_session  # type: ignore[assignment]
    session.is_connected = lambda: True
    engine.on_ray = _inline  # type: ignore[assignment]
    engine.acknowledgements = _acknowledged  # type: ignore[assignment]


def _call(arguments: list[str]) -> None:
    first, *rest = arguments
    sys.argv = ["omni-ray", *rest]
    if first == "omni-ray":
        from omni_ray.cli import commands, running

        running.run(commands.app)
    elif first == "job":
        from omni_ray.cli.download_job import main as job

        sys.argv = ["job", *rest[1:]]
        job(rest[0])
    elif first == "download":
        from omni_ray import api
        from omni_ray.corpora.registry import add_file

        add_file(Path(__file__).with_name("fetched.py"))
        api.download(rest[-1], "text", dataset="fetched")
    else:
        from omni_ray.synth.native import CorpusToWrite, write_corpus

        root, seed, *corpora = rest
        for name in corpora:
            write_corpus(CorpusToWrite(name, root, int(seed), scale=0.01, speech="tones"))


def _stop_at_points(ask: int, go: int) -> None:
    """Before each point this process says so on one pipe, and waits for a word on the other."""
    turn = threading.Lock()

    def stopping(call: Callable[..., Any]) -> Callable[..., Any]:
        def stops(*args: Any, **more: Any) -> Any:
            with turn:
                os.write(ask, b".")
                os.read(go, 1)
            return call(*args, **more)

        return stops

    for name in POINTS:
        setattr(os, name, stopping(getattr(os, name)))


class _Keeper:
    """Counts the points of a child, and keeps what lies in a folder at some of them.

    Args:
        watched: the folder.
        kept: where its copies go, called by the points.
        wanted: those points.
    """

    def __init__(self, watched: str, kept: str, wanted: Iterable[int]) -> None:
        self._watched, self._kept, self._wanted = watched, kept, frozenset(wanted)
        self._last: object = None
        self.points = 0
        self.kept: list[int] = []

    def look(self) -> None:
        """The child stands before its next point."""
        self.points += 1
        if self.points in self._wanted and (now := _signature(self._watched)) != self._last:
            self._last = now
            self.kept.append(self.points)
            subprocess.run(["cp", "-a", self._watched, f"{self._kept}/{self.points}"], check=True)


def _signature(folder: str) -> list[tuple[object, ...]]:
    """What is another one whenever anything in the folder changed."""
    found: list[tuple[object, ...]] = []
    todo = [folder]
    while todo:
        for entry in os.scandir(todo.pop()):
            status = entry.stat(follow_symlinks=False)
            if entry.is_dir(follow_symlinks=False):
                todo.append(entry.path)
                found.append((entry.path,))
            else:
                found.append((entry.path, status.st_ino, status.st_size, status.st_ctime_ns))
    return sorted(found, key=str)


def _import(names: Iterable[str]) -> None:
    """Import what a child had to, so that the next one need not."""
    for name in names:
        with suppress(Exception):  # some are no modules of their own
            importlib.import_module(name)


def run(watched: str, kept: str, wanted: Iterable[int], arguments: list[str]) -> tuple[int, int, list[int], str]:
    """One command in a child of its own: its exit code, its points, those kept, and what it said on standard error."""
    asked, ask = os.pipe()
    wait, go = os.pipe()
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile("w+") as modules:
        known = set(sys.modules)
        child = os.fork()
        if child == 0:
            os.dup2(said.fileno(), 2)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            _stop_at_points(ask, wait)
            code = 0
            try:
                _call(arguments)
            except SystemExit as ended:
                code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
            except BaseException as error:
                os.write(2, f"Traceback: {error!r}".encode())
                code = 1
            print(*sys.modules.keys() - known, file=modules, flush=True)
            os._exit(code)
        os.close(ask)
        os.close(wait)
        keeper = _Keeper(watched, kept, wanted)
        while os.read(asked, 1):
            keeper.look()
            os.write(go, b".")
        os.close(asked)
        os.close(go)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        said.seek(0)
        modules.seek(0)
        _import(modules.read().split())
        return code, keeper.points, keeper.kept, said.read().decode(errors="replace")


def main() -> None:
    """Serve until standard input ends."""
    without_ray()
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        print(json.dumps(run(*json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
