"""Progress: a table on a terminal, lines in a log, nothing when quiet. The clock is the test's own."""

from __future__ import annotations

import io
import re
import threading

import pytest
from rich.console import Console

from omni_ray.progress.reporter import PLAIN_SECONDS, Reporter, stop_showing
from omni_ray.progress.table import HINT
from omni_ray.progress.task import clock_time


class Clock:
    """Stands still until it is set."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def terminal(width: int = 120, **more: object) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, height=40, _environ={}, **more)  # type: ignore[arg-type]


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def last_table(console: Console) -> list[str]:
    """The lines of the last drawing: those after the last move up."""
    return [line.rstrip() for line in plain(written(console).rpartition("\x1b[2K")[2]).splitlines() if line.strip()]


def work(reporter: Reporter, clock: Clock) -> None:
    """Two corpora: one done after 4 s, one half done after 10."""
    reporter.begin("audio/librispeech", 4, stage="prepare")
    reporter.begin("audio/ljspeech", 10, stage="prepare")
    clock.now += 4
    reporter.advance("audio/librispeech", kept=1200, lost=3, pieces=4)
    clock.now += 6
    reporter.advance("audio/ljspeech", kept=50, pieces=5)


# --- on a terminal ---


def test_the_table_has_a_row_for_each_corpus_and_the_hint_once(clock: Clock) -> None:
    console = terminal()
    reporter = Reporter(console=console, clock=clock)
    work(reporter, clock)
    assert reporter._live is not None
    reporter._live._live.refresh()
    shown = last_table(console)
    rows = [line.replace("━", "").replace("╺", "").replace("╸", "").split() for line in shown[:3]]
    assert rows == [
        ["done", "kept", "quarantined", "rate", "time"],
        ["audio/librispeech", "prepare", "4/4", "1,200", "3", "300/s", "in", "0:04"],
        ["audio/ljspeech", "prepare", "5/10", "50", "0", "5.0/s", "0:10", "left"],
    ]
    assert sum(HINT in line for line in shown) == 1
    reporter.end()
    assert HINT not in "\n".join(last_table(console))  # nothing is left to stop


def test_the_cursor_comes_back_whatever_happens(clock: Clock) -> None:
    console = terminal()
    reporter = Reporter(console=console, clock=clock)
    work(reporter, clock)
    assert written(console).count("\x1b[?25l") == 1  # hidden
    stop_showing()
    stop_showing()
    assert written(console).count("\x1b[?25h") == 1  # shown again
    before = written(console)
    reporter.end()
    assert written(console) == before


def test_lines_said_meanwhile_stand_above_the_table(clock: Clock) -> None:
    console = terminal()
    reporter = Reporter(console=console, clock=clock)
    work(reporter, clock)
    reporter.say("fetching [bold]3[/bold] files")
    reporter.end()
    text = plain(written(console))
    assert "fetching [bold]3[/bold] files" in text  # as it is, not as markup
    assert text.rindex("fetching") < text.rindex("audio/librispeech")


@pytest.mark.parametrize("width", [10, 20, 31, 40, 57, 71, 83, 103, 200])
def test_no_row_is_wider_than_the_terminal_or_takes_two_lines(clock: Clock, width: int) -> None:
    console = terminal(width)
    reporter = Reporter(console=console, clock=clock)
    work(reporter, clock)
    reporter.begin("text/" + "a_very_long_name" * 6, 1_000_000, stage="prepare")
    reporter.end()
    shown = last_table(console)
    assert all(len(line) <= width for line in shown)
    assert len(shown) <= 4  # a header, where any column has one, and three rows
    if width > 30:
        assert any("4/4" in line for line in shown)


def test_no_color_is_respected(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    def colours(**environ: str) -> bool:
        console = Console(
            file=io.StringIO(), force_terminal=True, width=120, color_system="truecolor", _environ=environ
        )  # fmt: skip
        reporter = Reporter(console=console, clock=clock)
        work(reporter, clock)
        reporter.end()
        return re.search(r"\x1b\[[0-9;]*(3[0-7]|38;)[0-9;]*m", written(console)) is not None

    assert colours() and not colours(NO_COLOR="1")


def test_several_steps_may_share_one_table(clock: Clock) -> None:
    console = terminal()
    reporter = Reporter(console=console, clock=clock)
    with reporter.together():
        work(reporter, clock)
        reporter.end()
        reporter.begin("audio", 2, stage="combine")
        reporter.advance("audio", kept=1250, pieces=2)
        reporter.end()
    shown = last_table(console)
    assert [line.split()[0] for line in shown[1:]] == ["audio/librispeech", "audio/ljspeech", "audio"]
    assert written(console).count("\x1b[?25l") == 1


# --- elsewhere ---


def test_a_log_gets_a_line_every_few_seconds_and_a_closing_one(clock: Clock) -> None:
    stream = io.StringIO()
    reporter = Reporter(stream=stream, clock=clock)
    reporter.begin("text/books", 100, stage="prepare")
    for _ in range(100):
        clock.now += 0.25
        reporter.advance("text/books", kept=10, lost=1)
    reporter.end()
    lines = stream.getvalue().splitlines()
    assert len(lines) == 25 / PLAIN_SECONDS
    assert lines[0] == "text/books (prepare): 20/100, 200 kept, 20 quarantined, 40/s, 0:20 left"
    assert lines[-1] == "text/books (prepare): 100/100, 1,000 kept, 100 quarantined, 40/s, in 0:25"
    assert "\x1b" not in stream.getvalue()


def test_short_work_is_one_line_a_corpus_and_no_work_is_none(clock: Clock) -> None:
    stream = io.StringIO()
    reporter = Reporter(stream=stream, clock=clock)
    reporter.begin("text/empty", 0)
    reporter.begin("text/a", 1)
    reporter.begin("text/b", 1)
    reporter.advance("text/b", kept=7)
    reporter.advance("text/a")
    reporter.end()
    reporter.end()
    assert stream.getvalue().splitlines() == [
        "text/a: 1/1, 0 records, in 0:00",
        "text/b: 1/1, 7 records, in 0:00",
    ]


def test_more_to_do_of_the_same_counts_on(clock: Clock) -> None:
    stream = io.StringIO()
    reporter = Reporter(stream=stream, clock=clock)
    reporter.begin("text/a", 2)
    reporter.advance("text/a", kept=5, pieces=2)
    reporter.begin("text/a", 3)
    reporter.advance("text/a", kept=5, pieces=3)
    reporter.end()
    assert stream.getvalue() == "text/a: 5/5, 10 records, in 0:00\n"


def test_quiet_is_silent(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMNI_RAY_VERBOSE", "1")
    stream = io.StringIO()
    reporter = Reporter(quiet=True, stream=stream, clock=clock)
    work(reporter, clock)
    reporter.say("hello")
    reporter.note("hello")
    reporter.end()
    assert stream.getvalue() == ""


def test_a_dumb_terminal_is_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    assert Reporter(stream=Terminal()).is_live
    monkeypatch.setenv("TERM", "dumb")
    assert not Reporter(stream=Terminal()).is_live


def test_several_threads_may_tell(clock: Clock) -> None:
    stream = io.StringIO()
    reporter = Reporter(stream=stream, clock=clock)
    reporter.begin("a", 4000)

    def tell() -> None:
        for _ in range(1000):
            reporter.advance("a", kept=1)

    threads = [threading.Thread(target=tell) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reporter.end()
    assert stream.getvalue().startswith("a: 4,000/4,000, 4,000 records")


def test_times_read_like_a_clock() -> None:
    assert [clock_time(seconds) for seconds in (0, 59.4, 59.6, 3599, 3600, 90_061)] == [
        "0:00", "0:59", "1:00", "59:59", "1:00:00", "25:01:01",
    ]  # fmt: skip
