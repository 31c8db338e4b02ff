"""What the page counts in one shard: histograms of its light columns, characters, and examples of what was lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from omni_ray.pipeline.parts import Part, read_rows
from omni_ray.report.histogram import Histogram, linear, logarithmic
from omni_ray.storage import Storage
from omni_ray.training.tokens import TokenCounter

EXAMPLES_PER_REASON = 3
_MOST_TOKENIZED = 20_000
"""Lines of a shard whose tokens are counted, evenly spread over it: a picture needs no more."""
_LONGEST_SHOWN = 240


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


@dataclass
class Counted:
    """What was counted: histograms by key, characters, rows, and examples of what was lost by reason."""

    histograms: dict[str, Histogram] = field(default_factory=dict)
    characters: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    examples: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, other: Counted) -> None:
        """Take in a later shard's."""
        for key, histogram in other.histograms.items():
            if key in self.histograms:
                self.histograms[key].merge(histogram)
            else:
                self.histograms[key] = histogram
        self.characters.update(other.characters)
        self.rows += other.rows
        for reason, rows in other.examples.items():
            mine = self.examples.setdefault(reason, [])
            mine += rows[: EXAMPLES_PER_REASON - len(mine)]


def count(shard: ShardToCount) -> Counted:
    """Everything of one shard. Media are not read."""
    counted = Counted(_empty(shard))
    if shard.part is not None:
        columns, add = _COUNTERS[shard.modality]
        for rows in read_rows(shard.part, columns=columns):
            add(counted, rows)
            counted.rows += rows.num_rows
        if shard.tokenizer:
            _count_tokens(counted.histograms["tokens"], shard.part, shard.tokenizer)
    for storage, name in shard.losses:
        with storage.open(name) as file:
            counted.examples |= _examples(pq.read_table(file))
    return counted


def _empty(shard: ShardToCount) -> dict[str, Histogram]:
    if shard.modality == "text":
        found = {"lengths": logarithmic("Line length", "characters", 1, 100_000, is_whole=True)}
        if shard.tokenizer:
            found["tokens"] = logarithmic("Tokens of a line", "tokens", 1, 100_000, is_whole=True)
        return found
    if shard.modality == "audio":
        return {
            "durations": linear("Duration", "s", 0, 120),
            "rate": linear("Speaking rate", "characters/s", 0, 60),
        }
    if shard.modality == "images":
        return {
            "captions": linear("Caption length", "characters", -0.5, 1199.5, is_whole=True),
            "pixels": logarithmic("Size of the source", "megapixels", 0.001, 100),
        }
    return {"labels": linear("Label length", "characters", -0.5, 1199.5, is_whole=True)}


def _lengths(texts: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    return pc.fill_null(pc.utf8_length(texts), 0).to_numpy().astype(np.float64)  # type: ignore[no-any-return]


def _floats(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    return pc.drop_null(column).to_numpy().astype(np.float64)  # type: ignore[no-any-return]


def _text(counted: Counted, rows: pa.Table) -> None:
    counted.histograms["lengths"].add(_lengths(rows["text"]))


def _audio(counted: Counted, rows: pa.Table) -> None:
    seconds = _floats(pc.fill_null(rows["duration"], 0.0))
    counted.histograms["durations"].add(seconds)
    counted.histograms["rate"].add(_lengths(rows["text"]) / np.maximum(seconds, 1e-9))
    _characters(counted, rows["text"])


def _images(counted: Counted, rows: pa.Table) -> None:
    counted.histograms["captions"].add(_lengths(pc.list_flatten(rows["captions"])))
    known = rows.select(["source_width", "source_height"]).drop_null()
    pixels = _floats(known["source_width"]) * _floats(known["source_height"])
    counted.histograms["pixels"].add(pixels / 1e6)


def _ocr(counted: Counted, rows: pa.Table) -> None:
    counted.histograms["labels"].add(_lengths(rows["text"]))
    _characters(counted, rows["text"])


def _characters(counted: Counted, texts: pa.ChunkedArray) -> None:
    counted.characters.update("".join(text for text in texts.to_pylist() if text))


_COUNTERS: Mapping[str, tuple[list[str], Callable[[Counted, pa.Table], None]]] = {
    "text": (["text"], _text),
    "audio": (["text", "duration"], _audio),
    "images": (["captions", "source_width", "source_height"], _images),
    "ocr": (["text"], _ocr),
}


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


def shortened(text: str | None, longest: int = _LONGEST_SHOWN) -> str:
    """At most ``longest`` characters, with an ellipsis where there were more."""
    text = text or ""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
