"""The table of contents of an archive, on disk: sorted by name, mapped into memory, looked up by bisection.

An archive may have millions of members. Nothing here holds them as Python objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from omni_ray.storage import atomic_writer

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
_BATCH = 50_000


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


def write(path: Path, members: Iterable[Member]) -> None:
    """Sort members by name and write them; of several with one name the last is kept, as unpacking would."""
    batches = list(_batches(members))
    table = pa.Table.from_batches(batches, SCHEMA)
    # A stable order within a name keeps archive order, so that the last of equal names is the last in the archive.
    order = pc.sort_indices(
        table.append_column("place", pa.array(range(table.num_rows))), [("name", "ascending"), ("place", "ascending")]
    )
    table = table.take(order).combine_chunks()
    if table.num_rows > 1:
        names = table["name"].combine_chunks()
        is_last = pc.not_equal(names.slice(0, len(names) - 1), names.slice(1))
        table = table.filter(pa.concat_arrays([is_last, pa.array([True])]))
    with atomic_writer(path) as file, pa.ipc.new_file(file, SCHEMA) as writer:
        writer.write_table(table.combine_chunks(), max_chunksize=max(1, table.num_rows))


def _batches(members: Iterable[Member]) -> Iterator[pa.RecordBatch]:
    rows: list[dict[str, Any]] = []
    for member in members:
        rows.append({field: getattr(member, field) for field in SCHEMA.names})
        if len(rows) == _BATCH:
            yield pa.RecordBatch.from_pylist(rows, SCHEMA)
            rows = []
    yield pa.RecordBatch.from_pylist(rows, SCHEMA)


class Listing:
    """A written table of contents."""

    def __init__(self, path: Path) -> None:
        with pa.memory_map(str(path), "rb") as file:
            reader = pa.ipc.open_file(file)
            self._rows = reader.get_batch(0) if reader.num_record_batches else None
        self._names = self._rows.column("name") if self._rows is not None else None

    def __len__(self) -> int:
        return len(self._names) if self._names is not None else 0

    def name(self, row: int) -> str:
        """The name in a row."""
        assert self._names is not None
        return str(self._names[row].as_py())

    def find(self, name: str) -> Member | None:
        """The member called ``name``, or None."""
        row = self.first(name)
        if row == len(self) or self.name(row) != name:
            return None
        assert self._rows is not None
        return Member(**{field: self._rows.column(field)[row].as_py() for field in SCHEMA.names})

    def first(self, name: str) -> int:
        """The first row whose name is not below ``name``."""
        low, high = 0, len(self)
        wanted = name.encode("utf-8", "surrogatepass")
        while low < high:
            middle = (low + high) // 2
            if self.name(middle).encode() < wanted:
                low = middle + 1
            else:
                high = middle
        return low

    def children(self, folder: str) -> tuple[list[str], list[str]]:
        """Names of folders and files directly in ``folder``, each sorted; whole subfolders are jumped over."""
        prefix = f"{folder}/" if folder else ""
        folders: list[str] = []
        files: list[str] = []
        row = self.first(prefix)
        while row < len(self):
            name = self.name(row)
            if not name.startswith(prefix):
                break
            head, slash, _ = name[len(prefix) :].partition("/")
            if slash:
                folders.append(head)
                row = self.first(f"{prefix}{head}0")  # "0" follows "/"
            else:
                files.append(head)
                row += 1
        return sorted(set(folders)), sorted(files)
