"""``omni-ray clean``: rules and duplicates over what is committed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from omni_ray import api
from omni_ray.api.options import CleanOptions
from omni_ray.cli import options as opt
from omni_ray.cli.printing import echo_lines, print_json, show
from omni_ray.results import table
from omni_ray.trainers.files import all_modalities


@opt.taking(CleanOptions)
def clean(
    *,
    root: opt.Root = Path(),
    asked: CleanOptions,
    language: Annotated[
        list[str] | None, typer.Option("--language", help="text: keep documents in this language; may be repeated.")
    ] = None,
    mask_personal: Annotated[
        bool, typer.Option("--mask-personal", help="text: replace e-mail, phone and IP addresses with examples.")
    ] = False,
    list_: Annotated[
        bool, typer.Option("--list", help="Show every rule and kind of duplicates, and what a benchmark may be.")
    ] = False,
    json_: opt.Json = False,
) -> None:
    """Remove poor samples and duplicates from what later steps read. Committed shards stay as they are."""
    if list_:
        _show_rules(asked.modalities or all_modalities(), [*map(str, asked.files)], json_)
        return
    more = ({"languages": language} if language else {}) | ({"mask_personal": True} if mask_personal else {})
    report = api.clean(root, **vars(replace(asked, rules={**(asked.chosen or {}), **more})))
    show(report, json_)
    raise typer.Exit(report.exit_code)


def _show_rules(modalities: Sequence[str], files: Sequence[str], json_: bool) -> None:
    rows = api.rules(modalities, files)
    if json_:
        print_json(rows)
    else:
        echo_lines("\n".join(table(tuple(rows[0]), [list(row.values()) for row in rows], left=len(rows[0]))))
