"""What cleaning a table gives: the rows that stay, and an account of every sample that does not."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from omni_ray.modalities.registry import modality as modality_of

REMOVED_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("where", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("samples", pa.int32()),
    ]
)


@dataclass(frozen=True)
class Cleaned:
    """The outcome for one table.

    Attributes:
        kept: the rows that stay, in their order, with the columns and types they had; mended where rules mend.
        removed: columns of ``REMOVED_SCHEMA``: what went, the file it was in, why, what was measured, and for how many
            samples (lines, clips, captions, words) the row stands.
        stats: ``samples_in``, ``samples_kept``, ``removed.<reason>``, ``mended.<change>``; sums, to be added up over tables.
            ``samples_in`` is ``samples_kept`` plus all ``removed.<reason>``.
    """

    kept: pa.Table
    removed: pa.Table
    stats: dict[str, int] = field(default_factory=dict)


@dataclass
class Account:
    """Collects removals while a table is cleaned."""

    where: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    mended: Counter[str] = field(default_factory=Counter)

    def remove(self, name: str, reason: str, detail: str, samples: int = 1) -> None:
        """Note ``samples`` samples of the row ``name`` as removed."""
        self.rows.append({"id": name, "where": self.where, "reason": reason, "detail": detail, "samples": samples})

    def close(self, rows: pa.Table, kept: pa.Table, modality: str) -> Cleaned:
        """The outcome for the shard rows of a modality, and those that are left of them.

        Raises:
            AssertionError: samples went missing; a bug, never a matter of data.
        """
        samples_in, samples_kept = (sum(modality_of(modality).samples_per_row(each)) for each in (rows, kept))
        removed = pa.Table.from_pylist(self.rows, schema=REMOVED_SCHEMA)
        reasons: Counter[str] = Counter()
        for row in self.rows:
            reasons[row["reason"]] += row["samples"]
        if samples_in != samples_kept + sum(reasons.values()):
            raise AssertionError(f"{self.where}: {samples_in} samples in, {samples_kept} kept, removed {dict(reasons)}")
        stats = {"samples_in": samples_in, "samples_kept": samples_kept}
        stats |= {f"removed.{reason}": count for reason, count in sorted(reasons.items())}
        stats |= {f"mended.{name}": count for name, count in sorted(self.mended.items()) if count}
        return Cleaned(kept, removed, stats)
