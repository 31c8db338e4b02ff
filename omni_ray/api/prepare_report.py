"""What ``prepare`` did, for people, notebooks and machines."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from omni_ray.api.notebook import InNumbers
from omni_ray.pipeline.combined import Combined
from omni_ray.pipeline.corpus_state import Summary

_COUNTED = re.compile(r"([\d,]+ of [\d,]+) (.*)", re.DOTALL)


def said_once(said: Iterable[tuple[str, str]]) -> list[str]:
    """Sentences, each with the corpus that it is about; those that say the same of other numbers of samples as one."""
    counts: dict[str, list[str]] = {}
    for name, sentence in said:
        counted = _COUNTED.fullmatch(sentence)
        what, count = (counted[2], f"{name}: {counted[1]}") if counted else (f"{name}: {sentence}", "")
        counts.setdefault(what, []).append(count)
    return [f"{', '.join(of)} {what}" if any(of) else what for what, of in counts.items()]


@dataclass
class PrepareReport(InNumbers):
    """What ``prepare`` did.

    Attributes:
        summaries: each corpus in numbers.
        skipped: corpora that ``--dataset`` named but whose source is not there, with the reason.
        files: flat files written, where ``combine`` was asked for.
        warnings: sentences a user should read.
        units_made: units of work done in this run; 0 where everything was there already.
        max_quarantine: the share of faulty records a corpus may have.
    """

    summaries: list[Summary] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    files: list[Combined] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    units_made: int = 0
    max_quarantine: float = 0.05

    @property
    def shortfalls(self) -> list[str]:
        """Sentences about corpora that are not what they should be; empty when all is well."""
        found = []
        for summary in self.summaries:
            if summary.fault_share > self.max_quarantine:
                found.append(
                    f"{summary.name}: {summary.faults:,} of {summary.kept + summary.quarantined:,} records are faulty "
                    f"({summary.fault_share:.1%}, over --max-quarantine {self.max_quarantine:.1%}); "
                    f"see `omni-ray status --quarantine`"
                )
            elif summary.records_in and not summary.samples:
                found.append(f"{summary.name}: none of {summary.records_in:,} records was kept")
            files = summary.files
            if files.fault_share > self.max_quarantine:
                found.append(
                    f"{summary.name}: {files.faults:,} of {files.read + files.faults:,} files of the source look like "
                    f"{summary.modality} and are not read ({files.fault_share:.1%}, over --max-quarantine "
                    f"{self.max_quarantine:.1%}), first: {files.unread[0].sentence}"
                )
        return found

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "corpora": [summary.as_dict() for summary in self.summaries],
            "skipped": self.skipped,
            "files": [vars(file) for file in self.files],
            "warnings": self.warnings,
            "units_made": self.units_made,
            "shortfalls": self.shortfalls,
            "exit_code": self.exit_code,
        }
