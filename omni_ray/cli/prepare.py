"""``omni-ray prepare``: corpora to committed shards, and on to training files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from omni_ray import api
from omni_ray.api.options import PrepareOptions
from omni_ray.cli import options as opt
from omni_ray.cli.consent import consent
from omni_ray.cli.printing import show
from omni_ray.corpora.registry import add_file, select
from omni_ray.errors import SourceError
from omni_ray.option import SOURCE
from omni_ray.sources import is_missing


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
        show(api.rehearse(root, **vars(asked)), json_)
        return
    report = api.prepare(root, **vars(replace(asked, agree=consent(yes, asked.told.quiet))))
    show(report, json_)
    raise typer.Exit(report.exit_code)
