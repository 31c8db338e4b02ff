"""How many examples a property is tried with."""

from __future__ import annotations

from hypothesis import settings


def examples(count: int) -> int:
    """``count``, but no more than the profile ``quick`` wants."""
    wanted = settings().max_examples
    return count if wanted >= settings.get_profile("calm").max_examples else min(count, wanted)
