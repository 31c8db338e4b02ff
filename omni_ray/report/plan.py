"""The training plan as the page shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from omni_ray.errors import OmniError
from omni_ray.trainers.files import FILES
from omni_ray.training.plan import CACHE, plan

if TYPE_CHECKING:
    from pathlib import Path

    from omni_ray.training.plan import PlanReport

_CHEAP_BYTES = 32 << 20
"""Text up to this size is counted, and a tokenizer trained on it, in seconds."""


def plan_rows(report: PlanReport) -> list[dict[str, Any]]:
    """One row a training run: name, title, parameters, rows, batch, epochs, steps, warmup, memory (GiB), problems."""
    return [
        {"name": plan.name, "title": plan.title, "file": plan.file, "problems": plan.problems}
        if plan.problems
        else {
            "name": plan.name,
            "title": plan.title,
            "file": plan.file,
            "parameters": plan.value("parameters"),
            "rows": plan.value("rows"),
            "batch": plan.value("batch_size"),
            "epochs": plan.value("epochs"),
            "steps": plan.value("max_steps"),
            "warmup": plan.value("warmup_steps"),
            "memory": plan.figures["memory_bytes"].value / 2**30,
            "problems": [],
        }
        for plan in report.plans
    ]


def cheap_plan(root: Path, shards: str | None) -> PlanReport | None:
    """A dry run of the plan, where it takes seconds: it was made before, or there is little text. Else None."""
    text = root / FILES["text"].production_path
    was_counted = (root / "data" / ".omni" / CACHE).is_file()
    if not (root / "configs").is_dir() or not (
        was_counted or not text.is_file() or text.stat().st_size <= _CHEAP_BYTES
    ):
        return None
    try:
        report = plan(root, dry_run=True, shards=shards)
    except OmniError:
        return None
    return report if any(not each.problems for each in report.plans) else None
