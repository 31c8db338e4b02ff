"""What the user chose, for each modality: presets, rules by name, kinds of duplicates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from omni_ray.errors import OmniError
from omni_ray.quality.clean import cleaner_of
from omni_ray.quality.duplicate_kinds import KINDS
from omni_ray.quality.own import RuleSource, again
from omni_ray.quality.preset import Benchmark, RuleFile, Settings


def settings_of(
    before: Mapping[str, Settings | None],
    preset: str | None,
    rules: Mapping[str, Any] | None,
    duplicates: Sequence[str] | None,
    files: Sequence[RuleSource] = (),
    benchmarks: Sequence[Benchmark] = (),
) -> dict[str, Settings]:
    """The settings of each modality in ``before``.

    With nothing chosen, those it had, else the default ones. A preset starts afresh, with the rules and kinds given with it.
    Rules and kinds on their own are added to what the modalities that have them had, or to the default; the others stay
    as they were.

    Args:
        before: for each modality, what was chosen last; None where it is not cleaned.
        preset, rules, duplicates: as for :func:`omni_ray.api.clean`.
        benchmarks: for the modalities that have prose; one replaces one of the same name.
        files: rules of the user's own; one goes to the modalities that it has rules for, and replaces one of the same path.

    Raises:
        OmniError: a rule or kind that none of the modalities has, or a file without rules for any of them.
    """
    if preset is None and not rules and duplicates is None and not files and not benchmarks:
        return {modality: settings or Settings() for modality, settings in before.items()}
    own_files = {modality: _files(modality, None if preset else had, files) for modality, had in before.items()}
    names = {modality: names_of(modality) + _own_names(modality, own_files[modality], files) for modality in before}
    kinds = {modality: [name for name, kind in KINDS.items() if kind.modality == modality] for modality in before}
    for source in files:
        if not any(source.rules(modality) for modality in before):
            raise OmniError(f"{source.file.path}: has no rule for {' or '.join(before)}")
    _refuse_strangers("rule", rules or {}, names)
    _refuse_strangers("kind of duplicates", duplicates or (), kinds)
    if benchmarks and not any(cleaner_of(modality).has_prose for modality in before):
        raise OmniError(f"--decontaminate: {' and '.join(before)} has no text that a benchmark could have")
    found: dict[str, Settings] = {}
    for modality, had in before.items():
        own = {name: value for name, value in (rules or {}).items() if name in names[modality]}
        looked_for = None if duplicates is None else tuple(kind for kind in kinds[modality] if kind in duplicates)
        known = benchmarks if cleaner_of(modality).has_prose else ()
        has_files = any(source.rules(modality) for source in files)
        if not (preset or own or looked_for or (duplicates is not None and not duplicates) or has_files or known):
            found[modality] = had or Settings("off")
            continue
        base = Settings(preset) if preset else had or Settings()
        found[modality] = Settings(
            base.preset,
            dict(sorted({**base.rules, **own}.items())),
            base.duplicates if looked_for is None else looked_for,
            own_files[modality],
            tuple({each.source: each for each in (*base.benchmarks, *known)}.values()),
        )
    return found


def _files(modality: str, had: Settings | None, given: Sequence[RuleSource]) -> tuple[RuleFile, ...]:
    """The rule files of a modality: those it had, and those given that have rules for it."""
    new = {source.file.path: source.file for source in given if source.rules(modality)}
    return tuple({**{file.path: file for file in (had.files if had else ())}, **new}.values())


def _own_names(modality: str, files: Sequence[RuleFile], given: Sequence[RuleSource]) -> list[str]:
    """The names of these files' rules; files that were given are not read again."""
    known = {source.file: source for source in given}
    sources = [known[file] if file in known else again([file], modality)[0] for file in files]
    return [rule.name for source in sources for rule in source.rules(modality)]


def names_of(modality: str) -> list[str]:
    """What can be set for a modality: its rules, and for text a few more numbers."""
    cleaner = cleaner_of(modality)
    return [*(rule.name for rule in cleaner.rules), *cleaner.settings]


def _refuse_strangers(what: str, given: Sequence[str] | Mapping[str, Any], known: Mapping[str, Sequence[str]]) -> None:
    everything = [name for names in known.values() for name in names]
    for name in given:
        if name not in everything:
            raise OmniError(
                f"{' and '.join(known)}: no {what} named {name}; `omni-ray clean --list` shows what there is"
            )
