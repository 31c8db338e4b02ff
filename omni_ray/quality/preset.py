"""How a modality is cleaned, as the user chose it: a preset, and what differs from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

PRESETS = ("off", "default", "strict")


@dataclass(frozen=True)
class RuleFile:
    """A file with rules of the user's own: its path, or the name of an installed entry point, and the SHA-256 of its text."""

    path: str
    sha256: str


@dataclass(frozen=True)
class Benchmark:
    """A benchmark that training must not have seen: as the user named it, and the SHA-256 of its runs of words."""

    source: str
    sha256: str


@dataclass(frozen=True)
class Settings:
    """How a modality is cleaned.

    Attributes:
        preset: "off", "default" or "strict".
        rules: rule name -> False, True, a limit or [low, high]; see docs/quality.md.
        duplicates: kinds to look for; None for the modality's usual ones, which under "off" are none.
        files: rules of the user's own, which are on unless ``rules`` says otherwise.
        benchmarks: what no sample may share a run of words with.
    """

    preset: str = "default"
    rules: Mapping[str, Any] = field(default_factory=dict)
    duplicates: tuple[str, ...] | None = None
    files: tuple[RuleFile, ...] = ()
    benchmarks: tuple[Benchmark, ...] = ()

    @property
    def is_off(self) -> bool:
        """Whether nothing is to be cleaned at all."""
        return self.preset == "off" and not (self.rules or self.duplicates or self.files or self.benchmarks)
