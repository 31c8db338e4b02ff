"""Flat files are put together by all workers at once: each writes its part at its place in a file of the right size.

The file has a temporary name while that goes on. What is written twice, by a task that was tried again, is the same.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from omni_ray.machine import begin_to_sync
from omni_ray.materialize.fragments import HELD, end_to_end, read_in_order, read_sorted
from omni_ray.storage import WRITE_BYTES


@dataclass(frozen=True)
class Slot:
    """A place in a flat file.

    Attributes:
        column: which records go there.
        held: whether those that are held out, or the others.
        path, offset: where.
    """

    column: str
    held: bool
    path: str
    offset: int


@dataclass(frozen=True)
class Bucket:
    """Ranges of the shuffle's keys, in order, that are sorted one by one and written one after the other.

    Attributes:
        fragments: what to take the records from.
        ranges: keys: (at least, below).
        slots: where they go.
    """

    fragments: tuple[str, ...]
    ranges: tuple[tuple[int, int], ...]
    slots: tuple[Slot, ...]


@dataclass(frozen=True)
class Copy:
    """Fragments whose records go to a slot, in corpus order.

    Attributes:
        fragments: what to take the records from.
        seed: of the shuffle, by whose keys they lie in a fragment; None where they lie in corpus order.
        slot: where they go.
    """

    fragments: tuple[str, ...]
    seed: int | None
    slot: Slot


def place(item: Bucket | Copy) -> None:
    """Write one part of the flat files."""
    if isinstance(item, Copy):
        _copy(item)
    else:
        _sort(item)


def _copy(copy: Copy) -> None:
    slot, end = copy.slot, copy.slot.offset
    file = os.open(slot.path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        for path in copy.fragments:
            for rows in read_in_order(path, slot.column, copy.seed):
                end += _put(file, _side(rows, slot), end)
    finally:
        os.close(file)


def _sort(bucket: Bucket) -> None:
    files = [os.open(slot.path, os.O_WRONLY | os.O_CLOEXEC) for slot in bucket.slots]
    try:
        ends = [slot.offset for slot in bucket.slots]
        for low, high in bucket.ranges:
            rows = read_sorted(bucket.fragments, low, high)
            if rows is None:
                continue
            for number, (slot, file) in enumerate(zip(bucket.slots, files, strict=True)):
                ends[number] += _put(file, _side(rows, slot), ends[number])
    finally:
        for file in files:
            os.close(file)


def _side(rows: pa.RecordBatch, slot: Slot) -> pa.BinaryArray:
    values = rows.column(slot.column)
    if HELD not in rows.schema.names:
        return values.slice(0, 0) if slot.held else values
    held = rows.column(HELD)
    return values.filter(held if slot.held else pc.invert(held))


def _put(file: int, values: pa.BinaryArray, offset: int) -> int:
    """Write records at ``offset``; returns how many bytes they are. The disk starts on them while others are sorted."""
    size = write_at(file, end_to_end(values), offset)
    if size:  # given 0 bytes, the kernel would take the rest of the file
        begin_to_sync(file, offset, size)
    return size


def write_at(file: int, data: memoryview | bytes, offset: int) -> int:
    """Write all of ``data`` at ``offset`` of a file descriptor; returns how many bytes that are."""
    done = 0
    while done < len(data):
        done += os.pwrite(file, data[done : done + WRITE_BYTES], offset + done)
    return done


def neighbours(sizes: Sequence[int], limit: int) -> list[tuple[int, int]]:
    """Runs of neighbours, (first, end), of at most ``limit`` bytes together, or of one."""
    runs: list[tuple[int, int]] = []
    held = 0
    for number, size in enumerate(sizes):
        if runs and held + size <= limit:
            runs[-1] = (runs[-1][0], number + 1)
            held += size
        else:
            runs.append((number, number + 1))
            held = size
    return runs
