"""COCO captions: photographs of everyday scenes, five captions each."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from omni_ray.corpora.base import Corpus, Download, Rejected, SourceOptions, UnitDraft
from omni_ray.corpora.evaluation import splits_in
from omni_ray.corpora.listed_pictures import Listed, fault_of, kept, lists_in, read_json, read_listed, units_of_lists
from omni_ray.errors import SourceError
from omni_ray.sources.captions import caption_texts
from omni_ray.sources.kinds import archive_kind
from omni_ray.sources.tree import Tree

_MAX_JSON_BYTES = 2 << 30
_HOST = "http://images.cocodataset.org"
_LIST = re.compile(r"captions_.+\.json", re.IGNORECASE)


class Coco(Corpus):
    """Splits in order of name, pictures in order of file name, captions in order of annotation id."""

    name = "coco"
    modality = "images"
    title = "COCO captions, 2014 and 2017"
    licence = "annotations CC BY 4.0; each picture its own Flickr licence"
    homepage = "https://cocodataset.org"
    size = "train 18 GB, 118,287 pictures, 591,753 captions; val 1 GB"
    layout = (
        "annotations/captions_<split>.json beside <split>/*.jpg, the zip files of them, or a table with columns image and "
        "captions"
    )
    version = 5
    keeps_columns = True
    columns = {
        "image": ("image",),
        "captions": ("captions", "sentences", "caption", "sentences_raw"),
        "id": ("cocoid", "image_id", "imgid", "id"),
    }
    downloads = (
        Download(f"{_HOST}/zips/train2017.zip", "train2017.zip", 19336861798, split="train2017"),
        Download(f"{_HOST}/zips/val2017.zip", "val2017.zip", split="val2017", about=816_000_000),
        Download(f"{_HOST}/annotations/annotations_trainval2017.zip", "annotations_trainval2017.zip", 252907541),
    )

    mini = (("val2017",), 2500)

    def units(self, tree: Tree, options: SourceOptions) -> Iterator[UnitDraft]:
        found, folders = _find(tree)
        splits = {split.lower() for split in options.splits}
        wanted = {split: name for split, name in found.items() if not splits or split.lower() in splits}
        lists = (_listed(tree, split, name, options.keep_columns) for split, name in sorted(wanted.items()))
        return units_of_lists(tree, folders, lists, "coco", options)

    def read(self, tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected]:
        return read_listed(tree, payload, "coco")


def _find(tree: Tree) -> tuple[dict[str, str], list[str]]:
    """Caption lists by split, and the folders that may hold pictures, which are not listed.

    Raises:
        SourceError: two lists of one split that differ.
    """
    names, places = lists_in(tree, _LIST, _has_pictures)
    lists: dict[str, str] = {}
    for name in names:
        split = name.rpartition("/")[2][len("captions_") : -len(".json")]
        first = lists.setdefault(split, name)
        if first != name and tree.read(first, _MAX_JSON_BYTES) != tree.read(name, _MAX_JSON_BYTES):
            raise SourceError(
                f"coco: {tree.location} has two lists of {split} that differ, {first} and {name}; take one out"
            )
    return lists, places


def _has_pictures(folder: str) -> bool:
    return folder.lower().startswith(("train", "val", "test")) and archive_kind(folder) is None


def _listed(tree: Tree, split: str, name: str, keeps_columns: bool) -> Listed:
    content = read_json(tree, name)
    images, annotations = (content.get(key) if isinstance(content, dict) else None for key in ("images", "annotations"))
    if not isinstance(images, list) or not isinstance(annotations, list):
        raise SourceError(
            f"coco: {tree.location}/{name} is not a COCO caption list: it needs `images` with id and file_name, and "
            "`annotations` with image_id and caption"
        )
    lost: list[list[str]] = []
    captions: dict[str, list[str]] = {}
    rows: list[list[Any]] = []
    licences = _licences(content) if keeps_columns else {}
    for number, image in enumerate(images):
        if fault := fault_of(image):
            lost.append([f"image {number}", "bad_row", f"image {number} of the list is {fault}"])
            continue
        file = image.get("file_name")
        if not isinstance(file, str) or not file or image.get("id") is None:
            lost.append([f"image {number}", "bad_row", f"image {number} of the list has no id or no file_name"])
            continue
        key = _key(image["id"])
        problem = "duplicate_id" if key in captions else ""
        rest = _attribution(image, licences) if keeps_columns else None
        rows.append([file, [] if problem else captions.setdefault(key, []), problem, *kept(rest)])
    for number, annotation in sorted(enumerate(annotations), key=_by_id):
        lost += _add_captions(number, annotation, captions)
    return Listed(name, split, sorted(rows, key=lambda row: (row[0], row[2])), lost, splits_in([f"{split}/"]))


def _licences(content: Mapping[str, Any]) -> dict[str, Any]:
    """The list's licences, by id."""
    listed = content.get("licenses")
    each = listed if isinstance(listed, list) else []
    return {_key(licence["id"]): licence for licence in each if not fault_of(licence) and "id" in licence}


def _attribution(image: Mapping[str, Any], licences: Mapping[str, Any]) -> dict[str, Any]:
    """What a list says about a picture apart from its file: its licence by name and address, its page, who took it."""
    said = {key: value for key, value in image.items() if key != "file_name"}
    licence = licences.get(_key(said["license"])) if "license" in said else None
    if licence is not None:
        said |= {"license": licence.get("name"), "license_url": licence.get("url")}
    return said


def _add_captions(number: int, annotation: Any, captions: dict[str, list[str]]) -> list[list[str]]:
    """Give an annotation's texts to its picture; [what, reason, detail] for anything that is no text."""
    if fault := fault_of(annotation):
        return [[f"annotation {number}", "bad_row", f"annotation {number} of the list is {fault}"]]
    if annotation.get("image_id") is None:
        return [[f"annotation {number}", "bad_row", f"annotation {number} of the list has no image_id"]]
    what = f"caption {annotation.get('id', number)}"
    if "caption" not in annotation:
        return [[what, "missing_text", f"{what} has no text"]]
    texts, faults = caption_texts(annotation["caption"])
    key = _key(annotation["image_id"])
    if key not in captions:
        return [[what, "bad_row", f"no image has the id {key}"]] * max(1, len(texts) + len(faults))
    captions[key] += texts
    if not texts and not faults:
        faults = [("empty_text", "the caption is an empty list")]
    return [[what, reason, f"{what}: {detail}"] for reason, detail in faults]


def _key(ident: Any) -> str:
    """An id in one spelling: merged lists write 7, 7.0 and "7" for the same one."""
    if isinstance(ident, float) and ident.is_integer():
        ident = int(ident)
    return ident.strip() if isinstance(ident, str) else json.dumps(ident, sort_keys=True)


def _by_id(numbered: tuple[int, Any]) -> tuple[int, float, str, int]:
    """Numbers first, then words, then anything else; equal ones in the list's order."""
    number, annotation = numbered
    ident = None if fault_of(annotation) else annotation.get("id")
    if isinstance(ident, int | float) and ident == ident:
        return 0, ident, "", number
    return (1, 0, ident, number) if isinstance(ident, str) else (2, 0, "", number)
