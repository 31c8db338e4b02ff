"""Entries sorted into slices, in one file: what one task writes and many tasks each read a part of.

A file is an Arrow IPC file of ``slices`` record batches; batch n holds the entries of slice n, so that a task
reads its slice from every file and nothing else. Files need not share a disk with their readers: any place that
:class:`omni_ray.storage.Storage` reaches.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from omni_ray.quality.hashing import Hashes, mix
from omni_ray.storage import Storage


def slice_of(values: Hashes, slices: int) -> npt.NDArray[np.int64]:
    """The slice of each value: ``mix(value) % slices``, so that values that follow each other spread."""
    return (mix(values) % np.uint64(slices)).astype(np.int64)


def write_slices(
    storage: Storage, name: str, columns: dict[str, Hashes], place: npt.NDArray[np.int64], slices: int
) -> None:
    """Write entries, those of one slice together and in the order given.

    Args:
        columns: equally long uint64 arrays, by name.
        place: the slice of each entry, from 0 to ``slices - 1``; int64.
    """
    order = np.argsort(place, kind="stable")
    table = {key: pa.array(values[order]) for key, values in columns.items()}
    ends = np.cumsum(np.bincount(place, minlength=slices))
    schema = pa.schema([(key, pa.uint64()) for key in columns])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, schema) as writer:
        start = 0
        for end in ends.tolist():
            writer.write_batch(pa.record_batch([v.slice(start, end - start) for v in table.values()], schema=schema))
            start = end
    storage.write(name, memoryview(sink.getvalue()))


def read_slice(storage: Storage, names: list[str], number: int) -> dict[str, npt.NDArray[np.uint64]]:
    """All entries of slice ``number`` in the files ``names``, columns by name."""
    parts = []
    for name in names:
        with storage.open(name) as file:
            parts.append(pa.ipc.open_file(file).get_batch(number))
    table = pa.Table.from_batches(parts).combine_chunks()
    return {key: table[key].to_numpy().copy() for key in table.column_names}
