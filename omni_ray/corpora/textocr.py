"""TextOCR: photographs with every word outlined and written down."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from omni_ray.corpora.base import Corpus, Download, Rejected, SourceOptions, UnitDraft
from omni_ray.corpora.bounds import media_weight, runs
from omni_ray.corpora.evaluation import splits_in
from omni_ray.corpora.listed_pictures import fault_of, lists_in, read_json
from omni_ray.corpora.media import is_input, with_medium
from omni_ray.corpora.picture_places import PictureFolders, find_places
from omni_ray.errors import SourceError
from omni_ray.sources.json_objects import Ambiguous
from omni_ray.sources.tree import Tree

_PHOTOS_PER_UNIT = 32
_LIST = re.compile(r"textocr.*\.json", re.IGNORECASE)
_HOST = "https://dl.fbaipublicfiles.com/textvqa"


class TextOcr(Corpus):
    """Lists in order of name, photographs in order of id, words in the order the list gives them."""

    name = "textocr"
    modality = "ocr"
    title = "TextOCR"
    licence = "annotations CC BY 4.0; photographs CC BY 2.0 (Open Images)"
    homepage = "https://textvqa.org/textocr/"
    size = "7 GB, 28,134 photographs, 900,000 words"
    layout = "TextOCR_*.json beside train_images/*.jpg, or the zip of the images"
    version = 4
    downloads = (
        Download(f"{_HOST}/data/textocr/TextOCR_0.1_train.json", "TextOCR_0.1_train.json", split="train"),
        Download(f"{_HOST}/data/textocr/TextOCR_0.1_val.json", "TextOCR_0.1_val.json", split="val"),
        Download(f"{_HOST}/images/train_val_images.zip", "train_val_images.zip", about=7_000_000_000),
    )

    def units(self, tree: Tree, options: SourceOptions) -> Iterator[UnitDraft]:
        lists, folders = lists_in(tree, _LIST, lambda folder: folder.lower().endswith("_images"))
        splits = tuple(f"_{split}.json".lower() for split in options.splits)
        for name in sorted(lists):
            if not splits or name.lower().endswith(splits):
                yield from _units_of_list(tree, name, folders, options)

    def read(self, tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected]:
        where = payload["list"]
        places = PictureFolders(tuple(payload["folders"]))
        for ident, reason, detail in payload["lost"]:
            yield Rejected(ident, where, reason, detail)
        for photo, file, frame, words in payload["photos"]:
            good = [{"id": ident, "text": text, "quad": quad} for ident, text, quad in words]
            name = places.find(tree, file)
            row = {"id": photo, "where": f"{where}: {name}", "records": len(good), "path": f"{photo}.jpg"}
            row |= {"words": good, "frame": frame, "source": "textocr"}
            made = with_medium(tree, name, where, "image", row)
            if isinstance(made, Rejected):
                yield from (Rejected(word["id"], where, made.reason, made.detail) for word in good)
            else:
                yield made


def quad_of(points: Any) -> list[float] | None:
    """The quadrilateral of an outline x1, y1, x2, y2, ...: itself if it has four corners.

    A longer outline runs along the top of the word and back along its bottom, so that the ends of the two are the
    corners. None where there are fewer than four corners, half a point, or something that is not a number.
    """
    if not isinstance(points, list | tuple) or len(points) < 8 or len(points) % 2:
        return None
    if not all(isinstance(each, int | float) and math.isfinite(each) for each in points):
        return None
    count = len(points) // 2
    corners = [0, (count - 1) // 2, (count - 1) // 2 + 1, count - 1] if count > 4 else [0, 1, 2, 3]
    return [float(points[2 * corner + axis]) for corner in corners for axis in (0, 1)]


def _units_of_list(tree: Tree, name: str, folders: list[str], options: SourceOptions) -> Iterator[UnitDraft]:
    photos, lost = _photos(tree, name)
    places = find_places(tree, folders, "train_images", [file for _, file, _, _ in photos]) or PictureFolders(("",))
    parts = list(runs(photos, options, _PHOTOS_PER_UNIT, lambda photo: media_weight(tree, places.find(tree, photo[1]))))
    for number, part in enumerate(parts or [[]]):
        part_lost = lost if number == 0 else []
        words = sum(len(each) for *_, each in part)
        files = tuple(at for _, file, _, _ in part if is_input(tree, at := places.find(tree, file)))
        payload = {"list": name, "folders": places.folders, "photos": part, "lost": part_lost}
        yield UnitDraft(payload, files, words + len(part_lost), words, (name,), splits_in([name]))


def _photos(tree: Tree, name: str) -> tuple[list[list[Any]], list[list[str]]]:
    """[id, file, frame, words] for each photograph that has words, and [id, reason, detail] for each word that is lost."""
    try:
        content = read_json(tree, name)
        images, words = content["imgs"], content["anns"].items()
        of_several = set(images.again) if isinstance(images, Ambiguous) else set()
        images = [(key, image) for key, image in sorted(images.items()) if key not in of_several]
    except (KeyError, TypeError, AttributeError) as error:
        raise SourceError(
            f"textocr: {tree.location}/{name} is not a TextOCR list: it needs imgs with file_name and anns with "
            f"image_id, utf8_string and points ({type(error).__name__}: {error})"
        ) from error
    photos: dict[str, list[Any]] = {}
    for key, image in images:
        file = None if fault_of(image) else image.get("file_name")
        if isinstance(file, str) and file:
            photos[key] = [key, file, _frame(image), []]
    lost = []
    for key, word in words:
        problem = _add_word(key, word, photos)
        if problem:
            lost.append([key, *problem])
    return [photo for photo in photos.values() if photo[3]], lost


def _frame(image: Mapping[str, Any]) -> list[int] | None:
    """Width and height as the list tells them."""
    size = [each for each in (image.get("width"), image.get("height")) if isinstance(each, int) and 0 < each < 1 << 31]
    return size if len(size) == 2 else None


def _add_word(key: str, word: Any, photos: Mapping[str, list[Any]]) -> tuple[str, str] | None:
    """Give a word to its photograph; or say why it cannot be: (reason, detail)."""
    if fault := fault_of(word):
        return "bad_row", f"word {key} is {fault}"
    if word.get("image_id") is None:
        return "bad_row", f"word {key} has no image_id"
    image, text = str(word["image_id"]), word.get("utf8_string")
    if image not in photos:
        return "bad_row", f"word {key}: not one photograph with a file_name has the id {image}"
    if text is not None and not isinstance(text, str):
        return "bad_row", f"word {key}: utf8_string is {str(text)[:40]}, not a text"
    if text and text.encode("utf-8", "replace").decode() != text:
        return "bad_encoding", f"word {key}: half a surrogate pair is in the text"
    quad = quad_of(word.get("points"))
    if quad is None:
        return "bad_geometry", f"word {key}: its points are not four or more corners"
    photos[image][3].append([key, text or "", quad])
    return None
