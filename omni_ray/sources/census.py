"""Counting the files of a source: which of them a corpus reads, and why it does not read the others.

While a corpus is indexed, the names that it reads are noted, eight bytes each. Then the source is walked once, and each
file that is not among them is counted by reason and ending, with an example.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np

from omni_ray.sources.furniture import is_documentation, is_furniture
from omni_ray.sources.kinds import FileKind, kind_of
from omni_ray.sources.tree import FileTree, Tree
from omni_ray.unread import REASONS, Files, UnreadGroup
from omni_ray.visible import visible

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_GROUPS = 64
_OF_SPLITS = {"ending", "unlisted", "no_media"}
_LONGEST_NAME = 120


class Claims:
    """The names that a corpus reads. Holds a number for each, not the names: only the process that made it uses it."""

    def __init__(self) -> None:
        self._numbers = array("q")

    def add(self, names: Iterable[str]) -> None:
        """Note names."""
        self._numbers.extend(map(hash, names))

    def sorted(self) -> NDArray[np.int64]:
        """All numbers, each once."""
        return np.unique(np.asarray(self._numbers, np.int64))


def account(
    tree: Tree,
    claims: Claims,
    modality: str,
    explain: Callable[[str], str] = lambda name: "",
    of_splits: bool = False,
) -> Files:
    """Count the files of ``tree``.

    Args:
        claims: the names that are read.
        modality: whose data the files may look like.
        explain: a reason for a file that is not read, from whoever knows the layout; "" where it does not know.
        of_splits: only some splits were asked for: what could otherwise be read is of another one.
    """
    known = claims.sorted()
    read = 0
    unread = _Groups(modality)
    for folder, there in tree.survey():
        prefix = f"{folder}/" if folder else ""
        is_read = _among(known, [hash(prefix + name) for name in there.files])
        read += int(is_read.sum())
        for name in (prefix + name for name, each in zip(there.files, is_read.tolist(), strict=True) if not each):
            kind = kind_of(name)
            why = tree.aside.get(name) or explain(name) or _reason(tree, name, kind, modality)
            unread.add(name, "split" if of_splits and why in _OF_SPLITS else why, kind)
        for name, reason in there.left_out:
            kind = kind_of(name)
            if reason != "hidden" or kind.looks_like(modality):
                unread.add(prefix + name, reason, kind)
    refused = tree.refused
    nameless = refused.counts.copy()
    for reason, _, _ in refused.examples:
        nameless[reason] -= 1
    for reason, name, _ in refused.examples:
        # Only some are known by name: the first represents those that are not.
        unread.add(name, reason, kind_of(name), 1 + nameless.pop(reason, 0))
    for name in (name for name in tree.unfetched if not any(map(is_furniture, name.split("/")))):
        kind = kind_of(name)
        unread.add(name, _reason(None, name, kind, modality), kind)
    if isinstance(tree, FileTree):
        read = len(known)  # what the file names is beside it, and is not listed
    return Files(read, unread.in_order())


class _Groups:
    """Files that are not read, by reason and ending."""

    def __init__(self, modality: str) -> None:
        self._modality = modality
        self._groups: dict[tuple[str, str], UnreadGroup] = {}

    def add(self, name: str, reason: str, kind: FileKind, times: int = 1) -> None:
        key = (reason, kind.ending)
        if key not in self._groups and len(self._groups) >= _MOST_GROUPS:
            key = (reason, "*")
        if key not in self._groups:
            label = "" if key[1] == "*" else kind.label
            self._groups[key] = UnreadGroup(reason, key[1], label, 0, _shown(name), False)
        self._groups[key].count += times
        self._groups[key].fault |= REASONS[reason].fault and (reason == "no_media" or kind.looks_like(self._modality))

    def in_order(self) -> list[UnreadGroup]:
        """Faults first, then by number."""
        found = self._groups.values()
        return sorted(found, key=lambda group: (not group.fault, -group.count, group.reason, group.ending))


def _among(known: NDArray[np.int64], numbers: list[int]) -> NDArray[np.bool_]:
    wanted = np.asarray(numbers, np.int64)
    if not len(known):
        return np.zeros(len(wanted), bool)
    places = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
    return np.asarray(known[places] == wanted)


def _reason(tree: Tree | None, name: str, kind: FileKind, modality: str) -> str:
    base = name.rpartition("/")[2]
    if is_furniture(base) or is_documentation(base):
        return "documentation"
    if not kind.looks_like(modality):
        return "format" if kind.label else "ending"
    if tree is not None and not tree.size(name):
        return "empty"
    if kind.holds == "archive":
        return "archive"
    return "format" if kind.label else "unlisted" if kind.holds in {"audio", "picture"} else "ending"


def _shown(name: str) -> str:
    text = visible(name)
    return text if len(text) <= _LONGEST_NAME else f"...{text[-_LONGEST_NAME:]}"
