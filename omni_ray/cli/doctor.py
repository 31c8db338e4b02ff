"""``omni-ray doctor``: is this machine able?"""

from __future__ import annotations

from pathlib import Path

import typer

from omni_ray.cli import options as opt
from omni_ray.cli.printing import echo, print_json
from omni_ray.doctor import examine
from omni_ray.errors import FALLS_SHORT


def doctor(root: opt.Root = Path(), json_: opt.Json = False) -> None:
    """Check Python, packages, decoders, disk and memory, and say what to do about what is missing."""
    checks = examine(root)
    if json_:
        print_json([vars(check) for check in checks])
    else:
        for check in checks:
            mark = "ok  " if check.ok else ("FAIL" if check.required else "none")
            echo(f"{mark}  {check.name}: {check.found}{'' if check.ok else '. ' + check.advice}")
    if any(check.required and not check.ok for check in checks):
        raise typer.Exit(FALLS_SHORT)
