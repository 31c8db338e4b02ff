"""The samples that training is to read, as a dataset of whatever reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from omni_ray.errors import OmniError
from omni_ray.export.samples import Samples, ShardRows
from omni_ray.materialize.options import CombineOptions
from omni_ray.materialize.speakers import groups_of
from omni_ray.modalities.registry import modality as modality_of
from omni_ray.pipeline import combined
from omni_ray.pipeline.parts import columns_of, training_parts
from omni_ray.pipeline.store import CorpusStore, Store
from omni_ray.quality.cleaned import training_corpora
from omni_ray.records import EXTRA
from omni_ray.trainers.files import all_modalities


def dataset(
    root: str | Path,
    what: str,
    *,
    split: Literal["train", "heldout"] = "train",
    holdout: float | None = None,
    shards: str | None = None,
) -> Samples:
    """The samples that ``combine`` would write, read from the shards when they are asked for, in canonical order.

    Limits are exact; where the modality is cleaned, it is what cleaning left. Lines are not packed.

    Args:
        root: the project folder.
        what: a modality ("text", "audio", "images", "ocr"), or the name of a corpus; "audio/NAME" where several
            modalities have a corpus of that name.
        split: what is to be trained on, or what is held out.
        holdout: the share held out; by default that of the last ``combine``, else nothing.
        shards: as for :func:`prepare`.

    Raises:
        OmniError: nothing of that name is prepared, a run is not finished, what is cleaned is not fresh, or the part held
            out is asked for where nothing is.
    """
    if split not in ("train", "heldout"):
        raise OmniError(f"split={split!r}: there are train and heldout")
    store = Store(root, shards)
    chosen = _chosen(store, what)
    modality = chosen[0].modality
    share = _share(store, modality, holdout, split)
    slices = []
    by_corpus = [(corpus, list(training_parts(corpus))) for corpus in chosen]
    has_extra = any(EXTRA in columns_of(parts[0]) for _, parts in by_corpus if parts)
    for corpus, parts in by_corpus:
        by_clip = bool(share) and modality_of(modality).has_speakers and _is_one_speaker(corpus)
        slices += [ShardRows(corpus.name, part, share, by_clip, split, has_extra) for part in parts]
    if not slices:
        raise OmniError(f"{what}: not a single sample was kept, so that there is nothing to read")
    return Samples(what, modality, tuple(slices), store.state_folder / "hf")


def _chosen(store: Store, what: str) -> list[CorpusStore]:
    """The corpora that ``what`` names, all of one modality."""
    if what in all_modalities():
        found = training_corpora(store, what)
    else:
        found = [each for each in training_corpora(store) if what in (each.name, f"{each.modality}/{each.name}")]
    if not found:
        known = [f"{each.modality}/{each.name}" for each in store.corpora()]
        there = f"there are: {', '.join(known)}" if known else "nothing is; run `omni-ray prepare` first"
        raise OmniError(f"{what} is not prepared under {store.storage.shown}; {there}")
    if len({each.modality for each in found}) > 1:
        names = " and ".join(f"{each.modality}/{each.name}" for each in found)
        raise OmniError(f"{what}: several modalities have a corpus of that name; ask for one of {names}")
    return found


def _share(store: Store, modality: str, holdout: float | None, split: str) -> float:
    if holdout is None:
        last = combined.load(store.state_folder, modality)
        holdout = last.holdout if last is not None else None
    share = CombineOptions(holdout=holdout or None).holdout or 0.0
    if split == "heldout" and not share:
        raise OmniError(
            f"{modality}: nothing is held out; give holdout=0.01, or run `omni-ray combine --holdout 0.01` first"
        )
    return share


def _is_one_speaker(corpus: CorpusStore) -> bool:
    return groups_of(corpus, corpus.parts()) == "one speaker"
