"""What cleaning needs to know of a modality: its rules, and how they are applied to rows of its shards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from omni_ray.errors import OmniError
from omni_ray.quality.account import Account, Cleaned
from omni_ray.quality.rules import Change, Mask, Rule, chosen

Rules = tuple[Rule | Change, ...]
Clean = Callable[[pa.Table, Rules, str, Mapping[str, Any], str], Cleaned]
"""Rows, all rules, the preset, overrides by rule, and the shard's name to the outcome."""


def _as_given(preset: str, given: Mapping[str, Any]) -> dict[str, Any]:
    return dict(given)


@dataclass(frozen=True)
class Cleaner:
    """How a modality is cleaned.

    Attributes:
        rules: all there are, in the order they are applied.
        clean: applies those that are on.
        settings: what else can be set by name.
        resolved: maps the given preset and settings to all settings that decide.
        has_prose: whether samples have enough words to share runs of them with a benchmark.
    """

    rules: Rules
    clean: Clean
    settings: tuple[str, ...] = ()
    resolved: Callable[[str, Mapping[str, Any]], dict[str, Any]] = _as_given
    has_prose: bool = False


def switched(rules: Rules, preset: str, overrides: Mapping[str, Any], modality: str) -> dict[str, Rule | Change]:
    """The rules that are on. Raises OmniError for an override that names no rule."""
    on, unknown = chosen(rules, preset, overrides)
    if unknown:
        raise OmniError(f"{modality} has no rule named {', '.join(sorted(unknown))}; docs/quality.md lists them")
    return on


def judge(rows: pa.Table, rules: list[Rule], batch: Any, account: Account, samples: list[int]) -> Mask:
    """Which rows stay; the first rule that a row breaks is its reason."""
    stays = np.ones(rows.num_rows, bool)
    if rows.num_rows == 0:
        return stays
    for rule in rules:
        values = rule.measure(batch)
        for row in np.flatnonzero(rule.removes(values) & stays):
            account.remove(rows["id"][int(row)].as_py(), rule.reason, rule.detail(values[row]), samples[row])
            stays[row] = False
    return stays


def row_by_row(modality: str, batch: Callable[[pa.Table], Any]) -> Clean:
    """The way to clean where every row is a sample, and goes or stays on its own.

    Args:
        modality: for messages.
        batch: rows to what the rules measure.
    """

    def clean(rows: pa.Table, rules: Rules, preset: str, overrides: Mapping[str, Any], where: str) -> Cleaned:
        on = switched(rules, preset, overrides, modality)
        account = Account(where)
        wanted = [step for step in on.values() if isinstance(step, Rule)]
        kept = rows.filter(pa.array(judge(rows, wanted, batch(rows), account, [1] * rows.num_rows)))
        return account.close(kept, rows.num_rows, kept.num_rows)

    return clean
