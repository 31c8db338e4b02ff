"""Rules of the user's own: functions of a Python file, or of an installed package, that measure rows.

The text of the file travels to the workers, where nothing needs to be installed, and its digest is part of what cleaned
shards depend on: a changed text is another rule.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa

from omni_ray.errors import OmniError
from omni_ray.modalities.documents import Ints
from omni_ray.modalities.registry import modality as modality_of
from omni_ray.own_code import run_as
from omni_ray.quality.account import Account, Cleaned
from omni_ray.quality.clean import judge, rules_of
from omni_ray.quality.preset import PRESETS, RuleFile
from omni_ray.quality.rules import Rule, Values, chosen
from omni_ray.trainers.files import all_modalities

GROUP = "omni_ray.rules"
"""Entry points that name modules with rules; they are given to ``--rule-file`` by their names."""

Measure = Callable[[pa.Table], Any]


@dataclass(frozen=True)
class _Own:
    """A function of the user's, and what :func:`rule` was told about it."""

    modality: str
    rule: Rule

    def __call__(self, rows: pa.Table) -> Any:
        return self.rule.measure(rows)


def rule(
    modality: str, *, reason: str, says: str = "", low: float | None = None, high: float | None = None
) -> Callable[[Measure], _Own]:
    """Make a rule from a function, whose name it gets: rows that it measures below ``low`` or above ``high`` are removed.

    The function takes an Arrow table, in the schema of the modality's shards (for text a row is a document, its lines with
    ``\\n`` between them), and gives a number for each row; None or NaN where it cannot judge, which keeps the row. The
    same rows have to give the same numbers.

    Args:
        reason: the code that removed samples are listed and counted under.
        low, high: the limits; at least one.
    """

    def made(function: Measure) -> _Own:
        if modality not in all_modalities():
            there = ", ".join(all_modalities())
            raise OmniError(f"{function.__name__}: {modality!r} is not a modality; choose one of {there}")
        if not reason.isidentifier():
            raise OmniError(f"{function.__name__}: {reason!r} is not a reason code; write one like too_many_capitals")
        if low is None and high is None:
            raise OmniError(f"{function.__name__}: a rule needs a limit, low or high")
        said = says or (function.__doc__ or "").strip().partition("\n")[0]
        unit = modality_of(modality).judged
        return _Own(modality, Rule(function.__name__, unit, reason, said, "", function, low, high, PRESETS))

    return made


@dataclass(frozen=True)
class RuleSource:
    """A rule file as it was read. Small: workers get it with their task."""

    file: RuleFile
    text: str

    def rules(self, modality: str) -> tuple[Rule, ...]:
        """Its rules for a modality, in the order of the file. Raises OmniError where it does not run."""
        return tuple(replace(own.rule, source=self.file.path) for own in _run(self) if own.modality == modality)


def read(path: str) -> RuleSource:
    """Read a rule file, and see that it runs.

    Args:
        path: of a Python file, or the name of an installed entry point.

    Raises:
        OmniError: there is none, it does not run, or it has no rule, or one with the name of one of ours.
    """
    is_entry_point = _entry_point(path) is not None and not Path(path).exists()
    source = _read(path if is_entry_point else str(Path(path).absolute()))
    found = _run(source)
    if not found:
        raise OmniError(f"{path}: has no rule; write @omni_ray.quality.own.rule(...) over a function of an Arrow table")
    for own in found:
        if own.rule.name in {known.name for known in rules_of(own.modality)}:
            raise OmniError(f"{path}: {own.modality} already has a rule called {own.rule.name}; rename it")
    return source


def again(files: Iterable[RuleFile], modality: str) -> tuple[RuleSource, ...]:
    """The files that a modality is cleaned with. Raises OmniError where one is gone, or is not what it was."""
    sources = []
    for file in files:
        way = f"run `omni-ray clean {modality} --rule-file {file.path}`, or clean without it: `omni-ray clean {modality} --preset default`"
        try:
            source = _read(file.path)
        except OmniError as error:
            raise OmniError(
                f"{modality} is cleaned with rules that are gone: {error}; bring them back and {way}"
            ) from None
        if source.file != file:
            raise OmniError(f"{modality} is cleaned with {file.path}, which has changed since; {way}")
        sources.append(source)
    return tuple(sources)


def own_rules(
    sources: Sequence[RuleSource], modality: str, overrides: Mapping[str, Any]
) -> tuple[list[Rule], dict[str, Any]]:
    """The rules of the files with their limits, but for those that are off; and the overrides that are not theirs."""
    everything = tuple(rule for source in sources for rule in source.rules(modality))
    names = [rule.name for rule in everything]
    for name in names:
        if names.count(name) > 1:
            raise OmniError(f"{modality}: two rule files have a rule called {name}; rename one of them")
    on, rest = chosen(everything, "default", overrides)
    return [rule for rule in on.values() if isinstance(rule, Rule)], rest


def judged(cleaned: Cleaned, rules: Sequence[Rule], modality: str, where: str) -> Cleaned:
    """What the user's rules leave of what ours left; the first rule that a row breaks is its reason.

    Raises:
        OmniError: a rule fails, or does not give a number for each row.
    """
    if not rules or not cleaned.kept.num_rows:
        return cleaned
    rows, kind = cleaned.kept, modality_of(modality)
    batch = _documents(rows, kind.starts(rows)) if kind.of_documents else rows
    account = Account(where)
    stays = judge(rows, modality, rules, batch, account, partial(_measured, where=where))
    return _together(cleaned, account.close(rows, rows.filter(pa.array(stays)), modality))


def _together(first: Cleaned, then: Cleaned) -> Cleaned:
    """The outcome of two steps, the second of which took what the first had left."""
    stats = {**first.stats, "samples_kept": then.stats["samples_kept"]}
    for key, count in then.stats.items():
        if key.startswith("removed."):
            stats[key] = stats.get(key, 0) + count
    return Cleaned(then.kept, pa.concat_tables([first.removed, then.removed]), stats)


def _measured(rule: Rule, rows: pa.Table, where: str) -> Values:
    place = f"{rule.source}: {rule.name}"
    try:
        given = rule.measure(rows)
        listed = given.to_pylist() if isinstance(given, (pa.Array, pa.ChunkedArray)) else list(given)
        values = np.array([np.nan if value is None else float(value) for value in listed], np.float64)
    except Exception as error:  # whatever it is, it is the user's own
        raise OmniError(f"{place}: {type(error).__name__}: {error} (at {where})") from None
    if len(values) != rows.num_rows:
        raise OmniError(f"{place}: returned {len(values)} numbers for {rows.num_rows} rows (at {where})")
    return values


def _documents(rows: pa.Table, starts: Ints) -> pa.Table:
    """Rows of text, one for each document: what its first line says, and all of its lines."""
    first = rows.take(pa.array(starts))
    lines, ends = rows["text"].to_pylist(), [*starts[1:].tolist(), rows.num_rows]
    texts = ["\n".join(lines[start:end]) for start, end in zip(starts.tolist(), ends, strict=True)]
    names = [name.rpartition("#")[0] or name for name in first["id"].to_pylist()]
    for column, values in (("id", names), ("text", texts)):
        place = first.schema.get_field_index(column)
        first = first.set_column(place, first.schema.field(place), pa.array(values, first.schema.field(place).type))
    return first


def _read(path: str) -> RuleSource:
    module = _entry_point(path)
    file = Path(path)
    if module is not None and not file.is_file():
        spec = importlib.util.find_spec(module)
        file = Path(spec.origin) if spec is not None and spec.origin else file
    try:
        data = file.read_bytes()
        return RuleSource(RuleFile(path, hashlib.sha256(data).hexdigest()), data.decode("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise OmniError(f"{path}: not a readable Python file ({why})") from None


def _entry_point(name: str) -> str | None:
    """The module that an entry point names; None where there is none of that name."""
    return next((point.module for point in entry_points(group=GROUP) if point.name == name), None)


def installed() -> list[str]:
    """Names of the rule files that installed packages bring."""
    return sorted({point.name for point in entry_points(group=GROUP)})


@lru_cache(maxsize=64)
def _run(source: RuleSource) -> tuple[_Own, ...]:
    module = ModuleType(f"omni_ray_user_{Path(source.file.path).stem}")
    run_as(module, source.file.path, source.text)
    return tuple({id(value): value for value in vars(module).values() if isinstance(value, _Own)}.values())
