"""COCO captions as they are distributed, with drawn pictures."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from random import Random
from typing import Any

from PIL import Image

from omni_ray.synth.native_task import CorpusToWrite, ExpectedCounts, put
from omni_ray.synth.pictures import as_jpeg, draw
from omni_ray.synth.seeds import stream
from omni_ray.synth.word_images import with_noise

_SIZES = ((640, 480), (480, 640), (640, 427), (500, 375), (612, 612), (427, 640), (640, 360))
_CAPTIONS = 5
_ORIENTATION = 0x0112
_TURNED_LEFT = 6


def photo(r: Random, size: tuple[int, int]) -> tuple[Image.Image, list[str]]:
    """A drawn picture with the grain of a photograph, and its captions."""
    image, captions = draw(r, size)
    return with_noise(image, r, r.uniform(1.0, 4.0)) if r.random() < 0.4 else image, captions


def _turned(image: Image.Image) -> bytes:
    """A JPEG that lies on its side and says so in its EXIF data, as cameras write it."""
    exif = Image.Exif()
    exif[_ORIENTATION] = _TURNED_LEFT
    buffer = io.BytesIO()
    image.transpose(Image.Transpose.ROTATE_90).save(buffer, "JPEG", quality=90, exif=exif)
    return buffer.getvalue()


def _split(task: CorpusToWrite, split: str, count: int, first_id: int) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Pictures by file name, and the annotation file's content."""
    files: dict[str, bytes] = {}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for n in range(count):
        r = stream(task.seed, f"coco {split}", n)
        size = _SIZES[n % len(_SIZES)]
        image, captions = draw(r, size, grey=True) if n == 3 else photo(r, size)
        number = first_id + n * 139
        name = f"{number:012d}.jpg"
        files[name] = as_jpeg(image.convert("L")) if n == 3 else _turned(image) if n == 4 else as_jpeg(image)
        images.append({"license": 4, "file_name": name, "height": size[1], "width": size[0], "id": number})
        annotations += (
            {"image_id": number, "id": number * 10 + k, "caption": caption} for k, caption in enumerate(captions)
        )
    # As in the real file, the captions of a picture are not next to each other.
    stream(task.seed, f"coco {split} order", 0).shuffle(annotations)
    info = {"description": "Synthetic pictures in the layout of COCO 2017", "version": "1.0", "year": 2017}
    licences = [{"url": "http://creativecommons.org/licenses/by/2.0/", "id": 4, "name": "Attribution License"}]
    return files, {"info": info, "licenses": licences, "images": images, "annotations": annotations}


def coco(task: CorpusToWrite, folder: Path) -> list[ExpectedCounts]:
    """``train2017`` as the archive that is published, ``val2017`` unpacked, five captions for each picture.

    Pictures differ in size; one of each split is grey and one lies on its side. In val2017 one picture is cut short and
    one caption is blank.
    """
    train, val = task.count(60, 26), task.count(24, 14)
    pictures, captions = _split(task, "train2017", train, 9)
    with zipfile.ZipFile(folder / "train2017.zip", "w") as archive:
        for name, data in pictures.items():
            archive.writestr(zipfile.ZipInfo(f"train2017/{name}"), data)
    put(folder / "annotations" / "captions_train2017.json", json.dumps(captions))

    pictures, captions = _split(task, "val2017", val, 139)
    for n, (name, data) in enumerate(pictures.items()):
        put(folder / "val2017" / name, data[: len(data) // 2] if n == 6 else data)
    whole = captions["images"][7]["id"]
    blank = next(note for note in captions["annotations"] if note["image_id"] == whole)
    blank["caption"] = "  \n"
    put(folder / "annotations" / "captions_val2017.json", json.dumps(captions))
    reasons = {"truncated": _CAPTIONS, "empty_text": 1}
    return [ExpectedCounts("coco", "images", "coco", (train + val) * _CAPTIONS, reasons)]
