"""What is there, from manifests alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omni_ray.pipeline.corpus_state import Summary
from omni_ray.pipeline.store import Store
from omni_ray.quality.cleaned import CleanedCorpus, training_corpora


def status(root: str | Path, *, shards: str | None = None) -> list[Summary]:
    """Every prepared corpus in numbers, from manifests alone.

    Example:
        >>> [(each.name, each.samples, each.quarantined) for each in api.status("project")]
        [('text_files', 6, 0)]
    """
    return [corpus.summary() for corpus in training_corpora(Store(root, shards))]


def quarantine(root: str | Path, *, shards: str | None = None) -> Iterator[dict[str, Any]]:
    """Every quarantined record: modality, corpus, id, where, reason, detail, records.

    Example:
        >>> list(api.quarantine("project"))
        []
    """
    for corpus in Store(root, shards).corpora():
        for row in corpus.quarantine():
            yield {"modality": corpus.modality, "corpus": corpus.name, **row}


def removed(root: str | Path, *, shards: str | None = None) -> Iterator[dict[str, Any]]:
    """Every sample that cleaning removed: modality, corpus, id, where, reason, detail, samples.

    Example:
        >>> _ = api.clean("project", preset="default")
        >>> [each["reason"] for each in api.removed("project")]
        ['duplicate_document', 'duplicate_document']
    """
    for corpus in training_corpora(Store(root, shards)):
        if isinstance(corpus, CleanedCorpus):
            for row in corpus.removed():
                yield {"modality": corpus.modality, "corpus": corpus.name, **row}
