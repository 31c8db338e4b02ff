"""Progress for people: a live table on a terminal, plain lines elsewhere, nothing when quiet.

The pipeline reports what happened; this file decides how often to show it and how.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, TextIO

from omni_ray.progress.task import Task
from omni_ray.verbosity import is_verbose
from omni_ray.visible import visible

if TYPE_CHECKING:
    from rich.console import Console

    from omni_ray.progress.table import LiveTable

PLAIN_SECONDS = 5.0
"""Between two plain lines of the same piece of work."""


class Reporter:
    """Shows work under way on standard error. Several threads may report to it.

    Args:
        quiet: show nothing.
        stream: where to write; standard error by default, so that standard output stays for results.
        clock: tells the time in seconds.
        console: a terminal to draw the live table on; by default the stream, where it is a terminal.
    """

    def __init__(
        self,
        *,
        quiet: bool = False,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
        console: Console | None = None,
    ) -> None:
        self.quiet = quiet
        self.stream = stream or sys.stderr
        self.clock = clock
        self.is_live = not quiet and (console is not None or _is_terminal(self.stream))
        self._console = console
        self._tasks: list[Task] = []
        self._live: LiveTable | None = None
        self._is_together = False
        self._last = clock()
        self._lock = threading.RLock()

    @contextmanager
    def together(self) -> Iterator[None]:
        """One table for the block, whatever begins and ends in it."""
        if self._is_together:
            yield
            return
        self._is_together = True
        try:
            yield
            self.end()
        finally:
            self._is_together = False
            self.stop()

    def say(self, text: str) -> None:
        """One line."""
        text = visible(text)
        with self._lock:
            if self._live is not None:
                self._live.say(text)
            elif not self.quiet:
                print(text, file=self.stream, flush=True)

    def note(self, text: str) -> None:
        """One line for those who asked for more with ``--verbose``."""
        if is_verbose():
            self.say(text)

    def begin(self, title: str, total: int, *, stage: str = "") -> None:
        """Start to show ``title``, of ``total`` pieces; if it is under way already, so many more."""
        with self._lock:
            task = self._find(title)
            if task is not None and task.stage == stage:
                task.total += total
                task.ended = None
            else:
                self._tasks.append(Task(title, stage, total, self.clock()))
            if self.is_live and self._live is None:
                from omni_ray.progress.table import LiveTable

                self._live = LiveTable(self._tasks, self.clock, self._console, self.stream)
                _shown.append(self)

    def _find(self, title: str) -> Task | None:
        return next((task for task in reversed(self._tasks) if task.title == title), None)

    def advance(self, title: str, *, kept: int = 0, lost: int = 0, pieces: int = 1) -> None:
        """``pieces`` more of ``title`` are done."""
        with self._lock:
            task = self._find(title)
            if task is None:
                raise KeyError(title)
            task.done += pieces
            task.kept += kept
            task.lost += lost
            now = self.clock()
            if task.done >= task.total:
                task.ended = now
            if not self.is_live and not self.quiet and now - self._last >= PLAIN_SECONDS:
                self._last = now
                for each in self._tasks:
                    if each.done != each.said:
                        self._print(each, now)

    def _print(self, task: Task, now: float) -> None:
        task.said = task.done
        print(visible(task.line(now)), file=self.stream, flush=True)

    def end(self) -> None:
        """Stop showing: a live table stays as it is, elsewhere every piece of work gets a closing line."""
        with self._lock:
            if not self.is_live and not self.quiet:
                for task in self._tasks:
                    if task.said < task.total:
                        self._print(task, self.clock())
                        task.said = task.total
            if not self._is_together:
                self.stop()

    def stop(self) -> None:
        """Stop showing at once, without another word."""
        with self._lock:
            if self._live is not None:
                self._live.stop()
                self._live = None
                _shown.remove(self)
            self._tasks.clear()


_shown: list[Reporter] = []
"""Reporters whose table is on the screen."""


def stop_showing() -> None:
    """Leave every live table as it is and give the cursor back, before a command says why it ended."""
    for reporter in list(_shown):
        reporter.stop()


def usual() -> Reporter:
    """The reporter of functions that were given none: a silent one, but in a notebook one that shows progress.

    There it is a live table where ipywidgets is installed, else plain lines.
    """
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if type(shell).__name__ != "ZMQInteractiveShell":
        return Reporter(quiet=True)
    if find_spec("ipywidgets") is None:
        return Reporter()
    from rich.console import Console

    return Reporter(console=Console(force_jupyter=True))


def _is_terminal(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM") != "dumb"
