"""OCR: words of photographs, or images of single words, become square pictures with a label."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from omni_ray.media_names import safe_name, word_name
from omni_ray.modalities import pixels, word_frames
from omni_ray.modalities.base import media_type, schema_of_raw, schema_of_shards
from omni_ray.modalities.images import Pictures, media_path, seen
from omni_ray.modalities.lines import one_line
from omni_ray.modalities.params import PictureParams
from omni_ray.modalities.picture_engine import Cut, Decode
from omni_ray.records import EXTRA, Rejected, Unusable
from omni_ray.trainers.files import MAX_FIELD_CHARS

ILLEGIBLE = frozenset({".", "###", "#"})
"""What annotators write for a word that cannot be read: TextOCR, ICDAR."""
_BICUBIC_REACH = 3
"""Pixels beyond an edge that interpolation may look at."""
_MIN_EDGE = 2.0
"""Pixels: a word narrower or lower than this shows nothing."""
_DIGEST = re.compile(r"(-[0-9a-f]{10})?")


_WORD = pa.struct([("id", pa.string()), ("text", pa.string()), ("quad", pa.list_(pa.float32()))])


class Ocr(Pictures):
    """Words in pictures. A record, a sample and a row are a word; a photograph is decoded once for all its words."""

    name = "ocr"
    version = 5
    raw_said = "words"
    title, row, samples, judged, held_together = "Words in pictures", "word", "words", "word", "picture"
    own_files = "ocr_images"
    group_columns = ("image.path", "id")
    raw_schema = schema_of_raw(
        ("image", pa.binary()),
        ("path", pa.string()),
        ("words", pa.list_(_WORD)),
        ("frame", pa.list_(pa.int32())),
        ("source", pa.string()),
    )
    """``image`` is an encoded photograph or word image; a word's ``quad`` is x1, y1, ... x4, y4 in pixels, clockwise from the
    reader's top left, or null for the whole image; ``records`` is the number of words. ``frame`` is the (width, height) of the
    picture that the quads are of, where the corpus gives it: upright, or as stored."""
    schema = schema_of_shards(
        ("image", media_type()),
        ("text", pa.string()),
        ("source", pa.string()),
        ("source_width", pa.int32()),
        ("source_height", pa.int32()),
        image={"_type": "Image"},
    )
    """``image.path`` is relative and unique: a whole image's own path, or the photograph's with the word's id.
    ``source_width`` and ``source_height`` are the straightened word's before it was resized, in pixels."""

    def cut_up(
        self, row: Mapping[str, Any], decode: Decode, corpus: str, params: PictureParams
    ) -> Iterator[Cut | Rejected]:
        """Each word that can be read, cut out and straightened."""
        if not row["words"] and row["records"]:
            yield Rejected(row["id"], row["where"], "missing_text", seen(row, "no words"), row["records"])
        legible = []
        for word in row["words"] or []:
            text = one_line(word["text"] or "")
            reason = _unusable_label(text)
            if reason:
                yield Rejected(
                    word["id"], row["where"], reason, seen(row, f"the label is {text[:80]}" if text else "no label")
                )
            else:
                legible.append((word, text))
        if not legible:
            return
        try:
            # Words are small parts of a photograph: only an image that is one word may be decoded at a lower scale.
            is_whole = all(word["quad"] is None for word, _ in legible)
            photo, size = decode(row["image"] or b"", params.size if is_whole else None)
            placed = word_frames.placing(row["frame"], size, 1 if is_whole else pixels.orientation(row["image"]))
        except Unusable as error:
            for word, _ in legible:
                yield Rejected(word["id"], row["where"], error.reason, seen(row, error))
            return
        for word, text in legible:
            try:
                quad = None if word["quad"] is None else placed(word["quad"])
                yield _word(photo, size, {**word, "quad": quad}, text, row, corpus, params)
            except Unusable as error:
                yield Rejected(word["id"], row["where"], error.reason, seen(row, error))

    def group_names(self, rows: pa.Table) -> pa.Array:
        """The photograph a word was cut from, in whose folder it is, in a file named after its own id; null for one that
        is a picture on its own."""
        paths = pc.struct_field(rows["image"], "path").to_pylist()
        names: list[str | None] = []
        for path, word in zip(paths, rows["id"].to_pylist(), strict=True):
            folder, _, file = path.rpartition("/")
            stem, name = file.rpartition(".")[0], word_name(word.partition("@")[0])
            is_cut = bool(folder) and stem.startswith(name) and bool(_DIGEST.fullmatch(stem[len(name) :]))
            names.append(folder if is_cut else None)
        return pa.array(names, pa.string())

    def group_said(self, row: Mapping[str, Any], name: str) -> str:
        """By the photograph's path."""
        return f"photograph {name}"


MODALITY = Ocr()


def _unusable_label(text: str) -> str:
    if not text:
        return "empty_text"
    if text in ILLEGIBLE:
        return "illegible"
    return "text_too_long" if len(text) > MAX_FIELD_CHARS else ""


def _word(
    photo: Any,
    size: tuple[int, int],
    word: Mapping[str, Any],
    text: str,
    row: Mapping[str, Any],
    corpus: str,
    params: PictureParams,
) -> Cut:
    if word["quad"] is None:
        crop, path = photo, media_path(row["path"], params.ending)
    else:
        array = photo if isinstance(photo, np.ndarray) else photo.cpu().numpy()
        crop = straighten(array, word["quad"])
        size = (crop.shape[1], crop.shape[0])
        folder = safe_name(str(PurePosixPath(row["path"]).with_suffix("")))
        path = f"{folder}/{word_name(word['id'])}{params.ending}"

    def finish(data: bytes) -> dict[str, Any]:
        return {
            "id": word["id"],
            "corpus": corpus,
            "image": {"bytes": data, "path": path},
            "text": text,
            "source": row["source"],
            "source_width": size[0],
            "source_height": size[1],
            EXTRA: row.get(EXTRA),
        }

    return Cut(crop, finish)


def straighten(photo: pixels.Pixels, corners: Sequence[float]) -> pixels.Pixels:
    """The quadrilateral as an upright rectangle, its first corner at the top left.

    A projective map, so that a word seen at an angle is seen from the front; bicubic. The rectangle's
    edges are the means of the quadrilateral's opposite edges.

    Args:
        photo: uint8, (height, width, 3).
        corners: x and y of the four, in pixels, clockwise in the image from the reader's top left.

    Raises:
        Unusable: ``bad_geometry``: not four corners, an edge shorter than two pixels, or a word outside the photograph.
    """
    from PIL import Image

    height, width = photo.shape[:2]
    if len(corners) != 8:
        raise Unusable("bad_geometry", f"{len(corners)} numbers instead of 8")
    quad = np.asarray(corners, np.float64).reshape(4, 2)
    if not np.isfinite(quad).all():
        raise Unusable("bad_geometry", "corners are not numbers")
    inside = np.clip(quad, 0, [width, height])
    if np.ptp(inside[:, 0]) < _MIN_EDGE or np.ptp(inside[:, 1]) < _MIN_EDGE:
        raise Unusable("bad_geometry", "outside the image, or empty")
    if np.linalg.svd(quad - quad.mean(axis=0), compute_uv=False)[1] < _MIN_EDGE / 2:
        raise Unusable("bad_geometry", "corners on one line")
    quad = _convex_clockwise(quad)
    edges = np.linalg.norm(np.roll(quad, -1, axis=0) - quad, axis=1)
    wide, high = (edges[0] + edges[2]) / 2, (edges[1] + edges[3]) / 2
    if min(wide, high) < _MIN_EDGE or wide * high > 4 * width * height:
        raise Unusable("bad_geometry", f"{wide:.1f} by {high:.1f} pixels")
    size = (max(1, round(wide)), max(1, round(high)))
    around, origin = _around(photo, quad)
    quad = quad - origin
    coefficients = _projection(np.array([[0, 0], [size[0], 0], [size[0], size[1]], [0, size[1]]], np.float64), quad)
    crop = Image.fromarray(around).transform(size, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BICUBIC)
    return np.asarray(crop)


def _around(photo: pixels.Pixels, quad: npt.NDArray[np.float64]) -> tuple[pixels.Pixels, npt.NDArray[np.float64]]:
    """The part of the photograph that the quadrilateral's pixels are made from, and where it begins (x, y)."""
    height, width = photo.shape[:2]
    first = np.clip(np.floor(quad.min(axis=0)) - _BICUBIC_REACH, 0, [width, height]).astype(int)
    last = np.clip(np.ceil(quad.max(axis=0)) + _BICUBIC_REACH, 0, [width, height]).astype(int)
    return photo[first[1] : last[1], first[0] : last[0]], first.astype(np.float64)


def _convex_clockwise(quad: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The corners clockwise; where they cross or dent inwards, no projection exists, and their bounding box is taken."""
    if _turns(quad).sum() < 0:
        quad = quad[[0, 3, 2, 1]]
    if (_turns(quad) > 0).all():
        return quad
    (left, top), (right, bottom) = quad.min(axis=0), quad.max(axis=0)
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]])


def _turns(quad: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The cross product at each corner: positive where the outline turns right, which y downwards is clockwise."""
    ahead = np.roll(quad, -1, axis=0) - quad
    behind = np.roll(ahead, 1, axis=0)
    return behind[:, 0] * ahead[:, 1] - behind[:, 1] * ahead[:, 0]


def _projection(source: npt.NDArray[np.float64], target: npt.NDArray[np.float64]) -> tuple[float, ...]:
    """The eight numbers a..h of x' = (ax + by + c) / (gx + hy + 1), y' = (dx + ey + f) / (gx + hy + 1)."""
    rows = []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    try:
        solved: list[float] = np.linalg.solve(np.array(rows), target.reshape(-1)).tolist()
    except np.linalg.LinAlgError as error:
        raise Unusable("bad_geometry", "corners on one line") from error
    return tuple(solved)
