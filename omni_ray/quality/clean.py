"""Cleaning a table of shard rows, of any modality: which rows stay, which go, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import pyarrow as pa

from omni_ray.errors import OmniError
from omni_ray.modalities.registry import modality as modality_of
from omni_ray.quality.account import Account, Cleaned
from omni_ray.quality.rules import Change, Mask, Rule, Values, chosen

Rules = tuple[Rule | Change, ...]
Apply = Callable[[pa.Table, Mapping[str, Rule | Change], Mapping[str, Any], Account], pa.Table]
"""Rows, the rules that are on, by name, and the settings to the rows that stay; what goes is noted in the account."""


@dataclass(frozen=True)
class Cleaner:
    """How a modality is cleaned.

    Attributes:
        rules: all there are, in the order they are applied.
        apply: applies those that are on.
        settings: what else can be set by name.
        resolved: maps the given preset and settings to all settings that decide.
        has_prose: whether samples have enough words to share runs of them with a benchmark.
    """

    rules: Rules
    apply: Apply
    settings: tuple[str, ...] = ()
    resolved: Callable[[str, Mapping[str, Any]], Mapping[str, Any]] = lambda preset, given: given
    has_prose: bool = False


def clean_table(
    table: pa.Table,
    modality: str,
    preset: str = "default",
    overrides: Mapping[str, Any] | None = None,
    where: str = "",
) -> Cleaned:
    """Apply the rules of a preset to shard rows. A pure function: same table and rules, same outcome.

    Args:
        table: rows of a shard, in its schema; for text, whole documents (a shard never cuts one).
        modality: "text", "audio", "images" or "ocr".
        preset: "off", "default" (removes what no trainer wants) or "strict" (also what web crawls are full of).
        overrides: rule name -> False, True, a limit or [low, high]; see docs/quality.md.
        where: the shard's name, for the account.

    Returns:
        What is kept and what is removed. ``samples_in`` = ``samples_kept`` + all removed, always.

    Raises:
        OmniError: an unknown modality, preset or rule, or a limit a rule cannot have.
    """
    cleaner = cleaner_of(modality)
    on, given = chosen(cleaner.rules, preset, overrides or {})
    if unknown := sorted(given.keys() - set(cleaner.settings)):
        raise OmniError(f"{modality} has no rule named {', '.join(unknown)}; docs/quality.md lists them")
    account = Account(where)
    return account.close(table, cleaner.apply(table, on, cleaner.resolved(preset, given), account), modality)


def rules_of(modality: str) -> Rules:
    """All rules of a modality, in the order they are applied. Raises OmniError for an unknown modality."""
    return cleaner_of(modality).rules


def cleaner_of(modality: str) -> Cleaner:
    """How a modality is cleaned: the ``CLEANER`` of its module. Raises OmniError for an unknown one."""
    modality_of(modality)
    return import_module(f"omni_ray.quality.clean_{modality}").CLEANER  # type: ignore[no-any-return]


def judge(
    rows: pa.Table,
    modality: str,
    rules: Sequence[Rule],
    batch: Any,
    account: Account,
    measure: Callable[[Rule, Any], Values] = lambda rule, batch: rule.measure(batch),
) -> Mask:
    """Which rows stay; the first rule that a row, or for text a document, breaks is its reason. ``batch`` is measured."""
    starts, samples = modality_of(modality).starts(rows), modality_of(modality).samples_per_row(rows)
    ends = np.append(starts[1:], rows.num_rows)
    stays = np.ones(rows.num_rows, bool)
    for rule in rules if rows.num_rows else ():
        values = measure(rule, batch)
        for number in np.flatnonzero(rule.removes(values) & stays[starts]):
            stays[starts[number] : ends[number]] = False
            for row in range(starts[number], ends[number]):
                account.remove(rows["id"][row].as_py(), rule.reason, rule.detail(values[number]), samples[row])
    return stays


def row_by_row(modality: str, batch: Callable[[pa.Table], Any]) -> Apply:
    """The way to clean where every row goes or stays on its own; ``batch`` makes of rows what the rules measure."""

    def apply(
        rows: pa.Table, on: Mapping[str, Rule | Change], settings: Mapping[str, Any], account: Account
    ) -> pa.Table:
        rules = [step for step in on.values() if isinstance(step, Rule)]
        return rows.filter(pa.array(judge(rows, modality, rules, batch(rows), account)))

    return apply
