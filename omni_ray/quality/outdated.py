"""Whether what trainers read still follows from what is prepared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import groupby

from omni_ray.errors import OmniError
from omni_ray.pipeline import combined
from omni_ray.pipeline.store import CorpusStore, NotCommitted, Store


def outdated(store: Store, corpora: Sequence[CorpusStore]) -> str:
    """What is to be run again, in a sentence, because shards or rules changed since cleaning, or shards since ``combine``.

    "" where nothing is, and where no run noted what the training files were made of.

    Args:
        corpora: all of one modality, as :func:`omni_ray.quality.cleaned.training_corpora` gives them.

    Raises:
        NotCommitted: a shard that is needed is not there.
    """
    if not corpora:
        return ""
    modality = corpora[0].modality
    try:
        shards = combined.digest_of({corpus.name: list(corpus.parts()) for corpus in corpora})
    except NotCommitted:
        raise
    except OmniError as error:
        return str(error)
    record = combined.load(store.state_folder, modality)
    if record is None or record.shards == shards:
        return ""
    if not any((store.root / file.path).is_file() for file in record.files if file.is_production):
        return ""
    return (
        f"{modality}: the training files were made from other shards than are there now; "
        f"run the same `omni-ray combine {modality}` again"
    )


def all_outdated(store: Store, corpora: Iterable[CorpusStore]) -> list[str]:
    """The same of several modalities, one after the other, without those whose shards are not all there, which is said elsewhere."""
    said = []
    for _, each in groupby(corpora, lambda corpus: corpus.modality):
        with suppress(NotCommitted):
            said.append(outdated(store, list(each)))
    return [*filter(None, said)]
