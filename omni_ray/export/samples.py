"""What is to be trained on, read from the shards in place: as Arrow, or as the datasets of Ray, Hugging Face and torch.

Nothing is read before it is asked for, and never more than a row group at once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from omni_ray.digests import digest_of_json
from omni_ray.errors import OmniError
from omni_ray.export.sides import Side, Split
from omni_ray.modalities.base import in_schema, with_extra
from omni_ray.modalities.registry import modality as modality_of
from omni_ray.ours import identity_of
from omni_ray.pipeline.parts import Part
from omni_ray.pipeline.reading import read_in_order
from omni_ray.pipeline.whole import is_whole
from omni_ray.storage import atomic_writer, write_atomic

if TYPE_CHECKING:
    import datasets
    import ray.data
    from torch.utils.data import IterableDataset

_FORMAT = 2
"""Raised when the same shards give other rows; it makes the copies for Hugging Face stale."""


@dataclass(frozen=True)
class ShardRows:
    """The rows of one shard that are wanted. Small and picklable: workers get it with their task.

    Attributes:
        corpus: whose it is.
        side: of which shard, and which of its rows.
        has_extra: whether there is a column for the records' other data, since some corpus has it.
    """

    corpus: str
    side: Side
    has_extra: bool = False

    @property
    def part(self) -> Part:
        """The shard, and how much of it counts."""
        return self.side.part

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the columns."""
        schema = modality_of(self.part.modality).schema
        return with_extra(schema) if self.has_extra else schema

    def tables(self) -> Iterator[pa.Table]:
        """The rows in canonical order, a table for each row group; empty ones are left out.

        Raises:
            OmniError: the shard is not the one that was committed.
        """
        part = self.part
        if part.storage.is_local and not is_whole(part.storage, part.committed):
            raise OmniError(
                f"{self.corpus}: {part.storage.shown}/{part.file} is damaged, or was made again since this dataset was "
                "opened: open it again; `omni-ray verify` says what is wrong"
            )
        for rows in self.side.tables():
            yield in_schema(rows, self.schema)

    @property
    def identity(self) -> list[Any]:
        """All that the rows depend on, as a JSON value."""
        return [self.corpus, self.side.identity, self.has_extra]


@dataclass(frozen=True)
class Samples:
    """The rows that training is to read of one modality, or of one corpus, in canonical order.

    A row is what a shard's row is: a line of text, a clip, a picture with its captions, a word.

    Attributes:
        name: what was asked for.
        modality: text, audio, images or ocr.
        slices: the shards, in order.
        scratch: a folder for what :meth:`as_hf` maps into memory.
    """

    name: str
    modality: str
    slices: tuple[ShardRows, ...]
    scratch: Path

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the columns."""
        return self.slices[0].schema

    def tables(self) -> Iterator[pa.Table]:
        """All rows, some at a time. Raises OmniError where a shard is not the one that was committed."""
        for each in self.slices:
            yield from each.tables()

    def as_arrow(self) -> pa.RecordBatchReader:
        """The rows as a stream, which is read once; what reads Arrow's C stream (polars, duckdb) takes it as it is."""
        batches = (batch for table in self.tables() for batch in table.to_batches())
        return pa.RecordBatchReader.from_batches(self.schema, batches)

    def as_ray(self) -> ray.data.Dataset:
        """A dataset of the Ray that is connected, or that Ray Data starts, with a read task for each shard."""
        return read_in_order(
            [each.tables for each in self.slices], [each.part.bytes for each in self.slices], self.schema
        )

    def as_hf(self) -> datasets.Dataset:
        """A Hugging Face dataset, whose audio and pictures are decoded when they are looked at.

        It is mapped into memory from a copy that is made in the project when it is first asked for, and again when
        the shards are others, or it is not what was written.
        """
        from datasets import Dataset

        folder = self.scratch / f"{self.modality}-{self.name.replace('/', '-')}-{self.split}"
        file = folder / f"{self._digest()}.arrow"
        note = file.with_suffix(".json")
        if not note.exists() or json.loads(note.read_bytes()) != [*(identity_of(file) or ())]:
            with atomic_writer(file, sync=False) as out, pa.ipc.new_stream(out, self.schema) as writer:
                for table in self.tables():
                    writer.write_table(table)
            write_atomic(note, json.dumps(identity_of(file)).encode())
            for other in folder.glob("*.*"):
                if other.suffix in {".arrow", ".json"} and other.stem != file.stem:
                    other.unlink(missing_ok=True)
        return Dataset.from_file(str(file))

    def as_torch(self) -> IterableDataset[dict[str, Any]]:
        """An iterable dataset of rows as dicts: ``audio`` is a float32 tensor of samples at 16 kHz, ``image`` a uint8 one of
        (3, height, width). The workers of a DataLoader, and the ranks of torch.distributed, take shards in turn: nothing
        else must part the rows among ranks (accelerate would)."""
        from omni_ray.export.samples_torch import TorchSamples

        return TorchSamples([each.tables for each in self.slices])

    @property
    def split(self) -> Split:
        """The side that is wanted."""
        return self.slices[0].side.split

    def _digest(self) -> str:
        value = [_FORMAT, [each.identity for each in self.slices]]
        return digest_of_json(value)[:32]

    def _summary(self) -> list[tuple[str, int, int]]:
        """The shards and rows of each corpus; for a shard of which a share is held out, those of both sides."""
        found: dict[str, tuple[int, int]] = {}
        for each in self.slices:
            shards, rows = found.get(each.corpus, (0, 0))
            found[each.corpus] = shards + 1, rows + each.part.rows
        return [(corpus, shards, rows) for corpus, (shards, rows) in found.items()]

    def _title(self) -> str:
        holdout = max(each.side.holdout for each in self.slices)
        side = f", {holdout:g} held out" if holdout else ""
        return f"{self.name}: {self.modality}, split {self.split}{side}"

    def __repr__(self) -> str:
        return "\n".join(
            [self._title(), *(f"  {name}: {rows:,} rows in {n:,} shards" for name, n, rows in self._summary())]
        )

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(c)}</td><td>{rows:,}</td><td>{n:,}</td></tr>" for c, n, rows in self._summary()
        )
        head = "<tr><th>corpus</th><th>rows</th><th>shards</th></tr>"
        return f"<table><caption>{escape(self._title())}</caption>{head}{rows}</table>"
