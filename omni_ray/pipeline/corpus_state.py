"""The outcome of the last ``prepare`` of a corpus, as ``corpus.json`` keeps it, and the corpus in numbers."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from omni_ray.pipeline.manifest import FORMAT, Manifest
from omni_ray.reasons import is_fault
from omni_ray.unread import Files

if TYPE_CHECKING:
    from omni_ray.pipeline.repeats import Repeats

CORPUS_FILE = "corpus.json"
FINGERPRINT = 16
"""How many characters of a unit's fingerprint ``corpus.json`` repeats: enough to tell it from every other."""


@dataclass
class SampleLimit:
    """Where ``max_samples`` ends a corpus: the first ``samples`` of unit ``unit`` are the last ones taken.

    ``records`` counts the input records that those samples stand for.
    """

    unit: int
    samples: int
    records: int


@dataclass
class CorpusState:
    """What ``corpus.json`` holds: the outcome of the last ``prepare`` of this corpus.

    Attributes:
        corpus: the corpus's kind, as in ``omni-ray list``.
        name: the name its shards and files carry; the kind unless the user gave another.
        modality: text, audio, images or ocr.
        source: where the bytes came from, as the user wrote it.
        params: the modality's parameters.
        max_samples: the limit, or None.
        units: units the corpus has in all.
        required: units, from the first, that the limit needs; they are what later steps read.
        unread_records: input records in the units that were not needed, or None where nobody has counted them.
        cut: where the limit falls, or None where it does not.
        licence, homepage: for reports.
        fingerprints: the first :data:`FINGERPRINT` characters of the required units' fingerprints, joined: a manifest of
            another one is an earlier run's, written late. Empty where nobody noted them.
        files: the files of the source, read and not read; None where an earlier version prepared it.
        sources: what tells the sources from others; empty where an earlier version prepared it.
        chosen: the options that chose among the records of the source, with their values.
        held_from: the number of the first unit that is held out from training: it and all later ones are splits to measure
            on. None where none is.
        measured: the splits to measure on that were found in the source.
    """

    corpus: str
    name: str
    modality: str
    source: str
    params: dict[str, Any]
    max_samples: int | None
    units: int
    required: int
    unread_records: int | None
    cut: SampleLimit | None
    licence: str
    homepage: str
    fingerprints: str = ""
    files: Files | None = None
    sources: tuple[str, ...] = ()
    held_from: int | None = None
    chosen: dict[str, list[str]] = field(default_factory=dict)
    measured: tuple[str, ...] = ()

    def is_held(self, unit: int) -> bool:
        """Whether a unit is held out from training."""
        return self.held_from is not None and unit >= self.held_from

    def wants(self, manifest: Manifest) -> bool:
        """Whether a manifest is of what the last ``prepare`` asked for; for units that it does not need, any will do."""
        noted = self.fingerprints[manifest.unit * FINGERPRINT :][:FINGERPRINT]
        return manifest.fingerprint.startswith(noted)

    def as_json(self) -> bytes:
        """The file's bytes; deterministic."""
        return json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True, indent=1).encode() + b"\n"

    @classmethod
    def from_json(cls, data: bytes) -> CorpusState:
        """Raises ValueError, KeyError or TypeError where ``data`` is not of this format."""
        value = json.loads(data)
        if value.pop("format") != FORMAT:
            raise ValueError("another format")
        value["cut"] = SampleLimit(**value["cut"]) if value["cut"] else None
        value["sources"] = tuple(value.get("sources", ()))
        value["measured"] = tuple(value.get("measured", ()))
        value["files"] = Files.from_dict(value["files"]) if value.get("files") else None
        return cls(**value)


@dataclass
class Summary:
    """A corpus in numbers. ``records_in == kept + quarantined + beyond``, always.

    Attributes:
        units_left: units that are needed but not committed (an interrupted run).
        unread_units: units nobody read because the limit was reached, and nobody has counted; their records are
            in none of the sums.
        samples: training examples that combine will write.
        beyond_share: samples that do not belong in the mixture (``combine --weight``); they are not among ``samples``.
        faults: the part of ``quarantined`` that should have been usable (``Reason.fault``).
        files: the files of the source, read and not read.
        repeats: records that are in several of the files read, and so are read more than once.
    """

    name: str
    modality: str
    records_in: int = 0
    kept: int = 0
    quarantined: int = 0
    beyond: int = 0
    samples: int = 0
    beyond_share: int = 0
    faults: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    stats: Counter[str] = field(default_factory=Counter)
    units_done: int = 0
    units_left: int = 0
    unread_units: int = 0
    bytes: int = 0
    files: Files = field(default_factory=Files)
    repeats: list[Repeats] = field(default_factory=list)

    @property
    def removed(self) -> dict[str, int]:
        """Samples that cleaning removed, by reason; they are not among ``samples``."""
        return self._sums("removed.")

    @property
    def doubled(self) -> list[Repeats]:
        """``repeats``, unless cleaning removed the duplicates."""
        return [] if any("duplicate" in reason for reason in self.removed) else self.repeats

    @property
    def mended(self) -> dict[str, int]:
        """Samples that cleaning changed, by what it did."""
        return self._sums("mended.")

    def _sums(self, prefix: str) -> dict[str, int]:
        return {
            key.removeprefix(prefix): int(count)
            for key, count in sorted(self.stats.items())
            if key.startswith(prefix) and count
        }

    @property
    def fault_share(self) -> float:
        """Faults as a share of the records that were looked at."""
        looked_at = self.kept + self.quarantined
        return self.faults / looked_at if looked_at else 0.0

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {**asdict(self), "reasons": dict(self.reasons), "stats": dict(self.stats)}


def add_unit(total: Summary, manifest: Manifest, cut: SampleLimit | None) -> None:
    """Add a committed unit to the numbers of its corpus, as far as ``cut`` lets it count."""
    records = manifest.records
    total.records_in += records["in"]
    if cut is not None and manifest.unit > cut.unit:
        total.beyond += records["in"]
        return
    is_cut = cut is not None and manifest.unit == cut.unit
    kept = cut.records if cut is not None and is_cut else records["kept"]
    total.kept += kept
    total.beyond += records["kept"] - kept
    total.samples += cut.samples if cut is not None and is_cut else manifest.samples
    total.quarantined += records["quarantined"]
    total.reasons.update(manifest.reasons)
    total.faults += sum(count for code, count in manifest.reasons.items() if is_fault(code))
    # Sums are known only for the whole unit that the limit cuts: they count in proportion to its samples.
    share = cut.samples / manifest.samples if cut is not None and is_cut and manifest.samples else 1.0
    for key, value in manifest.stats.items():
        part = value * share
        total.stats[key] += int(part) if isinstance(value, int) else part  # type: ignore[assignment]
