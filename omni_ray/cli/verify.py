"""``omni-ray verify``: what the trainers would lose of the training files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omni_ray import api
from omni_ray.api.options import VerifyOptions
from omni_ray.cli import options as opt
from omni_ray.cli.printing import echo, echo_lines
from omni_ray.cli.tables import render
from omni_ray.verify.checks import CHECKS, SEVERITIES

if TYPE_CHECKING:
    from omni_ray.verify import Finding, VerifyReport


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
    if json_:
        opt.print_json(report.as_dict())
    else:
        _print_report(report)
    raise typer.Exit(report.exit_code)


def _print_checks(as_json: bool) -> None:
    if as_json:
        opt.print_json([check.as_dict() for check in CHECKS.values()])
        return
    rows = [
        (c.kind, c.code, c.severity, ", ".join(c.trainers) or "-", f"{c.meaning}: {c.consequence}")
        for c in CHECKS.values()
    ]
    echo_lines(render(("file", "check", "severity", "trainers", "what, and what comes of it"), rows, left=5))
    echo()
    for severity, meaning in SEVERITIES.items():
        echo(f"{severity}: {meaning}")


def _print_report(report: VerifyReport) -> None:
    rows = [
        (f.file, f"{f.rows:,} shard{'s' * (f.rows != 1)}" if f.kind == "shards" else f.rows,
         "-" if f.expected is None else f.expected, f.decoded or "-", f.lost,
         ", ".join(f"{name} {value:,}" for name, value in f.facts.items()))
        for f in report.files
    ]  # fmt: skip
    echo_lines(render(("file", "samples", "by shards", "decoded", "lost", ""), rows))
    for finding in report.findings:
        echo()
        _print_finding(finding)
    echo()
    lost = sum(f.lost for f in report.files if f.kind != "shards")
    looked = "" if report.sample is None else f" (a look at a sample of the media: {report.sample})"
    unlearnt = sum(f.count for f in report.findings if f.code == "ctc_infeasible")
    if report.ok and unlearnt:
        echo(f"ok: the trainers read every sample{looked}, but nothing is learnt from {unlearnt:,} clips: see above")
    elif report.ok:
        echo(f"ok: the trainers lose nothing{looked}")
    else:
        grave = sum(f.severity != "warning" for f in report.findings)
        shared = sum(f.count for f in report.findings if f.code == "both_sides")
        parted = f", {shared:,} are both held out and trained on" if shared else ""
        echo(f"{grave} finding{'s' * (grave != 1)}: {lost:,} samples would be lost{parted}{looked}")


def _print_finding(finding: Finding) -> None:
    echo(f"{finding.severity}: {finding.file}: {finding.message} ({finding.code}: {finding.count:,})")
    hurt = ", ".join(finding.trainers)
    echo(f"  {hurt}: {finding.consequence}" if hurt else f"  {finding.consequence}")
    for example in finding.examples:
        if str(example):
            echo(f"  {example}")
    more = finding.count - len(finding.examples)
    if more > 0:
        echo(f"  ... and {more:,} more")
