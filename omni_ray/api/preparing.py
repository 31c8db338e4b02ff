"""From sources to committed shards: Ray begins to start first, and what is imported to do the work comes beside it."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from omni_ray.api.cluster import Once
from omni_ray.api.options import PrepareOptions, verb
from omni_ray.corpora.base import downloads_folder
from omni_ray.corpora.registry import add_file, select
from omni_ray.errors import OmniError
from omni_ray.later import uncollected
from omni_ray.modalities.params import made_on_gpus
from omni_ray.pipeline.store import Store

if TYPE_CHECKING:
    from omni_ray.api.prepare_report import PrepareReport


@verb(PrepareOptions)
def prepare(root: Path, asked: PrepareOptions) -> PrepareReport:
    """Index, transform and commit corpora; with ``combine``, write the training files too.

    What is committed already, with the same inputs and parameters, is not done again. Sources other than those that a corpus
    was made from are refused without ``reset``.

    Raises:
        OmniError: wrong input; one sentence says what, where, and what to do.

    Example:
        >>> report = api.prepare("project", "text", dataset="text_files", source="notes", max_samples=5)
        >>> [(each.name, each.records_in, each.samples) for each in report.summaries]
        [('text_files', 6, 5)]
    """
    if asked.corpus_file is not None:
        add_file(Path(asked.corpus_file))
    store = Store(root, asked.shards)
    if asked.cluster.gpus:
        asked = _on_gpus(asked)
    with store.lease("omni-ray prepare"), asked.told.together(), ExitStack() as stack:
        session = Once(stack, asked.cluster)
        if any(_is_new(store, each, asked) for each in asked.modalities):
            session.begin()
        with uncollected():
            from omni_ray.api import making
        return making.make(store, asked, session)


def _on_gpus(asked: PrepareOptions) -> PrepareOptions:
    """The same, with the engine that makes pictures here. Raises OmniError: there are none to make, or too few GPUs here."""
    pictures = made_on_gpus(asked.modalities)
    if not pictures:
        raise OmniError(f"--gpus is for images and ocr; {', '.join(asked.modalities)} would not use one")
    from omni_ray.modalities.picture_engine import gpu_engine
    from omni_ray.pipeline.actors import require_gpus
    from omni_ray.pipeline.session import is_remote

    if not is_remote(asked.cluster.address):
        require_gpus(asked.cluster.gpus)
    engine = {"engine": gpu_engine()}
    return replace(
        asked, params={**asked.params, **{each: engine | {**asked.params.get(each, {})} for each in pictures}}
    )


def _is_new(store: Store, modality: str, asked: PrepareOptions) -> bool:
    """Whether something is there from which nothing was made yet: Ray will be needed."""
    for corpus in select(modality, asked.dataset):
        places = [Path(each) for each in asked.sources] or [downloads_folder(store.root, corpus)]
        if any(place.exists() for place in places) and (
            asked.reset or store.corpus(modality, asked.name or corpus.name).state() is None
        ):
            return True
    return False
