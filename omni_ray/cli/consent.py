"""Whether a large download is wanted: ``--yes``, or an answer on a terminal; never a wait where nobody can answer."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from omni_ray.records import Agree


def consent(yes: bool, quiet: bool) -> Agree:
    """What to ask before something large is fetched.

    Args:
        yes: it is wanted.
        quiet: nothing may be printed, and so nobody is asked.
    """

    def agree(sentence: str, size: int) -> bool:
        if yes:
            return True
        if quiet or not (sys.stdin.isatty() and sys.stderr.isatty()):
            return False
        return typer.confirm(f"{sentence}. Fetch them?", err=True)

    return agree
