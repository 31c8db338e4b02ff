"""A Hugging Face dataset: Parquet files, and a card that says what they hold and where it comes from.

``datasets.load_dataset(DIR)`` gives the first modality, ``load_dataset(DIR, "audio")`` another one, and
``load_dataset(DIR, "audio-librispeech")`` a single corpus; media columns decode themselves.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from omni_ray.export.card import CardConfig, SplitFiles, write_card
from omni_ray.export.files import written
from omni_ray.export.parts import CorpusParts, CorpusSide, CountedRows
from omni_ray.export.sides import SPLITS, Side, Split
from omni_ray.pipeline.engine import Runner
from omni_ray.pipeline.parts import Part
from omni_ray.progress.reporter import Reporter
from omni_ray.storage import atomic_writer

SPLIT_NAMES: Mapping[Split, str] = {"train": "train", "heldout": "validation"}
"""The hub's names for the splits: what reads a dataset from there looks for these."""
_COPY_BYTES = 1 << 20


@dataclass(frozen=True)
class ShardTask:
    """One side of a shard, and the Parquet file that it becomes."""

    rows: CountedRows
    path: str

    @property
    def samples(self) -> int:
        """How many rows."""
        return self.rows.rows


@dataclass(frozen=True)
class ExportedShard:
    """A finished file, or several: rows, bytes on disk, and bytes of their columns before compression."""

    rows: int = 0
    bytes: int = 0
    plain_bytes: int = 0

    def __add__(self, other: ExportedShard) -> ExportedShard:
        return ExportedShard(self.rows + other.rows, self.bytes + other.bytes, self.plain_bytes + other.plain_bytes)


def tasks_of(side: CorpusSide, work: Path) -> list[ShardTask]:
    """The files of one side of a corpus, under ``work``."""
    stem = f"{_folder_of(side.corpus)}/{SPLIT_NAMES[side.split]}"
    return [
        ShardTask(part, str(work / f"{stem}-{number:05d}-of-{len(side.parts):05d}.parquet"))
        for number, part in enumerate(side.parts)
    ]


def _folder_of(corpus: CorpusParts) -> str:
    """Where a corpus's files are in the export."""
    return f"{corpus.state.modality}/{corpus.name.partition('-')[2]}"


def write_hf(
    work: Path, corpora: list[CorpusParts], sides: list[CorpusSide], title: str, run: Runner, reporter: Reporter
) -> None:
    """Write the files of the sides, and the card, into ``work``. What is complete there already is not written again."""
    tasks = [(side, task) for side in sides for task in tasks_of(side, work)]
    sums: dict[str, dict[Split, ExportedShard]] = {corpus.name: {} for corpus in corpora}
    named = [(side.corpus.name, task) for side, task in tasks]
    for (side, _), made in zip(tasks, written(named, write_shard, run, reporter), strict=True):
        of = sums[side.corpus.name]
        of[side.split] = of.get(side.split, ExportedShard()) + made
    write_card(work, title, _configs(corpora, sums), corpora)


def _configs(corpora: list[CorpusParts], sums: dict[str, dict[Split, ExportedShard]]) -> list[CardConfig]:
    found: dict[str, list[CorpusParts]] = {}
    for corpus in corpora:
        found.setdefault(corpus.state.modality, []).append(corpus)
    for corpus in corpora:
        found[corpus.name] = [corpus]
    return [
        CardConfig(
            name,
            members,
            {
                SPLIT_NAMES[split]: _split(split, members, sums)
                for split in SPLITS
                if any(split in sums[member.name] for member in members)
            },
        )
        for name, members in found.items()
    ]


def _split(split: Split, members: list[CorpusParts], sums: dict[str, dict[Split, ExportedShard]]) -> SplitFiles:
    having = [each for each in members if split in sums[each.name]]
    total = sum((sums[each.name][split] for each in having), ExportedShard())
    files = tuple(f"{_folder_of(each)}/{SPLIT_NAMES[split]}-*.parquet" for each in having)
    return SplitFiles(files, total.rows, total.plain_bytes, total.bytes)


def write_shard(task: ShardTask) -> ExportedShard:
    """One Parquet file: the shard itself where all of it counts (as a link where the disk allows), else the rows that do."""
    target = Path(task.path)
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        if task.rows.is_whole:
            _link_or_copy(task.rows.side.part, target)
        else:
            _write_rows(task.rows.side, target)
    footer = pq.read_metadata(target)
    plain = sum(footer.row_group(group).total_byte_size for group in range(footer.num_row_groups))
    return ExportedShard(footer.num_rows, target.stat().st_size, plain)


def _link_or_copy(part: Part, target: Path) -> None:
    root = part.storage.local_root
    if root is not None:
        try:
            # Shards are never written in place, only replaced: a link keeps what it was made from.
            os.link(root / part.file, target)
            return
        except OSError as error:
            if error.errno not in {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS}:
                raise
    with part.storage.open(part.file) as source, atomic_writer(target) as out:
        shutil.copyfileobj(source, out, _COPY_BYTES)


def _write_rows(side: Side, target: Path) -> None:
    part = side.part
    with part.storage.open(part.file) as file:
        schema = pq.read_schema(file)
    with atomic_writer(target) as out, pq.ParquetWriter(out, schema, compression="zstd") as writer:
        for rows in side.tables():
            writer.write_table(rows, row_group_size=max(1, rows.num_rows))
