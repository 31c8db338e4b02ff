"""Flickr8k and Flickr30k: photographs with five captions each, in the lists they were published with."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from omni_ray.corpora.base import Corpus, Rejected, SourceOptions, UnitDraft
from omni_ray.corpora.listed_pictures import Listed, lists_in, read_listed, units_of_lists
from omni_ray.errors import SourceError
from omni_ray.sources.lists import whole_list
from omni_ray.sources.tree import MemberTooLarge, Tree

_MAX_LIST_BYTES = 256 << 20
_LINE = re.compile(r"\s*(?P<file>[^\t]+?)#(?P<number>\d+)\w?\t(?P<caption>.*)")


class Flickr8k(Corpus):
    """Pictures in order of name, captions in the list's. ``*.token`` has a line ``<file>#<n><TAB><caption>`` for each."""

    modality = "images"
    licence = "captions for research (University of Illinois); photographs by their Flickr licences"
    name = "flickr8k"
    title = "Flickr8k"
    homepage = "https://hockenmaier.cs.illinois.edu/8k-pictures.html"
    size = "1.1 GB, 8,091 pictures, 40,455 captions"
    layout = "Flickr8k.token.txt beside a folder of pictures, or captions.txt with columns image and caption"
    manual = "Ask for Flickr8k_Dataset.zip and Flickr8k_text.zip at the homepage."
    in_all = False
    version = 2
    lists: ClassVar[re.Pattern[str]] = re.compile(r"Flickr8k\.token(?:\.txt)?", re.IGNORECASE)
    columns = {
        "image": ("image", "image_name"),
        "captions": ("caption", "captions", "comment"),
    }

    def units(self, tree: Tree, options: SourceOptions) -> Iterator[UnitDraft]:
        lists, folders = lists_in(tree, self.lists)
        if not lists:
            return
        chosen = _chosen(tree, options.splits)
        yield from units_of_lists(
            tree, folders, (self._listed(tree, name, chosen) for name in lists), self.name, options
        )

    def read(self, tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected]:
        return read_listed(tree, payload, self.name)

    def _listed(self, tree: Tree, name: str, chosen: set[str] | None) -> Listed:
        try:
            lines = [line.decode("utf-8", "surrogateescape") for line in whole_list(tree, name, _MAX_LIST_BYTES)]
        except MemberTooLarge as error:
            raise SourceError(f"{self.name}: {name}: {error}") from error
        listed = Listed(name, self.name)
        captions: dict[str, list[str]] = {}
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            found = _LINE.fullmatch(line)
            if found is None:
                listed.lost.append(
                    [f"line {number}", "bad_row", f"{name}:{number} is not <file>#<n>, a tab and a caption"]
                )
            elif chosen is None or found["file"] in chosen:
                captions.setdefault(found["file"], []).append(found["caption"])
        for file, texts in sorted(captions.items()):
            listed.add(file, file, texts)
        return listed


def _chosen(tree: Tree, splits: tuple[str, ...]) -> set[str] | None:
    """The pictures of the splits the user wants (``Flickr_8k.trainImages.txt``); None for all.

    Raises:
        SourceError: the lists of a split are not there.
    """
    if not splits:
        return None
    chosen: set[str] = set()
    for split in splits:
        names, _ = lists_in(tree, re.compile(rf"(?:Flickr_8k\.)?{re.escape(split)}(?:Images)?\.txt", re.IGNORECASE))
        if not names:
            raise SourceError(
                f"{tree.location} has no list of the pictures of {split}, such as Flickr_8k.{split}Images.txt"
            )
        for name in names:
            chosen.update(tree.read(name, _MAX_LIST_BYTES).decode("utf-8", "replace").split())
    return chosen


class Flickr30k(Flickr8k):
    """The same, of 31,783 photographs."""

    name = "flickr30k"
    title = "Flickr30k"
    homepage = "https://shannon.cs.illinois.edu/DenotationGraph/"
    size = "4.4 GB, 31,783 pictures, 158,915 captions"
    layout = (
        "results_20130124.token or results.csv beside a folder of pictures, or a table with columns image and caption"
    )
    manual = "Ask for flickr30k-images.tar and flickr30k.tar.gz at the homepage."
    lists = re.compile(r"results(?:_\d+)?\.token", re.IGNORECASE)
    columns = {
        "image": ("image", "image_name", "filename"),
        "captions": ("caption", "captions", "comment", "raw", "sentences"),
    }
