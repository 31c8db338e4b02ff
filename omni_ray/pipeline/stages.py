"""What happens to a unit: read, transform, commit. Plain callables, so that they run with and without Ray."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from omni_ray.corpora.base import Corpus
from omni_ray.errors import OmniError, SourceError
from omni_ray.modalities.base import Modality, with_extra
from omni_ray.modalities.params import Params
from omni_ray.pipeline.apart import kept_apart
from omni_ray.pipeline.asked import Asked
from omni_ray.pipeline.manifest import CommittedFile, Manifest, part_name
from omni_ray.pipeline.marks import FEWEST, Marks
from omni_ray.pipeline.units import Unit
from omni_ray.records import EXTRA, Rejected
from omni_ray.sources import open_spec
from omni_ray.storage import Storage

if TYPE_CHECKING:
    from omni_ray.sources.tree import Tree

ROWS_AT_ONCE, _BYTES_AT_ONCE = 64, 64 << 20
"""Rows, or bytes of media in them, that are read before they are transformed: a unit is never held raw as a whole."""
ROW_GROUP_BYTES = 64 << 20
_ODD = (pa.ArrowException, UnicodeError, TypeError, ValueError, OverflowError)
"""What Arrow says of a value that does not fit its column."""
_DETAIL_LIMIT = 500
"""A detail is for a person; a hostile file must not fill the quarantine with one."""
_NAMES = ["id", "where", "records"]

QUARANTINE_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("where", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("records", pa.int32()),
    ]
)


@dataclass(frozen=True)
class Job:
    """One corpus to be made: all a worker needs to turn any of its units into a shard.

    Attributes:
        name: the name its shards and files carry.
        corpus: reads units.
        tree: the source, as :func:`omni_ray.sources.open_spec` takes it.
        modality, params: turn raw rows into shard rows.
        storage: where the shards go.
        keeps_columns: whether shards keep the other columns of the records, as a column ``extra``.
        marks: how many marks of records a manifest keeps.
        asked: records of small files that it tells of.
    """

    name: str
    corpus: Corpus
    tree: Mapping[str, Any]
    modality: Modality[Any]
    params: Params
    storage: Storage
    keeps_columns: bool = False
    marks: int = FEWEST
    asked: Asked | None = None

    @property
    def raw_schema(self) -> pa.Schema:
        """Columns of the rows that its corpus yields."""
        schema = self.modality.raw_schema
        return with_extra(schema) if self.keeps_columns else schema

    @property
    def schema(self) -> pa.Schema:
        """Columns of its shards."""
        return with_extra(self.modality.schema) if self.keeps_columns else self.modality.schema


@dataclass(frozen=True)
class LeftOut:
    """What of a unit must not be touched, because it ends any process that does.

    Attributes:
        rows: numbers of rows, in reading order, that are not transformed.
        items: how many of the things that its corpus yields can be read; None for all.
    """

    rows: frozenset[int] = frozenset()
    items: int | None = None


@dataclass
class Batch:
    """Some of a unit's records: rows of the modality's raw schema, and what the corpus could not read."""

    rows: pa.Table | None
    rejected: list[Rejected]


def read_unit(
    job: Job, unit: Unit, rows_at_once: int = ROWS_AT_ONCE, tell: Callable[[int], None] | None = None,
    items: int | None = None,
) -> Iterator[Batch]:  # fmt: skip
    """The unit's records, as they come.

    Args:
        rows_at_once: rows in a batch, at most; fewer where their media are large.
        tell: called with the number of each thing that the corpus yields, before it is read.
        items: as in :class:`LeftOut`.

    Raises:
        SourceError: a file of the source vanished, or cannot be read any more.
    """
    try:
        tree: Tree = open_spec(job.tree)
        found = islice(iter(job.corpus.read(tree, json.loads(unit.payload))), items)
        yield from batches(_told(found, tell) if tell else found, job.raw_schema, rows_at_once)
        if tree.stamp(unit.inputs) != unit.stamp:
            raise SourceError(
                f"{job.name}: files of unit {unit.index} changed or vanished while it was read; "
                "bring them back and run the same command again"
            )
    except OSError as error:
        raise SourceError(
            f"{job.name}: {error.filename or job.tree.get('root') or job.tree.get('path') or 'the source'} cannot be "
            f"read any more ({error.strerror or error}); bring it back and run the same command again"
        ) from error


_End = object()


def _told(items: Iterator[Any], tell: Callable[[int], None]) -> Iterator[Any]:
    number = 0
    while True:
        tell(number)
        item = next(items, _End)
        if item is _End:
            return
        yield item
        number += 1


def batches(
    items: Iterable[dict[str, Any] | Rejected | pa.Table], columns: pa.Schema, rows_at_once: int
) -> Iterator[Batch]:
    """What a corpus yields, some rows at a time: ``rows_at_once``, or 64 MiB of media; what it rejected comes last."""
    rows: list[dict[str, Any]] = []
    held = 0
    rejected: list[Rejected] = []
    for item in items:
        if isinstance(item, Rejected):
            rejected.append(item)
        elif isinstance(item, dict):
            rows.append(item)
            held += sum(len(value) for value in item.values() if isinstance(value, bytes))
        elif not isinstance(item, pa.Table):
            raise OmniError(f"`read` of a corpus yields dicts, tables and Rejected, and not {type(item).__name__}")
        else:
            if rows:
                yield raw_rows(rows, columns)
                rows, held = [], 0
            yield Batch(_with_all(item, columns), [])
        if len(rows) >= rows_at_once or held >= _BYTES_AT_ONCE:
            yield raw_rows(rows, columns)
            rows, held = [], 0
    if rows:
        yield raw_rows(rows, columns)
    yield Batch(None, rejected)


def raw_table(rows: Iterable[Mapping[str, Any]], columns: pa.Schema) -> pa.Table:
    """Rows that a corpus yielded as dicts, as a table of the modality's raw schema; ``records`` defaults to 1."""
    return pa.Table.from_pylist([{"records": 1, **row} for row in rows], schema=columns)


def raw_rows(rows: Sequence[Mapping[str, Any]], columns: pa.Schema) -> Batch:
    """The rows that are as ``columns`` say, and the others: one odd value costs its record alone."""
    try:
        return Batch(raw_table(rows, columns), [])
    except _ODD:
        good, rejected = [], []
        for row in rows:
            named = {**row, **{key: _storable(row[key]) for key in ("id", "where", "path", "speaker") if key in row}}
            try:
                good.append(raw_table([named], columns))
            except _ODD as error:
                reason = "bad_encoding" if isinstance(error, UnicodeError) else "bad_row"
                ident, where, records = str(row.get("id", "")), str(row.get("where", "")), row.get("records", 1)
                detail = f"{where}: a value is not what it should be ({error})"
                rejected.append(Rejected(ident, where, reason, detail, records if isinstance(records, int) else 1))
        return Batch(pa.concat_tables([raw_table([], columns), *good]), rejected)


def _storable(value: Any) -> Any:
    """Names of files that are not UTF-8 hold lone surrogates, which Arrow strings cannot."""
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _with_all(table: pa.Table, columns: pa.Schema) -> pa.Table:
    """A table that a corpus yielded, with all columns of the raw schema; ``records`` defaults to 1."""
    count = table.num_rows
    if "records" not in table.column_names:
        table = table.append_column("records", pa.array([1] * count, pa.int32()))
    arrays = [
        table[field.name].cast(field.type) if field.name in table.column_names else pa.nulls(count, field.type)
        for field in columns
    ]
    return pa.table(arrays, schema=columns)


class Making:
    """A unit on its way to being a shard: batches go in, one after the other."""

    def __init__(self, job: Job, unit: Unit, left_out: LeftOut = LeftOut()) -> None:
        self.job = job
        self.unit = unit
        self._left_out = left_out
        self.rows = 0
        """How many have gone in."""
        self.kept: list[pa.Table] = []
        self.rejected: list[Rejected] = []
        self.records = 0
        self.stats: Counter[str] = Counter()
        self.marks = Marks(job.modality.media, job.modality.raw_said, job.marks, job.asked)

    def add(self, batch: Batch) -> None:
        """Transform a batch."""
        rows = batch.rows
        if rows is not None and rows.num_rows:
            if rows["id"].null_count:
                raise OmniError(
                    f"{self.job.name}: `read` of the corpus {self.job.corpus.name} gave a record with no `id`"
                )
            self.records += pc.sum(rows["records"]).as_py()
            self.marks.add(rows)
            stays = np.array([self.rows + n not in self._left_out.rows for n in range(rows.num_rows)])
            self.rows += rows.num_rows
            harmful = [] if stays.all() else rows.filter(pa.array(~stays)).select(_NAMES).to_pylist()
            self._transform(rows if stays.all() else rows.filter(pa.array(stays)))
            self.rejected += [_harmful(row["id"], row["where"], row["records"]) for row in harmful]
        self.records += sum(r.records for r in batch.rejected)
        self.rejected += batch.rejected

    def _transform(self, rows: pa.Table) -> None:
        result = self.job.modality.transform(rows, self.job.name, self.job.params)
        self.kept.append(result.kept)
        self.rejected += result.rejected
        self.stats.update(result.stats)

    def commit(self) -> Manifest:
        """After the last batch. Raises and returns as :func:`commit_unit` does.

        Raises:
            OmniError: the corpus read fewer records than it had counted.
        """
        if self._left_out.items is not None:
            # Nobody can read on, and the index knows how many records there are.
            left = max(1, (self.unit.records or 0) - self.records)
            self.rejected.append(_harmful(f"unit {self.unit.index}", ", ".join(self.unit.inputs[:3]), left))
            self.records += left
        elif self.records < (self.unit.records or 0):  # more there may be: a text beside a picture can hold several
            raise OmniError(
                f"{self.job.name}: `read` of the corpus {self.job.corpus.name} gave {self.records:,} records of unit "
                f"{self.unit.index}, for which its `units` counted {self.unit.records:,}: some are lost"
            )
        return commit_unit(self)


def _harmful(id_: str, where: str, records: int) -> Rejected:
    return Rejected(id_, where, "crashes_decoder", "whatever process reads it crashes", records)


def make_unit(job: Job, unit: Unit) -> Manifest:
    """All of it, in this process."""
    making = Making(job, unit)
    for batch in read_unit(job, unit):
        making.add(batch)
    return making.commit()


def commit_unit(made: Making) -> Manifest:
    """Write the shard, then its quarantine, then the manifest: the unit is committed by the last one.

    Doing it again, after a kill at any point or by two workers at once, leaves the same bytes. What they hold is on the disk
    before they have their names; the caller syncs the names, too (``sync_names``), once for several units. A manifest whose shard
    lost its name in a power failure counts for nothing.

    Raises:
        AssertionError: records went missing on the way; a bug, never a matter of data.
    """
    job, unit = made.job, made.unit
    schema = job.schema
    tables = [table.select(schema.names).cast(schema) for table in made.kept] or [schema.empty_table()]
    kept = kept_apart(pa.concat_tables(tables), job.modality.media)
    reasons: Counter[str] = Counter()
    for each in made.rejected:
        reasons[each.reason] += each.records
    counts = {
        "in": made.records,
        "kept": sum(job.modality.records_per_row(kept)),
        "quarantined": reasons.total(),
    }
    if counts["in"] != counts["kept"] + counts["quarantined"]:
        raise AssertionError(f"{job.name}: unit {unit.index} does not add up: {counts}")
    part = part_name(unit.index)
    shard = write_shard(job.storage, f"{part}.parquet", kept, sync_name=False)
    quarantine = None
    if made.rejected:
        quarantine = write_shard(job.storage, f"{part}.quarantine.parquet", _listed(made.rejected), sync_name=False)
    else:
        job.storage.delete(f"{part}.quarantine.parquet")
    manifest = Manifest(
        unit=unit.index,
        fingerprint=unit.fingerprint,
        shard=shard,
        quarantine=quarantine,
        samples=sum(job.modality.samples_per_row(kept)),
        records=counts,
        reasons=dict(sorted(reasons.items())),
        stats=dict(sorted(made.stats.items())),
        marks=made.marks.as_json(),
    )
    job.storage.write(f"{part}.json", manifest.as_json(), sync_name=False)
    return manifest


def _listed(rejected: Sequence[Rejected]) -> pa.Table:
    columns: dict[str, list[Any]] = {
        "id": [_short(r.id) for r in rejected],
        "where": [_short(r.where) for r in rejected],
        "reason": [r.reason for r in rejected],
        "detail": [_short(r.detail) for r in rejected],
        "records": [r.records for r in rejected],
    }
    return pa.table(columns, schema=QUARANTINE_SCHEMA)


def _short(text: str) -> str:
    return " ".join(str(_storable(text)).split())[:_DETAIL_LIMIT]


def write_shard(storage: Storage, name: str, table: pa.Table, *, sync_name: bool = True) -> CommittedFile:
    """Write a table of shard rows, or of what became of others, as Parquet: atomically, and the same bytes every time."""
    data = _parquet(table)
    storage.write(name, data, sync_name=sync_name)
    return CommittedFile(name, table.num_rows, data.nbytes, hashlib.sha256(data).hexdigest())


def _parquet(table: pa.Table) -> memoryview:
    sink = pa.BufferOutputStream()  # what Python's BytesIO holds is copied once more
    # Dictionaries help columns that repeat themselves; for media and text they only cost.
    repeating = [
        f.name
        for f in table.schema
        if f.name in {"corpus", "speaker", "category", "title", "url", "lang", "source", EXTRA}
    ]
    with pq.ParquetWriter(sink, table.schema, compression="zstd", use_dictionary=repeating) as writer:
        for group in _row_groups(table):
            writer.write_table(group, row_group_size=max(1, group.num_rows))
    return memoryview(sink.getvalue())


def _row_groups(table: pa.Table) -> Iterator[pa.Table]:
    if table.nbytes <= ROW_GROUP_BYTES or table.num_rows <= 1:
        yield table
        return
    middle = table.num_rows // 2
    yield from _row_groups(table.slice(0, middle))
    yield from _row_groups(table.slice(middle))
