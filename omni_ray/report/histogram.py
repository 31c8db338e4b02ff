"""Histograms that add up: fine fixed bins, so that shards can be counted separately; coarse ones to look at."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

_FINE = 1200
_SHOWN = 32
_TAIL = 0.998
"""The share of the values that a picture must show one by one; a few extremes would flatten the rest."""


@dataclass
class Histogram:
    """Counts of values in fixed bins.

    Attributes:
        title, unit: for people.
        edges: bin edges, ascending; values outside go to the first and the last bin.
        is_logarithmic: whether the bins are of equal ratio.
        is_whole: whether the values are whole numbers.
        counts: one a bin.
        total, sum, low, high: number, sum, least and greatest of the values.
    """

    title: str
    unit: str
    edges: list[float]
    is_logarithmic: bool = False
    is_whole: bool = False
    counts: list[int] = field(default_factory=list)
    total: int = 0
    sum: float = 0.0
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
        self.sum += float(values.sum())
        self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))

    def merge(self, other: Histogram) -> None:
        """Add another one's counts; the bins must be the same."""
        self.counts = [a + b for a, b in zip(self.counts, other.counts, strict=True)]
        self.total += other.total
        self.sum += other.sum
        self.low, self.high = min(self.low, other.low), max(self.high, other.high)

    def quantile(self, share: float) -> float:
        """The upper edge of the bin in which the ``share`` of the values is reached, and no more than the greatest."""
        reached = np.searchsorted(np.cumsum(self.counts), share * self.total)
        edge = min(self.edges[min(int(reached) + 1, len(self.edges) - 1)], self.high)
        return float(math.floor(edge)) if self.is_whole else edge

    def to_show(self) -> Histogram:
        """At most 32 bins over the range of the values, fewer for few values; the last one also holds the extremes beyond."""
        filled = [i for i, count in enumerate(self.counts) if count]
        if not filled:
            return self
        first = filled[0]
        last = int(np.searchsorted(np.cumsum(self.counts), _TAIL * self.total))
        bars = min(_SHOWN, max(6, int(2 * math.sqrt(self.total))))
        width = -(-(last - first + 1) // bars)
        starts = range(first, last + 1, width)
        counts = [sum(self.counts[i : i + width]) for i in starts]
        counts[-1] = self.total - sum(counts[:-1])
        edges = [self.edges[min(i, len(self.edges) - 1)] for i in (*starts, starts[-1] + width)]
        return replace(self, edges=edges, counts=counts)


def linear(title: str, unit: str, low: float, high: float, *, is_whole: bool = False) -> Histogram:
    """Bins of equal width."""
    return Histogram(title, unit, [float(e) for e in np.linspace(low, high, _FINE + 1)], is_whole=is_whole)


def logarithmic(title: str, unit: str, low: float, high: float, *, is_whole: bool = False) -> Histogram:
    """Bins of equal ratio."""
    edges = [float(e) for e in np.geomspace(low, high, _FINE + 1)]
    return Histogram(title, unit, edges, is_logarithmic=True, is_whole=is_whole)
