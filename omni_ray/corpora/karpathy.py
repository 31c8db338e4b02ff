"""Karpathy's lists: dataset_coco.json, dataset_flickr8k.json and dataset_flickr30k.json, as captioning papers split them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from omni_ray.corpora.base import Corpus, Rejected, SourceOptions, UnitDraft
from omni_ray.corpora.evaluation import TRAIN, is_evaluation
from omni_ray.corpora.listed_pictures import Listed, fault_of, lists_in, read_json, read_listed, units_of_lists
from omni_ray.errors import SourceError
from omni_ray.sources.extra import rest_of
from omni_ray.sources.tree import Tree

_LIST = re.compile(r"dataset(?:_\w+)?\.json", re.IGNORECASE)


class Karpathy(Corpus):
    """Pictures in the list's order; ``--split train --split restval`` takes those of its splits."""

    name = "karpathy"
    modality = "images"
    title = "Karpathy's splits of COCO, Flickr8k and Flickr30k"
    licence = "that of the pictures and captions listed"
    homepage = "https://cs.stanford.edu/people/karpathy/deepimagesent/"
    size = "COCO: 123,287 pictures, 616,767 captions"
    layout = "dataset_coco.json (or _flickr8k, _flickr30k) beside the folders of pictures that it names"
    manual = "Get caption_datasets.zip at the homepage, and the pictures from their own."
    in_all = False
    version = 4
    keeps_columns = True

    def units(self, tree: Tree, options: SourceOptions) -> Iterator[UnitDraft]:
        lists, folders = lists_in(tree, _LIST)
        read = (listed for name in lists for listed in _listed(tree, name, options))
        return units_of_lists(tree, folders, read, self.name, options)

    def read(self, tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected]:
        return read_listed(tree, payload, "coco" if "coco" in payload["split"] else None)


def _listed(tree: Tree, name: str, options: SourceOptions) -> list[Listed]:
    """The list, in two where evaluation data is kept apart; none for JSON of another shape."""
    content = read_json(tree, name)
    images = content.get("images") if isinstance(content, dict) else None
    if not isinstance(images, list):
        return []
    if not any(isinstance(image, dict) and "sentences" in image for image in images):
        raise SourceError(f"karpathy: {tree.location}/{name}: no image of its list has sentences")
    of = name.rpartition("/")[2].rpartition(".")[0].removeprefix("dataset_").lower()
    sides = [Listed(name, of), Listed(name, of)]
    for number, image in enumerate(images):
        what = f"image {number}"
        if fault := fault_of(image):
            sides[0].lost.append([what, "bad_row", f"{what} of {name} is {fault}"])
        elif not options.splits or image.get("split") in options.splits:
            split = str(image.get("split", ""))
            listed = sides[is_evaluation(split) and options.evaluation != TRAIN]
            if is_evaluation(split) and split not in listed.evaluation:
                listed.evaluation = (*listed.evaluation, split)
            file, folder = image.get("filename"), image.get("filepath")
            place = f"{folder}/{file}" if isinstance(folder, str) and folder and isinstance(file, str) else file
            rest = rest_of(image, ("sentences", "filename", "filepath")) if options.keep_columns else None
            listed.add(what, place, image.get("sentences", []), rest)
    return [sides[0], *(side for side in sides[1:] if side.images or side.lost)]
