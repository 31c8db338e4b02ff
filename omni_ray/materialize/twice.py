"""What several corpora hold: one source prepared under two names, two collections of the same pictures."""

from __future__ import annotations

from omni_ray.modalities.registry import modality as modality_of
from omni_ray.pipeline.repeats import repeats_between
from omni_ray.pipeline.store import Store
from omni_ray.quality.cleaned import Cleaning
from omni_ray.quality.duplicate_kinds import kinds_of
from omni_ray.quality.resolved import kinds_wanted

_SHOWN = 3


def said_twice(store: Store, modality: str) -> str:
    """A sentence about records that are in several corpora, and so in the training files more than once; "" where none are,
    or where cleaning looks for duplicates."""
    settings = Cleaning(store, modality).settings
    corpora = store.corpora(modality)
    if len(corpora) == 1 or (settings is not None and kinds_wanted(modality, settings)):
        return ""
    found = repeats_between({each.name: each.marks() for each in corpora}, bool(modality_of(modality).media))
    if not found:
        return ""
    more = f"; and so on for {len(found) - _SHOWN} other pairs" if len(found) > _SHOWN else ""
    kind = next(iter(kinds_of(modality)), "")
    clean = f"; `omni-ray clean {modality} --duplicates {kind}` keeps one of each {kind}" if kind else ""
    return f"in it twice: {'; '.join(each.sentence for each in found[:_SHOWN])}{more}{clean}"
