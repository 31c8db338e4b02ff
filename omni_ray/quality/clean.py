"""Cleaning a table of shard rows, of any modality: which rows stay, which go, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from omni_ray.errors import OmniError
from omni_ray.quality.account import Cleaned

if TYPE_CHECKING:
    import pyarrow as pa

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
        table: rows of a shard, in its schema; of text, whole documents (a shard never cuts one).
        modality: "text", "audio", "images" or "ocr".
        preset: "off", "default" (takes what no trainer wants) or "strict" (takes what web crawls are full of).
        overrides: rule name -> False, True, a limit or [low, high]; see docs/quality.md.
        where: the shard's name, for the account.

    Returns:
        What is kept and what is removed. ``samples_in`` = ``samples_kept`` + all removed, always.

    Raises:
        OmniError: an unknown modality, preset or rule, or a limit a rule cannot have.
    """
    return _cleaner(modality)(table, preset, overrides or {}, where)


def rules_of(modality: str) -> tuple[Rule | Change, ...]:
    """All rules of a modality, in the order they are applied. Raises OmniError for an unknown modality."""
    if modality == "text":
        from omni_ray.quality.text_rules import TEXT_RULES as RULES
    elif modality == "audio":
        from omni_ray.quality.audio_rules import AUDIO_RULES as RULES
    elif modality == "images":
        from omni_ray.quality.image_rules import IMAGE_RULES as RULES
    elif modality == "ocr":
        from omni_ray.quality.ocr_rules import OCR_RULES as RULES
    else:
        raise OmniError(f"{modality}: no such modality; there are text, audio, images and ocr")
    return RULES


def _cleaner(modality: str) -> Callable[[pa.Table, str, Mapping[str, Any], str], Cleaned]:
    if modality == "text":
        from omni_ray.quality.clean_text import clean_text

        return clean_text
    from omni_ray.quality.clean_media import CLEANERS

    if modality not in CLEANERS:
        raise OmniError(f"{modality}: no such modality; there are text, audio, images and ocr")
    return CLEANERS[modality]
