"""Corpora that are made up where they are read, and shards of made-up samples that are there already."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

from omni_ray.corpora.registry import add_file
from omni_ray.modalities.registry import modality
from omni_ray.pipeline.corpus_state import CorpusState
from omni_ray.pipeline.manifest import Manifest, part_name
from omni_ray.pipeline.stages import write_shard
from omni_ray.pipeline.store import Store

_SHARD_ROWS = 2_000


def add_corpus(here: Path, code: str, asked: object) -> str:
    """Make the corpus that ``code`` defines one of those there are; returns its source, a folder whose file ``asked`` says what
    to make up."""
    (here / "corpus.py").write_text(code)
    (here / "source").mkdir()
    (here / "source" / "asked").write_text(str(asked))
    add_file(here / "corpus.py")
    return str(here / "source")


def commit(root: Path, kind: str, name: str, rows: int, columns: Callable[[range], dict[str, Any]]) -> Store:
    """A store with a corpus of ``rows`` samples in shards of 2,000.

    Args:
        kind: its modality.
        columns: for numbers of samples their columns; of those that it lacks nothing is known.
    """
    store = Store(root)
    corpus = store.corpus(kind, name)
    schema = modality(kind).schema
    units = -(-rows // _SHARD_ROWS)
    for unit in range(units):
        numbers = range(unit * _SHARD_ROWS, min(rows, (unit + 1) * _SHARD_ROWS))
        known = {field.name: pa.nulls(len(numbers), field.type) for field in schema}
        known |= {"corpus": pa.array([name] * len(numbers)), **columns(numbers)}
        shard = write_shard(corpus.storage, f"{part_name(unit)}.parquet", pa.table(known, schema=schema))
        records = {"in": len(numbers), "kept": len(numbers), "quarantined": 0}
        manifest = Manifest(unit, f"{unit}", shard, None, len(numbers), records, {})
        corpus.storage.write(f"{part_name(unit)}.json", manifest.as_json())
    corpus.save_state(CorpusState(name, name, kind, "made up", {}, None, units, units, 0, None, "", ""))
    return store
