"""``omni-ray verify``: what the trainers would lose of the training files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from omni_ray import api
from omni_ray.api.options import VerifyOptions
from omni_ray.cli import options as opt
from omni_ray.cli.printing import echo, echo_lines, print_json, show
from omni_ray.results import table
from omni_ray.verify.checks import CHECKS, SEVERITIES


@opt.taking(VerifyOptions)
def verify(
    *,
    root: opt.Root = Path(),
    asked: VerifyOptions,
    list_: Annotated[bool, typer.Option("--list", help="List every check, and verify nothing.")] = False,
    json_: opt.Json = False,
) -> None:
    """Read the training files back as the trainers do, and report what they would lose. Exit code 1 if anything."""
    if list_:
        _print_checks(json_)
        return
    report = api.verify(root, **vars(asked))
    show(report, json_)
    raise typer.Exit(report.exit_code)


def _print_checks(as_json: bool) -> None:
    if as_json:
        print_json([vars(check) for check in CHECKS.values()])
        return
    rows = [
        (c.kind, c.code, c.severity, ", ".join(c.trainers) or "-", f"{c.meaning}: {c.consequence}")
        for c in CHECKS.values()
    ]
    echo_lines("\n".join(table(("file", "check", "severity", "trainers", "what, and what comes of it"), rows, left=5)))
    echo()
    for severity, meaning in SEVERITIES.items():
        echo(f"{severity}: {meaning}")
