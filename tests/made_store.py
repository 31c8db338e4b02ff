"""Committed shards made by hand: as many rows a shard as a test wants, and whatever they hold."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile
from PIL import Image

from omni_ray.modalities.registry import modality as modality_of
from omni_ray.pipeline.corpus_state import CorpusState, SampleLimit
from omni_ray.pipeline.manifest import CommittedFile, Manifest
from omni_ray.pipeline.store import CorpusStore, Store

Row = Mapping[str, Any]


def picture(seed: int, edge: int = 32, kind: str = "JPEG") -> bytes:
    """An encoded picture; another one for each seed."""
    pixels = np.random.default_rng(seed).integers(0, 255, (4, 4, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).resize((edge, edge)).save(buffer, kind)
    return buffer.getvalue()


def clip(seed: int, seconds: float = 0.5) -> bytes:
    """An encoded clip of 16 kHz FLAC: a tone of its own for each seed."""
    times = np.arange(int(seconds * 16_000)) / 16_000
    buffer = io.BytesIO()
    soundfile.write(buffer, 0.3 * np.sin(times * 2 * np.pi * (200 + 40 * seed)), 16_000, format="FLAC")
    return buffer.getvalue()


def text_row(number: int, **more: Any) -> Row:
    return {"id": f"page {number}#0", "text": f"Line {number} of the corpus.", "lang": "en", **more}


def audio_row(number: int, **more: Any) -> Row:
    return {
        "id": f"19-198-{number:04d}",
        "audio": {"bytes": clip(number), "path": f"train/19/{number}.flac"},
        "text": f"words of clip {number}",
        "speaker": f"s{number % 3}",
        "num_samples": 8000,
        "duration": 0.5,
        "source_sampling_rate": 22_050,
        **more,
    }


def image_row(number: int, captions: int = 3, **more: Any) -> Row:
    return {
        "id": f"train2017/{number:06d}.jpg",
        "image": {"bytes": picture(number), "path": f"train2017/{number:06d}.jpg"},
        "captions": [f"Caption {n} of picture {number}" for n in range(captions)],
        "category": "general",
        "source_width": 640,
        "source_height": 480,
        **more,
    }


def word_row(number: int, **more: Any) -> Row:
    return {
        "id": f"{number}/a.b",
        "image": {"bytes": picture(number, kind="PNG"), "path": f"{number}/a.png"},
        "text": f"Wörd{number}",
        "source": "made",
        **more,
    }


ROWS = {"text": text_row, "audio": audio_row, "images": image_row, "ocr": word_row}


def commit(
    root: Path,
    modality: str,
    name: str,
    shards: Sequence[Sequence[Row]],
    *,
    quarantine: Sequence[Row] = (),
    limit: int | None = None,
    group_rows: int = 4,
    licence: str = "CC BY 4.0",
    source: str = "/somewhere/on/a/disk/corpus",
    homepage: str = "https://example.org",
    corpus: str | None = None,
    removed: Mapping[str, int] | None = None,
    held_from: int | None = None,
) -> CorpusStore:
    """Commit shards of rows as ``prepare`` would, the quarantine with the first one, a limit as ``--max-samples``.

    ``removed``: samples that cleaning took away before, by reason. ``held_from``: the first shard to measure on.
    """
    kind = modality_of(modality)
    store = Store(root).corpus(modality, name)
    cut: SampleLimit | None = None
    left = limit
    for unit, rows in enumerate(shards):
        filled = [{field.name: row.get(field.name) for field in kind.schema} | {"corpus": name} for row in rows]
        table = pa.Table.from_pylist(filled, schema=kind.schema)
        samples = sum(kind.samples_per_row(table))
        rejected = list(quarantine) if unit == 0 else []
        lost = sum(row.get("records", 1) for row in rejected)
        reasons: dict[str, int] = {}
        for row in rejected:
            reasons[row["reason"]] = reasons.get(row["reason"], 0) + row.get("records", 1)
        kept = sum(kind.records_per_row(table))
        stats = {"seconds": sum(row["duration"] for row in rows)} if modality == "audio" else {}
        if unit == 0:
            stats |= {f"removed.{reason}": number for reason, number in (removed or {}).items()}
        manifest = Manifest(
            unit,
            f"fingerprint {unit}",
            _write(store, f"part-{unit:05d}.parquet", table, group_rows),
            _write(store, f"part-{unit:05d}.quarantine.parquet", _listed(rejected), 100) if rejected else None,
            samples,
            {"in": kept + lost, "kept": kept, "quarantined": lost},
            reasons,
            stats,
        )
        store.storage.write(f"part-{unit:05d}.json", manifest.as_json())
        if left is not None and cut is None:
            if samples >= left:
                cut = SampleLimit(unit, left, left)
            left -= samples
    state = CorpusState(
        corpus or name, name, modality, source, json.loads(json.dumps(kind.params_type().as_json())), limit,
        len(shards), len(shards), 0, cut, licence, homepage, held_from=held_from,
    )  # fmt: skip
    store.save_state(state)
    return store


def _listed(rows: Sequence[Row]) -> pa.Table:
    names = ("id", "where", "reason", "detail")
    schema = pa.schema([*((name, pa.string()) for name in names), ("records", pa.int32())])
    return pa.Table.from_pylist([{"records": 1, "detail": "", **row} for row in rows], schema=schema)


def _write(store: CorpusStore, name: str, table: pa.Table, group_rows: int) -> CommittedFile:
    buffer = io.BytesIO()
    pq.write_table(table, buffer, row_group_size=group_rows, compression="zstd")
    data = buffer.getvalue()
    store.storage.write(name, data)
    return CommittedFile(name, table.num_rows, len(data), hashlib.sha256(data).hexdigest())


def make_store(root: Path, rows: int = 10) -> Path:
    """One corpus of each modality, in two shards, with a quarantined record each."""
    for modality, row in ROWS.items():
        half = rows // 2
        shards = [[row(n) for n in range(half)], [row(n) for n in range(half, rows)]]
        bad = [{"id": "bad", "where": "list.txt:7", "reason": "decode_error", "detail": "not a picture"}]
        commit(root, modality, f"{modality}_corpus", shards, quarantine=bad)
    return root
