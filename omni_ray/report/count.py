"""What the page counts in one shard: histograms of its light columns, characters, and examples of what was lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from omni_ray.pipeline.parts import Part, read_rows
from omni_ray.report.histogram import Histogram, logarithmic
from omni_ray.report.view import EXAMPLES_PER_REASON, Counted, shortened, view_of
from omni_ray.storage import Storage
from omni_ray.training.tokens import TokenCounter

_MOST_TOKENIZED = 20_000
"""Lines of a shard whose tokens are counted, evenly spread over it: a picture needs no more."""


@dataclass(frozen=True)
class ShardToCount:
    """One shard to count.

    Attributes:
        part: what of it counts; None where none of its records were kept.
        losses: files that list what was quarantined of it, and what cleaning removed.
        tokenizer: a serialized SentencePiece model; empty for none.
    """

    modality: str
    part: Part | None
    losses: tuple[tuple[Storage, str], ...] = ()
    tokenizer: bytes = b""


def count(shard: ShardToCount) -> Counted:
    """Everything of one shard. Media are not read."""
    view = view_of(shard.modality)
    counted = Counted(view.histograms())
    if shard.tokenizer:
        counted.histograms["tokens"] = logarithmic("Tokens of a line", "tokens", 1, 100_000, is_whole=True)
    if shard.part is not None:
        for rows in read_rows(shard.part, columns=view.columns):
            view.count(counted, rows)
            counted.rows += rows.num_rows
        if shard.tokenizer:
            _count_tokens(counted.histograms["tokens"], shard.part, shard.tokenizer)
    for storage, name in shard.losses:
        with storage.open(name) as file:
            counted.examples |= _examples(pq.read_table(file))
    return counted


def _count_tokens(histogram: Histogram, part: Part, tokenizer: bytes) -> None:
    counter = TokenCounter(tokenizer)
    step = -(-part.rows // _MOST_TOKENIZED)
    first = 0
    for rows in read_rows(part, columns=["text"]):
        wanted = range(-first % step, rows.num_rows, step)
        lines = rows["text"].take(pa.array(wanted, pa.int64())).to_pylist()
        histogram.add(counter.count(lines).astype(np.float64))
        first += rows.num_rows


def _examples(quarantine: pa.Table) -> dict[str, list[dict[str, Any]]]:
    found = {}
    for reason in pc.unique(quarantine["reason"]).to_pylist():
        rows = quarantine.filter(pc.equal(quarantine["reason"], reason)).slice(0, EXAMPLES_PER_REASON)
        names = ("id", "where", "detail")
        found[reason] = [{name: shortened(row[name]) for name in names} for row in rows.to_pylist()]
    return found
