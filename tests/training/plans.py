"""Plans of the made project, and what is in them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from omni_ray.training.configs import default, dump
from omni_ray.training.plan import PlanReport, plan
from omni_ray.training.plan_types import ConfigPlan

Snapshot = Callable[[Path], dict[str, tuple[int, int, bytes]]]


def planned(root: Path, **options: Any) -> PlanReport:
    return plan(root, **options)


def of(report: PlanReport, name: str) -> ConfigPlan:
    return next(each for each in report.plans if each.name == name)


def config(root: Path, name: str) -> dict[str, Any]:
    return json.loads((root / f"configs/{name}_tiny.json").read_text())


def put(root: Path, name: str, **values: Any) -> None:
    path = root / f"configs/{name}_tiny.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(dump({**default(name), **values}) + "\n")


# --- bad input: one line each, the others planned ---


def said(report: PlanReport) -> str:
    assert all("\n" not in problem for problem in report.problems)
    return "\n".join(report.problems)
