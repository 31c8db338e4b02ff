"""Histograms that add up: fixed bins, so that shards can be counted apart and the counts be summed."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt


@dataclass
class Histogram:
    """Counts of values in fixed bins.

    Attributes:
        title, unit: for people.
        edges: bin edges, ascending; values outside go to the first and the last bin.
        counts: one a bin.
    """

    title: str
    unit: str
    edges: list[float]
    counts: list[int] = field(default_factory=list)
    total: int = 0
    low: float = float("inf")
    high: float = float("-inf")

    def __post_init__(self) -> None:
        self.counts = self.counts or [0] * (len(self.edges) - 1)

    def add(self, values: npt.NDArray[np.float64]) -> None:
        """Count ``values``, shape (n,)."""
        if values.size == 0:
            return
        inside = np.clip(values, self.edges[0], np.nextafter(self.edges[-1], -np.inf))
        counts, _ = np.histogram(inside, bins=self.edges)
        self.counts = [a + int(b) for a, b in zip(self.counts, counts, strict=True)]
        self.total += int(values.size)
        self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))

    def merge(self, other: Histogram) -> None:
        """Add another one's counts; the bins must be the same."""
        self.counts = [a + b for a, b in zip(self.counts, other.counts, strict=True)]
        self.total += other.total
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)

    def quantile(self, share: float) -> float:
        """The upper edge of the bin in which the ``share`` of the values is reached."""
        reached = np.searchsorted(np.cumsum(self.counts), share * self.total)
        return self.edges[min(int(reached) + 1, len(self.edges) - 1)]


def linear(title: str, unit: str, low: float, high: float, bins: int = 30) -> Histogram:
    """Bins of equal width."""
    return Histogram(title, unit, [float(e) for e in np.linspace(low, high, bins + 1)])


def logarithmic(title: str, unit: str, low: float, high: float, bins: int = 30) -> Histogram:
    """Bins of equal ratio."""
    return Histogram(title, unit, [float(e) for e in np.geomspace(low, high, bins + 1)])
