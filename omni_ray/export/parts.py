"""What an export takes: the corpora that were asked for, with the shards that count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from omni_ray.errors import OmniError
from omni_ray.export.names import file_safe
from omni_ray.modalities.registry import modality as modality_of
from omni_ray.pipeline.corpus_state import CorpusState, Summary
from omni_ray.pipeline.parts import Part, training_parts
from omni_ray.pipeline.store import CorpusStore, Store
from omni_ray.quality.cleaned import training_corpora


@dataclass(frozen=True)
class CorpusParts:
    """One corpus to export: its state, its numbers, and its parts in canonical order.

    ``is_held`` says that it is what is held out of a corpus, apart from the rest.
    """

    state: CorpusState
    summary: Summary
    parts: tuple[Part, ...]
    is_held: bool = False

    @cached_property
    def name(self) -> str:
        """What it is called in an export: modality and name, in signs that every file system and reader takes."""
        side = "heldout-" if self.is_held else ""
        return f"{side}{self.state.modality}-{file_safe(self.state.name)}"

    @property
    def rows(self) -> int:
        """Rows that count."""
        return sum(part.rows for part in self.parts)

    @property
    def samples(self) -> int:
        """Samples that count."""
        return sum(part.samples for part in self.parts)


def in_sides(corpora: Sequence[CorpusParts]) -> list[CorpusParts]:
    """The same, what is held out of a corpus as one of its own that follows it."""
    return [
        CorpusParts(corpus.state, corpus.summary, parts, is_held)
        for corpus in corpora
        for is_held in (False, True)
        if (parts := tuple(part for part in corpus.parts if part.is_held is is_held))
    ]


def chosen_corpora(store: Store, modalities: Sequence[str] = (), names: Sequence[str] = ()) -> list[CorpusParts]:
    """The prepared corpora to export, by modality and then name; those without samples are left out.

    Args:
        store: the committed shards.
        modalities: only these; none for all.
        names: only corpora of these names; none for all.

    Raises:
        OmniError: an unknown modality or corpus, nothing to export, or a run that is not finished.
    """
    for modality in modalities:
        modality_of(modality)
    stores = [each for each in training_corpora(store) if not modalities or each.modality in modalities]
    if not stores:
        what = f"{' or '.join(modalities)}: " if modalities else ""
        raise OmniError(f"{store.storage.shown}: {what}nothing is prepared here; run `omni-ray prepare` first")
    known = [each.name for each in stores]
    for name in names:
        if name not in known:
            raise OmniError(f"{name} is not prepared here; there are: {', '.join(dict.fromkeys(known))}")
    found = [_corpus(each) for each in stores if not names or each.name in names]
    found = [corpus for corpus in found if corpus.rows]
    if not found:
        raise OmniError(f"{store.storage.shown}: not a single sample was kept, so that there is nothing to export")
    return found


def _corpus(corpus: CorpusStore) -> CorpusParts:
    state = corpus.state()
    assert state is not None  # Store.corpora lists only those that have one
    return CorpusParts(state, corpus.summary(), tuple(training_parts(corpus)))
