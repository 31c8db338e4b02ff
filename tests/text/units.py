"""What the units of a corpus of texts give."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from omni_ray.corpora.base import Corpus, Rejected, SourceOptions
from omni_ray.sources.tree import Tree


def read_units(corpus: Corpus, tree: Tree, **options: Any) -> tuple[list[dict[str, Any]], list[Rejected]]:
    """All rows, and what is rejected, with :class:`SourceOptions`."""
    rows: list[dict[str, Any]] = []
    rejected: list[Rejected] = []
    for unit in corpus.units(tree, SourceOptions(**options)):
        for item in corpus.read(tree, unit.payload):
            if isinstance(item, Rejected):
                rejected.append(item)
            else:
                rows += item.to_pylist() if isinstance(item, pa.Table) else [item]
    return rows, rejected
