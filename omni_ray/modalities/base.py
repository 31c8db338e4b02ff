"""What a modality is: the schema its readers yield, the schema its shards hold, and the way from one to the other.

Plain functions on Arrow tables: no Ray here, so every transform can be called and tested on its own.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from omni_ray.modalities.params import Params
from omni_ray.records import EXTRA, Rejected

if TYPE_CHECKING:
    import pyarrow as pa

    from omni_ray.modalities.documents import Ints


P = TypeVar("P", bound=Params)


def schema_of_raw(*columns: tuple[str, pa.DataType]) -> pa.Schema:
    """The schema of raw rows: what all of them have, and the columns of a modality."""
    import pyarrow as pa

    return pa.schema([("id", pa.string()), ("where", pa.string()), ("records", pa.int32()), *columns])


def schema_of_shards(*columns: tuple[str, pa.DataType], **features: Mapping[str, Any]) -> pa.Schema:
    """The schema of shards: ``id``, ``corpus`` and the columns of a modality, with Hugging Face feature metadata.

    ``features`` are those of columns that are not plain values there, such as media.
    """
    import pyarrow as pa

    schema = pa.schema([("id", pa.string()), ("corpus", pa.string()), *columns])
    plain = {field.name: _value(str(field.type).replace("double", "float64")) for field in schema}
    return schema.with_metadata({"huggingface": json.dumps({"info": {"features": plain | features}})})


def _value(dtype: str) -> dict[str, Any]:
    """The feature of a plain value; of a list of such values where it is ``list<item: ...>``."""
    if dtype.startswith("list<item: "):
        return {"feature": _value(dtype.removeprefix("list<item: ").removesuffix(">")), "_type": "List"}
    return {"dtype": dtype, "_type": "Value"}


def media_type() -> pa.DataType:
    """The type of media in shards."""
    import pyarrow as pa

    return pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def with_extra(schema: pa.Schema) -> pa.Schema:
    """A schema of raw rows or of shards, with the column :data:`EXTRA`."""
    import pyarrow as pa

    metadata = dict(schema.metadata or {})
    if b"huggingface" in metadata:
        said = json.loads(metadata[b"huggingface"])
        said["info"]["features"][EXTRA] = {"dtype": "string", "_type": "Value"}
        metadata[b"huggingface"] = json.dumps(said).encode()
    return schema.append(pa.field(EXTRA, pa.string())).with_metadata(metadata)


def schema_for(schema: pa.Schema, columns: Collection[str]) -> pa.Schema:
    """``schema``, with :data:`EXTRA` where that is among ``columns``."""
    return with_extra(schema) if EXTRA in columns else schema


def in_schema(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Rows with the columns of ``schema``; null for the one that only some corpora have."""
    import pyarrow as pa

    if EXTRA in schema.names and EXTRA not in rows.column_names:
        rows = rows.append_column(EXTRA, pa.nulls(rows.num_rows, pa.string()))
    return rows.select(schema.names).cast(schema)


@dataclass
class Transformed:
    """What a transform makes of a batch.

    Attributes:
        kept: rows with exactly the columns of ``Modality.schema``, and :data:`EXTRA` where the raw rows have it, in input order.
        rejected: what was not kept, and why. ``records_per_row`` summed over ``kept``, plus ``records`` summed
            over ``rejected``, equals the sum of the input's ``records`` column: the pipeline checks this.
        stats: sums over the batch that the manifest should hold (seconds of audio, say); added up over batches.
    """

    kept: pa.Table
    rejected: list[Rejected] = field(default_factory=list)
    stats: dict[str, float] = field(default_factory=dict)


class Modality(ABC, Generic[P]):
    """One of text, audio, images, ocr: all that is particular to it and that the layers above ask for.

    ``raw_schema`` is what ``Corpus.read`` yields; it always has ``id: string``, ``where: string`` (file and line,
    for messages) and ``records: int32`` (how many input records the row stands for; a missing column means 1).
    """

    name: ClassVar[str]
    params_type: type[P]
    version: ClassVar[int] = 1
    """Raised when the same raw row gives other bytes than before; it makes every shard of the modality stale."""
    counting_columns: ClassVar[tuple[str, ...]] = ("id",)
    """The columns that ``records_per_row`` and ``samples_per_row`` need; never the media."""
    media: ClassVar[str] = ""
    """The column that holds media, in raw rows their bytes, in shards a struct of bytes and path; "" where there are none."""
    raw_said: ClassVar[str] = "text"
    """The raw column that says what is in them: a text, captions, words."""
    said: ClassVar[str] = "text"
    """The column of shards that says so: a text, or a list with one for each sample."""
    of_documents: ClassVar[bool] = False
    """Whether rows are lines of documents, which stay together, are removed together and are never cut by a shard."""

    title: ClassVar[str]
    """The name for people, as a heading: "Speech"."""
    row: ClassVar[str]
    """What a row of a shard is: "picture with its captions"."""
    samples: ClassVar[str]
    """What training examples are, in the plural: "captions"."""
    judged: ClassVar[str]
    """What a rule of cleaning judges: "image"."""
    held_together: ClassVar[str]
    """What is held out as a whole: "speaker"."""
    tasks: ClassVar[tuple[str, ...]]
    """Task categories of the Hugging Face Hub."""
    own_files: ClassVar[str]
    """The corpus that reads the user's own files, such as ours."""
    group_columns: ClassVar[tuple[str, ...]] = ()
    """The columns that ``group_names`` needs, the media's path first where there is one; none where only contents count."""

    raw_schema: ClassVar[pa.Schema]
    """Columns of the rows that corpora of this modality yield, as :func:`schema_of_raw` makes it."""
    schema: ClassVar[pa.Schema]
    """Columns of a shard, as :func:`schema_of_shards` makes it."""

    @abstractmethod
    def transform(self, raw: pa.Table, corpus: str, params: P) -> Transformed:
        """Raw rows to shard rows. One bad row costs one row: it is rejected, and nothing is raised for data."""

    def use_threads(self, threads: int, rows: int) -> None:
        """How many threads ``transform`` may use, and how many rows it gives a device at a time; told to an actor before
        its first rows. Plain tasks have one thread.
        """

    def records_per_row(self, rows: pa.Table) -> list[int]:
        """How many input records each shard row stands for. Default: one."""
        return [1] * rows.num_rows

    def samples_per_row(self, rows: pa.Table) -> list[int]:
        """How many training examples each shard row gives. Default: one."""
        return [1] * rows.num_rows

    @property
    def has_speakers(self) -> bool:
        """Whether rows are held out by who speaks."""
        return "speaker" in self.schema.names

    def starts(self, rows: pa.Table) -> Ints:
        """The rows at which something begins that goes or stays as a whole: every row, or for text every document."""
        import numpy as np

        from omni_ray.modalities.documents import document_starts

        return document_starts(rows["id"]) if self.of_documents else np.arange(rows.num_rows)

    def group_names(self, rows: pa.Table) -> pa.Array | pa.ChunkedArray | None:
        """What joins rows of a corpus, such as a speaker; null for a row that is alone, None where all of them are."""
        return None

    def group_keys(self, rows: pa.Table, *, by_row: bool = False) -> pa.Array | pa.ChunkedArray:
        """What is held out as a whole with each row: what joins it to others of its corpus, else its content.

        Args:
            rows: shard rows, media included; for text, whole documents.
            by_row: every row is a group of its own, whatever joins it to others.
        """
        import pyarrow.compute as pc

        from omni_ray.modalities.groups import content_keys, within_corpus

        names = None if by_row else self.group_names(rows)
        contents = content_keys(rows[self.media or self.said])
        return contents if names is None else pc.coalesce(within_corpus(rows, names), contents)

    def group_said(self, row: Mapping[str, Any], name: str) -> str:
        """A group in words: "speaker 19"; ``row`` is one of its rows, of ``group_columns``."""
        return f"{self.held_together} {name}"

    def sums(self, rows: pa.Table) -> dict[str, float]:
        """Those ``stats`` that can still be told from the rows of a shard after some were removed."""
        return {}

    def warnings(self, samples: int, stats: Mapping[str, float], params: P) -> list[str]:
        """Sentences about a finished corpus that a user should read, from the sums of its manifests."""
        return []
