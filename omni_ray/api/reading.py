"""The samples that training is to read, as a dataset for whatever reads them."""

from __future__ import annotations

from pathlib import Path

from omni_ray.errors import OmniError
from omni_ray.export.samples import Samples, ShardRows
from omni_ray.export.sides import SPLITS, Split, is_by_clip, sides_of
from omni_ray.materialize.options import TrainingFileOptions
from omni_ray.pipeline.combined import last_share
from omni_ray.pipeline.parts import columns_of, training_parts
from omni_ray.pipeline.store import CorpusStore, Store
from omni_ray.quality.cleaned import training_corpora
from omni_ray.records import EXTRA
from omni_ray.trainers.files import all_modalities


def dataset(
    root: str | Path,
    what: str,
    *,
    split: Split = "train",
    holdout: float | None = None,
    shards: str | None = None,
) -> Samples:
    """The samples that ``combine`` would write, read from the shards when they are asked for, in canonical order.

    Limits are exact; where the modality is cleaned, the samples are what cleaning left. Lines are not packed.

    Args:
        root: the project folder.
        what: a modality ("text", "audio", "images", "ocr"), or the name of a corpus; "audio/NAME" where several
            modalities have a corpus of that name.
        split: what is to be trained on, or what is held out.
        holdout: the share held out; by default that of the last ``combine``, else nothing. Splits to measure on that
            ``prepare --evaluation heldout`` holds out are held out whatever it is.
        shards: as for :func:`prepare`.

    Raises:
        OmniError: nothing of that name is prepared, a run is not finished, what is cleaned is not fresh, or the part held
            out is asked for where nothing is.

    Example:
        >>> api.dataset("project", "text").as_arrow().read_all()["text"].to_pylist()[:2]
        ['On monday it rained.', 'We stayed inside and read.']
    """
    if split not in SPLITS:
        raise OmniError(f"split={split!r}: choose train or heldout")
    store = Store(root, shards)
    chosen = _chosen(store, what)
    modality = chosen[0].modality
    wanted = last_share(store.state_folder, modality) if holdout is None else holdout
    share = TrainingFileOptions(holdout=wanted or None).holdout or 0.0
    slices = []
    by_corpus = [(corpus, list(training_parts(corpus))) for corpus in chosen]
    has_extra = any(EXTRA in columns_of(parts[0]) for _, parts in by_corpus if parts)
    for corpus, parts in by_corpus:
        by_clip = is_by_clip(corpus, share)
        sides = (side for part in parts for side in sides_of(part, share, by_clip))
        slices += [ShardRows(corpus.name, side, has_extra) for side in sides if side.split == split]
    if not slices and split == "heldout":
        raise OmniError(
            f"{modality}: nothing is held out; give holdout=0.01, or run `omni-ray combine --holdout 0.01` first"
        )
    if not slices:
        raise OmniError(f"{what}: there is not a single sample to train on")
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
        raise OmniError(f"{what}: several modalities have a corpus of that name; choose one of {names}")
    return found
