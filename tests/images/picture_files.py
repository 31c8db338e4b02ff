"""Pictures as files, and raw rows that hold them."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
from PIL import Image

from omni_ray.modalities.images import Images


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """``image`` as a file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def raw_rows(*rows: dict[str, Any]) -> pa.Table:
    """Raw rows of the images modality; what is not given is made up."""
    full = []
    for number, row in enumerate(rows):
        captions = row.get("captions", ["a dog"])
        made = {"id": str(number), "where": f"list:{number}", "path": f"a/{number}.jpg", "category": None}
        full.append({**made, "captions": captions, "records": max(1, len(captions or [])), **row})
    return pa.Table.from_pylist(full, schema=Images().raw_schema)
