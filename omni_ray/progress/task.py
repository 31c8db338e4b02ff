"""A piece of work, and how far it is."""

from __future__ import annotations

from dataclasses import dataclass

_WORDS = {
    "prepare": ("kept", "quarantined"),
    "clean": ("kept", "removed"),
    "duplicates": ("compared", "found"),
    "verify": ("read", "lost"),
}
"""What records are called, by stage, and those that are lost; the other stages lose none."""


@dataclass
class Task:
    """One piece of work, and how far it is.

    Attributes:
        title, stage: what is worked on (a corpus, a file), and what is done with it.
        total, done: pieces.
        kept, lost: records so far.
        started, ended: in seconds of the reporter's clock; ``ended`` is None while there is something left.
        said: how many pieces the last plain line reported.
    """

    title: str
    stage: str
    total: int
    started: float
    done: int = 0
    kept: int = 0
    lost: int = 0
    ended: float | None = None
    said: int = 0

    @property
    def words(self) -> tuple[str, str]:
        """What its records are called, and those that are lost; the latter is empty where none can be."""
        return _WORDS.get(self.stage, ("records", ""))

    def seconds(self, now: float) -> float:
        """How long it has taken."""
        return max((now if self.ended is None else self.ended) - self.started, 0.0)

    def rate(self, now: float) -> str:
        """Records kept in a second; empty before there are any."""
        seconds = self.seconds(now)
        if not self.kept or not seconds:
            return ""
        rate = self.kept / seconds
        return f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s"

    def time(self, now: float) -> str:
        """How long it took, or how long it will still take; empty where that is not known yet."""
        if self.ended is not None:
            return f"in {clock_time(self.seconds(now))}"
        if not self.done or self.done >= self.total:
            return ""
        return f"{clock_time((self.total - self.done) * self.seconds(now) / self.done)} left"

    def line(self, now: float) -> str:
        """All of it in one line."""
        what = f"{self.title} ({self.stage})" if self.stage else self.title
        kept, lost = self.words
        numbers = [f"{self.done:,}/{self.total:,}", f"{self.kept:,} {kept}"]
        if lost:
            numbers.append(f"{self.lost:,} {lost}")
        return f"{what}: {', '.join([*numbers, *filter(None, (self.rate(now), self.time(now)))])}"


def clock_time(seconds: float) -> str:
    """Seconds as ``0:07``, ``12:34`` or ``3:04:05``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
