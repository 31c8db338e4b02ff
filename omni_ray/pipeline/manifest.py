"""Manifests: what a shard holds and how it came to be. A manifest is written last: it is the commit of its unit."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from omni_ray.digests import digest_of_json

FORMAT = 1


@dataclass(frozen=True)
class CommittedFile:
    """A committed file: its name, rows, size in bytes and SHA-256."""

    file: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What one shard holds and how it came to be.

    Attributes:
        unit: the unit's number in canonical order; it decides the file's name.
        fingerprint: digest of the unit's inputs, parameters and code version; another digest makes it stale.
        shard: the Parquet file of samples.
        quarantine: the Parquet file of quarantined records, or None where there are none.
        samples: training examples in the shard (its rows, but for images: their captions).
        records: input records by outcome: ``in`` = ``kept`` + ``quarantined``.
        reasons: quarantined records by reason code.
        stats: additive sums the modality reports (seconds of audio, say).
        marks: what tells its records from others, as :meth:`omni_ray.pipeline.marks.Marks.as_json` gives it.
    """

    unit: int
    fingerprint: str
    shard: CommittedFile
    quarantine: CommittedFile | None
    samples: int
    records: Mapping[str, int]
    reasons: Mapping[str, int]
    stats: Mapping[str, float] = field(default_factory=dict)
    marks: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> bytes:
        """The manifest file's bytes; deterministic."""
        files = {"shard": vars(self.shard), "quarantine": vars(self.quarantine) if self.quarantine else None}
        value = {"format": FORMAT, **vars(self), **files}  # asdict copies, which takes longer than all the rest
        return json.dumps({**value, "digest": _digest(value)}, sort_keys=True, indent=1).encode() + b"\n"

    @classmethod
    def from_json(cls, data: bytes) -> Manifest:
        """Raises ValueError, KeyError or TypeError where ``data`` is not a manifest of this format, as it was written."""
        value = json.loads(data)
        if (digest := value.pop("digest", None)) is not None and digest != _digest(value):
            raise ValueError("not as it was written")
        if value.pop("format") != FORMAT:
            raise ValueError("another format")
        value["shard"] = CommittedFile(**value["shard"])
        value["quarantine"] = CommittedFile(**value["quarantine"]) if value["quarantine"] else None
        return cls(**value)


def _digest(value: Mapping[str, Any]) -> str:
    return digest_of_json(value)[:16]


_PART = re.compile(r"part-(\d{5,})(\.quarantine)?\.(parquet|json)")


def part_name(unit: int) -> str:
    """The name, without ending, of the files of unit ``unit``."""
    return f"part-{unit:05d}"


def parts_of(files: Iterable[str]) -> list[tuple[int, str]]:
    """Unit and ending of the files that prepare names, in order; whatever else is there is somebody else's."""
    found = [_PART.fullmatch(name) for name in sorted(files)]
    return [(int(match[1]), match[3]) for match in found if match and part_name(int(match[1])) in match[0]]
