"""Counts of earlier runs, by unit of work. Each is used only for the very bytes it was made from."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from omni_ray.storage import write_atomic
from omni_ray.training.counts import Counts, Outcome, Unit
from omni_ray.training.tokens import digest

FORMAT = 1
"""Raised when the same bytes give other counts."""


class CountCache:
    """The cache of one project.

    A task gets what is known of its unit together with the digest of the bytes it was counted from; it reads the
    bytes anyway, and counts them again unless the digests agree. Names, sizes and times of files play no part.

    Args:
        path: the cache file; it need not be there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._entries: dict[str, dict[str, Any]] = {}
        try:
            value = json.loads(path.read_bytes())
            if value["format"] == FORMAT:
                self._entries = dict(value["units"])
        except (OSError, ValueError, KeyError, TypeError):
            pass  # a cache that cannot be read is an empty one

    def find(self, unit: Unit) -> tuple[str, Counts] | None:
        """What is known of ``unit``, with the digest of its bytes."""
        entry = self._entries.get(unit.key)
        try:
            if entry is None or entry["params"] != _params(unit):
                return None
            return str(entry["digest"]), Counts.from_json(entry["counts"])
        except (ValueError, KeyError, TypeError):
            return None

    def save(self, outcomes: Iterable[tuple[Unit, Outcome]]) -> None:
        """Keep ``outcomes``; older entries of other units stay, those of the same units go."""
        for unit, outcome in outcomes:
            if outcome.digest:
                self._entries[unit.key] = {
                    "params": _params(unit),
                    "digest": outcome.digest,
                    "counts": outcome.counts.as_json(),
                }
        data = json.dumps({"format": FORMAT, "units": self._entries}, ensure_ascii=False).encode()
        write_atomic(self.path, data)


def _params(unit: Unit) -> list[Any]:
    return [digest(unit.tokenizer), unit.ctx_len] if unit.tokenizer else []
