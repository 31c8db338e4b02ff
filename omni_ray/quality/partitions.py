"""Entries sorted into slices, in one file: what one task writes and many tasks each read a part of.

A file is an Arrow IPC file. Each of its record batches holds a run of slices, one after the other, and says in its metadata
which, and where each ends: a task maps the file and reads its slice of it and nothing else. Where files times slices
would be too many such reads, files are merged first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from omni_ray.pipeline.engine import Runner
from omni_ray.quality.hashing import Hashes, mix
from omni_ray.storage import Storage, atomic_writer

MOST_READS = 1_000_000
"""Files times slices: above this, files are merged first, which keeps reads in proportion to the entries."""
FAN_IN = 64
"""Files that are merged into one."""
_CHUNK_BYTES = 128 << 20
"""Entries that a merge holds at once: of each file it reads 2 MiB."""

PIECE_ENTRIES = 1 << 20
"""Entries that are held before they are written."""

Columns = dict[str, Hashes]
Ends = npt.NDArray[np.int64]


def slice_of(values: Hashes, slices: int) -> npt.NDArray[np.int64]:
    """The slice of each value: ``mix(value) % slices``, so that values that follow each other spread."""
    return (mix(values) % np.uint64(slices)).astype(np.int64)


def write_slices(storage: Storage, name: str, columns: Columns, place: npt.NDArray[np.int64], slices: int) -> None:
    """Write entries, those of one slice together and in the order given.

    Args:
        columns: equally long uint64 arrays, by name.
        place: the slice of each entry, from 0 to ``slices - 1``; int64.
    """
    order = np.argsort(place, kind="stable")
    ends = np.cumsum(np.bincount(place, minlength=slices))
    with _writer(storage, name, list(columns)) as write:
        write(0, ends, {key: values[order] for key, values in columns.items()})


@contextmanager
def _writer(storage: Storage, name: str, keys: list[str]) -> Iterator[_Write]:
    schema = pa.schema([(key, pa.uint64()) for key in keys])
    assert storage.local_root is not None, "entries are mapped into memory"
    with atomic_writer(storage.local_root / name, sync=False) as file, pa.ipc.new_file(file, schema) as writer:
        yield _Write(writer, schema)


@dataclass(frozen=True)
class _Write:
    """Writes a run of slices from ``first`` on; ``ends`` says where each ends among the entries given."""

    writer: pa.ipc.RecordBatchFileWriter
    schema: pa.Schema

    def __call__(self, first: int, ends: Ends, columns: Columns) -> None:
        batch = pa.record_batch([pa.array(values) for values in columns.values()], schema=self.schema)
        where = {"first": str(first), "ends": ends.astype("<i8").tobytes()}
        self.writer.write_batch(batch, custom_metadata=where)


def read_slice(storage: Storage, names: list[str], number: int) -> Columns:
    """All entries of slice ``number`` in the files ``names``, columns by name."""
    parts = [part for name in names for part, _ in _runs(storage, name, number, number + 1)]
    return _joined(parts)


def _joined(parts: list[Columns]) -> Columns:
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def _runs(storage: Storage, name: str, first: int, end: int) -> Iterator[tuple[Columns, Ends]]:
    """The entries of slices ``first`` to ``end`` of a file, and how many each of these slices has; int64, (end - first,).

    They are in one batch or in several; each part names all slices, with no entries of those that it does not hold.
    """
    with storage.open(name) as file:
        reader = pa.ipc.open_file(file)
        number = _batch_of(reader, first)
        while number < reader.num_record_batches:
            batch, start, ends = _batch(reader, number)
            if start >= end:
                return
            low, high = max(first, start), min(end, start + len(ends))
            begin = int(ends[low - start - 1]) if low > start else 0
            counts = np.zeros(end - first, np.int64)
            counts[low - first : high - first] = np.diff(ends[low - start : high - start], prepend=begin)
            rows = batch.slice(begin, int(ends[high - start - 1]) - begin)
            yield {key: column.to_numpy().copy() for key, column in zip(rows.schema.names, rows, strict=True)}, counts
            number += 1


def _batch(reader: pa.ipc.RecordBatchFileReader, number: int) -> tuple[pa.RecordBatch, int, Ends]:
    batch, where = reader.get_batch_with_custom_metadata(number)
    return batch, int(where[b"first"]), np.frombuffer(where[b"ends"], "<i8")


def _batch_of(reader: pa.ipc.RecordBatchFileReader, wanted: int) -> int:
    """The batch that holds slice ``wanted``."""
    low, high = 0, reader.num_record_batches - 1
    while low < high:
        middle = (low + high + 1) // 2
        if _batch(reader, middle)[1] <= wanted:
            low = middle
        else:
            high = middle - 1
    return low


def merged(storage: Storage, names: list[str], slices: int, run: Runner) -> list[str]:
    """The same entries in so few files that each slice of each can be read; those that were merged are removed.

    Args:
        names: the files, in an order that stays.
        slices: how many slices they have.
    """
    while len(names) * slices > MOST_READS and len(names) > 1:
        fan_in = min(FAN_IN, -(-len(names) * slices // MOST_READS))
        groups = [names[start : start + fan_in] for start in range(0, len(names), fan_in)]
        names = list(run(partial(_merge, storage, slices), groups))
    return names


def _merge(storage: Storage, slices: int, names: list[str]) -> str:
    """Put files together under a name that follows from the first one's."""
    target = f"{names[0]}+{len(names)}"
    folder = storage.local_root
    assert folder is not None
    if (folder / target).exists() and not all((folder / name).exists() for name in names):
        for name in names:  # a task that is run again because word of its end was lost
            storage.delete(name)
        return target
    size = sum((folder / name).stat().st_size for name in names)
    step = max(1, slices * _CHUNK_BYTES // max(size, 1))
    with storage.open(names[0]) as file:
        keys = pa.ipc.open_file(file).schema.names
    with _writer(storage, target, keys) as write:
        for first in range(0, slices, step):
            end = min(slices, first + step)
            runs = [run for name in names for run in _runs(storage, name, first, end)]
            # Slice by slice, and within each file by file.
            place = np.concatenate([np.repeat(np.arange(end - first), counts) for _, counts in runs])
            order = np.argsort(place, kind="stable")
            columns = {key: values[order] for key, values in _joined([part for part, _ in runs]).items()}
            write(first, np.cumsum(np.bincount(place, minlength=end - first)), columns)
    for name in names:
        storage.delete(name)
    return target


def in_one(parts: Sequence[tuple[Hashes, ...]], width: int) -> tuple[Hashes, ...]:
    """Columns of ``width`` one after the other; empty ones where there are no parts."""
    return tuple(np.concatenate([np.zeros(0, np.uint64), *(part[n] for part in parts)]) for n in range(width))


class EntryFiles:
    """Files of entries, written as they fill up, so that a task holds few of however many it finds.

    Args:
        stem: how their names begin; a number follows.
    """

    def __init__(self, stem: str, write: Callable[[str, tuple[Hashes, ...]], None]) -> None:
        self.names: list[str] = []
        self._stem = stem
        self._write = write
        self._parts: list[tuple[Hashes, ...]] = []
        self._size = 0

    def add(self, *columns: Hashes) -> None:
        self._parts.append(columns)
        self._size += len(columns[0])
        if self._size >= PIECE_ENTRIES:
            self.close()

    def close(self) -> list[str]:
        """Write what is left; the names of all files."""
        if self._size:
            self.names.append(f"{self._stem}-{len(self.names):04d}")
            self._write(self.names[-1], in_one(self._parts, len(self._parts[0])))
        self._parts, self._size = [], 0
        return self.names
