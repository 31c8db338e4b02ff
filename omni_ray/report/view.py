"""What the page shows of a modality: what is counted, which samples, and how they look. One file each in ``views/``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from omni_ray.report.histogram import Histogram

EXAMPLES_PER_REASON = 3
LONGEST_TEXT = 420
"""Characters of a sample's text that are shown."""
_LONGEST_SHOWN = 240


@dataclass
class Counted:
    """What was counted: histograms by key, characters, rows, and examples of what was lost by reason."""

    histograms: dict[str, Histogram] = field(default_factory=dict)
    characters: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    examples: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, other: Counted) -> None:
        """Take in a later shard's."""
        for key, histogram in other.histograms.items():
            if key in self.histograms:
                self.histograms[key].merge(histogram)
            else:
                self.histograms[key] = histogram
        self.characters.update(other.characters)
        self.rows += other.rows
        for reason, rows in other.examples.items():
            mine = self.examples.setdefault(reason, [])
            mine += rows[: EXAMPLES_PER_REASON - len(mine)]

    def sum(self, key: str) -> float:
        """The sum over a histogram's values; 0 where there is none."""
        histogram = self.histograms.get(key)
        return histogram.sum if histogram else 0.0

    def count_characters(self, texts: pa.ChunkedArray) -> None:
        """Add those of all texts."""
        self.characters.update("".join(text for text in texts.to_pylist() if text))


@dataclass(frozen=True)
class View:
    """How a modality is shown.

    Attributes:
        shown: samples of a corpus.
        show: a row of a shard to what the template shows of it. Raises ValueError, OSError or RuntimeError for a damaged one.
        template: Jinja, for the list ``samples``.
        columns: those of shards that are counted; never media.
        histograms: empty ones, by key.
        count: adds rows to them.
        note: what samples come to, after their number: " on 500 pictures".
        letters: what the characters shown are of; "" where none are counted.
    """

    shown: int
    show: Callable[[dict[str, Any]], dict[str, Any]]
    template: str
    columns: tuple[str, ...]
    histograms: Callable[[], dict[str, Histogram]]
    count: Callable[[Counted, pa.Table], None]
    note: Callable[[Sequence[Counted]], str]
    letters: str = ""


def view_of(modality: str) -> View:
    """How a modality is shown: the ``VIEW`` of its module."""
    return import_module(f"omni_ray.report.views.{modality}").VIEW  # type: ignore[no-any-return]


def lengths(texts: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """Characters of each text; 0 for none."""
    return pc.fill_null(pc.utf8_length(texts), 0).to_numpy().astype(np.float64)  # type: ignore[no-any-return]


def floats(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """The values that are there."""
    return pc.drop_null(column).to_numpy().astype(np.float64)  # type: ignore[no-any-return]


def shortened(text: str | None, longest: int = _LONGEST_SHOWN) -> str:
    """At most ``longest`` characters, with an ellipsis where there were more."""
    text = text or ""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
