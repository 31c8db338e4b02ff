"""What settings come to: every rule that is on with its limits, and every number that decides what is a duplicate.

What is cleaned depends on this, and not on what was asked for: where a limit of a preset changes, what was cleaned with the old
one is stale.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from omni_ray.quality import duplicate_kinds
from omni_ray.quality.benchmarks import RUN
from omni_ray.quality.clean import cleaner_of, rules_of
from omni_ray.quality.minhash import MinHash
from omni_ray.quality.preset import Settings
from omni_ray.quality.rules import Rule, chosen

VERSION = 3
"""Raised when a rule or a change gives another result for the same rows and limits; it makes all that is cleaned stale."""


def resolved(modality: str, settings: Settings) -> dict[str, Any]:
    """A JSON value of all that decides what is left of shards, besides the shards.

    Raises:
        OmniError: as :func:`omni_ray.quality.rules.chosen` and :func:`omni_ray.quality.duplicate_kinds.kinds_of`.
    """
    return {**resolved_rules(modality, settings), "duplicates": _duplicates(modality, settings)}


def resolved_rules(modality: str, settings: Settings) -> dict[str, Any]:
    """The same for the rules alone, shard by shard."""
    steps, given = chosen(rules_of(modality), settings.preset, settings.rules)
    more = cleaner_of(modality).resolved(settings.preset, given)
    listed = [
        [step.name, step.unit, step.reason, step.low, step.high] if isinstance(step, Rule) else [step.name]
        for step in steps.values()
    ]
    own = {"files": [file.sha256 for file in settings.files]} if settings.files else {}
    known = {"benchmarks": [[RUN, each.sha256] for each in settings.benchmarks]} if settings.benchmarks else {}
    return {"version": VERSION, "rules": listed, "settings": more, **own, **known}


def _duplicates(modality: str, settings: Settings) -> dict[str, Any]:
    kinds = kinds_wanted(modality, settings)
    numbers = {
        "near_document": asdict(MinHash()),
        "picture": duplicate_kinds.MAX_DISTANCE,
        "line": duplicate_kinds.MIN_LINE_CHARS,
    }
    return {kind: numbers.get(kind) for kind in kinds}


def kinds_wanted(modality: str, settings: Settings) -> list[str]:
    """The kinds of duplicates to look for."""
    if settings.duplicates is None and settings.preset == "off":
        return []
    return duplicate_kinds.kinds_of(modality, settings.duplicates)
