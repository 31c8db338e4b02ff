"""Counts of earlier runs, by unit of work. Each is used only for the very bytes it was made from."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from omni_ray.storage import write_atomic
from omni_ray.training.counts import CountItem, Counts, Outcome
from omni_ray.training.tokens import digest

FORMAT = 2
"""Raised when the same bytes give other counts, or the form of entries changes."""


class CountCache:
    """The cache of one project.

    A task gets what is known about its unit together with the digest of the bytes it was counted from; it reads the
    bytes anyway, and counts them again unless the digests agree. Names, sizes and times of files play no part.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # By source, part and question.
        self._entries: dict[str, dict[str, dict[str, dict[str, Any]]]] = {}
        try:
            value = json.loads(path.read_bytes())
            if value["format"] == FORMAT:
                self._entries = {
                    path: {part: dict(answers) for part, answers in parts.items()}
                    for path, parts in value["sources"].items()
                }
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            pass  # a cache that cannot be read is an empty one

    def find(self, unit: CountItem) -> tuple[str, Counts] | None:
        """What is known about ``unit``, with the digest of its bytes."""
        try:
            entry = self._entries[unit.source.path][unit.part][unit.question]
            if entry["tokenizer"] != _tokenizer(unit):
                return None
            return str(entry["digest"]), Counts.from_json(entry["counts"])
        except (ValueError, KeyError, TypeError):
            return None

    def add(self, unit: CountItem, outcome: Outcome) -> None:
        """Keep an outcome in memory, replacing an older one of the same unit."""
        if outcome.digest:
            entry = {"tokenizer": _tokenizer(unit), "digest": outcome.digest, "counts": outcome.counts.as_json()}
            self._entries.setdefault(unit.source.path, {}).setdefault(unit.part, {})[unit.question] = entry

    def keep_only(self, units: Iterable[CountItem]) -> None:
        """Forget parts of the sources of ``units`` that are not among them: ranges and shards of long ago."""
        live: dict[str, set[str]] = {}
        for unit in units:
            live.setdefault(unit.source.path, set()).add(unit.part)
        for path, parts in live.items():
            known = self._entries.get(path, {})
            self._entries[path] = {part: known[part] for part in known if part in parts}

    def save(self) -> None:
        """Write the file, whole or not at all."""
        data = json.dumps({"format": FORMAT, "sources": self._entries}, ensure_ascii=False).encode()
        write_atomic(self.path, data)


def _tokenizer(unit: CountItem) -> str:
    return digest(unit.tokenizer) if unit.tokenizer else ""
