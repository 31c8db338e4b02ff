"""Flat files from what the groups of shards became: who writes what, and where.

The sizes of all parts are known, so every file is made in its full size under a temporary name, workers fill it, and it
is renamed when all of it is there.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from omni_ray.materialize import fragments, shuffle
from omni_ray.materialize.formats import format_of
from omni_ray.materialize.pieces import SIDES, Made, Plan
from omni_ray.materialize.placing import Bucket, Copy, Slot, neighbours, place, write_at
from omni_ray.pipeline.engine import Runner
from omni_ray.storage import atomic_writer
from omni_ray.trainers.files import FlatFile

BUCKET_BYTES = 128 << 20
"""Records that are sorted at once; a worker holds about three copies of them."""
_LEAST_BYTES, _TASKS = 32 << 20, 64
"""Smaller corpora are cut into fewer buckets: each looks into every fragment."""
MOST_READS = 1_000_000
"""Fragments times buckets: above this, fragments are merged first, which keeps reads in proportion to the corpus."""
FAN_IN = 64
"""Fragments that are merged into one: each is then read in parts of 2 MiB."""


@dataclass
class _File:
    """One flat file to be put together.

    Attributes:
        path: where it is to be.
        form: its head, separator and tail.
        size: bytes of its records, each with a separator.
        number, side: which records it takes: number of the flat file, side.
        groups: those whose records it takes, in corpus order; None for all, in the order of their keys.
    """

    path: Path
    form: FlatFile
    size: int
    number: int
    side: int
    groups: Sequence[int] | None = None

    @property
    def _records_end(self) -> int:
        # The separator after the last record goes.
        return len(self.form.head) + max(0, self.size - len(self.form.separator))

    @property
    def total(self) -> int:
        """Bytes of the whole file."""
        return self._records_end + len(self.form.tail)

    def finish(self, file: int) -> None:
        """Write what comes before and after the records."""
        write_at(file, self.form.head, 0)
        os.ftruncate(file, self._records_end)
        write_at(file, self.form.tail, self._records_end)


class Assembly:
    """The flat files of one run.

    Args:
        plan: of the run.
        run: maps tasks over items.
    """

    def __init__(self, plan: Plan, run: Runner) -> None:
        self._work, self._seed = plan.work, plan.seed
        self._forms = format_of(plan.modality).files
        self._run = run
        self._fragments: list[tuple[str, ...]] = []
        self._sizes: list[npt.NDArray[np.int64]] = []
        self._files: list[_File] = []
        self._by_range = np.zeros((SIDES, len(self._forms), 1 << plan.bits), np.int64)

    def add(self, made: Made) -> None:
        """Take note of what the next group became."""
        self._by_range += made.by_range
        self._sizes.append(made.by_range.sum(axis=2))
        self._fragments.append(made.fragments)

    def in_order(self, path: Path, groups: Sequence[int], number: int, side: int) -> int:
        """Plan a file of the records of some groups, flat file ``number`` of each, in corpus order. Returns its size in bytes."""
        size = sum(int(self._sizes[group][side, number]) for group in groups)
        return self._planned(_File(path, self._forms[number], size, number, side, groups))

    def shuffled(self, path: Path, number: int, side: int) -> int:
        """Plan a file of all records, flat file ``number`` of each, in the order of their keys. Returns its size in bytes."""
        return self._planned(_File(path, self._forms[number], int(self._by_range[side, number].sum()), number, side))

    def _planned(self, file: _File) -> int:
        self._files.append(file)
        return file.total

    def write(self, before_they_appear: Callable[[dict[Path, Path]], None]) -> None:
        """Write all files that are planned; ``before_they_appear`` gets the names they have until then, when they are whole."""
        with ExitStack() as stack:
            # What is entered last appears first.
            outs = [(file, stack.enter_context(atomic_writer(file.path))) for file in reversed(self._files)]
            for file, out in outs:
                os.ftruncate(out.fileno(), len(file.form.head) + file.size)
            paths = {file.path: out.name for file, out in outs}
            self._fill(paths)
            for file, out in outs:
                file.finish(out.fileno())
            before_they_appear({path: Path(made) for path, made in paths.items()})

    def _fill(self, paths: dict[Path, str]) -> None:
        copies = list(self._copies(paths))
        names = tuple(itertools.chain.from_iterable(self._fragments))
        if self._are_many(names):
            self._place(copies)  # what they read is gone once it is merged
            copies, names = [], self._merged(names)
        self._place([*copies, *self._buckets(paths, names)])

    def _place(self, items: Sequence[Copy | Bucket]) -> None:
        for _ in self._run(place, items):
            pass

    def _copies(self, paths: dict[Path, str]) -> Iterator[Copy]:
        limit = _bucket_bytes(int(self._by_range.sum()))
        for file in self._files:
            groups = file.groups or ()
            sizes = [int(self._sizes[group][file.side, file.number]) for group in groups]
            starts = np.cumsum([len(file.form.head), *sizes]).tolist()
            for first, end in neighbours(sizes, limit):
                names = itertools.chain.from_iterable(self._fragments[group] for group in groups[first:end])
                if starts[end] > starts[first]:
                    slot = Slot(file.form.kind, bool(file.side), paths[file.path], starts[first])
                    yield Copy(tuple(names), self._seed, slot)

    @property
    def _shuffled_files(self) -> list[_File]:
        return [file for file in self._files if file.groups is None]

    def _ranges(self) -> list[tuple[int, int]]:
        """Runs of ranges of keys that make a bucket each."""
        if not self._shuffled_files:
            return []
        sizes = self._by_range.sum(axis=(0, 1))
        return list(shuffle.buckets(sizes, _bucket_bytes(int(sizes.sum()))))

    def _are_many(self, names: Sequence[str]) -> bool:
        """Whether reading a part of each fragment for each bucket would cost more than their bytes."""
        return len(names) > 1 and len(names) * len(self._ranges()) > MOST_READS

    def _merged(self, names: Sequence[str]) -> tuple[str, ...]:
        """Fragments, enough of them merged that few enough are left."""
        buckets = len(self._ranges())
        for turn in itertools.count():
            if not self._are_many(names):
                break
            fan_in = min(FAN_IN, -(-len(names) * buckets // MOST_READS))
            each = int(self._by_range.sum()) // max(1, -(-len(names) // fan_in))
            steps = max(1, -(-each // BUCKET_BYTES))
            merges = [
                Merge(tuple(names[start : start + fan_in]), f"{self._work}/merged-{turn}-{start:06d}.fragment", steps)
                for start in range(0, len(names), fan_in)
            ]
            names = list(self._run(merge_fragments, merges))
        return tuple(names)

    def _buckets(self, paths: dict[Path, str], names: tuple[str, ...]) -> Iterable[Bucket]:
        files = self._shuffled_files
        ends = [len(file.form.head) for file in files]
        width = shuffle.KEYS // self._by_range.shape[2]
        for first, end in self._ranges():
            slots = []
            for place_, file in enumerate(files):
                slots.append(Slot(file.form.kind, bool(file.side), paths[file.path], ends[place_]))
                ends[place_] += int(self._by_range[file.side, file.number, first:end].sum())
            size = int(self._by_range[:, :, first:end].sum())
            # Where shards shrank more than expected, a single range may be more than a bucket should hold.
            steps = max(1, -(-size // (2 * BUCKET_BYTES)))
            low, high = first * width, end * width
            cuts = [low + (high - low) * n // steps for n in range(steps + 1)]
            yield Bucket(names, tuple(itertools.pairwise(cuts)), tuple(slots))


def _bucket_bytes(size: int) -> int:
    """How many of ``size`` bytes a task places."""
    return min(BUCKET_BYTES, max(_LEAST_BYTES, size // _TASKS))


@dataclass(frozen=True)
class Merge:
    """Fragments to merge into one; see :func:`omni_ray.materialize.fragments.merge`."""

    paths: tuple[str, ...]
    target: str
    steps: int


def merge_fragments(merge: Merge) -> str:
    """Returns the name of what they became."""
    return fragments.merge(merge.paths, merge.target, merge.steps)
