"""A few real samples of a corpus, with media small enough for a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from omni_ray.pipeline.parts import Part, read_rows
from omni_ray.report.view import view_of


def samples_of(modality: str, parts: Sequence[Part]) -> list[dict[str, Any]]:
    """Samples spread evenly over the corpus: the same ones on every run. One that cannot be shown is left out."""
    total = sum(part.rows for part in parts)
    if not total:
        return []
    wanted = sorted({int(place) for place in np.linspace(0, total - 1, min(view_of(modality).shown, total))})
    shown = []
    first = 0
    for part in parts:
        for place in wanted:
            if first <= place < first + part.rows:
                shown += _shown(part, place - first)
        first += part.rows
    return shown


def _shown(part: Part, row: int) -> list[dict[str, Any]]:
    [found] = next(iter(read_rows(part, row, row + 1))).to_pylist()
    try:
        return [view_of(part.modality).show(found)]
    except (OSError, ValueError, RuntimeError):  # a shard that something else has damaged; `verify` reports it
        return []
