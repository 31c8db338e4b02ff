"""Images: an encoded picture becomes a square 8-bit RGB one, with every caption that was given for it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from omni_ray.media_names import safe_name
from omni_ray.modalities import pixels
from omni_ray.modalities.base import Modality, Transformed, media_type, schema_for, schema_of_raw, schema_of_shards
from omni_ray.modalities.lines import one_line
from omni_ray.modalities.params import PictureParams
from omni_ray.modalities.picture_engine import Cut, Decode, engine, use_threads
from omni_ray.records import EXTRA, Rejected, Unusable
from omni_ray.trainers.files import MAX_FIELD_CHARS

_ROWS_AT_ONCE = 64
"""Rows whose bytes are Python objects at a time."""


class Pictures(Modality[PictureParams]):
    """What modalities of pictures share: decode, cut up, resize, encode."""

    params_type = PictureParams
    media = "image"
    tasks = ("image-to-text",)

    @abstractmethod
    def cut_up(
        self, row: Mapping[str, Any], decode: Decode, corpus: str, params: PictureParams
    ) -> Iterator[Cut | Rejected]:
        """The pictures in a raw row, and what of it cannot be used."""

    def transform(self, raw: pa.Table, corpus: str, params: PictureParams) -> Transformed:
        """Shard rows and rejects, each in the order of ``raw``."""
        encode = partial(pixels.encode, image_format=params.image_format, quality=params.quality)
        rows = (row for batch in raw.to_batches(max_chunksize=_ROWS_AT_ONCE) for row in batch.to_pylist())
        made: list[dict[str, Any]] = []
        rejected: list[Rejected] = []
        left_out: list[int] = []

        def cut_up(row: Mapping[str, Any], decode: Decode) -> Iterator[Cut | Rejected]:
            is_used = False
            for cut in self.cut_up(row, decode, corpus, params):
                is_used = is_used or isinstance(cut, Cut)
                yield cut
            if is_used and (pages := pixels.pages(row["image"])) > 1:
                left_out.append(pages - 1)

        for each in engine(params.engine)(rows, cut_up, params.size, params.fit, encode):
            if isinstance(each, Rejected):
                rejected.append(each)
            else:
                made.append(each)
        stats: dict[str, float] = {}
        if left_out:
            stats = {"pictures_of_several_pages": len(left_out), "pages_left_out": sum(left_out)}
        return Transformed(
            pa.Table.from_pylist(made, schema=schema_for(self.schema, raw.column_names)), rejected, stats
        )

    def warnings(self, samples: int, stats: Mapping[str, float], params: PictureParams) -> list[str]:
        """What was left out of pictures that are kept."""
        pictures, pages = stats.get("pictures_of_several_pages", 0), stats.get("pages_left_out", 0)
        if not pages:
            return []
        return [
            f"only the first page or frame was read of {pictures:,.0f} pictures (TIFF, GIF, ...) that have several: "
            f"{pages:,.0f} are left out; save each as a picture of its own to have them"
        ]

    def use_threads(self, threads: int, rows: int) -> None:
        """How many decode and encode beside a GPU, which gets so many rows at a time."""
        use_threads(threads, rows)


class Images(Pictures):
    """Captioned pictures. A record, and a sample, is a caption; a row is a picture, decoded once."""

    name = "images"
    version = 4
    counting_columns = ("captions",)
    raw_said = said = "captions"
    title, row, samples = "Images", "picture with its captions", "captions"
    judged, held_together = "image", "picture"
    own_files = "image_captions"
    raw_schema = schema_of_raw(
        ("image", pa.binary()), ("path", pa.string()), ("captions", pa.list_(pa.string())), ("category", pa.string())
    )
    """``image`` is an encoded file, ``path`` its place in the corpus; ``records`` the number of its captions."""
    schema = schema_of_shards(
        ("image", media_type()),
        ("captions", pa.list_(pa.string())),
        ("category", pa.string()),
        ("source_width", pa.int32()),
        ("source_height", pa.int32()),
        image={"_type": "Image"},
    )
    """``image.path`` is relative, with the ending of the bytes; source sizes are the upright original's."""

    def cut_up(
        self, row: Mapping[str, Any], decode: Decode, corpus: str, params: PictureParams
    ) -> Iterator[Cut | Rejected]:
        """The picture, if a caption is left; and what the captions lack."""
        captions, lost = _clean_captions(row)
        yield from lost
        if not captions:
            return
        try:
            # A crop must keep the short side at its size; squash and pad need no more than the same.
            picture, (width, height) = decode(row["image"] or b"", params.size)
        except Unusable as error:
            yield Rejected(row["id"], row["where"], error.reason, seen(row, error), len(captions))
            return

        def finish(data: bytes) -> dict[str, Any]:
            return {
                "id": row["id"],
                "corpus": corpus,
                "image": {"bytes": data, "path": media_path(row["path"], params.ending)},
                "captions": captions,
                "category": row["category"],
                "source_width": width,
                "source_height": height,
                EXTRA: row.get(EXTRA),
            }

        yield Cut(picture, finish)

    def records_per_row(self, rows: pa.Table) -> list[int]:
        """The number of captions."""
        return pc.list_value_length(rows["captions"]).to_pylist()  # type: ignore[no-any-return]

    samples_per_row = records_per_row
    """Each caption is a training example."""


MODALITY = Images()


def seen(row: Mapping[str, Any], what: object) -> str:
    """What was seen in a raw row, for a person: with the file that it is about."""
    return f"{row['where']}: {what}"


def _clean_captions(row: Mapping[str, Any]) -> tuple[list[str], list[Rejected]]:
    """A raw row's usable captions, each one line, and the others."""
    kept: list[str] = []
    lost: list[Rejected] = []
    given = row["captions"] or []
    if not given:
        lost.append(Rejected(row["id"], row["where"], "missing_text", seen(row, "no caption"), row["records"]))
    for number, caption in enumerate(given, 1):
        text = one_line(caption or "")
        if not text:
            what, reason = f"caption {number} of {len(given)} is empty", "empty_text"
        elif len(text) > MAX_FIELD_CHARS:
            what, reason = f"caption {number} has {len(text):,} characters", "text_too_long"
        else:
            kept.append(text)
            continue
        lost.append(Rejected(row["id"], row["where"], reason, seen(row, what)))
    return kept, lost


def media_path(path: str, ending: str) -> str:
    """``path`` with the ending of the bytes: ``cat.jpg`` keeps its name, and ``cat.png``, which may be beside it,
    becomes ``cat.png.jpg``.
    """
    return safe_name(path.removesuffix(ending)) + ending
