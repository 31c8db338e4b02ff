"""Pictures as files, and raw rows that hold them."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from omni_ray.modalities.images import Images
from omni_ray.modalities.pixels import Pixels


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """``image`` as a file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a PNG, with its checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def far_apart(one: Pixels, other: Pixels) -> int:
    """The most that two pictures differ by anywhere, in grey levels."""
    return int(np.abs(one.astype(int) - other).max())


def are_close(one: Pixels, other: Pixels) -> bool:
    """Whether two pictures are within one grey level, but for one value in 10,000, and that within two.

    A row is rounded before its columns are: where lines are sharp, two roundings may meet.
    """
    apart = np.abs(one.astype(int) - other)
    return bool(apart.max() <= 2 and np.mean(apart > 1) < 1e-4)


def raw_rows(*rows: dict[str, Any]) -> pa.Table:
    """Raw rows of the images modality; what is not given is made up."""
    full = []
    for number, row in enumerate(rows):
        captions = row.get("captions", ["a dog"])
        made = {"id": str(number), "where": f"list:{number}", "path": f"a/{number}.jpg", "category": None}
        full.append({**made, "captions": captions, "records": max(1, len(captions or [])), **row})
    return pa.Table.from_pylist(full, schema=Images().raw_schema)
