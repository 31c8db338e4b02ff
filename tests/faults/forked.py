"""Commands in forked children of a process that has everything imported, and no Ray: each dies where it is told to.

    python -m tests.faults.forked

reads a JSON value a line, ``[die_at, [arguments...]]``, and answers with one: ``[exit code, points, what it said]``. A point is a
call that changes what is on the disk (a rename, a removal, a sync, a link, a folder); the process ends just before point
``die_at``, as if it had been killed, or, with 0, by itself. What would be Ray tasks runs in the same process, one after the other.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
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
DIED = 77


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
        from omni_ray.cli import main

        main()
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
        from omni_ray.synth.native import write_native

        write_native(rest[0], seed=int(rest[1]), scale=0.01, speech="tones")


class _Points:
    """Counts points, and ends the process before one of them."""

    def __init__(self, die_at: int) -> None:
        self.seen = 0
        for name in POINTS:
            setattr(os, name, self._counted(getattr(os, name), die_at))

    def _counted(self, call: Callable[..., Any], die_at: int) -> Callable[..., Any]:
        def counted(*args: Any, **more: Any) -> Any:
            self.seen += 1
            if self.seen == die_at:
                os._exit(DIED)
            return call(*args, **more)

        return counted


def run(die_at: int, arguments: list[str]) -> tuple[int, int, str]:
    """One command in a child of its own: its exit code, its points, and what it said on standard error."""
    reading, writing = os.pipe()
    with tempfile.TemporaryFile() as said:
        child = os.fork()
        if child == 0:
            os.dup2(said.fileno(), 2)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            points = _Points(die_at)
            code = 0
            try:
                _call(arguments)
            except SystemExit as ended:
                code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
            except BaseException as error:
                os.write(2, f"Traceback: {error!r}".encode())
                code = 1
            os.write(writing, str(points.seen).encode())
            os._exit(code)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            points_seen = int(pipe.read() or 0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        said.seek(0)
        return code, points_seen, said.read().decode(errors="replace")


def main() -> None:
    """Serve until standard input ends."""
    without_ray()
    import datasets  # noqa: F401
    import pyarrow.dataset  # noqa: F401
    import torch  # noqa: F401

    from omni_ray import api
    from omni_ray.cli.commands import app  # noqa: F401
    from omni_ray.quality import clean_shards  # noqa: F401

    api.plan, api.verify, api.write_report  # noqa: B018 - imported when named
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        die_at, arguments = json.loads(line)
        print(json.dumps(run(die_at, arguments)), file=answers, flush=True)


if __name__ == "__main__":
    main()
