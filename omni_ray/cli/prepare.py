"""``omni-ray prepare``: corpora to committed shards, and on to training files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from omni_ray import api
from omni_ray.api.options import PrepareOptions
from omni_ray.cli import options as opt
from omni_ray.cli.consent import consent
from omni_ray.cli.printing import echo, echo_lines
from omni_ray.cli.tables import (
    SUMMARY_HEADER,
    cleaned_line,
    file_lines,
    render,
    repeat_lines,
    summary_row,
    unread_lines,
)
from omni_ray.corpora.registry import add_file, select
from omni_ray.errors import SourceError
from omni_ray.option import SOURCE
from omni_ray.sources import is_missing

_UNREAD_SHOWN = 8


def check(asked: PrepareOptions) -> None:
    """Refuse what can be refused before a source is looked at.

    Raises:
        OmniError: no such dataset.
        SourceError: none of the sources is there.
    """
    if asked.corpus_file is not None:
        add_file(Path(asked.corpus_file))
    for each in asked.modalities:
        select(each, asked.dataset)
    if asked.sources and all(map(is_missing, asked.sources)):
        raise SourceError(f"{asked.sources[0]}: no such file or folder; give --source an existing one")


@opt.taking(PrepareOptions, check)
def prepare(
    *,
    root: opt.Root = Path(),
    asked: PrepareOptions,
    yes: Annotated[
        bool, typer.Option("--yes", help="Fetch without asking, even above 1 GB.", rich_help_panel=SOURCE)
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Show what would be read and fetched; write nothing.", rich_help_panel=SOURCE),
    ] = False,
    json_: opt.Json = False,
) -> None:
    """Turn corpora into committed shards; with --combine, into training files."""
    if dry_run:
        lines = api.rehearse(root, **vars(asked))
        if json_:
            opt.print_json(lines)
        else:
            echo_lines("\n".join(lines))
        return
    report = api.prepare(root, **vars(replace(asked, agree=consent(yes, asked.told.quiet))))
    if json_:
        opt.print_json(report.as_dict())
    else:
        show(report)
    raise typer.Exit(report.exit_code)


def show(report: Any) -> None:
    """Print what a run did: the table, what was skipped, warnings, files, and where it falls short."""
    echo_lines(render(SUMMARY_HEADER, [summary_row(s) for s in report.summaries]))
    for summary in report.summaries:
        if summary.reasons:
            reasons = ", ".join(f"{code} {count:,}" for code, count in sorted(summary.reasons.items()))
            echo(f"{summary.name}: quarantined: {reasons}")
    for summary in report.summaries:
        for line in (*unread_lines(summary, _UNREAD_SHOWN), *repeat_lines(summary)):
            echo(line)
    for summary in report.summaries:
        if summary.removed or summary.mended:
            echo(cleaned_line(summary))
    for corpus, why in report.skipped.items():
        echo(f"skipped {corpus}: {why}")
    for warning in report.warnings:
        echo(f"note: {warning}")
    for line in file_lines(report.files):
        echo(line)
    if not report.units_made:
        echo("nothing to do: every shard was there already")
    for shortfall in report.shortfalls:
        echo(f"falls short: {shortfall}", err=True)
