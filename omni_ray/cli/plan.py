"""``omni-ray plan``: training parameters from data and model sizes, written into the seven configurations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from omni_ray import api
from omni_ray.api.options import PlanOptions
from omni_ray.cli import options as opt
from omni_ray.cli.printing import show
from omni_ray.cli.running import run_script
from omni_ray.errors import OmniError


@opt.taking(PlanOptions)
def plan(
    *,
    names: Annotated[list[str] | None, typer.Argument(help="More names for --config.", show_default=False)] = None,
    root: opt.Root = Path(),
    asked: PlanOptions,
    json_: opt.Json = False,
) -> None:
    """Count the data, size the models, schedule the training runs, and rewrite configs/*.json."""
    if names and not asked.configs:
        raise OmniError(f"{names[0]}: name configurations as --config {' '.join(names)}")
    report = api.plan(root, **vars(replace(asked, configs=(*asked.configs, *(names or ())))))
    show(report, json_)
    raise typer.Exit(report.exit_code)


def main() -> None:
    """Run the specification's script, ``jobs/update_configs_from_data.py``: the same command in the current folder."""
    run_script(plan)
