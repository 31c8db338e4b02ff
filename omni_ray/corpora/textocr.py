"""TextOCR: photographs with every word outlined and written down."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from omni_ray.corpora.base import Corpus, Download, Options, Rejected, UnitDraft
from omni_ray.corpora.media import fetch
from omni_ray.errors import SourceError
from omni_ray.sources.tree import MemberTooLarge, Tree, is_safe_name

_PHOTOS_PER_UNIT = 32
_MAX_JSON_BYTES = 2 << 30
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
    downloads = (
        Download(f"{_HOST}/data/textocr/TextOCR_0.1_train.json", "TextOCR_0.1_train.json"),
        Download(f"{_HOST}/data/textocr/TextOCR_0.1_val.json", "TextOCR_0.1_val.json"),
        Download(f"{_HOST}/images/train_val_images.zip", "train_val_images.zip"),
    )

    def units(self, tree: Tree, options: Options) -> Iterator[UnitDraft]:
        lists, photos = _find(tree)
        for name in lists:
            if options.splits and not any(name.endswith(f"_{split}.json") for split in options.splits):
                continue
            yield from _units_of_list(tree, name, photos, options)

    def read(self, tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected]:
        where = payload["list"]
        for ident, image in payload["orphans"]:
            yield Rejected(ident, where, "bad_row", f"no photograph has the id {image}")
        for photo, file, words in payload["photos"]:
            good = []
            for ident, text, points in words:
                quad = quad_of(points)
                if quad is None:
                    yield Rejected(ident, where, "bad_geometry", f"{len(points)} numbers outline the word")
                else:
                    good.append({"id": ident, "text": text, "quad": quad})
            if not good:
                continue
            name = _name_of(tree, file, payload["folders"])
            if name is None:
                for word in good:
                    yield Rejected(word["id"], where, "missing_media", f"no {file}")
                continue
            image = fetch(tree, name, photo, where, records=len(good))
            if isinstance(image, Rejected):
                yield image
                continue
            yield {
                "id": photo,
                "where": f"{where}: {name}",
                "records": len(good),
                "image": image,
                "path": f"{photo}.jpg",
                "words": good,
                "source": "textocr",
            }


def quad_of(points: Sequence[float]) -> list[float] | None:
    """The quadrilateral of an outline x1, y1, x2, y2, ...: itself if it has four corners.

    A longer outline runs along the top of the word and back along its bottom, so that the ends of the two are the
    corners. None where there are fewer than four corners, or half a point.
    """
    if len(points) < 8 or len(points) % 2:
        return None
    count = len(points) // 2
    corners = [0, (count - 1) // 2, (count - 1) // 2 + 1, count - 1] if count > 4 else [0, 1, 2, 3]
    return [float(points[2 * corner + axis]) for corner in corners for axis in (0, 1)]


def _find(tree: Tree) -> tuple[list[str], list[str]]:
    """The lists, and the folders of images, which are not listed."""
    lists: list[str] = []
    folders_of_images: list[str] = []
    for folder, folders, files in tree.walk():
        prefix = f"{folder}/" if folder else ""
        lists += [prefix + file for file in files if file.startswith("TextOCR") and file.endswith(".json")]
        for name in list(folders):
            if name.endswith("_images"):
                folders_of_images.append(prefix + name)
                folders.remove(name)
    return sorted(lists), folders_of_images


def _name_of(tree: Tree, file: str, folders: Sequence[str]) -> str | None:
    """The lists say ``train/x.jpg``; the files are in ``train_images/x.jpg``."""
    last = file.rpartition("/")[2]
    for name in (*(f"{folder}/{last}" for folder in folders), file):
        if is_safe_name(name) and tree.exists(name):
            return name
    return None


def _units_of_list(tree: Tree, name: str, folders: list[str], options: Options) -> Iterator[UnitDraft]:
    photos, orphans = _photos(tree, name)
    step = options.records_per_unit(_PHOTOS_PER_UNIT)
    for start in range(0, max(len(photos), 1), step):
        part = photos[start : start + step]
        lost = orphans if start == 0 else []
        words = sum(len(each) for _, _, each in part)
        files = [_name_of(tree, file, folders) or file for _, file, _ in part]
        payload = {"list": name, "folders": folders, "photos": part, "orphans": lost}
        inputs = tuple(f for f in files if is_safe_name(f))
        yield UnitDraft(payload, inputs, words + len(lost), words, reads=(name,))


def _photos(tree: Tree, name: str) -> tuple[list[list[Any]], list[list[Any]]]:
    """[id, file, words] for each photograph that has words, and [word, image] for words of no photograph."""
    try:
        content = json.loads(tree.read(name, _MAX_JSON_BYTES))
        photos = {key: [key, str(value["file_name"]), []] for key, value in sorted(content["imgs"].items())}
        orphans = []
        for key, word in content["anns"].items():
            image = str(word["image_id"])
            if image in photos:
                photos[image][2].append([key, str(word.get("utf8_string") or ""), list(word.get("points") or [])])
            else:
                orphans.append([key, image])
    except (ValueError, RecursionError, MemberTooLarge) as error:
        raise SourceError(f"textocr: {tree.location}/{name} is not JSON ({str(error)[:100]})") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise SourceError(
            f"textocr: {tree.location}/{name} is not a TextOCR list: it needs imgs with file_name and anns with "
            f"image_id, utf8_string and points ({type(error).__name__}: {error})"
        ) from error
    return [photo for photo in photos.values() if photo[2]], orphans
