"""How the user chose to clean a modality: a preset, and what differs from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from omni_ray.errors import OmniError

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


def rules_in(texts: Sequence[str]) -> dict[str, Any]:
    """``NAME=VALUE`` as users write it: on, off, a number, or two with ``..`` between (either may be left out).

    Raises:
        OmniError: something else.
    """
    rules: dict[str, Any] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        try:
            rules[name] = _limit(value) if equals else True
        except ValueError:
            name = ""
        if not name:
            raise OmniError(f"--rule {text}: write NAME=on, NAME=off, NAME=5 or NAME=0.5..30")
    return rules


def _limit(text: str) -> Any:
    words = {"on": True, "true": True, "off": False, "false": False}
    if text.lower() in words:
        return words[text.lower()]
    low, dots, high = text.partition("..")
    if dots:
        return [float(low) if low else None, float(high) if high else None]
    return float(text)


def kinds_in(texts: Sequence[str]) -> list[str]:
    """Kinds of duplicates, with commas between; none of them for ``none``."""
    kinds = [kind.strip() for text in texts for kind in text.split(",") if kind.strip()]
    return [] if kinds == ["none"] else kinds
