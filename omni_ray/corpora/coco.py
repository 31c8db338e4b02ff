"""COCO captions: photographs of everyday scenes, five captions each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from omni_ray.corpora.base import Corpus, Download, Options, Rejected, UnitDraft
from omni_ray.corpora.media import fetch
from omni_ray.errors import SourceError
from omni_ray.sources.archives import archive_kind
from omni_ray.sources.tree import MemberTooLarge, Tree, is_safe_name

_IMAGES_PER_UNIT = 256
_MAX_JSON_BYTES = 2 << 30
_HOST = "http://images.cocodataset.org"
_PREFIX, _SUFFIX = "captions_", ".json"


class Coco(Corpus):
    """Splits in order of name, pictures in order of file name, captions in order of annotation id."""

    name = "coco"
    modality = "images"
    title = "COCO 2017 captions"
    licence = "annotations CC BY 4.0; each picture its own Flickr licence"
    homepage = "https://cocodataset.org"
    size = "train 18 GB, 118,287 pictures, 591,753 captions; val 1 GB"
    layout = (
        "annotations/captions_<split>.json beside <split>/*.jpg, the zip files of them, or a table with columns image and "
        "captions"
    )
    columns = {
        "image": ("image",),
        "captions": ("captions", "sentences", "caption", "sentences_raw"),
        "id": ("cocoid", "image_id", "imgid", "id"),
    }
    downloads = (
        Download(f"{_HOST}/zips/train2017.zip", "train2017.zip", 19336861798),
        Download(f"{_HOST}/annotations/annotations_trainval2017.zip", "annotations_trainval2017.zip", 252907541),
    )

    def units(self, tree: Tree, options: Options) -> Iterator[UnitDraft]:
        lists, places = _find(tree)
        wanted = {split: name for split, name in lists.items() if not options.splits or split in options.splits}
        there = {split: name for split, name in wanted.items() if split in places}
        if wanted and not there:
            raise SourceError(
                f"coco: {tree.location} has {', '.join(sorted(wanted.values()))} but no folder of pictures called "
                f"{' or '.join(sorted(wanted))}"
            )
        for split, name in sorted(there.items()):
            yield from _units_of_split(tree, name, split, places[split], options)

    def read(self, tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected]:
        where, split, folder = payload["list"], payload["split"], payload["folder"]
        for annotation, image in payload["orphans"]:
            yield Rejected(f"{split}/caption {annotation}", where, "bad_row", f"no image has the id {image}")
        for file, captions, problem in payload["images"]:
            ident = f"{split}/{file.rpartition('.')[0] or file}"
            records = max(1, len(captions))
            name = f"{folder}/{file}"
            if problem:
                yield Rejected(ident, where, problem, file, records)
            elif not captions:
                yield Rejected(ident, where, "missing_text", "no caption names this picture")
            else:
                image = fetch(tree, name, ident, where, records=records)
                if isinstance(image, Rejected):
                    yield image
                    continue
                yield {
                    "id": ident,
                    "where": name,
                    "records": records,
                    "image": image,
                    "path": f"{split}/{file}",
                    "captions": captions,
                    "category": "coco",
                }


def _find(tree: Tree) -> tuple[dict[str, str], dict[str, str]]:
    """Caption lists and picture folders, by split. Picture folders are found without being listed."""
    lists: dict[str, str] = {}
    places: dict[str, str] = {}
    for folder, folders, files in tree.walk():
        for file in files:
            if file.startswith(_PREFIX) and file.endswith(_SUFFIX):
                lists.setdefault(file[len(_PREFIX) : -len(_SUFFIX)], f"{folder}/{file}".lstrip("/"))
        for name in list(folders):
            if name.startswith(("train", "val", "test")) and archive_kind(name) is None:
                places.setdefault(name, f"{folder}/{name}".lstrip("/"))
                folders.remove(name)
    return lists, places


def _units_of_split(tree: Tree, name: str, split: str, folder: str, options: Options) -> Iterator[UnitDraft]:
    images, orphans = _images(tree, name)
    step = options.records_per_unit(_IMAGES_PER_UNIT)
    for start in range(0, max(len(images), 1), step):
        part = images[start : start + step]
        lost = orphans if start == 0 else []
        captions = sum(len(each) for _, each, _ in part)
        payload = {"list": name, "split": split, "folder": folder, "images": part, "orphans": lost}
        records = sum(max(1, len(each)) for _, each, _ in part) + len(lost)
        inputs = tuple(f"{folder}/{file}" for file, _, _ in part if is_safe_name(file))
        yield UnitDraft(payload, inputs, records, captions, reads=(name,))


def _images(tree: Tree, name: str) -> tuple[list[list[Any]], list[list[Any]]]:
    """[file, captions, problem] for each picture, and [annotation, image] for captions of no picture."""
    try:
        content = json.loads(tree.read(name, _MAX_JSON_BYTES))
        listed = [(image["id"], str(image["file_name"])) for image in content["images"]]
        annotations = [(a.get("id"), a["image_id"], str(a.get("caption") or "")) for a in content["annotations"]]
    except (ValueError, RecursionError, MemberTooLarge) as error:
        raise SourceError(f"coco: {tree.location}/{name} is not JSON ({str(error)[:100]})") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise SourceError(
            f"coco: {tree.location}/{name} is not a COCO caption list: each of `images` needs id and file_name, each "
            f"of `annotations` image_id and caption ({type(error).__name__}: {error})"
        ) from error
    captions: dict[Any, list[str]] = {}
    rows: list[list[Any]] = []
    for ident, file in listed:
        if ident in captions:
            rows.append([file, [], "duplicate_id"])
        else:
            captions[ident] = []
            rows.append([file, captions[ident], ""])
    orphans = []
    for annotation, image, caption in sorted(annotations, key=lambda a: (isinstance(a[0], str), a[0] or 0)):
        if image in captions:
            captions[image].append(caption)
        else:
            orphans.append([annotation, image])
    return sorted(rows, key=lambda row: (row[0], row[2])), orphans
