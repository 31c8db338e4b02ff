"""The command line: parsing and printing only. Every command calls :mod:`omni_ray.api` or a sibling of it."""

from __future__ import annotations

from omni_ray import interrupts
from omni_ray.later import uncollected


def main() -> None:
    """Entry point of the ``omni-ray`` command."""
    with interrupts.at_once():
        with uncollected():
            from omni_ray.cli import commands, running

        running.run(commands.app)
