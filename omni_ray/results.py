"""What became of a call, for a shell, a notebook and a machine: the base of every function's report, and plain tables."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict
from html import escape
from typing import Any, TypeVar

from omni_ray.errors import DONE, FALLS_SHORT
from omni_ray.visible import visible

Item = TypeVar("Item")


class Report(ABC):
    """What a function of :mod:`omni_ray.api` did. ``print(report)`` shows it in the command line's words."""

    @abstractmethod
    def lines(self) -> list[str]:
        """What the command prints, line by line, safe for a terminal."""

    def as_dict(self) -> dict[str, Any]:
        """All of it, as JSON can hold it: the fields of the report, which is a dataclass unless it says otherwise."""
        return asdict(self)  # type: ignore[call-overload, no-any-return]

    def as_json(self) -> Any:
        """What the command prints with ``--json``: :meth:`as_dict`, or a plain list where the report is one."""
        return self.as_dict()

    @property
    def shortfalls(self) -> list[str]:
        """Sentences about what is not as it should be; empty where all is well."""
        return []

    @property
    def complaints(self) -> list[str]:
        """What the command prints on standard error: the shortfalls."""
        return [f"falls short: {visible(each)}" for each in self.shortfalls]

    @property
    def exit_code(self) -> int:
        """0, or 1 where the result falls short."""
        return FALLS_SHORT if self.shortfalls else DONE

    def __str__(self) -> str:
        return "\n".join((*self.lines(), *self.complaints))

    def _repr_html_(self) -> str:
        """For notebooks."""
        return f"<pre>{escape(str(self))}</pre>"


class ListReport(Report, list[Item]):
    """A report that is a list: of files, of corpora in numbers, of sentences."""

    def as_dict(self) -> dict[str, Any]:
        """The list as ``items``, and the exit code."""
        return {"items": self.as_json(), "exit_code": self.exit_code}

    @abstractmethod
    def as_json(self) -> list[Any]:
        """What the command prints with ``--json``."""


class Sentences(ListReport[str]):
    """A report of a sentence or more about each corpus."""

    def lines(self) -> list[str]:
        return [visible(each) for each in self]

    def as_json(self) -> list[str]:
        return list(self)


def table(header: Sequence[str], rows: Sequence[Sequence[object]], *, left: int = 1) -> list[str]:
    """Aligned columns, no box art, the same on a terminal and in a log: the header, a rule, and each row in a line.

    The first ``left`` columns are left-aligned, the others right-aligned.
    """
    cells = [[f"{c:,}" if isinstance(c, int) else visible(c) for c in row] for row in (header, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    lines = []
    for row in cells:
        padded = [c.ljust(w) if i < left else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))]
        lines.append("  ".join(padded).rstrip())
    lines.insert(1, "  ".join("-" * w for w in widths))
    return lines
