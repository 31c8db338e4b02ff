"""Which of many names have been met before, at 8 bytes a name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


class SeenStrings:
    """A set of strings, kept as 64-bit hashes in sorted runs of doubling length.

    Two names of ten million share a hash once in a million times; a picture would then go undecoded.
    """

    def __init__(self) -> None:
        self._runs: list[npt.NDArray[np.int64]] = []

    def add(self, names: Sequence[str]) -> list[bool]:
        """Add ``names``; for each, whether it had not been met before."""
        keys = np.fromiter(map(hash, names), np.int64, len(names))
        unique, first = np.unique(keys, return_index=True)
        known = np.zeros(len(unique), bool)
        for run in self._runs:
            at = np.minimum(np.searchsorted(run, unique), len(run) - 1)
            known |= run[at] == unique
        is_new = np.zeros(len(keys), bool)
        is_new[first[~known]] = True
        if not known.all():
            self._runs.append(unique[~known])
        while len(self._runs) > 1 and len(self._runs[-2]) <= 2 * len(self._runs[-1]):
            last = self._runs.pop()
            self._runs[-1] = np.sort(np.concatenate([self._runs[-1], last]))
        return is_new.tolist()
