"""A synthetic corpus to write, and what preparing it should give."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from omni_ray.synth.clips import Engine
from omni_ray.trainers.files import ModalityName

_VERSION = 2
"""Raised when the same seed gives other corpora than before."""


def put(path: Path, data: bytes | str) -> None:
    """Write a file, in folders that need not be there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)


@dataclass(frozen=True)
class ExpectedCounts:
    """A corpus, and what preparing it should give.

    Attributes:
        corpus: which reader it is for, as in ``--dataset``.
        source: its folder or file relative to the root, for ``--source``.
        reasons: records that are not kept, by reason code.
    """

    corpus: str
    modality: ModalityName
    source: str
    records: int
    reasons: dict[str, int] = field(default_factory=dict)

    @property
    def quarantined(self) -> int:
        """Records that are not kept."""
        return sum(self.reasons.values())

    @property
    def kept(self) -> int:
        """Records that are."""
        return self.records - self.quarantined


@dataclass(frozen=True)
class CorpusToWrite:
    """One corpus to write, in the folder ``name`` of ``root``; ``scale`` multiplies the number of records."""

    name: str
    root: str
    seed: int
    scale: float
    speech: Engine

    def count(self, usual: int, least: int) -> int:
        """How many of something, ``usual`` being right at scale 1."""
        return max(least, round(usual * self.scale))

    def stamp(self) -> dict[str, Any]:
        """What the corpus depends on."""
        stamp = {**asdict(self), "version": _VERSION}
        del stamp["root"]
        return stamp
