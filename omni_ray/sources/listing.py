"""The table of contents of an archive, on disk: sorted by name, mapped into memory, looked up by bisection.

An archive may have millions of members. Nothing here holds them as Python objects, and sorting them takes eight
bytes of memory each: they are written as they come, and then collected in order from that file.
"""

from __future__ import annotations

import json
import os
import tempfile
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from omni_ray.sources.tree import RefusedMembers
from omni_ray.storage import atomic_writer

BATCH = 1 << 16
"""Rows of a record batch."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive.

    Attributes:
        name: relative, with forward slashes.
        offset: where it begins: in a tar, its data in the unpacked stream; in a zip, its local header in the file.
        size: bytes, unpacked, as the archive declares.
        packed: bytes it takes in a zip; the same as ``size`` in a tar.
        method: of compression in a zip; 0 in a tar.
        crc: CRC-32 of the bytes in a zip; -1 where the archive has none.
    """

    name: str
    offset: int
    size: int
    packed: int
    method: int = 0
    crc: int = -1


_COLUMNS = tuple(field.name for field in fields(Member))
SCHEMA = pa.schema(
    [
        ("name", pa.large_string()),
        ("offset", pa.int64()),
        ("size", pa.int64()),
        ("packed", pa.int64()),
        ("method", pa.int16()),
        ("crc", pa.int64()),
    ]
)


def write(path: Path, members: Iterable[Member], refused: RefusedMembers | None = None) -> int:
    """Sort members by name and write them; of several with one name, the last is kept, as unpacking would, and the others
    are counted as refused.

    Args:
        path: the file; it appears when it is whole.
        members: in archive order.
        refused: what was left out; read when ``members`` are exhausted.

    Returns:
        how many are kept.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, spill = tempfile.mkstemp(prefix=".tmp-", dir=path.parent)
    os.close(descriptor)
    try:
        with pa.OSFile(spill, "wb") as file, pa.ipc.new_file(file, SCHEMA) as writer:
            for batch in _batches(members):
                writer.write_batch(batch)
        refused = RefusedMembers() if refused is None else refused
        kept = 0
        with (
            pa.memory_map(spill, "rb") as file,
            atomic_writer(path) as out,
            pa.ipc.new_file(out, SCHEMA) as writer,
        ):
            for batch, replaced in _sorted(pa.ipc.open_file(file).read_all().to_batches()):
                writer.write_batch(batch)
                kept += batch.num_rows
                for name, reason in replaced:
                    refused.add(name, "a later member has its name", reason)
            # After the rows: what is replaced is known once they are sorted.
            writer.write_batch(pa.RecordBatch.from_pylist([], SCHEMA), {"refused": json.dumps(vars(refused))})
        return kept
    finally:
        os.unlink(spill)


def _batches(members: Iterable[Member]) -> Iterator[pa.RecordBatch]:
    rows = iter(members)
    while some := list(islice(rows, BATCH)):
        columns = [[getattr(member, name) for member in some] for name in _COLUMNS]
        yield pa.record_batch([pa.array(c, f.type) for c, f in zip(columns, SCHEMA, strict=True)], schema=SCHEMA)


def _sorted(batches: list[pa.RecordBatch]) -> Iterator[tuple[pa.RecordBatch, list[tuple[str, str]]]]:
    """The rows of ``batches``, each of BATCH rows but the last, in order of name, the last of equal names only; and the
    names of the others, with the reason why they are not read."""
    if not batches:
        return
    # Stable: equal names stay in archive order.
    order = pc.sort_indices(pa.chunked_array([b.column("name") for b in batches])).to_numpy()
    for start in range(0, len(order), BATCH):
        rows = _gather(batches, order[start : start + BATCH + 1])
        names = rows.column("name")
        is_last = pc.not_equal(names.slice(0, len(names) - 1), names.slice(1))
        if start + BATCH >= len(order):
            is_last = pa.concat_arrays([is_last, pa.array([True])])
        yield rows.slice(0, len(is_last)).filter(is_last), list(_replaced(rows, is_last))


def _replaced(rows: pa.RecordBatch, is_last: pa.BooleanArray) -> Iterator[tuple[str, str]]:
    """The names of rows that the next ones replace: copies of those where size and CRC-32 are the same."""
    for row in np.flatnonzero(~is_last.to_numpy(zero_copy_only=False)).tolist():
        one, other = (rows.slice(each, 1).to_pylist()[0] for each in (row, row + 1))
        is_copy = one["crc"] >= 0 and (one["crc"], one["size"]) == (other["crc"], other["size"])
        yield one["name"], "copy" if is_copy else "superseded"


def _gather(batches: list[pa.RecordBatch], rows: np.ndarray) -> pa.RecordBatch:
    """``rows`` by number. Table.take would copy the whole table into one chunk first, every time."""
    holder = rows // BATCH
    by_holder = np.argsort(holder, kind="stable")
    back = np.empty_like(by_holder)
    back[by_holder] = np.arange(len(back))
    bounds = np.searchsorted(holder[by_holder], np.arange(len(batches) + 1))
    parts = []
    for number, batch in enumerate(batches):
        mine = by_holder[bounds[number] : bounds[number + 1]]
        if len(mine):
            parts.append(batch.take(pa.array(rows[mine] - number * BATCH)))
    return pa.Table.from_batches(parts).combine_chunks().to_batches()[0].take(pa.array(back))


class _Names:
    """The names of a batch as bytes, taken from Arrow's buffers: one scalar for each would cost ten times as much."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        names = batch.column("name")
        _, ends, data = names.buffers()
        self.ends = memoryview(ends).cast("q")[names.offset : names.offset + len(names) + 1]
        self.data = memoryview(data) if data is not None else memoryview(b"")

    def __len__(self) -> int:
        return len(self.ends) - 1

    def __getitem__(self, row: int) -> bytes:
        return bytes(self.data[self.ends[row] : self.ends[row + 1]])


class Listing:
    """A written table of contents."""

    def __init__(self, path: Path) -> None:
        with pa.memory_map(str(path), "rb") as file:
            reader = pa.ipc.open_file(file)
            batches = [reader.get_batch(i) for i in range(reader.num_record_batches)]
            _, note = reader.get_batch_with_custom_metadata(reader.num_record_batches - 1)
        self._batches = [batch for batch in batches if batch.num_rows]
        self._names = [_Names(batch) for batch in self._batches]
        self._heads = [names[0] for names in self._names]
        refused = json.loads(note[b"refused"])
        self.refused = RefusedMembers(
            refused["counts"], [(reason, name, why) for reason, name, why in refused["examples"]]
        )

    def __len__(self) -> int:
        return sum(len(names) for names in self._names)

    @property
    def total_bytes(self) -> int:
        """Of all members, unpacked, as the archive declares."""
        return sum(pc.sum(batch.column("size")).as_py() for batch in self._batches)

    def find(self, name: str) -> Member | None:
        """The member called ``name``, or None."""
        wanted = name.encode("utf-8", "surrogatepass")
        number, row = self._first(wanted)
        if number == len(self._names) or self._names[number][row] != wanted:
            return None
        return Member(*(column[row].as_py() for column in self._batches[number].columns))

    def _first(self, name: bytes) -> tuple[int, int]:
        """The first row whose name is not below ``name``: the batch's number, and the row in it."""
        number = max(0, bisect_right(self._heads, name) - 1)
        if number < len(self._names):
            row = bisect_left(self._names[number], name)
            if row < len(self._names[number]):
                return number, row
            number += 1
        return number, 0

    def _after(self, name: bytes) -> Iterator[bytes]:
        """The names from the first that is not below ``name`` on."""
        number, row = self._first(name)
        for names in self._names[number:]:
            for each in range(row, len(names)):
                yield names[each]
            row = 0

    def children(self, folder: str) -> tuple[list[str], list[str]]:
        """Names of folders and files directly in ``folder``, each sorted; whole subfolders are jumped over."""
        prefix = f"{folder}/".encode("utf-8", "surrogatepass") if folder else b""
        folders: list[str] = []
        files: list[str] = []
        rows = self._after(prefix)
        while (found := next(rows, b"")).startswith(prefix) and found:
            head, slash, _ = found[len(prefix) :].partition(b"/")
            (folders if slash else files).append(head.decode())
            if slash:
                rows = self._after(prefix + head + b"0")  # "0" follows "/"
        return sorted(folders), sorted(files)
