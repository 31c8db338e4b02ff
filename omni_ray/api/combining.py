"""Writing the training files."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from omni_ray.api.cleaning import prepared
from omni_ray.api.cluster import Once
from omni_ray.api.combine_report import CombineReport
from omni_ray.api.options import CombineOptions, Run, verb
from omni_ray.errors import OmniError
from omni_ray.materialize.combine import combine as write_files
from omni_ray.materialize.formats import format_of
from omni_ray.materialize.options import Mixing, TrainingFileOptions
from omni_ray.materialize.places import FlatFilePlaces
from omni_ray.modalities.registry import modality as modality_of
from omni_ray.pipeline.combined import Combined
from omni_ray.pipeline.store import Store
from omni_ray.quality.clean_shards import clean_shards
from omni_ray.quality.cleaned import Cleaning
from omni_ray.trainers.files import is_held_out


@verb(CombineOptions)
def combine(root: Path, asked: CombineOptions) -> CombineReport:
    """Write the training files from what is committed.

    Without ``replace``, files that are not ours, or that were changed since they were written, are never replaced.

    Raises:
        OmniError: nothing is prepared, a run was interrupted and is not finished, or a file is in the way that is not ours.

    Example:
        >>> for file in api.combine("project", holdout=0.5):
        ...     print(file.path, file.records)
        data/text/text_files.txt 2
        data/text/production_corpus.txt 2
        data/text/heldout_corpus.txt 4
    """
    store = Store(root, asked.shards)
    wanted = prepared(store, asked.modalities)
    how = writing(wanted, asked.seed, asked.pack, asked.holdout, replace=asked.replace)
    how = with_mixing(how, store, wanted, asked.weights, asked.target_tokens)
    report = CombineReport()
    with store.lease("omni-ray combine"), asked.told.together(), ExitStack() as stack:
        session = Once(stack, asked.cluster)
        for each in wanted:
            report += combine_one(store, each, how, session, asked)
    return report


def with_mixing(
    how: TrainingFileOptions,
    store: Store,
    modalities: Sequence[str],
    weights: Sequence[str],
    target_tokens: Sequence[str],
) -> TrainingFileOptions:
    """The same with corpora mixed. Raises OmniError for a corpus that is not there, or that has no tokens."""
    mixing = Mixing.parse(weights, target_tokens)
    names = {name for each in modalities for name in store.names(each)}
    texts = {name for each in modalities if modality_of(each).of_documents for name in store.names(each)}
    for option, given, known in (("--weight", mixing.weights, names), ("--target-tokens", mixing.tokens, texts)):
        if stranger := next((name for name in given if name not in known), None):
            of = "of text " if option == "--target-tokens" else ""
            raise OmniError(
                f"{option} {stranger}: no such corpus {of}is prepared; there are: {', '.join(sorted(known))}"
            )
    if mixing.total is not None and not texts:
        raise OmniError("--target-tokens counts tokens of text, which is not combined here")
    return dataclasses.replace(how, mixing=mixing)


def combine_one(store: Store, modality: str, how: TrainingFileOptions, session: Once, asked: Run) -> list[Combined]:
    """The files of one modality, within a lease; what is no longer clean is cleaned first."""
    run, reporter = asked.cluster.run, asked.told
    settings = Cleaning(store, modality).settings
    if settings is not None:
        # What is new or changed since the last cleaning is cleaned now: the files are never made from outdated shards.
        clean_shards(store, modality, settings, session=session, run=run, reporter=reporter)
    return write_files(store, modality, how, session=session, run=run, reporter=reporter)


def check_places(store: Store, modality: str, how: TrainingFileOptions, names: Sequence[str]) -> None:
    """Raise OmniError where a file that is not ours is in the way of one to be written for corpora ``names``.

    This saves a user from waiting for a run that would be refused in the end.
    """
    form = format_of(modality)
    shared = [name for name in form.shared_places() if not is_held_out(name) or how.holdout]
    corpora = [place for name in names for place in form.corpus_places(name)]
    FlatFilePlaces.of(store, modality).check([*corpora, *(shared if how.production else ())])


def writing(
    modalities: Sequence[str],
    seed: int | None,
    pack: bool,
    holdout: float | None,
    *,
    production: bool = True,
    replace: bool = False,
) -> TrainingFileOptions:
    """How to write, checked against what is to be written. Raises OmniError."""
    if pack and not any(modality_of(each).of_documents for each in modalities):
        raise OmniError(f"--pack joins lines of text, which is not among {', '.join(modalities)}")
    return TrainingFileOptions(seed, pack, holdout, production, replace)
