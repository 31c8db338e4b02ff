"""The pieces that verifying is cut into: what a worker gets, and what it gives back.

The process that leads reads each flat file once, from its head, as the trainers do, and cuts it into pieces; media
are decoded and rows judged where the pieces run. A piece does not know where that is.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from omni_ray.verify.report import FileReport, Notes
from omni_ray.verify.sightings import Sightings


@dataclass
class PieceFindings:
    """What was found in a piece.

    Attributes:
        key: that of the piece's file.
        notes: what is wrong; lines count from the piece's own first.
        rows, lost, decoded: as in :class:`FileReport`, of this piece.
        lines: how many begin in the piece.
        progress: how far into its file the piece reaches, from 0 to 1.
        broken: for images that later elements may name too: path and codes.
        sums: what :attr:`FileReport.facts` are made from.
        sightings: what is to be on one side only, and was seen here; see :mod:`omni_ray.verify.sightings`.
        examples: of what is on both sides: what kind of thing, and its places held out and trained on.
    """

    key: str
    notes: Notes
    rows: int = 0
    lost: int = 0
    decoded: int = 0
    lines: int = 0
    progress: float = 1.0
    broken: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    sums: Counter[str] = field(default_factory=Counter)
    sightings: dict[str, Sightings] = field(default_factory=dict)
    examples: list[tuple[str, int, int]] = field(default_factory=list)


Runner = Callable[..., Iterator[PieceFindings]]
"""Maps :func:`check` over pieces, which are made as they are taken; results come in the pieces' order. ``at_once`` gets each
result as it comes, and returns the part of it that waits for its turn."""


class Piece(ABC):
    """A part of one file. Small and picklable."""

    @property
    def weight(self) -> int:
        """About how many clips or images it would take as long to decode."""
        return 1

    @abstractmethod
    def check(self) -> PieceFindings:
        """Look at it. Never raises, whatever the data are like."""


def check(piece: Piece) -> PieceFindings:
    """What a worker calls."""
    return piece.check()


class FileCheck(ABC):
    """One file under examination, in the process that leads.

    Attributes:
        side: of :mod:`omni_ray.verify.sightings`, where the file is compared with one of the other side; else 0.
    """

    def __init__(self, key: str, kind: str) -> None:
        self.side = 0
        self.report = FileReport(key, kind)
        self.notes = Notes(kind)
        self.sums: Counter[str] = Counter()

    @property
    def key(self) -> str:
        """The file, relative to the project folder; its parts carry it."""
        return self.report.file

    @abstractmethod
    def pieces(self) -> Iterator[Piece]:
        """Cut the file into pieces, noting on the way what only the whole shows."""

    def absorb(self, part: PieceFindings) -> None:
        """Take in what was found in a piece; called in the order of the pieces."""
        self.notes.merge(part.notes)
        self.report.lost += part.lost
        self.report.decoded += part.decoded
        self.sums += part.sums

    def finish(self) -> None:
        """After the last piece."""
        report = self.report
        if self.notes.loses_all():
            report.lost = max(report.rows, report.expected or 0)
        elif report.expected not in (None, report.rows):
            self.notes.add("count_mismatch", f"{report.rows:,} samples here, {report.expected:,} in the shards")
