"""Evaluation data in a source: which splits are evaluation splits by their names, and what becomes of them.

Whatever trains on LibriSpeech's test-clean, COCO's val2017 or Common Voice's test can no longer be measured on them. A
source that holds such splits is read as given, and the report says so; ``--evaluation`` decides otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar, get_args

from omni_ray.corpora.base import UnitDraft
from omni_ray.records import Evaluation

Item = TypeVar("Item")

TRAIN, HELD_OUT, DROP = get_args(Evaluation)
"""Evaluation splits are trained on, go to the ``heldout_*`` files alone, or are not read."""

_SPLIT = r"(?:dev|val|valid|validation|test|eval|evaluation)(?:[-_.]?(?:clean|other|matched|mismatched|std|20\d\d|\d))*"
_FOLDER = re.compile(rf"{_SPLIT}(?:[-_]?(?:images|set|split|data))?", re.IGNORECASE)
_FILE = re.compile(
    rf"(?P<first>{_SPLIT})(?:[-_.]\d[\w-]*)?(?:\.[a-z0-9]+)+|.*[-_.](?P<last>{_SPLIT})(?:\.[a-z0-9]+)+", re.IGNORECASE
)


def is_evaluation(split: str) -> bool:
    """Whether a split of this name is for evaluation."""
    return re.fullmatch(_SPLIT, split, re.IGNORECASE) is not None


def splits_in(names: Iterable[str]) -> tuple[str, ...]:
    """The evaluation splits that paths name, by a folder or by the file's name; each once, in order."""
    found = dict.fromkeys(split for name in names if (split := _split_in(name)))
    return tuple(found)


def _split_in(name: str) -> str:
    *folders, base = name.split("/")
    for folder in folders:
        # An archive is a folder named after its file: test-clean.tar.gz.
        stem = re.sub(r"(?:\.(?:zip|tar|tgz|gz|bz2|xz|zst))+$", "", folder, flags=re.IGNORECASE)
        if _FOLDER.fullmatch(stem):
            return stem
    found = _FILE.fullmatch(base)
    return (found["first"] or found["last"]) if found else ""


def by_side(items: Iterable[Item], name_of: Callable[[Item], str], mode: str) -> Iterator[list[Item] | Iterable[Item]]:
    """Items that share units: all of them, or, where the sides are apart, those to train on and then the others.

    Args:
        name_of: the path that says which split an item belongs to.
        mode: one of :data:`~omni_ray.records.Evaluation`.
    """
    if mode == TRAIN:
        yield items
        return
    sides: tuple[list[Item], list[Item]] = [], []
    for item in items:
        sides[bool(_split_in(name_of(item)))].append(item)
    yield from (side for side in sides if side)


class TrainingFirst:
    """Drafts in the order in which they are made: those of evaluation splits come last where they are held out.

    Attributes:
        held_from: once all are taken, the number of the first that is held out; None where none is.
    """

    def __init__(
        self, drafts: Iterator[UnitDraft], mode: str, join: Callable[[Iterator[UnitDraft]], Iterator[UnitDraft]]
    ) -> None:
        self._drafts, self._mode, self._join = drafts, mode, join
        self.held_from: int | None = None

    def __iter__(self) -> Iterator[UnitDraft]:
        if self._mode != HELD_OUT:
            yield from self._join(self._drafts)
            return
        later: list[UnitDraft] = []
        count = 0
        for draft in self._join(self._to_train_on(later)):
            count += 1
            yield draft
        if later:
            self.held_from = count
            yield from self._join(iter(later))

    def _to_train_on(self, later: list[UnitDraft]) -> Iterator[UnitDraft]:
        for draft in self._drafts:
            if draft.evaluation:
                later.append(draft)
            else:
                yield draft
