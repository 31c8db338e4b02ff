"""``omni-ray status``: what is done, what is left, what was quarantined and why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from omni_ray import api
from omni_ray.api.options import Place
from omni_ray.cli import options as opt
from omni_ray.cli.printing import echo, echo_lines, print_json, show
from omni_ray.quality.reasons import QUALITY_REASONS
from omni_ray.reasons import REASONS
from omni_ray.results import table
from omni_ray.unread import REASONS as UNREAD


@opt.taking(Place)
def status(
    *,
    quarantine: Annotated[bool, typer.Option("--quarantine", help="List every quarantined record.")] = False,
    removed: Annotated[bool, typer.Option("--removed", help="List every sample that cleaning removed.")] = False,
    unread: Annotated[bool, typer.Option("--unread", help="List every kind of file that was not read.")] = False,
    reasons: Annotated[bool, typer.Option("--reasons", help="Explain the reason codes.")] = False,
    root: opt.Root = Path(),
    asked: Place,
    json_: opt.Json = False,
) -> None:
    """Show every prepared corpus in numbers. Never starts Ray."""
    if reasons:
        _show_reasons(json_)
        return
    if quarantine or removed:
        _show_records(
            api.removed(root, shards=asked.shards) if removed else api.quarantine(root, shards=asked.shards), json_
        )
        return
    report = api.status(root, shards=asked.shards)
    if unread:
        report.unread_shown = None
    show(report, json_)


def _show_reasons(json_: bool) -> None:
    if json_:
        print_json({code: vars(reason) for code, reason in (REASONS | QUALITY_REASONS).items()})
        return
    rows = [[r.code, "fault" if r.fault else "by design", r.meaning] for r in REASONS.values()]
    rows += [[r.code, "cleaning", r.meaning] for r in QUALITY_REASONS.values()]
    rows += [[code, "file not read", why.meaning] for code, why in UNREAD.items()]
    echo_lines("\n".join(table(("reason", "kind", "meaning"), rows, left=3)))


def _show_records(records: Iterator[dict[str, Any]], json_: bool) -> None:
    if json_:
        print_json(list(records))
        return
    for row in records:
        said = row["detail"].removeprefix(f"{row['where']}: ") if row["detail"] else ""
        detail = f" ({said})" if said else ""
        echo(f"{row['modality']}/{row['corpus']}  {row['reason']}  {row['id']}  {row['where']}{detail}")
