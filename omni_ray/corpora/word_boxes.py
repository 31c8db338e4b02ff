"""Text files that say where the words of a photograph are: the lines of ICDAR's competitions, and of other tools."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from omni_ray.corpora.textocr import quad_of

_NUMBER = r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
_EIGHT = re.compile(rf"\s*({_NUMBER}(?:\s*[,\t ]\s*{_NUMBER}){{7}})\s*[,\t ]\s*(.*)")
_MORE = re.compile(rf"\s*({_NUMBER}(?:\s*,\s*{_NUMBER}){{9,}})\s*,.*")
_FOUR = re.compile(
    rf"\s*({_NUMBER}(?:\s*,\s*{_NUMBER}){{3}})\s*,\s*(.*)|\s*({_NUMBER}(?: +{_NUMBER}){{3}}) +(\".*\")\s*$"
)
_ONLY_NUMBERS = re.compile(rf"\s*\d+(?:\s+{_NUMBER}){{4,}}\s*|\s*{_NUMBER}(?:\s*,\s*{_NUMBER}){{3,}}\s*,?\s*")
_SCRIPTS = frozenset(
    """
    Arabic Latin Chinese Japanese Korean Bangla Hindi Devanagari Tamil Telugu Cyrillic Greek Hebrew Thai Symbols Mixed
    None
    """.split()
)
"""What the multilingual competitions write before a word: the script it is written in."""
_CTW = "####"
"""What CTW1500 writes before a word."""


@dataclass(frozen=True)
class Box:
    """A word: its corners x1, y1, ... x4, y4 clockwise from the reader's top left, and its text; None for a line that is not a box."""

    quad: list[float] | None
    text: str


def boxes_of(text: str) -> list[Box] | None:
    """The words of a file whose first line is a box and a word; None for any other file.

    Reads eight numbers and the word (ICDAR 2015 and later, also with the script between them), an even number more for outlines
    with more corners (with commas; CTW1500), or four, the box's left, top, right and bottom (ICDAR 2013), with commas, tabs or blanks.
    """
    lines = [line for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n") if line.strip()]
    if not lines or _box(lines[0]).quad is None:
        return None
    boxes = [_box(line) for line in lines]
    if all(box.text.partition(",")[0] in _SCRIPTS and "," in box.text for box in boxes if box.quad):
        boxes = [Box(box.quad, box.text.partition(",")[2]) if box.quad else box for box in boxes]
    if all(box.text.startswith(_CTW) for box in boxes if box.quad):
        boxes = [Box(box.quad, box.text.removeprefix(_CTW)) if box.quad else box for box in boxes]
    return boxes


def is_numbers(text: str) -> bool:
    """Whether a text is nothing but lines of numbers, as detectors' labels (YOLO's) and boxes without words are."""
    lines = [line for line in text.splitlines() if line.strip()]
    return bool(lines) and all(_ONLY_NUMBERS.fullmatch(line) for line in lines)


def is_corners(label: str) -> bool:
    """Whether a label in a list is only numbers that say where something is: four or more with commas, or eight without."""
    fields = re.split(r"[\s,]+", label.strip(" \t,"))
    return len(fields) >= (4 if "," in label else 8) and all(re.fullmatch(_NUMBER, field) for field in fields)


def is_labels(text: str) -> bool:
    """Whether each line of a text is four numbers or more with two words at most: what detectors are trained on (YOLO,
    KITTI, DOTA), not what anyone says of a picture.
    """
    lines = [re.split(r"[\s,]+", line.strip()) for line in text.splitlines() if line.strip()]
    numbers = [sum(re.fullmatch(_NUMBER, field) is not None for field in line) for line in lines]
    return bool(lines) and all(4 <= n >= len(line) - 2 for n, line in zip(numbers, lines, strict=True))


def corners_of(box: Any) -> Any:
    """The corners of a list of left, top, right and bottom; anything else as it is."""
    if not isinstance(box, list) or len(box) != 4:
        return box
    left, top, right, bottom = box
    return [left, top, right, top, right, bottom, left, bottom]


def _box(line: str) -> Box:
    if (more := _MORE.fullmatch(line)) and not _ONLY_NUMBERS.fullmatch(line):
        count = more[1].count(",") + 1
        *corners, text = line.split(",", count - count % 2)
        return Box(quad_of(list(map(float, corners))), _unquoted(text))
    if eight := _EIGHT.fullmatch(line):
        return Box(_numbers(eight[1]), _unquoted(eight[2]))
    if (four := _FOUR.fullmatch(line)) and not _ONLY_NUMBERS.fullmatch(line):
        return Box(corners_of(_numbers(four[1] or four[3])), _unquoted(four[2] or four[4] or ""))
    return Box(None, line.strip())


def _numbers(text: str) -> list[float]:
    return [float(each) for each in re.findall(_NUMBER, text)]


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:-1].replace('""', '"') if len(text) > 1 and text[0] == text[-1] == '"' else text
