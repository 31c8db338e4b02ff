"""Writing the training files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from omni_ray.api.cleaning import clean_one
from omni_ray.api.cluster import Cluster, Once
from omni_ray.errors import OmniError
from omni_ray.pipeline.cleaned import Cleaning
from omni_ray.pipeline.progress import Reporter
from omni_ray.pipeline.store import MODALITIES, Store

if TYPE_CHECKING:
    from omni_ray.materialize.options import Options as Writing
    from omni_ray.materialize.record import Combined
    from omni_ray.pipeline.tasks import Runner

DEFAULT_SEED = 42


def combine(
    root: str | Path,
    modalities: Sequence[str] = (),
    *,
    seed: int | None = DEFAULT_SEED,
    pack: bool = False,
    holdout: float | None = None,
    cluster: Cluster | None = None,
    shards: str | None = None,
    reporter: Reporter | None = None,
) -> list[Combined]:
    """Write the training files from what is committed.

    Args:
        root: the project folder.
        modalities: which; none for all that are prepared.
        seed: of the shuffle across corpora; None keeps corpus order.
        pack: join lines of a document up to the ``ctx_len`` of configs/thinker_tiny.json, with the tokenizer that is
            there, or one that is trained first.
        holdout: the share of documents, speakers and pictures to hold out, in ``heldout_*`` files beside the
            ``production_*`` ones; None for nothing, which removes what an earlier run held out.
        cluster, shards, reporter: as for :func:`prepare`.

    Raises:
        OmniError: nothing is prepared, or a run was interrupted and is not finished.
    """
    store = Store(root, shards)
    wanted = list(modalities) or [m for m in MODALITIES if store.corpora(m)]
    if not wanted:
        raise OmniError(f"{store.storage.shown}: nothing is prepared here; run `omni-ray prepare` first")
    how = writing(wanted, seed, pack, holdout)
    files = []
    reporter = reporter or Reporter(quiet=True)
    with store.lease("omni-ray combine"), reporter.together(), ExitStack() as stack:
        cluster = cluster or Cluster()
        session = Once(stack, cluster)
        for each in wanted:
            files += combine_one(store, each, how, session, cluster.run, reporter)
    return files


def combine_one(
    store: Store,
    modality: str,
    how: Writing,
    session: Callable[[], AbstractContextManager[None]],
    run: Runner,
    reporter: Reporter | None,
) -> list[Combined]:
    """The files of one modality, within a lease; what is not clean any more is cleaned first."""
    from omni_ray.materialize.combine import combine

    settings = Cleaning(store, modality).settings
    if settings is not None:
        # What came or changed since it was cleaned is cleaned now: the files are never of yesterday's shards.
        clean_one(store, modality, settings, session, run, reporter)
    return combine(store, modality, how, session=session, run=run, reporter=reporter)


def writing(
    modalities: Sequence[str], seed: int | None, pack: bool, holdout: float | None, *, production: bool = True
) -> Writing:
    """How to write, checked against what is to be written. Raises OmniError."""
    from omni_ray.materialize.options import Options as Writing

    if pack and "text" not in modalities:
        raise OmniError(f"--pack joins lines of text, which is not among {', '.join(modalities)}")
    return Writing(seed, pack, holdout, production)
