"""The live table: a row for each piece of work, drawn again four times a second, as wide as the terminal allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from omni_ray.progress.task import Task
from omni_ray.visible import visible

HINT = "Ctrl-C stops; the same command goes on"
_BAR_COLUMNS = 18
_LEAST = {"bar": 104, "stage": 84, "rate": 72, "lost": 58, "kept": 44, "time": 32}
"""Each is shown on terminals of at least so many columns."""


class LiveTable:
    """The table on a terminal, until it is stopped.

    Args:
        tasks: what to show; looked at again for every drawing.
        clock: tells the time in seconds.
        console: the terminal; None for ``stream``.
        stream: standard error, usually.
    """

    def __init__(
        self, tasks: Sequence[Task], clock: Callable[[], float], console: Console | None, stream: TextIO
    ) -> None:
        self._tasks = tasks
        self._clock = clock
        self._is_over = False
        self._console = console or Console(file=stream)
        # Standard output is for results; what Ray prints on standard error goes above the table.
        self._live = Live(
            console=self._console,
            get_renderable=self._draw,
            refresh_per_second=4,
            redirect_stdout=False,
        )
        self._live.start()

    def say(self, text: str) -> None:
        """A line above the table."""
        self._console.print(text, highlight=False, markup=False)

    def stop(self) -> None:
        """Draw it for the last time, without the hint, and give the terminal back."""
        self._is_over = True
        self._live.stop()

    def _draw(self) -> RenderableType:
        table = draw(list(self._tasks), self._clock(), self._console.width)
        return table if self._is_over else Group(table, Text(HINT, style="dim", no_wrap=True, overflow="ellipsis"))


def draw(tasks: Sequence[Task], now: float, width: int) -> Table:
    """The table for a terminal of ``width`` columns: what does not fit is left out, the least important first."""
    shown = {name for name, least in _LEAST.items() if width >= least}
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("", no_wrap=True, overflow="ellipsis", min_width=6)
    cells: list[Callable[[Task], RenderableType]] = [lambda task: Text(visible(task.title))]

    def column(name: str, header: str, cell: Callable[[Task], RenderableType], *, right: bool = True) -> None:
        if name in shown:
            table.add_column(header, justify="right" if right else "left", no_wrap=True)
            cells.append(cell)

    column("stage", "", lambda task: Text(task.stage, "dim"), right=False)
    column("bar", "", _bar, right=False)
    table.add_column("done", justify="right", no_wrap=True)
    cells.append(lambda task: Text(f"{task.done:,}/{task.total:,}"))
    column("kept", _header([task.words[0] for task in tasks], "records"), lambda task: Text(f"{task.kept:,}", "green"))
    if lost := _header([task.words[1] for task in tasks], "lost"):
        column("lost", lost, _lost)
    column("rate", "rate", lambda task: Text(task.rate(now), "dim"))
    column("time", "time", lambda task: Text(task.time(now)))
    for task in tasks:
        table.add_row(*(cell(task) for cell in cells))
    return table


def _header(words: list[str], common: str) -> str:
    """The word for all tasks; ``common`` where they have different ones."""
    different = set(filter(None, words))
    return different.pop() if len(different) == 1 else common if different else ""


def _bar(task: Task) -> ProgressBar:
    return ProgressBar(total=max(task.total, 1), completed=min(task.done, task.total), width=_BAR_COLUMNS)


def _lost(task: Task) -> Text:
    return Text(f"{task.lost:,}" if task.words[1] else "", "yellow" if task.lost else "dim")
