"""Records of small files, which every unit of their source is asked about.

A large file keeps the mark of one record in some hundreds: those it shares with a file of fifty would hardly ever be among
them. The other way round it is cheap: the small files' records are known before the run, and each unit
looks whether it has them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.uint64]

_GLANCE_BITS = 20


@dataclass(frozen=True)
class Asked:
    """What is asked.

    Attributes:
        sizes: by file, how many different records it has.
        files: by number, the names.
        quick, marks, of: of each record the number that its mark begins with, which ascend, its mark, and its file's number.
    """

    sizes: Mapping[str, int]
    files: tuple[str, ...]
    quick: Numbers
    marks: Numbers
    of: npt.NDArray[np.int64]

    @classmethod
    def about(cls, files: Mapping[str, Mapping[int, int]]) -> Asked:
        """By file, the mark of each record and the number that it begins with."""
        names = tuple(sorted(files))
        rows = sorted((quick, mark, n) for n, name in enumerate(names) for mark, quick in files[name].items())
        quick, marks, of = zip(*rows, strict=True) if rows else ((), (), ())
        sizes = {name: len(files[name]) for name in names}
        return cls(sizes, names, np.array(quick, np.uint64), np.array(marks, np.uint64), np.array(of, np.int64))

    def rows_of(self, quick: Numbers) -> npt.NDArray[np.int64]:
        """Numbers of the rows that may be among the records, by the numbers that their marks begin with."""
        seen = np.zeros(1 << _GLANCE_BITS, np.bool_)  # a look that costs some nanoseconds tells most of them apart
        shift = np.uint64(64 - _GLANCE_BITS)
        seen[self.quick >> shift] = True
        rows = np.flatnonzero(seen[quick >> shift])
        places = np.searchsorted(self.quick, quick[rows]).clip(0, max(0, len(self.quick) - 1))
        return rows[self.quick[places] == quick[rows]] if len(rows) else rows

    def files_with(self, quick: int, mark: int) -> list[str]:
        """The files that have a record."""
        first, last = (int(np.searchsorted(self.quick, np.uint64(quick), side)) for side in ("left", "right"))
        return [self.files[self.of[n]] for n in range(first, last) if int(self.marks[n]) == mark]


class Met:
    """What a unit has of the records it was asked about."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self._small: set[str] = set()
        self._of: defaultdict[str, defaultdict[str, set[int]]] = defaultdict(lambda: defaultdict(set))

    def add(self, file: str, quick: int, mark: int) -> None:
        """A record of ``file`` that may be asked about."""
        for small in self.asked.files_with(quick, mark):
            if small == file:
                self._small.add(small)
            else:
                self._of[file][small].add(mark)

    def items(self) -> Iterable[tuple[str, dict[str, tuple[int, list[int]]]]]:
        """By file and then small file that it shares some with: how many records that has, and the marks of those shared."""
        for file, shared in sorted(self._of.items()):
            yield file, {small: (self.asked.sizes[small], sorted(marks)) for small, marks in sorted(shared.items())}

    @property
    def small(self) -> list[str]:
        """The small files that the unit itself holds, or some of."""
        return sorted(self._small)
