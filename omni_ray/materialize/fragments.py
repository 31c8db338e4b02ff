"""Fragments: serialized records of a few shards, in the order of the shuffle's keys, so that any range of keys can be read alone;
or in corpus order where nothing is shuffled.

A fragment is an Arrow IPC file of record batches whose keys rise, within a batch and from one to the next. It is mapped
into memory and looked up by bisection, so that a reader touches what it wants and little else, and the buckets need not be known
when a fragment is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from omni_ray.materialize import shuffle
from omni_ray.storage import atomic_writer

KEY, HELD = "key", "held"
"""The columns besides those of records: the shuffle's key, uint64, and whether the record is held out, where any are."""
Keys = npt.NDArray[np.uint64]


def sorted_by_key(rows: pa.Table) -> pa.RecordBatch:
    """The rows as one batch, by key. Stable: records that are parts of one long line share its key."""
    order = np.argsort(rows[KEY].to_numpy(), kind="stable")
    # One chunk each: taking rows of a column in many chunks costs a search for each of them.
    whole = pa.record_batch([_one_chunk(column) for column in rows.columns], schema=rows.schema)
    return whole.take(pa.array(order))


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)


def write_fragment(path: str, batches: Iterator[pa.RecordBatch] | Sequence[pa.RecordBatch], schema: pa.Schema) -> None:
    """Write batches that follow each other in the order of keys; empty ones, which cost whole buffers, are left out."""
    with atomic_writer(path, sync=False) as file, pa.ipc.new_file(file, schema) as writer:
        for batch in batches:
            if batch.num_rows:
                writer.write_batch(batch)


def read_range(path: str, low: int, high: int) -> Iterator[pa.RecordBatch]:
    """The records whose keys are at least ``low`` and below ``high``, as slices of the mapped file."""
    with pa.memory_map(path, "rb") as file:
        reader = pa.ipc.open_file(file)
        for number in range(_first_batch(reader, low), reader.num_record_batches):
            batch = reader.get_batch(number)
            keys = _keys(batch)
            if int(keys[0]) >= high:
                return
            start = int(np.searchsorted(keys, np.uint64(low), "left"))
            end = int(np.searchsorted(keys, np.uint64(high - 1), "right"))
            if end > start:
                yield batch.slice(start, end - start)


def _keys(batch: pa.RecordBatch) -> Keys:
    keys: Keys = batch.column(KEY).to_numpy()
    return keys


def _first_batch(reader: pa.ipc.RecordBatchFileReader, low: int) -> int:
    """The first batch whose last key is not below ``low``."""
    start, end = 0, reader.num_record_batches - 1  # the reader looks in the last one anyway
    while start < end:
        middle = (start + end) // 2
        if int(_keys(reader.get_batch(middle))[-1]) < low:
            start = middle + 1
        else:
            end = middle
    return start


def read_in_order(path: str, column: str, seed: int | None) -> Iterator[pa.RecordBatch]:
    """The records of one flat file in corpus order, with :data:`HELD`, of a fragment that was not merged; None for ``seed`` where
    nothing was shuffled."""
    with pa.memory_map(path, "rb") as file:
        reader = pa.ipc.open_file(file)
        for number in range(reader.num_record_batches):
            batch = reader.get_batch(number)
            wanted = batch.select([name for name in batch.schema.names if name in (column, HELD)])
            yield wanted if seed is None else wanted.take(pa.array(_corpus_order(_keys(batch), seed)))


def _corpus_order(keys: Keys, seed: int) -> Keys:
    """Where the records are in the order of their rows; parts of one long line, which share a key, as they lie.

    Row numbers of a fragment lie within 2 ** 32, so that they can be sorted together with the places, five times as fast as by
    ``argsort``.
    """
    rows = shuffle.rows_of(seed, keys)
    rows -= rows.min()
    both: Keys = rows << np.uint64(32) | np.arange(len(keys), dtype=np.uint64)
    both.sort()
    both &= np.uint64(0xFFFFFFFF)
    return both


def read_sorted(paths: Sequence[str], low: int, high: int) -> pa.RecordBatch | None:
    """The records of a range of keys from all fragments, by key; None where there are none."""
    parts = [batch for path in paths for batch in read_range(path, low, high)]
    return sorted_by_key(pa.Table.from_batches(parts)) if parts else None


def merge(paths: Sequence[str], target: str, steps: int) -> str:
    """Merge fragments into one; they are removed. Returns ``target``.

    Args:
        paths: fragments, in the order of their shards.
        target: the fragment to write.
        steps: how many ranges of keys are held in memory one after the other.
    """
    if not Path(target).exists():  # a task that is run again because word of its end was lost
        with pa.memory_map(paths[0], "rb") as file:
            schema = pa.ipc.open_file(file).schema
        ranges = (read_sorted(paths, shuffle.KEYS * n // steps, shuffle.KEYS * (n + 1) // steps) for n in range(steps))
        write_fragment(target, (batch for batch in ranges if batch is not None), schema)
    for path in paths:
        Path(path).unlink(missing_ok=True)
    return target


def end_to_end(values: pa.BinaryArray | pa.LargeBinaryArray) -> memoryview:
    """The bytes of all values, one after the other, as they lie in memory."""
    _, offsets, data = values.buffers()
    if data is None or not len(values):
        return memoryview(b"")
    width = np.int64 if pa.types.is_large_binary(values.type) else np.int32
    ends = np.frombuffer(offsets, width)[values.offset : values.offset + len(values) + 1]
    return memoryview(data)[int(ends[0]) : int(ends[-1])]


def bytes_by_range(keys: Keys, values: pa.LargeBinaryArray, bits: int) -> npt.NDArray[np.int64]:
    """How many bytes of values fall into each of ``2 ** bits`` equal ranges of keys; int64, shape (2 ** bits,)."""
    places = (keys >> np.uint64(64 - bits)).astype(np.int64) if bits else np.zeros(len(keys), np.int64)
    lengths = pc.binary_length(values).to_numpy()
    return np.bincount(places, weights=lengths, minlength=1 << bits).astype(np.int64)
