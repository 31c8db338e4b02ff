"""Files of one source that hold the same records, found by the marks of its units.

``train.csv`` beside ``all.csv``, two versions of a list, loose files beside a table that embeds them: each is read, as it was
asked for, and so whatever they share is read twice. Nobody should first learn that from the trained model. A mark that is in
several files belongs to the first of them, in the order of units, and is a repeat in each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from omni_ray.pipeline.asked import Numbers
from omni_ray.pipeline.marks import MARK_BITS, unpacked

_SHARE_OF_MEDIA, _SHARE_OF_TEXTS, _SHARE_OF_MANY_TEXTS = 0.01, 0.05, 0.1
"""From this share of the smaller one's records on, two files are worth a word. Lines may be alike by chance: a twentieth of
those of an encyclopedia are in the rest of it, too (headings, notes, entries of lists)."""
_SHOWN = 3
_MOST = 1 << 20
"""Marks that are held at once."""

Groups = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Repeats:
    """Records that two files of a source have in common.

    Attributes:
        one, other: the files; or folders, with a slash at their end, "/" for the whole source. The same twice: what the
            files in it share with each other.
        records: how many of the smaller one's are in both; of one folder, how many came before.
        of: how many the smaller one has.
        is_estimate: whether those are estimated from some of the records, and only their ratio counts.
        example: two files of one folder that share some.
    """

    one: str
    other: str
    records: int
    of: int
    is_estimate: bool
    example: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """For people, such as ``4 of 10 records of b.csv are in a.csv, too``."""
        one, other = ("the source" if name == "/" else name for name in (self.one, self.other))
        where = "others of its files" if self.one == self.other else one
        such = f", such as {' and '.join(self.example)}" if self.example else ""
        if self.is_estimate:
            return f"about {100 * self.records / self.of:.0f} % of the records of {other} are in {where}, too{such}"
        if self.of == 1:
            return f"what {other} holds is in {where}, too"
        are = "is" if self.records == 1 else "are"
        return f"{self.records:,} of {self.of:,} records of {other} {are} in {where}, too{such}"


def repeats(units: Iterable[Mapping[str, Any]], has_media: bool) -> list[Repeats]:
    """What files share, the greatest share of records first; the fewest lines that say most of it.

    Args:
        units: the marks of each unit, as :meth:`omni_ray.pipeline.marks.Marks.as_json` gives them, in canonical order.
        has_media: whether records are more than lines.
    """
    held, met = _Held(), _Met()
    for unit in units:
        held.add(unit)
        met.add(unit)
    names, levels, groups, marks = held.sorted()
    finest: list[Repeats] = []
    pairs: list[Repeats] = []
    while len(groups):
        every = _shared(names, levels, groups, marks)
        every = every if pairs else _ordered(met.instead_of(every))
        pairs = pairs or every
        found = [each for each in every if _is_worth_a_word(each, has_media)]
        finest = finest or found
        if found and _are_few(found):
            return [_with_example(each, pairs) for each in found]
        above = [_folder_of(name) for name in names]
        if above == names:
            break
        names, levels, groups = _gathered(above, levels, groups)
    return finest


def repeats_between(corpora: Mapping[str, Iterable[Mapping[str, Any]]], has_media: bool) -> list[Repeats]:
    """What corpora share, the greatest share of records first; ``one`` and ``other`` are their names.

    Args:
        corpora: by name, the marks of each unit.
        has_media: whether records are more than lines.
    """
    held = _Held()
    for name, units in corpora.items():
        for unit in units:
            for packed in unit.get("of", {}).values():
                held.add({"level": unit["level"], "of": {name: packed}})
    return [each for each in _shared(*held.sorted()) if _is_worth_a_word(each, has_media)]


def _are_few(found: Sequence[Repeats]) -> bool:
    """Whether the first ones say most of it; files that are one record each do not."""
    shown = sum(each.records for each in found[:_SHOWN])
    return len(found) <= _SHOWN or (found[0].of > 1 and 2 * shown >= sum(each.records for each in found))


def _with_example(found: Repeats, pairs: Iterable[Repeats]) -> Repeats:
    """The same, with two of the files where only their folder is told."""
    if found.one != found.other:
        return found
    folder = found.one.lstrip("/")
    inside = (each for each in pairs if each.one != each.other and each.one.startswith(folder))
    return replace(found, example=next(((e.other, e.one) for e in inside if e.other.startswith(folder)), ()))


class _Held:
    """Marks of all units, thinned out evenly where there are very many."""

    def __init__(self) -> None:
        self.names: dict[str, int] = {}
        self._levels: list[int] = []
        self._groups: list[Groups] = []
        self._marks: list[Numbers] = []
        self._level = 0
        self._count = 0

    def add(self, unit: Mapping[str, Any]) -> None:
        for name, packed in unit.get("of", {}).items():
            number = self.names.setdefault(name, len(self.names))
            if number == len(self._levels):
                self._levels.append(0)
            self._levels[number] = max(self._levels[number], unit["level"])
            marks = unpacked(packed)
            self._marks.append(marks[marks < np.uint64(_limit(self._level))])
            self._groups.append(np.full(len(self._marks[-1]), number))
            self._count += len(self._marks[-1])
        while self._count > _MOST:
            self._level += 1
            marks, groups = np.concatenate(self._marks), np.concatenate(self._groups)
            stays = marks < np.uint64(_limit(self._level))
            self._marks, self._groups, self._count = [marks[stays]], [groups[stays]], int(stays.sum())

    def sorted(self) -> tuple[list[str], list[int], Groups, Numbers]:
        """Names of groups, their levels, and the marks with the number of each one's group, by mark and then group: of a
        file each mark once."""
        names, levels = list(self.names), [max(level, self._level) for level in self._levels]
        if not self._marks:
            return names, levels, np.zeros(0, np.int64), np.zeros(0, np.uint64)
        marks, groups = np.concatenate(self._marks), np.concatenate(self._groups)
        order = np.lexsort((groups, marks))
        marks, groups = marks[order], groups[order]
        is_file = np.array([not name.endswith("/") for name in names])
        again = np.r_[False, (marks[1:] == marks[:-1]) & (groups[1:] == groups[:-1]) & is_file[groups[1:]]]
        return names, levels, groups[~again], marks[~again]


class _Met:
    """What units reported about the small files that they were asked about."""

    def __init__(self) -> None:
        self._marks: dict[tuple[str, str], set[int]] = {}
        self._sizes: dict[str, int] = {}
        self._there: set[str] = set()

    def add(self, unit: Mapping[str, Any]) -> None:
        self._there.update(unit.get("small", ()))
        for name, shared in unit.get("met", {}).items():
            for small, (size, packed) in shared.items():
                self._sizes[small] = size
                self._marks.setdefault((name, small), set()).update(unpacked(packed).tolist())

    def instead_of(self, found: Sequence[Repeats]) -> list[Repeats]:
        """``found``, with what is known of all records instead of estimates, and added where there was nothing."""
        known = {frozenset((each.one, each.other)): each for each in found}
        for (name, small), marks in sorted(self._marks.items()):
            pair = frozenset((name, small))
            now = known.get(pair)
            if small in self._there and (now is None or now.is_estimate):
                known[pair] = Repeats(name, small, len(marks), self._sizes[small], is_estimate=False)
        return list(known.values())


def _limit(level: int) -> int:
    return 1 << (MARK_BITS - level)


def _folder_of(name: str) -> str:
    return name.rstrip("/").rpartition("/")[0] + "/"


def _gathered(above: Sequence[str], levels: Sequence[int], groups: Groups) -> tuple[list[str], list[int], Groups]:
    """Groups as the folders they are in: each with the strictest level among them."""
    numbers: dict[str, int] = {}
    to = np.array([numbers.setdefault(name, len(numbers)) for name in above])
    strictest = [0] * len(numbers)
    for number, level in zip(to.tolist(), levels, strict=True):
        strictest[number] = max(strictest[number], level)
    return list(numbers), strictest, to[groups]


def _is_worth_a_word(found: Repeats, has_media: bool) -> bool:
    fewest = 2 - has_media + found.is_estimate
    is_all = found.records == found.of and not found.is_estimate
    of_texts = _SHARE_OF_MANY_TEXTS if found.is_estimate else _SHARE_OF_TEXTS
    share = _SHARE_OF_MEDIA if has_media else of_texts
    return (found.records >= fewest or is_all) and found.records >= share * found.of


def _shared(names: Sequence[str], levels: Sequence[int], groups: Groups, marks: Numbers) -> list[Repeats]:
    """What pairs of groups share, the greatest share first; ``marks`` ascend."""
    limits = np.array([_limit(level) for level in levels], np.uint64)
    stays = marks < limits[groups]
    groups, marks = groups[stays], marks[stays]
    if not len(marks):
        return []
    starts = np.r_[True, marks[1:] != marks[:-1]]
    firsts = groups[np.maximum.accumulate(np.where(starts, np.arange(len(marks)), 0))]
    pairs = np.stack([firsts[~starts], groups[~starts]], axis=1)
    found, hits = np.unique(pairs, axis=0, return_counts=True)
    order = np.argsort(groups, kind="stable")
    marks = marks[order]
    ends = np.searchsorted(groups[order], np.arange(len(names) + 1))
    repeats = []
    for (one, other), shared in zip(found.tolist(), hits.tolist(), strict=True):
        level = max(levels[one], levels[other])
        sizes = [
            int(np.searchsorted(marks[ends[group] : ends[group + 1]], np.uint64(_limit(level))))
            for group in (one, other)
        ]
        larger, smaller = (one, other) if sizes[0] >= sizes[1] else (other, one)
        repeats.append(Repeats(names[larger], names[smaller], shared, min(sizes), level > 0))
    return _ordered(repeats)


def _ordered(found: Iterable[Repeats]) -> list[Repeats]:
    return sorted(found, key=lambda each: (-each.records / each.of, -each.records))
