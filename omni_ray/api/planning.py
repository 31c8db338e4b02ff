"""What the trainers are to do with the training files: the plan, the tokenizer, and the page that shows it all."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omni_ray.api.options import PlanOptions, ReportOptions, TokenizerOptions, verb
from omni_ray.api.overview import status
from omni_ray.pipeline.engine import inline
from omni_ray.report import page
from omni_ray.results import Report
from omni_ray.training import plan as planned
from omni_ray.training import vocabulary
from omni_ray.training.report import PlanReport
from omni_ray.visible import visible

_MANY = 500_000
"""Samples; up to here, starting Ray takes longer than counting."""


@verb(PlanOptions)
def plan(root: Path, asked: PlanOptions) -> PlanReport:
    """Plan the training runs of a project and, unless it is a dry run, write their configurations.

    Configurations with problems are named in the report and not planned; the others are. Every configuration that shares the
    tokenizer gets its ``vocab_size``, planned or not.

    Raises:
        OmniError: the options make no sense, or another run is at work in ``root``.

    Example:
        >>> report = api.plan("project", configs=["thinker"], dry_run=True)
        >>> [plan.title for plan in report.plans], report.written
        (['[Stage A] Text-only Training'], [])
    """
    options = {name: value for name, value in vars(asked).items() if name != "cluster"}
    with ExitStack() as stack:
        return planned.plan(root, **options, run=asked.cluster.runner(stack))


@verb(TokenizerOptions)
def train_tokenizer(root: Path, asked: TokenizerOptions) -> vocabulary.TokenizerReport:
    """Train the project's tokenizer, put it where the trainers look, and set ``vocab_size`` in their configurations.

    Raises:
        OmniError: no text, weights would lose their tokenizer or the user their own, or a configuration cannot be read.

    Example:
        >>> made = api.train_tokenizer("project", vocab_size=60)
        >>> made.vocabulary.trained.pieces
        60
    """
    with ExitStack() as stack:
        return vocabulary.train_tokenizer(
            root,
            vocab_size=asked.vocab_size,
            sample_bytes=asked.sample_mb << 20,
            data=asked.data,
            force=asked.force,
            shards=asked.shards,
            run=asked.cluster.runner(stack),
        )


@dataclass
class PageReport(Report):
    """The page that was written.

    Attributes:
        path: where it is.
        bytes: its size.
    """

    path: Path
    bytes: int

    def lines(self) -> list[str]:
        return [visible(self.path)]

    def as_dict(self) -> dict[str, Any]:
        return {"page": str(self.path), "bytes": self.bytes}


@verb(ReportOptions)
def write_report(root: Path, asked: ReportOptions) -> PageReport:
    """Write the page about everything that is prepared: one self-contained HTML file.

    Raises:
        OmniError: nothing is prepared, or ``out`` is no place for a page.

    Example:
        >>> api.write_report("project").path.name
        'report.html'
    """
    is_small = sum(summary.samples for summary in status(root, shards=asked.shards)) <= _MANY
    with ExitStack() as stack:
        run = inline if is_small else asked.cluster.runner(stack)
        path = page.write_report(root, asked.out, shards=asked.shards, run=run, plan=asked.plan)
    return PageReport(path, path.stat().st_size)
