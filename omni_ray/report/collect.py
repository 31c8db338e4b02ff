"""What the page shows, gathered from shards: counts, histograms, and a few real samples of each corpus.

Media are read for the shown samples alone; everything else comes from the light columns, shard by shard.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from omni_ray.pipeline.store import CorpusState, CorpusStore, Manifest, Store, Summary
from omni_ray.pipeline.tasks import Runner, inline
from omni_ray.report import media
from omni_ray.report.histogram import Histogram, linear, logarithmic
from omni_ray.storage import Storage

_EXAMPLES_PER_REASON = 3
_SHOWN = {"text": 6, "audio": 4, "images": 12, "ocr": 18}
_LONGEST_TEXT = 400


@dataclass
class CorpusPage:
    """One corpus's part of the page."""

    summary: Summary
    state: CorpusState
    histograms: list[Histogram] = field(default_factory=list)
    samples: list[dict[str, Any]] = field(default_factory=list)
    characters: list[tuple[str, int]] = field(default_factory=list)
    quarantined: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Shard:
    storage: Storage
    modality: str
    manifest: Manifest
    take: int


@dataclass
class _Counted:
    histograms: dict[str, Histogram]
    characters: Counter[str]


def collect(store: Store, run: Runner = inline) -> list[CorpusPage]:
    """Every prepared corpus, by modality and then name."""
    return [_page(corpus, run) for corpus in store.corpora()]


def _page(corpus: CorpusStore, run: Runner) -> CorpusPage:
    state = corpus.state()
    assert state is not None
    page = CorpusPage(corpus.summary(), state)
    if page.summary.units_left:
        return page
    parts = list(corpus.parts())
    merged: dict[str, Histogram] = {}
    characters: Counter[str] = Counter()
    for counted in run(_count, [_Shard(corpus.storage, corpus.modality, m, take) for m, take in parts]):
        for key, histogram in counted.histograms.items():
            if key in merged:
                merged[key].merge(histogram)
            else:
                merged[key] = histogram
        characters.update(counted.characters)
    page.histograms = [h for h in merged.values() if h.total]
    page.characters = sorted(characters.most_common(40), key=lambda item: -item[1])
    page.samples = _samples(corpus, parts)
    for row in corpus.quarantine():
        examples = page.quarantined.setdefault(row["reason"], [])
        if len(examples) < _EXAMPLES_PER_REASON:
            examples.append(row)
    return page


def _count(shard: _Shard) -> _Counted:
    columns = {
        "text": ["text"],
        "audio": ["text", "duration"],
        "images": ["captions", "source_width", "source_height"],
        "ocr": ["text"],
    }[shard.modality]
    with shard.storage.open(shard.manifest.shard.file) as file:
        rows = pq.read_table(file, columns=columns).slice(0, shard.take)
    return _COUNTERS[shard.modality](rows)


def _lengths(texts: pa.ChunkedArray) -> Any:
    return pc.utf8_length(texts).to_numpy().astype(np.float64)


def _count_text(rows: pa.Table) -> _Counted:
    lengths = logarithmic("line length", "characters", 1, 4000)
    lengths.add(_lengths(rows["text"]))
    return _Counted({"lengths": lengths}, Counter())


def _count_audio(rows: pa.Table) -> _Counted:
    seconds = rows["duration"].to_numpy().astype(np.float64)
    characters = _lengths(rows["text"])
    durations = linear("duration", "s", 0, 20)
    durations.add(seconds)
    rate = linear("speaking rate", "characters/s", 0, 30)
    rate.add(characters / np.maximum(seconds, 1e-9))
    return _Counted({"durations": durations, "rate": rate}, Counter())


def _count_images(rows: pa.Table) -> _Counted:
    captions = linear("caption length", "characters", 0, 150)
    captions.add(_lengths(pc.list_flatten(rows["captions"])))
    width, height = (rows[c].to_numpy().astype(np.float64) for c in ("source_width", "source_height"))
    pixels = logarithmic("source size", "megapixels", 0.001, 30)
    pixels.add(width * height / 1e6)
    return _Counted({"captions": captions, "pixels": pixels}, Counter())


def _count_ocr(rows: pa.Table) -> _Counted:
    labels = linear("label length", "characters", 0, 30, 30)
    labels.add(_lengths(rows["text"]))
    return _Counted({"labels": labels}, Counter("".join(rows["text"].to_pylist())))


_COUNTERS: Mapping[str, Callable[[pa.Table], _Counted]] = {
    "text": _count_text,
    "audio": _count_audio,
    "images": _count_images,
    "ocr": _count_ocr,
}


def _samples(corpus: CorpusStore, parts: list[tuple[Manifest, int]]) -> list[dict[str, Any]]:
    """Samples spread evenly over the corpus: the same ones on every run."""
    wanted = _SHOWN[corpus.modality]
    filled = [(manifest, min(take, manifest.shard.rows)) for manifest, take in parts if take and manifest.shard.rows]
    if not filled:
        return []
    chosen = [filled[i] for i in sorted({round(x) for x in np.linspace(0, len(filled) - 1, min(wanted, len(filled)))})]
    shown: list[dict[str, Any]] = []
    for place, (manifest, rows) in enumerate(chosen):
        count = -(-(wanted - len(shown)) // (len(chosen) - place))
        with corpus.storage.open(manifest.shard.file) as file:
            table = pq.ParquetFile(file).read_row_group(0).slice(0, rows)
        picks = sorted({round(x) for x in np.linspace(0, table.num_rows - 1, min(count, table.num_rows))})
        shown += [_SHOWERS[corpus.modality](row) for row in table.take(picks).to_pylist()]
    return shown[:wanted]


def _show_text(row: dict[str, Any]) -> dict[str, Any]:
    text = row["text"]
    return {
        "id": row["id"],
        "text": text[:_LONGEST_TEXT] + ("…" if len(text) > _LONGEST_TEXT else ""),
        "title": row["title"],
    }


def _show_audio(row: dict[str, Any]) -> dict[str, Any]:
    samples, rate = media.read_clip(row["audio"]["bytes"])
    return {
        "id": row["id"],
        "text": row["text"],
        "speaker": row["speaker"],
        "seconds": row["duration"],
        "clip": media.playable(samples, rate),
        "wave": media.waveform(samples),
        "mel": media.mel_picture(samples, rate),
    }


def _show_image(row: dict[str, Any]) -> dict[str, Any]:
    return {"id": row["id"], "image": media.thumbnail(row["image"]["bytes"], 224), "captions": row["captions"]}


def _show_word(row: dict[str, Any]) -> dict[str, Any]:
    return {"id": row["id"], "image": media.thumbnail(row["image"]["bytes"], 112), "text": row["text"]}


_SHOWERS: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "text": _show_text,
    "audio": _show_audio,
    "images": _show_image,
    "ocr": _show_word,
}
