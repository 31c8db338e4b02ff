"""The whole way in about a minute: corpora made here, in their native layouts, through the real pipelines.

Nothing in it is special to the demo: it makes sources, and then does what a user would do.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omni_ray import api
from omni_ray.api.in_numbers import HEADER, numbers_row
from omni_ray.errors import DONE, FALLS_SHORT, OmniError, written_in
from omni_ray.pipeline import engine
from omni_ray.pipeline.corpus_state import Summary
from omni_ray.progress.reporter import Reporter, usual
from omni_ray.results import Report, table
from omni_ray.storage import TEMPORARY, remove_temporaries, write_atomic
from omni_ray.synth import native
from omni_ray.trainers.files import all_modalities, files_of
from omni_ray.visible import visible

if TYPE_CHECKING:
    from omni_ray.synth.native_task import ExpectedCounts
    from omni_ray.training.plan import PlanReport
    from omni_ray.verify.report import VerifyReport

MAX_SAMPLES = 1_500
"""Low enough that some corpora go beyond it, so that the table shows what that looks like."""
_MARK = ".omni-demo"


@dataclass
class DemoReport(Report):
    """What the demo did.

    Attributes:
        summaries: each corpus in numbers, as cleaned, with the seconds it took to prepare.
        files: the training files, by path relative to the root.
        surprises: corpora that came out otherwise than their maker says.
        verified: what reading everything back found.
        plan: the training plan.
        page: the report page.
        seconds: in all.
    """

    root: Path
    summaries: list[tuple[Summary, float]] = field(default_factory=list)
    files: dict[str, int] = field(default_factory=dict)
    surprises: list[str] = field(default_factory=list)
    verified: VerifyReport | None = None
    plan: PlanReport | None = None
    page: Path | None = None
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether everything is as it should be."""
        return not self.surprises and self.verified is not None and self.verified.ok and not self.not_planned

    @property
    def exit_code(self) -> int:
        return DONE if self.ok else FALLS_SHORT

    @property
    def not_planned(self) -> list[str]:
        """Why some configurations could not be planned."""
        return self.plan.problems if self.plan is not None else ["the plan was not made"]

    def closing_lines(self) -> list[str]:
        """What to look at, and what to do next."""
        lines = [f"{path}: {count:,} records" for path, count in self.files.items()]
        removed = Counter[str]()
        for summary, _ in self.summaries:
            removed.update(summary.removed)
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(removed.items()))
        lines.append(f"cleaned away: {removed.total():,} samples{f' ({reasons})' if reasons else ''}")
        lines += [f"not as expected: {surprise}" for surprise in self.surprises]
        if self.verified is not None:
            lines.append(
                "verified: the trainers can use all of it"
                if self.verified.ok
                else "verify found losses: omni-ray verify"
            )
        lines += [f"not planned: {problem}" for problem in self.not_planned]
        lines.append(f"done in {self.seconds:.0f} s. Training files: {self.root}/data; configs: {self.root}/configs")
        lines.append(f"look at it: {self.page}")
        lines.append("next: omni-ray list; omni-ray prepare audio --dataset librispeech --combine")
        return lines

    def lines(self) -> list[str]:
        """The closing table, what to look at, and what to do next."""
        rows = [
            [*numbers_row(s), f"data/{s.modality}/{files_of(s.modality)[0].of(s.name)}", f"{seconds:.1f}"]
            for s, seconds in self.summaries
        ]
        return [*table((*HEADER, "output file", "seconds"), rows), "", *map(visible, self.closing_lines())]

    def as_dict(self) -> dict[str, Any]:
        return {
            "root": str(self.root),
            "ok": self.ok,
            "corpora": [{**summary.as_dict(), "seconds": round(seconds, 2)} for summary, seconds in self.summaries],
            "files": self.files,
            "surprises": self.surprises,
            "not_planned": self.not_planned,
            "report": str(self.page),
            "seconds": round(self.seconds, 1),
        }


def run_demo(
    root: str | Path,
    *,
    seed: int = 42,
    cluster: api.Cluster | None = None,
    reporter: Reporter | None = None,
) -> DemoReport:
    """Make corpora, prepare, clean, combine, verify and plan them under ``root``.

    Raises:
        OmniError: the folder holds something else, or cannot be written.
    """
    _begin(Path(root))

    started = time.monotonic()
    told = reporter or usual()
    report = DemoReport(Path(root))
    told.say("making small corpora in their native layouts")
    with (cluster or api.Cluster()).session(), told.together():
        sources = Path(root) / "sources"
        for name, expected in native.write_native(sources, seed, run=engine.on_ray).items():
            made = _prepare(root, name, sources, expected, told)
            report.summaries.append(made)
            report.surprises += _surprise(made[0], expected)
        report.summaries.sort(key=lambda item: (all_modalities().index(item[0].modality), item[0].name))
        cleaned = api.clean(root, preset="default", reporter=told)
        now = {(each.modality, each.name): each for each in cleaned.summaries}
        report.summaries = [(now[each.modality, each.name], seconds) for each, seconds in report.summaries]
        for file in api.combine(root, reporter=told):
            if file.is_production:
                report.files[file.path] = file.records
        told.say("reading everything back as the trainers do")
        report.verified = api.verify(root, reporter=told)
        told.say("counting tokens, sizing models, writing configs")
        report.plan = api.plan(root)
        report.page = api.write_report(root, plan=report.plan).path
    report.seconds = time.monotonic() - started
    return report


def _begin(root: Path) -> None:
    """Mark the folder as the demo's. Raises OmniError where it is another project's, or holds anything else."""
    if (root / _MARK).is_file():
        return
    with written_in(root):
        there = sorted(name for name in os.listdir(root) if not name.startswith(TEMPORARY)) if root.exists() else []
        if there:
            raise OmniError(
                f"{root}: holds {visible(there[0])}, and is not a demo's; choose an empty or a new folder with --root"
            )
        write_atomic(root / _MARK, b"A project of `omni-ray demo`; remove the whole folder when you are done.\n")
        remove_temporaries(root)


def _prepare(
    root: str | Path, name: str, sources: Path, expected: ExpectedCounts, told: Reporter
) -> tuple[Summary, float]:
    started = time.monotonic()
    made = api.prepare(
        root,
        expected.modality,
        dataset=expected.corpus,
        source=str(sources / expected.source),
        name=name,
        max_samples=MAX_SAMPLES,
        reporter=told,
    )
    return made.summaries[0], time.monotonic() - started


def _surprise(summary: Summary, expected: ExpectedCounts) -> list[str]:
    """A sentence where other numbers came out than the maker of the corpus put in."""
    seen = (summary.records_in, dict(summary.reasons))
    if summary.beyond or seen == (expected.records, expected.reasons):
        return []
    return [f"{summary.name}: {seen[0]} records and {seen[1]}, expected {expected.records} and {expected.reasons}"]
