"""Cleaning a table of shard rows, of any modality: which rows stay, which go, and why."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from omni_ray.modalities.registry import modality as modality_of
from omni_ray.quality.account import Cleaned

if TYPE_CHECKING:
    import pyarrow as pa

    from omni_ray.quality.cleaner import Cleaner
    from omni_ray.quality.rules import Change, Rule


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
    return cleaner.clean(table, cleaner.rules, preset, overrides or {}, where)


def rules_of(modality: str) -> tuple[Rule | Change, ...]:
    """All rules of a modality, in the order they are applied. Raises OmniError for an unknown modality."""
    return cleaner_of(modality).rules


def cleaner_of(modality: str) -> Cleaner:
    """How a modality is cleaned: the ``CLEANER`` of its module. Raises OmniError for an unknown one."""
    modality_of(modality)
    return import_module(f"omni_ray.quality.clean_{modality}").CLEANER  # type: ignore[no-any-return]
