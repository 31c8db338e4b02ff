"""Every rule and kind of duplicates there is, as rows of a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from omni_ray.quality.benchmarks import RUN
from omni_ray.quality.clean import cleaner_of, rules_of
from omni_ray.quality.duplicate_kinds import KINDS
from omni_ray.quality.own import installed, read
from omni_ray.quality.rules import Rule

_COLUMNS = ("modality", "name", "judges", "kept", "reason", "on in", "measures")


def rules(modalities: Sequence[str], files: Sequence[str] = ()) -> list[dict[str, str]]:
    """What :func:`omni_ray.api.clean` can be told to do: rules, kinds of duplicates, benchmarks, and the rules of ``files``.

    Raises:
        OmniError: one of the files holds no rules.

    Example:
        >>> [rule["name"] for rule in api.rules(["images"])][:2]
        ['source_edge', 'aspect']
    """
    own = [read(file) for file in (*installed(), *files)]
    rows: list[list[str]] = []
    for modality in modalities:
        rows += [*_rules(modality), *_duplicates(modality), *_benchmarks(modality)]
        for rule in (rule for source in own for rule in source.rules(modality)):
            rows.append([modality, rule.name, rule.unit, rule.limits, rule.reason, "", f"{rule.says} ({rule.source})"])
    return [dict(zip(_COLUMNS, row, strict=True)) for row in rows]


def _rules(modality: str) -> Iterator[list[str]]:
    for rule in rules_of(modality):
        kind = [rule.unit, rule.limits, rule.reason] if isinstance(rule, Rule) else ["changes", "", ""]
        yield [modality, rule.name, *kind, " ".join(rule.presets), f"{rule.says} ({rule.source})"]


def _duplicates(modality: str) -> Iterator[list[str]]:
    for name, kind in KINDS.items():
        if kind.modality == modality:
            presets = "default strict" if kind.usual else ""
            yield [modality, name, "duplicates", "the first", kind.reason, presets, kind.says]


def _benchmarks(modality: str) -> Iterator[list[str]]:
    """What ``--decontaminate`` takes: no benchmark is known by name."""
    if cleaner_of(modality).has_prose:
        says = f"runs of {RUN} words of SOURCE: a file, folder, archive or hf://datasets/ORG/NAME (GPT-3, Brown et al. 2020)"
        yield [modality, "--decontaminate SOURCE", "sample", "none", "benchmark", "", says]
