"""Downloads without a run: fetched, checked, and left for ``prepare``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from omni_ray.corpora.base import downloads_folder
from omni_ray.corpora.registry import select
from omni_ray.corpora.wanted import published, wanted
from omni_ray.pipeline.store import Store
from omni_ray.progress.reporter import Reporter, usual
from omni_ray.results import Sentences
from omni_ray.sources.download import fetch


def download(
    root: str | Path,
    modality: str,
    *,
    dataset: str | Sequence[str] = "all",
    max_samples: int | None = 1_000_000,
    again: bool = False,
    reporter: Reporter | None = None,
) -> Sentences:
    """Fetch the corpora that ``dataset`` names into ``data/downloads``, and make nothing of them yet.

    ``max_samples``: fetch no more parts than these need. ``again``: fetch what is there, too.

    Returns:
        One sentence for each corpus: where it is, or how to get it by hand.

    Raises:
        OmniError: another run is at work, the network is out of reach, or a download is not what it should be.

    Example:
        >>> api.download("project", "images", dataset="flickr30k")
        ['flickr30k: Ask for ... at the homepage. Put it into ...flickr30k']
    """
    lines, say = Sentences(), (reporter or usual()).say
    store = Store(root)
    with store.lease("a download"):
        for corpus in select(modality, dataset):
            folder = downloads_folder(store.root, corpus)
            if corpus.downloads or corpus.catalogue:
                files = published(corpus, folder, (), again=again, say=say)
                fetch(wanted(corpus, (), max_samples, files), folder, again=again, say=say)
                lines.append(f"{corpus.name}: fetched into {folder}")
            else:
                lines.append(f"{corpus.name}: {corpus.manual} Put it into {folder}")
    return lines
