"""What a report of corpora in numbers is to a shell and to a notebook."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from html import escape

from omni_ray.errors import DONE, FALLS_SHORT
from omni_ray.pipeline.corpus_state import Summary
from omni_ray.visible import visible

_HEADER = ("corpus", "in", "kept", "quarantined", "beyond limit", "removed", "samples")


class InNumbers(ABC):
    """A report of corpora in numbers.

    Attributes:
        summaries: each corpus in numbers.
    """

    summaries: list[Summary]

    @property
    @abstractmethod
    def shortfalls(self) -> list[str]:
        """Sentences about corpora that are not what they should be; empty where all is well."""

    @property
    def exit_code(self) -> int:
        """0, or 1 where a corpus falls short."""
        return FALLS_SHORT if self.shortfalls else DONE

    def _repr_html_(self) -> str:
        """For notebooks."""
        return _html(self.summaries, self.shortfalls)


def _html(summaries: Sequence[Summary], shortfalls: Sequence[str]) -> str:
    """A table of corpora in numbers, and sentences about what falls short, as HTML."""
    head = "".join(f"<th>{name}</th>" for name in _HEADER)
    rows = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in _cells(each))}</tr>" for each in summaries)
    short = "".join(f"<p>falls short: {escape(visible(sentence))}</p>" for sentence in shortfalls)
    return f"<table><tr>{head}</tr>{rows}</table>{short}"


def _cells(summary: Summary) -> list[str]:
    removed = sum(summary.removed.values())
    numbers = (summary.records_in, summary.kept, summary.quarantined, summary.beyond, removed, summary.samples)
    cells = [escape(visible(f"{summary.modality}/{summary.name}")), *(f"{number:,}" for number in numbers)]
    if summary.beyond_share:
        cells[_HEADER.index("beyond limit")] += f" + {summary.beyond_share:,} samples beyond its share"
    return cells
