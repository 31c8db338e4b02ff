"""Images: an encoded picture becomes a square 8-bit RGB one, with every caption that was given for it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from omni_ray.errors import OmniError
from omni_ray.media_names import safe_name
from omni_ray.modalities import pixels
from omni_ray.modalities.base import Modality, Transformed, schema_for
from omni_ray.modalities.lines import one_line
from omni_ray.modalities.params import PictureParams
from omni_ray.modalities.picture_engine import ENGINES, Cut, CutUp, Decode, engine, use_threads
from omni_ray.records import EXTRA, Rejected
from omni_ray.trainers.files import MAX_FIELD_CHARS

_ROWS_AT_ONCE = 64
"""Rows whose bytes are Python objects at a time."""
IMAGE_TYPE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


@dataclass(frozen=True)
class ImageParams(PictureParams):
    """How pictures are made."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.engine not in ENGINES:
            raise OmniError(f"engine {self.engine}: choose one of {', '.join(ENGINES)}")

    @property
    def ending(self) -> str:
        """The file name ending of the bytes."""
        return pixels.FORMATS[self.image_format]

    @property
    def device(self) -> str:
        """A GPU, the processor as if it were one, or none: then plain tasks do it."""
        return {"cpu": "", "torch-cpu": "cpu"}.get(self.engine, "cuda")

    def make(self, rows: pa.Table, cut_up: CutUp) -> tuple[list[dict[str, Any]], list[Rejected]]:
        """Raw rows to shard rows and rejects, each in the order of ``rows``."""
        encode = partial(pixels.encode, image_format=self.image_format, quality=self.quality)
        raw = (row for batch in rows.to_batches(max_chunksize=_ROWS_AT_ONCE) for row in batch.to_pylist())
        made: list[dict[str, Any]] = []
        rejected: list[Rejected] = []
        for each in engine(self.engine).run(raw, cut_up, self.size, self.fit, encode):
            if isinstance(each, Rejected):
                rejected.append(each)
            else:
                made.append(each)
        return made, rejected


_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("corpus", pa.string()),
        ("image", IMAGE_TYPE),
        ("captions", pa.list_(pa.string())),
        ("category", pa.string()),
        ("source_width", pa.int32()),
        ("source_height", pa.int32()),
    ]
)
_FEATURES = {
    "id": {"dtype": "string", "_type": "Value"},
    "corpus": {"dtype": "string", "_type": "Value"},
    "image": {"_type": "Image"},
    "captions": {"feature": {"dtype": "string", "_type": "Value"}, "_type": "List"},
    "category": {"dtype": "string", "_type": "Value"},
    "source_width": {"dtype": "int32", "_type": "Value"},
    "source_height": {"dtype": "int32", "_type": "Value"},
}


class Images(Modality[ImageParams]):
    """Captioned pictures. A record, and a sample, is a caption; a row is a picture, decoded once."""

    name = "images"
    params_type = ImageParams
    version = 3
    counting_columns = ("captions",)
    media = "image"
    raw_said = said = "captions"
    title, row, samples = "Images", "picture with its captions", "captions"
    judged, held_together = "image", "picture"
    tasks = ("image-to-text",)
    own_files = "image_captions"

    @property
    def raw_schema(self) -> pa.Schema:
        """``image`` is an encoded file, ``path`` its place in the corpus; ``records`` the number of its captions."""
        return pa.schema(
            [
                ("id", pa.string()),
                ("where", pa.string()),
                ("records", pa.int32()),
                ("image", pa.binary()),
                ("path", pa.string()),
                ("captions", pa.list_(pa.string())),
                ("category", pa.string()),
            ]
        )

    @property
    def schema(self) -> pa.Schema:
        """``image.path`` is relative, with the ending of the bytes; source sizes are the upright original's."""
        return _SCHEMA.with_metadata({"huggingface": json.dumps({"info": {"features": _FEATURES}})})

    def transform(self, raw: pa.Table, corpus: str, params: ImageParams) -> Transformed:
        """Decode, resize, encode; clean the captions."""
        rows, rejected = params.make(raw, partial(_cut_up, corpus=corpus, params=params))
        schema = schema_for(self.schema, raw.column_names)
        return Transformed(pa.Table.from_pylist(rows, schema=schema), rejected)

    def use_threads(self, threads: int, rows: int) -> None:
        """How many decode and encode beside a GPU, which gets so many rows at a time."""
        use_threads(threads, rows)

    def records_per_row(self, rows: pa.Table) -> list[int]:
        """The number of captions."""
        return pc.list_value_length(rows["captions"]).to_pylist()  # type: ignore[no-any-return]

    def samples_per_row(self, rows: pa.Table) -> list[int]:
        """The number of captions: each is a training example."""
        return self.records_per_row(rows)


MODALITY = Images()


def seen(row: Mapping[str, Any], what: object) -> str:
    """What was seen in a raw row, for a person: with the file that it is about."""
    return f"{row['where']}: {what}"


def clean_captions(row: Mapping[str, Any]) -> tuple[list[str], list[Rejected]]:
    """A raw row's usable captions, each one line, and the others."""
    kept: list[str] = []
    lost: list[Rejected] = []
    given = row["captions"] or []
    if not given:
        lost.append(Rejected(row["id"], row["where"], "missing_text", seen(row, "no caption"), row["records"]))
    for number, caption in enumerate(given):
        text = one_line(caption or "")
        if not text:
            lost.append(
                Rejected(
                    row["id"], row["where"], "empty_text", seen(row, f"caption {number + 1} of {len(given)} is empty")
                )
            )
        elif len(text) > MAX_FIELD_CHARS:
            lost.append(
                Rejected(
                    row["id"],
                    row["where"],
                    "text_too_long",
                    seen(row, f"caption {number + 1} has {len(text):,} characters"),
                )
            )
        else:
            kept.append(text)
    return kept, lost


def media_path(path: str, ending: str) -> str:
    """``path`` with the ending of the bytes: ``cat.jpg`` keeps its name, and ``cat.png``, which may be beside it,
    becomes ``cat.png.jpg``.
    """
    return safe_name(path.removesuffix(ending)) + ending


def _cut_up(row: Mapping[str, Any], decode: Decode, corpus: str, params: ImageParams) -> Iterator[Cut | Rejected]:
    captions, lost = clean_captions(row)
    yield from lost
    if not captions:
        return
    try:
        # A crop must keep the short side at its size; squash and pad need no more than the same.
        picture, (width, height) = decode(row["image"] or b"", params.size)
    except pixels.UnusablePicture as error:
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
