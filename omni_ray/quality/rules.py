"""What a rule is: a small named measurement with a limit, and the reason it removes samples for.

A rule only measures; whether a measurement is within the limits is one comparison, so that a limit can be changed
without touching the rule, and what was measured can be shown beside the verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from omni_ray.errors import OmniError
from omni_ray.quality.preset import PRESETS

Mask = npt.NDArray[np.bool_]
Values = npt.NDArray[np.float64]

BOTH = ("default", "strict")
"""Presets of rules that remove what no trainer wants; the others are part of "strict", or of none."""
OURS = "omni_ray"
"""The source of rules that follow no paper."""


@dataclass(frozen=True)
class Rule:
    """A measurement, its limits, and why a sample outside them is removed.

    Attributes:
        name: what the user switches it by.
        unit: what is measured: "document", "line", "clip", "image", "caption" or "word".
        reason: a code of :data:`omni_ray.quality.reasons.QUALITY_REASONS`.
        says: one sentence for people: what is measured.
        source: the paper or project it comes from, or "omni_ray".
        measure: a batch to one float64 for each unit; NaN where the rule cannot judge (it then keeps).
        low, high: kept are ``low <= value <= high``; None for no limit on that side.
        prose: measures prose: documents under the ``prose_from`` words of the settings are not judged by it.
        english: made for English: documents in another language are not judged by it.
    """

    name: str
    unit: str
    reason: str
    says: str
    source: str
    measure: Callable[[Any], Values]
    low: float | None = None
    high: float | None = None
    presets: tuple[str, ...] = ("strict",)
    prose: bool = False
    english: bool = False

    def removes(self, values: Values) -> Mask:
        """Which of the measured values are outside the limits; NaN never is."""
        out = np.zeros(len(values), bool)
        if self.low is not None:
            out |= values < self.low
        if self.high is not None:
            out |= values > self.high
        return out

    def detail(self, value: float) -> str:
        """What was measured beside what was wanted, for a person."""
        return f"{self.name}: {value:.4g}, wanted {self.limits}"

    @property
    def limits(self) -> str:
        """The limits in words."""
        wanted = [f"at least {self.low:g}"] if self.low is not None else []
        wanted += [f"at most {self.high:g}"] if self.high is not None else []
        return " and ".join(wanted)


@dataclass(frozen=True)
class Change:
    """A transform that mends samples instead of removing them."""

    name: str
    says: str
    source: str
    presets: tuple[str, ...] = ()


def column(number: int) -> Callable[[Any], Values]:
    """The measurement of batches that are ``measured`` once: one column of it."""
    return lambda batch: batch.measured[:, number]


def chosen(
    rules: tuple[Rule | Change, ...], preset: str, overrides: Mapping[str, Any]
) -> tuple[dict[str, Rule | Change], dict[str, Any]]:
    """The rules of a preset with the user's overrides, in their order, and the overrides that name no rule.

    An override is False (off), True (on, with its usual limits), a number (on, with this as its limit; for a rule with
    two limits ``[low, high]``).

    Raises:
        OmniError: unknown preset, or a limit of the wrong kind.
    """
    if preset not in PRESETS:
        raise OmniError(f"--clean {preset}: choose one of {', '.join(PRESETS)}")
    on: dict[str, Rule | Change] = {}
    names = {rule.name for rule in rules}
    for rule in rules:
        wanted = overrides.get(rule.name, preset in rule.presets)
        if wanted is False or wanted is None:
            continue
        on[rule.name] = rule if wanted is True else _limited(rule, wanted)
    return on, {name: value for name, value in overrides.items() if name not in names}


def _limited(rule: Rule | Change, wanted: Any) -> Rule | Change:
    if isinstance(rule, Rule):
        if isinstance(wanted, (list, tuple)) and len(wanted) == 2:
            return replace(rule, low=_number(rule, wanted[0]), high=_number(rule, wanted[1]))
        if isinstance(wanted, (int, float)) and (rule.low is None) != (rule.high is None):
            limit = float(wanted)
            return replace(rule, high=limit) if rule.low is None else replace(rule, low=limit)
    raise OmniError(f"{rule.name}: {wanted!r} is not a valid limit; give true, false, a number or [low, high]")


def _number(rule: Rule, value: Any) -> float | None:
    if value is None or isinstance(value, (int, float)):
        return value
    raise OmniError(f"{rule.name}: {value!r} is not a number")
