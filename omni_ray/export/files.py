"""The files of an export as they are written, and which rows go into which where files have a length of their own."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from omni_ray.export.parts import CorpusSide
from omni_ray.export.sides import Side
from omni_ray.pipeline.engine import Runner
from omni_ray.progress.reporter import Reporter
from omni_ray.records import EXTRA

_ROWS_AT_ONCE = 64
"""Rows whose bytes are Python objects at a time."""


def written(
    tasks: Sequence[tuple[str, Any]], write: Callable[[Any], Any], run: Runner, reporter: Reporter
) -> Iterator[Any]:
    """What ``write`` says of each task, which has ``samples``, in order; ``reporter`` is told under the title before the task."""
    for title, count in Counter(title for title, _ in tasks).items():
        reporter.begin(title, count, stage="export")
    for (title, task), made in zip(tasks, run(write, [task for _, task in tasks]), strict=True):
        reporter.advance(title, kept=task.samples)
        yield made
    reporter.end()


@dataclass(frozen=True)
class FileTask:
    """One file: which rows of which shards it holds, and the number of the first one in its corpus."""

    path: str
    modality: str
    slices: tuple[tuple[Side, int, int], ...]
    first_row: int

    @property
    def samples(self) -> int:
        """How many samples it holds."""
        return sum(stop - start for _, start, stop in self.slices)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Its samples, as rows of shards."""
        for side, start, stop in self.slices:
            for table in side.tables(start, stop):
                for batch in table.to_batches(max_chunksize=_ROWS_AT_ONCE):
                    yield from batch.to_pylist()


def more_of(row: Mapping[str, Any], *without: str) -> dict[str, Any]:
    """What in a row has no member or column of its own, except nulls; what ``extra`` holds as an object."""
    more = {key: value for key, value in row.items() if key not in without and value is not None}
    return {**more, EXTRA: json.loads(more[EXTRA])} if EXTRA in more else more


def file_tasks(corpus: CorpusSide, path: str, samples: int | None, size: int, bytes_beside: int) -> list[FileTask]:
    """The files of one side of a corpus: all of the same number of samples, but for the last.

    Args:
        corpus: what to write.
        path: of each file, with a place for its number.
        samples: of a file; None for as many as come to about ``size`` bytes.
        size: the size to aim at.
        bytes_beside: what a sample takes besides its data.
    """
    shards = [each.side.part for each in corpus.parts]
    each = sum(part.bytes for part in shards) // sum(part.shard_rows for part in shards) + bytes_beside
    length = samples or max(1, size // each)
    # A file never spans corpora, but it may span parts: its length is what the user asked for.
    found: list[FileTask] = []
    slices: list[tuple[Side, int, int]] = []
    room = length

    def close() -> None:
        found.append(FileTask(path.format(len(found)), corpus.modality, tuple(slices), len(found) * length))
        slices.clear()

    for part in corpus.parts:
        start = 0
        while start < part.rows:
            stop = min(part.rows, start + room)
            slices.append((part.side, start, stop))
            room -= stop - start
            start = stop
            if not room:
                close()
                room = length
    if slices:
        close()
    return found
