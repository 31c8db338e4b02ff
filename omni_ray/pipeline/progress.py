"""Progress for people: a live line on a terminal, plain lines elsewhere, nothing when quiet.

The pipeline reports what happened; this file decides how often to show it and how.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_PLAIN_SECONDS = 5.0


@dataclass
class _Bar:
    title: str
    total: int
    done: int = 0
    kept: int = 0
    quarantined: int = 0
    started: float = field(default_factory=time.monotonic)

    def line(self) -> str:
        seconds = max(time.monotonic() - self.started, 1e-9)
        left = (self.total - self.done) * seconds / self.done if self.done else float("nan")
        remaining = f", {_clock(left)} left" if 0 < self.done < self.total else ""
        return (
            f"{self.title}: {self.done}/{self.total}, {self.kept:,} kept, {self.quarantined:,} quarantined, "
            f"{self.kept / seconds:,.0f}/s{remaining}"
        )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class Reporter:
    """Shows work under way on standard error.

    Args:
        quiet: show nothing.
        stream: where to write; standard error by default, so that standard output stays for results.
    """

    def __init__(self, *, quiet: bool = False, stream: TextIO | None = None) -> None:
        self.quiet = quiet
        self.stream = stream or sys.stderr
        self.is_live = not quiet and self.stream.isatty()
        self._bars: dict[str, _Bar] = {}
        self._rich: tuple[Progress, dict[str, TaskID]] | None = None
        self._last = 0.0

    def say(self, text: str) -> None:
        """One line."""
        if self._rich is not None:
            self._rich[0].console.print(text, highlight=False, markup=False)
        elif not self.quiet:
            print(text, file=self.stream, flush=True)

    def begin(self, title: str, total: int) -> None:
        """Start to show ``title``, of ``total`` pieces."""
        self._bars[title] = _Bar(title, total)
        if self.is_live:
            self._live_add(title, total)

    def advance(self, title: str, *, kept: int = 0, quarantined: int = 0, pieces: int = 1) -> None:
        """``pieces`` more of ``title`` are done."""
        bar = self._bars[title]
        bar.done += pieces
        bar.kept += kept
        bar.quarantined += quarantined
        if self._rich is not None:
            progress, tasks = self._rich
            progress.update(tasks[title], completed=bar.done, kept=f"{bar.kept:,}", quarantined=f"{bar.quarantined:,}")
        elif not self.quiet and time.monotonic() - self._last > _PLAIN_SECONDS:
            self._last = time.monotonic()
            print(bar.line(), file=self.stream, flush=True)

    def end(self) -> None:
        """Stop showing; the last state of a live display stays on the screen."""
        if self._rich is not None:
            self._rich[0].stop()
            self._rich = None
        self._bars.clear()

    def _live_add(self, title: str, total: int) -> None:
        if self._rich is None:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[kept]} kept  {task.fields[quarantined]} quarantined"),
                TimeRemainingColumn(),
                TextColumn("[dim]Ctrl-C stops; the same command goes on[/dim]"),
                console=Console(file=self.stream),
            )
            progress.start()
            self._rich = (progress, {})
        progress, tasks = self._rich
        tasks[title] = progress.add_task(title, total=total, kept="0", quarantined="0")
