"""Flat files are put together by all workers at once: each writes its part at its place in a file of the right size.

The file has a temporary name while that goes on. What is written twice, by a task that was tried again, is the same.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from omni_ray.materialize.fragments import HELD, end_to_end, read_sorted


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
    """Files to put one after the other into ``path``, from ``offset`` on."""

    sources: tuple[str, ...]
    path: str
    offset: int


def place(item: Bucket | Copy) -> None:
    """Write one part of the flat files."""
    if isinstance(item, Copy):
        _copy(item)
    else:
        _sort(item)


def _copy(copy: Copy) -> None:
    with open(copy.path, "r+b") as file:
        file.seek(copy.offset)
        for source in copy.sources:
            with open(source, "rb") as part:
                shutil.copyfileobj(part, file, 1 << 20)


def _sort(bucket: Bucket) -> None:
    files = [os.open(slot.path, os.O_WRONLY | os.O_CLOEXEC) for slot in bucket.slots]
    try:
        ends = [slot.offset for slot in bucket.slots]
        for low, high in bucket.ranges:
            rows = read_sorted(bucket.fragments, low, high)
            if rows is None:
                continue
            for number, (slot, file) in enumerate(zip(bucket.slots, files, strict=True)):
                ends[number] += write_at(file, end_to_end(_side(rows, slot)), ends[number])
    finally:
        for file in files:
            os.close(file)


def _side(rows: pa.RecordBatch, slot: Slot) -> pa.BinaryArray:
    values = rows.column(slot.column)
    if HELD not in rows.schema.names:
        return values.slice(0, 0) if slot.held else values
    held = rows.column(HELD)
    return values.filter(held if slot.held else pc.invert(held))


def write_at(file: int, data: memoryview | bytes, offset: int) -> int:
    """Write all of ``data`` at ``offset`` of a file descriptor; returns how many bytes that are."""
    done = 0
    while done < len(data):  # one call writes 2 GiB at most
        done += os.pwrite(file, data[done:], offset + done)
    return done


def neighbours(sizes: Sequence[int], limit: int) -> list[tuple[int, int]]:
    """Runs of neighbouring files, (first, end), of at most ``limit`` bytes together, or of one file."""
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
