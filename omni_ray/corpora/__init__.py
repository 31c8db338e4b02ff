"""The corpora: one module each. A module that defines a concrete :class:`Corpus` subclass adds it."""

from omni_ray.corpora.base import Corpus, Download, Rejected, SourceOptions, UnitDraft
from omni_ray.corpora.bounds import runs

__all__ = ["Corpus", "Download", "Rejected", "SourceOptions", "UnitDraft", "runs"]
