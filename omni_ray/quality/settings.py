"""What the user chose, for each modality: presets, rules by name, kinds of duplicates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from omni_ray.errors import OmniError
from omni_ray.quality.clean import rules_of
from omni_ray.quality.clean_text import SETTINGS as TEXT_SETTINGS
from omni_ray.quality.entries import KINDS
from omni_ray.quality.preset import Settings

_WORDS = {"on": True, "true": True, "off": False, "false": False}


def settings_of(
    before: Mapping[str, Settings | None],
    preset: str | None,
    rules: Mapping[str, Any] | None,
    duplicates: Sequence[str] | None,
) -> dict[str, Settings]:
    """The settings of each modality in ``before``.

    With nothing chosen, those it had, else the default ones. A preset begins anew, with the rules and kinds given beside it.
    Rules and kinds by themselves are added to what the modalities that have them had, or to the default; the others stay
    as they were.

    Args:
        before: of each modality what was chosen last; None where it is not cleaned.
        preset, rules, duplicates: as for :func:`omni_ray.api.clean`.

    Raises:
        OmniError: a rule or kind that none of the modalities has.
    """
    if preset is None and not rules and duplicates is None:
        return {modality: settings or Settings() for modality, settings in before.items()}
    names = {modality: names_of(modality) for modality in before}
    kinds = {modality: [name for name, kind in KINDS.items() if kind.modality == modality] for modality in before}
    _refuse_strangers("rule", rules or {}, names)
    _refuse_strangers("kind of duplicates", duplicates or (), kinds)
    found: dict[str, Settings] = {}
    for modality, had in before.items():
        own = {name: value for name, value in (rules or {}).items() if name in names[modality]}
        looked_for = None if duplicates is None else tuple(kind for kind in kinds[modality] if kind in duplicates)
        if preset is not None:
            found[modality] = Settings(preset, dict(sorted(own.items())), looked_for)
        elif own or looked_for or (duplicates is not None and not duplicates):
            base = had or Settings()
            merged = dict(sorted({**base.rules, **own}.items()))
            found[modality] = Settings(base.preset, merged, base.duplicates if looked_for is None else looked_for)
        else:
            found[modality] = had or Settings("off")
    return found


def names_of(modality: str) -> list[str]:
    """What can be set for a modality: its rules, and of text a few numbers more."""
    return [rule.name for rule in rules_of(modality)] + list(TEXT_SETTINGS if modality == "text" else ())


def _refuse_strangers(what: str, given: Sequence[str] | Mapping[str, Any], known: Mapping[str, Sequence[str]]) -> None:
    everything = [name for names in known.values() for name in names]
    for name in given:
        if name not in everything:
            raise OmniError(
                f"{' and '.join(known)}: no {what} named {name}; `omni-ray clean --list` shows what there is"
            )


def parse_rules(texts: Sequence[str]) -> dict[str, Any]:
    """``NAME=VALUE`` as users write it: on, off, a number, or two with ``..`` between (either may be left out).

    Raises:
        OmniError: something else.
    """
    rules: dict[str, Any] = {}
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        try:
            rules[name] = _value(value) if equals else True
        except ValueError:
            raise OmniError(f"--rule {text}: write NAME=on, NAME=off, NAME=5 or NAME=0.5..30") from None
        if not name:
            raise OmniError(f"--rule {text}: write NAME=on, NAME=off, NAME=5 or NAME=0.5..30")
    return rules


def _value(text: str) -> Any:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    low, dots, high = text.partition("..")
    if dots:
        return [float(low) if low else None, float(high) if high else None]
    return float(text)
