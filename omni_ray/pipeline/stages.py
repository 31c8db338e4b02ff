"""What happens to a unit: read, transform, commit. Plain callables, so that they run with and without Ray."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from omni_ray.corpora.base import Corpus, Rejected
from omni_ray.errors import SourceError
from omni_ray.modalities.base import Modality, Params
from omni_ray.pipeline import blocks
from omni_ray.pipeline.apart import kept_apart
from omni_ray.pipeline.store import Manifest, Written, part_name
from omni_ray.pipeline.units import Unit
from omni_ray.storage import Storage

if TYPE_CHECKING:
    from omni_ray.sources.tree import Tree

_ROWS_AT_ONCE, _BYTES_AT_ONCE = 64, 64 << 20
"""Rows, or bytes of media in them, that are read before they are transformed: a unit is never held raw as a whole."""
ROW_GROUP_BYTES = 64 << 20

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
        first_unit: what is added to this job's unit numbers in a block, so that several corpora share a run.
    """

    name: str
    corpus: Corpus
    tree: Mapping[str, Any]
    modality: Modality[Any]
    params: Params
    storage: Storage
    first_unit: int = 0


def read_unit(job: Job, unit: Unit) -> Iterator[pa.Table]:
    """The unit's raw rows, then its unit row, as blocks.

    Raises:
        SourceError: a file of the source vanished, or cannot be read any more.
    """
    from omni_ray.sources import open_spec

    columns = job.modality.raw_schema
    number = job.first_unit + unit.index
    records = 0
    try:
        tree: Tree = open_spec(job.tree)
        for rows, rejected in _batches(job.corpus.read(tree, json.loads(unit.payload)), columns):
            if rows is not None and rows.num_rows:
                records += pc.sum(rows["records"]).as_py()
                yield blocks.live_block(number, rows, columns)
            if rejected:
                records += sum(r.records for r in rejected)
                yield blocks.rejected_block(number, rejected, columns)
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
    yield blocks.unit_row(number, records, columns)


def _batches(
    items: Iterable[dict[str, Any] | Rejected | pa.Table], columns: pa.Schema
) -> Iterator[tuple[pa.Table | None, list[Rejected]]]:
    rows: list[dict[str, Any]] = []
    held = 0
    rejected: list[Rejected] = []
    for item in items:
        if isinstance(item, Rejected):
            rejected.append(item)
        elif isinstance(item, dict):
            rows.append(item)
            held += sum(len(value) for value in item.values() if isinstance(value, bytes))
        else:
            if rows:
                yield blocks.raw_rows(rows, columns)
                rows, held = [], 0
            yield _with_records(item), []
        if len(rows) >= _ROWS_AT_ONCE or held >= _BYTES_AT_ONCE:
            yield blocks.raw_rows(rows, columns)
            rows, held = [], 0
    if rows:
        yield blocks.raw_rows(rows, columns)
    yield None, rejected


def _with_records(table: pa.Table) -> pa.Table:
    if "records" in table.column_names:
        return table
    return table.append_column("records", pa.array([1] * table.num_rows, pa.int32()))


class TransformStage:
    """Raw blocks to shard blocks, for the jobs of one run; a batch may hold one unit or several."""

    def __init__(self, jobs: list[Job]) -> None:
        self.jobs = jobs

    def __call__(self, block: pa.Table) -> pa.Table:
        done = []
        for number, (live, rest) in blocks.split_block(block).items():
            job = job_of(self.jobs, number)
            columns = job.modality.schema
            result = job.modality.transform(blocks.without_engine_columns(live), job.name, job.params)
            done.append(blocks.live_block(number, result.kept, columns))
            done.append(blocks.rejected_block(number, result.rejected, columns))
            done.append(blocks.retype(rest, columns))
            if result.stats:
                done.append(blocks.unit_row(number, 0, columns, json.dumps(result.stats)))
        return pa.concat_tables(done) if done else block


def job_of(jobs: list[Job], number: int) -> Job:
    """The job that unit number ``number`` of a shared run belongs to."""
    return next(job for job in reversed(jobs) if job.first_unit <= number)


def commit_unit(job: Job, unit: Unit, rows: pa.Table, rest: pa.Table) -> Manifest:
    """Write the shard, then its quarantine, then the manifest: the unit is committed by the last one.

    Doing it again, after a kill at any point or by two workers at once, leaves the same bytes.

    Raises:
        AssertionError: records went missing between reader and sink; a bug, never a matter of data.
    """
    kept = kept_apart(blocks.without_engine_columns(rows).select(job.modality.schema.names).cast(job.modality.schema))
    marks = rest.filter(pc.equal(rest["_reason"], blocks.UNIT_ROW))
    rejects = rest.filter(pc.not_equal(rest["_reason"], blocks.UNIT_ROW))
    counts = {
        "in": pc.sum(marks["_records"]).as_py() or 0,
        "kept": sum(job.modality.records_per_row(kept)),
        "quarantined": pc.sum(rejects["_records"]).as_py() or 0,
    }
    if counts["in"] != counts["kept"] + counts["quarantined"]:
        raise AssertionError(f"{job.name}: unit {unit.index} does not add up: {counts}")
    reasons: Counter[str] = Counter()
    for reason, number in zip(rejects["_reason"].to_pylist(), rejects["_records"].to_pylist(), strict=True):
        reasons[reason] += number
    stats: Counter[str] = Counter()
    for detail in marks["_detail"].to_pylist():
        stats.update(json.loads(detail) if detail else {})
    part = part_name(unit.index)
    shard = write_shard(job.storage, f"{part}.parquet", kept)
    quarantine = None
    if rejects.num_rows:
        listed = rejects.select(["id", "_where", "_reason", "_detail", "_records"]).rename_columns(
            QUARANTINE_SCHEMA.names
        )
        quarantine = write_shard(job.storage, f"{part}.quarantine.parquet", listed.cast(QUARANTINE_SCHEMA))
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
        stats=dict(sorted(stats.items())),
    )
    job.storage.write(f"{part}.json", manifest.as_json())
    return manifest


def write_shard(storage: Storage, name: str, table: pa.Table) -> Written:
    """Write a table of shard rows, or of what became of others, as Parquet: atomically, and the same bytes every time."""
    data = _parquet(table)
    storage.write(name, data)
    return Written(name, table.num_rows, data.nbytes, hashlib.sha256(data).hexdigest())


def _parquet(table: pa.Table) -> memoryview:
    sink = pa.BufferOutputStream()  # what Python's BytesIO holds is copied once more
    # Dictionaries help columns that repeat themselves; for media and text they only cost.
    repeating = [
        f.name for f in table.schema if f.name in {"corpus", "speaker", "category", "title", "url", "lang", "source"}
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
