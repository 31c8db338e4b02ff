"""A few real samples of a corpus, with media small enough for a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from omni_ray.pipeline.parts import Part, read_rows
from omni_ray.report import media
from omni_ray.report.count import shortened

SHOWN = {"text": 6, "audio": 3, "images": 10, "ocr": 30}
_LONGEST_TEXT = 420
_MOST_CAPTIONS = 3


def samples_of(modality: str, parts: Sequence[Part]) -> list[dict[str, Any]]:
    """Samples spread evenly over the corpus: the same ones on every run. One that cannot be shown is left out."""
    total = sum(part.rows for part in parts)
    if not total:
        return []
    wanted = sorted({int(place) for place in np.linspace(0, total - 1, min(SHOWN[modality], total))})
    shown = []
    first = 0
    for part in parts:
        for place in wanted:
            if first <= place < first + part.rows:
                shown += _shown(part, place - first)
        first += part.rows
    return shown


def _shown(part: Part, row: int) -> list[dict[str, Any]]:
    [found] = next(iter(read_rows(part, row, row + 1))).to_pylist()
    try:
        return [_SHOWERS[part.modality](found)]
    except (OSError, ValueError, RuntimeError):  # a shard that something else has damaged; `verify` tells
        return []


def _text(row: dict[str, Any]) -> dict[str, Any]:
    return {"text": shortened(row["text"], _LONGEST_TEXT), "title": shortened(row["title"])}


def _audio(row: dict[str, Any]) -> dict[str, Any]:
    samples, rate = media.read_clip(row["audio"]["bytes"])
    return {
        "id": shortened(row["id"]),
        "text": shortened(row["text"], _LONGEST_TEXT),
        "speaker": shortened(row["speaker"], 12),
        "seconds": row["duration"],
        "is_cut": len(samples) < row["num_samples"],
        "clip": media.playable(samples, rate),
        "wave": media.waveform(samples),
        "mel": media.mel_picture(samples, rate),
    }


def _image(row: dict[str, Any]) -> dict[str, Any]:
    captions = [shortened(caption, 160) for caption in row["captions"]]
    return {
        "image": media.thumbnail(row["image"]["bytes"], 224),
        "captions": captions[:_MOST_CAPTIONS],
        "more": len(captions[_MOST_CAPTIONS:]),
    }


def _word(row: dict[str, Any]) -> dict[str, Any]:
    return {"image": media.thumbnail(row["image"]["bytes"], 112), "text": shortened(row["text"], 64)}


_SHOWERS: Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "text": _text,
    "audio": _audio,
    "images": _image,
    "ocr": _word,
}
