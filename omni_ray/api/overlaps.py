"""A source must not be where something is written: results would be read as sources, or sources be in the way. Nor may two
corpora read the same file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omni_ray.errors import SourceError
from omni_ray.materialize.formats import format_of
from omni_ray.modalities.registry import modality as modality_of
from omni_ray.pipeline.store import Store


def refuse_overlap(store: Store, modality: str, name: str, tree: Mapping[str, Any]) -> None:
    """Raise SourceError where the source that ``tree`` specifies contains, or is in, a place that corpus ``name`` takes."""
    form = format_of(modality)
    shards = store.corpus(modality, name).storage.local_root
    own = [store.root / place for place in form.corpus_places(name)] + ([shards] if shards else [])
    shared = [store.root / place for place in form.shared_places()]
    for place in _places(tree):
        met = [output for output in (*shared, *own) if _overlap(place.resolve(), output.resolve())]
        if met:
            other = "" if met[0] in shared else ", or give the corpus another name with --name"
            raise SourceError(
                f"{name}: {met[0]} is written by omni-ray, and the source {place} {_how(place, met[0])}: move the source "
                f"elsewhere{other}"
            )


def refuse_double(modality: str, sources: Sequence[str], read: Mapping[str, NDArray[np.int64]]) -> None:
    """Raise SourceError where two corpora would read the same file of ``sources``.

    ``read``: by corpus, a number for each file that it reads.
    """
    for one, other in combinations(read, 2):
        common = len(np.intersect1d(read[one], read[other], assume_unique=True))
        if common:
            what = "it" if len(read[one]) == 1 and len(sources) == 1 else f"{common:,} of the same files"
            raise SourceError(
                f"{', '.join(sources)}: both {one} and {other} would read {what}; say which it is with --dataset, which is "
                f"{modality_of(modality).own_files} for data of your own"
            )


def _places(tree: Mapping[str, Any]) -> Iterator[Path]:
    """The local files and folders that a tree reads."""
    if "remote" in tree:
        return  # an archive on an object store, whose path is a path there
    for key in ("root", "path"):
        if key in tree:
            yield Path(tree[key])
    for each in (*tree.get("trees", ()), *([tree["tree"]] if "tree" in tree else [])):
        yield from _places(each)


def _overlap(source: Path, output: Path) -> bool:
    return source == output or source in output.parents or output in source.parents


def _how(source: Path, output: Path) -> str:
    if source.resolve() == output.resolve():
        return "is that very place"
    return "lies in it" if output.resolve() in source.resolve().parents else "holds it"
