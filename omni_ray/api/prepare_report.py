"""What ``prepare`` did, for people, notebooks and machines."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from omni_ray.api.combine_report import file_lines
from omni_ray.api.in_numbers import HEADER, InNumbers, numbers_row, source_and_clean_lines
from omni_ray.pipeline.combined import Combined
from omni_ray.pipeline.corpus_state import Summary
from omni_ray.results import table
from omni_ray.visible import visible

_UNREAD_SHOWN = 8
"""Kinds of files that were not read, of each corpus."""
_COUNTED = re.compile(r"([\d,]+ of [\d,]+) (.*)", re.DOTALL)


def said_once(said: Iterable[tuple[str, str]]) -> list[str]:
    """Sentences, each with the corpus that it is about; those that differ only in numbers of samples are joined."""
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

    def lines(self) -> list[str]:
        """The corpora as a table, what was quarantined, not read, cleaned and skipped, warnings, and the files."""
        found = [
            f"{each.name}: quarantined: "
            + ", ".join(f"{code} {count:,}" for code, count in sorted(each.reasons.items()))
            for each in self.summaries
            if each.reasons
        ]
        found += source_and_clean_lines(self.summaries, _UNREAD_SHOWN)
        found += [f"skipped {corpus}: {why}" for corpus, why in self.skipped.items()]
        found += [f"note: {warning}" for warning in self.warnings]
        found += file_lines(self.files)
        if not self.units_made:
            found.append("nothing to do: every shard was there already")
        return [*table(HEADER, [numbers_row(each) for each in self.summaries]), *map(visible, found)]

    def as_dict(self) -> dict[str, Any]:
        return {
            "corpora": [summary.as_dict() for summary in self.summaries],
            "skipped": self.skipped,
            "files": [vars(file) for file in self.files],
            "warnings": self.warnings,
            "units_made": self.units_made,
            "shortfalls": self.shortfalls,
            "exit_code": self.exit_code,
        }
