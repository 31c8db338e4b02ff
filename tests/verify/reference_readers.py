"""The trainers' readers in a few lines each: what reaches them of a project's files, whatever those are like."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import soundfile
from PIL import Image


def lines(path: Path) -> list[str]:
    """Every line as train_text numbers them, blank ones too."""
    with open(path, encoding="utf-8", errors="ignore") as file:
        return list(file)


def rows(path: Path) -> list[dict[str, str]]:
    """Every row as the CSV readers number them. Raises csv.Error where they do."""
    with open(path, encoding="utf-8", errors="ignore") as file:
        return list(csv.DictReader(file))


def elements(path: Path) -> list[object]:
    """The elements that train_vision goes through. Raises ValueError where json does."""
    with open(path, encoding="utf-8") as file:
        found = json.load(file)
    return found if isinstance(found, list) else []


def samples(root: Path, kind: str) -> list[tuple[str, ...]]:
    """The samples that the trainer of this kind of file gets; raises where it would stop."""
    return list(_READERS[kind](root))


def _text(root: Path) -> Iterator[tuple[str, ...]]:
    for line in lines(root / "data/text/production_corpus.txt"):
        line = line.strip().removeprefix("\ufeff")  # the tokenizer drops it
        if line:
            yield (line,)


def _hears(root: Path, path: str) -> bool:
    try:
        sound, rate = soundfile.read(root / path)
    except (RuntimeError, OSError, TypeError, ValueError):
        return False
    return len(sound) * 16_000 // rate > 512


def _asr(root: Path) -> Iterator[tuple[str, ...]]:
    for row in rows(root / "data/audio/production_asr.csv"):
        wav, text = row.get("wav", "").strip(), row.get("text", "").strip()
        if wav and _hears(root, wav):
            yield wav, text


def _tts(root: Path) -> Iterator[tuple[str, ...]]:
    for row in rows(root / "data/audio/production_tts.csv"):
        wav = row.get("wav")
        if wav and _hears(root, wav):
            yield (wav,)


def _sees(path: Path) -> bool:
    try:
        with Image.open(path) as image:
            image.convert("RGB")
    except (OSError, ValueError, SyntaxError):
        return False
    return True


def _images(root: Path) -> Iterator[tuple[str, ...]]:
    for element in elements(root / "data/images/production_annotations.json"):
        if not isinstance(element, dict) or not isinstance(element.get("image"), str) or "caption" not in element:
            continue
        caption = element["caption"]
        if not isinstance(caption, str):
            raise TypeError("the tokenizer wants text")
        caption.encode()
        if _sees(root / "data/images" / element["image"]):
            yield element["image"], caption


def _ocr(root: Path) -> Iterator[tuple[str, ...]]:
    for row in rows(root / "data/ocr/production_ocr.csv"):
        image = row.get("image") or row.get("img")
        text = row.get("text") or row.get("label") or row.get("text_label") or ""
        if image and _sees(root / "data/ocr" / image):
            yield image, text


_READERS = {"text": _text, "asr": _asr, "tts": _tts, "images": _images, "ocr": _ocr}
