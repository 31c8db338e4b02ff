"""MJSynth, TextOCR and SynthText as they are distributed."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from omni_ray.synth import book
from omni_ray.synth.lettering import FACES, Quad, ink_for, set_text
from omni_ray.synth.native_images import photo
from omni_ray.synth.native_task import CorpusToWrite, ExpectedCounts, put
from omni_ray.synth.pictures import Point, as_jpeg, varied
from omni_ray.synth.seeds import stream
from omni_ray.synth.word_images import draw_word

_MJ_HEIGHT = 31
"""Pixels, as in the real crops."""


def mjsynth(task: CorpusToWrite, folder: Path) -> list[ExpectedCounts]:
    """The published tree with its lists and lexicon. One crop is cut short, one is missing."""
    count = task.count(240, 60)
    top = folder / "mnt" / "ramdisk" / "max" / "90kDICT32px"
    drawn = []
    for n in range(count):
        r = stream(task.seed, "mjsynth", n)
        drawn.append((book.word(r), r))
    lexicon = sorted({text.lower() for text, _ in drawn})
    lines = []
    for n, (text, r) in enumerate(drawn):
        place = lexicon.index(text.lower())
        # Some folders hold a single part, some several, with numbers of one to four figures.
        name = f"{n // 40 * 437 + 1}/{n % 40 // 10 + 1}/{n % 400 + 1}_{text}_{place}.jpg"
        lines.append(f"./{name} {place}\n")
        if n == 17:
            continue
        image = draw_word(r, text, 40)
        width = max(12, round(image.width * _MJ_HEIGHT / image.height))
        data = as_jpeg(image.resize((width, _MJ_HEIGHT), Image.Resampling.LANCZOS))
        put(top / name, data[: len(data) * 2 // 3] if n == 29 else data)
    eighty, ninety = count * 4 // 5, count * 9 // 10
    lists = {
        "annotation.txt": lines,
        "annotation_train.txt": lines[:eighty],
        "annotation_val.txt": lines[eighty:ninety],
        "annotation_test.txt": lines[ninety:],
        "imlist.txt": [line.split(" ")[0] + "\n" for line in lines],
        "lexicon.txt": [text + "\n" for text in lexicon],
    }
    for name, body in lists.items():
        put(top / name, "".join(body))
    return [ExpectedCounts("mjsynth", "ocr", "mjsynth", count, {"missing_media": 1, "truncated": 1})]


class _Sign(NamedTuple):
    """A word in a scene: its text and its corners in pixels of the scene."""

    text: str
    quad: Quad


def _scene(r: Random, size: tuple[int, int], columns: int, rows: int) -> tuple[Image.Image, list[_Sign]]:
    """A picture with words on boards, at most one in each cell of a grid."""
    image, _ = photo(r, size)
    pen = ImageDraw.Draw(image)
    width, height = size[0] // columns, size[1] // rows
    signs = []
    for cell in sorted(r.sample(range(columns * rows), r.randint(columns * rows // 2, columns * rows))):
        text = book.word(r)
        setting = set_text(text, r.choice(FACES), r.randint(16, 30), turn=r.uniform(-20, 20))
        mask = setting.mask
        if mask.width > width - 8 or mask.height > height - 8:
            continue
        left = cell % columns * width + r.randint(4, width - mask.width - 4)
        top = cell // columns * height + r.randint(4, height - mask.height - 4)
        board = (r.randrange(256), r.randrange(256), r.randrange(256))
        first, second, third, fourth = ((x + left, y + top) for x, y in setting.quad)
        pen.polygon([first, second, third, fourth], fill=varied(board, r))
        image.paste(ink_for(r, board, 90), (left, top), mask)
        signs.append(_Sign(text, (first, second, third, fourth)))
    return image, signs


def _note(number: str, image: str, sign: _Sign, r: Random) -> dict[str, Any]:
    """An annotation of TextOCR 0.1; one in fourteen words is marked as illegible."""
    points = [round(value, 1) for corner in sign.quad for value in corner]
    xs, ys = points[::2], points[1::2]
    box = [min(xs), min(ys), round(max(xs) - min(xs), 1), round(max(ys) - min(ys), 1)]
    text = "." if r.random() < 0.07 else sign.text
    area = round(box[2] * box[3], 2)
    return {"id": number, "image_id": image, "bbox": box, "utf8_string": text, "points": points, "area": area}


def textocr(task: CorpusToWrite, folder: Path) -> list[ExpectedCounts]:
    """Photos with words at quadrilaterals, training and validation, all in ``train_images``.

    Some words are marked illegible; the first of the training words has a quadrilateral without an area.
    """
    records = illegible = 0
    for split, count in (("train", task.count(16, 6)), ("val", task.count(6, 2))):
        images: dict[str, Any] = {}
        notes: dict[str, Any] = {}
        of_image: dict[str, list[str]] = {}
        for n in range(count):
            r = stream(task.seed, f"textocr {split}", n)
            size = r.choice(((1024, 768), (768, 1024), (1024, 683)))
            image, signs = _scene(r, size, 4, 5)
            key = f"{r.getrandbits(64):016x}"
            put(folder / "train_images" / f"{key}.jpg", as_jpeg(image, 85))
            images[key] = {
                "id": key, "width": size[0], "height": size[1], "set": split, "file_name": f"train/{key}.jpg",
            }  # fmt: skip
            of_image[key] = [f"{key}_{k}" for k in range(1, len(signs) + 1)]
            notes |= {number: _note(number, key, sign, r) for number, sign in zip(of_image[key], signs, strict=True)}
        if split == "train":
            first = next(note for note in notes.values() if note["utf8_string"] != ".")
            first["points"] = first["points"][:2] * 4
        content = {"info": {"version": "0.1"}, "imgs": images, "anns": notes, "imgToAnns": of_image}
        put(folder / f"TextOCR_0.1_{split}.json", json.dumps(content))
        records += len(notes)
        illegible += sum(note["utf8_string"] == "." for note in notes.values())
    return [ExpectedCounts("textocr", "ocr", "textocr", records, {"illegible": illegible, "bad_geometry": 1})]


def _letters(sign: _Sign) -> list[list[Point]]:
    """The word's quadrilateral, cut into one for each letter."""
    count = len(sign.text)

    def along(start: Point, end: Point) -> list[Point]:
        (ax, ay), (bx, by) = start, end
        return [(ax + (bx - ax) * k / count, ay + (by - ay) * k / count) for k in range(count + 1)]

    left, right, low_right, low_left = sign.quad
    top, bottom = along(left, right), along(low_left, low_right)
    return [[top[k], top[k + 1], bottom[k + 1], bottom[k]] for k in range(count)]


def _corners(quads: list[list[Point]]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """2 x 4 x N, or 2 x 4 for a single one, as MATLAB drops the last axis."""
    array = np.asarray(quads, dtype=np.float32).transpose(2, 1, 0)
    return array[:, :, 0] if array.shape[2] == 1 else array


def synthtext(task: CorpusToWrite, folder: Path) -> list[ExpectedCounts]:
    """Pictures in numbered folders and ``gt.mat``; words that belong together share a padded row of ``txt``."""
    from scipy.io import savemat

    count = task.count(10, 4)
    columns: dict[str, Any] = {
        name: np.empty((1, count), dtype=object) for name in ("imnames", "wordBB", "charBB", "txt")
    }
    records = 0
    for n in range(count):
        r = stream(task.seed, "synthtext", n)
        image, signs = _scene(r, (600, 450), 3, 4)
        signs = signs[:1] if n == 2 else signs
        name = f"{n // 5 * 47 + 8}/scene_{n}_{n % 3}.jpg"
        put(folder / "SynthText" / name, as_jpeg(image))
        texts = [sign.text for sign in signs]
        # The first two words make one text, one above the other, as words of a sign do.
        rows = ["\n".join(texts[:2]), *texts[2:]]
        widest = max(map(len, rows))
        columns["imnames"][0, n] = np.array([name])
        columns["wordBB"][0, n] = _corners([list(sign.quad) for sign in signs])
        columns["charBB"][0, n] = _corners([letter for sign in signs for letter in _letters(sign)])
        columns["txt"][0, n] = np.array([row.ljust(widest) for row in rows])
        records += len(signs)
    truth = folder / "SynthText" / "gt.mat"
    savemat(truth, columns)
    # The header says when and on which system the file was made.
    truth.write_bytes(b"MATLAB 5.0 MAT-file, synthetic".ljust(116) + truth.read_bytes()[116:])
    return [ExpectedCounts("synthtext", "ocr", "synthtext", records)]
