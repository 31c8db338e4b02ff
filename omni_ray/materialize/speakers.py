"""Whether speakers can be held out: a corpus with one of them would go to one side as a whole."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import pyarrow.compute as pc
import pyarrow.parquet as pq

from omni_ray.modalities.groups import known_speakers
from omni_ray.pipeline.manifest import Manifest
from omni_ray.pipeline.store import CorpusStore
from omni_ray.pipeline.whole import opened

Groups = Literal["by speaker", "one speaker", "speakers unknown"]


def groups_of(corpus: CorpusStore, parts: Iterable[tuple[Manifest, int]]) -> Groups:
    """How the clips of an audio corpus can be held out. Reads only as many shards as it takes to find two speakers, and none of
    the splits to measure on, which are held out whoever speaks.

    Args:
        corpus: where the shards are.
        parts: those that count, each with the number of clips that do.
    """
    found: set[str] = set()
    state = corpus.state()
    for manifest, take in parts:
        if state is not None and state.is_held(manifest.unit):
            continue
        with opened(corpus.storage, manifest.unit, manifest.shard, corpus.name, corpus.modality) as file:
            column = pq.read_table(file, columns=["speaker"])["speaker"].slice(0, take)
        found.update(pc.unique(pc.drop_null(known_speakers(column))).to_pylist())
        if len(found) > 1:
            return "by speaker"
    return "one speaker" if found else "speakers unknown"
