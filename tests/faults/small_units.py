"""Real corpora cut into small units, so that a run has tens of them and many moments to be killed in."""

from collections.abc import Iterator
from dataclasses import replace

from omni_ray.corpora import SourceOptions, UnitDraft
from omni_ray.corpora.books import Books
from omni_ray.corpora.librispeech import LibriSpeech
from omni_ray.sources.tree import Tree


class SmallBooks(Books):
    """Books, a few at a time."""

    name = "small_books"
    categories = ("storm",)

    def units(self, tree: Tree, options: SourceOptions) -> Iterator[UnitDraft]:
        yield from super().units(tree, replace(options, unit_scale=0.02))


class SmallLibriSpeech(LibriSpeech):
    """LibriSpeech, a chapter at a time."""

    name = "small_librispeech"
    categories = ("storm",)

    def units(self, tree: Tree, options: SourceOptions) -> Iterator[UnitDraft]:
        yield from super().units(tree, replace(options, unit_scale=0.05))
