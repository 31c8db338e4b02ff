"""The content of rows, and what joins them within their corpus: the keys by which they are held out together."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from omni_ray.modalities.documents import document_starts


def content_keys(column: pa.ChunkedArray) -> pa.Array:
    """What media or texts are, by their bytes, wherever and however often they occur."""
    values = pc.struct_field(column, "bytes") if pa.types.is_struct(column.type) else column
    return pa.array([blake2b(value.as_buffer(), digest_size=16).hexdigest() for value in values], pa.string())


def within_corpus(rows: pa.Table, names: pa.Array | pa.ChunkedArray) -> pa.ChunkedArray:
    """Names that mean something within their corpus only; null where they are null."""
    return pc.binary_join_element_wise(rows["corpus"], names, "\0")


def document_keys(rows: pa.Table) -> pa.Array:
    """What the documents of text say: their bytes, and where among them their lines end."""
    lines = (
        pa.array(rows["text"].combine_chunks(), pa.large_string()) if rows.num_rows else pa.array([], pa.large_string())
    )
    _, offsets, data = lines.buffers()
    starts = document_starts(rows["id"])
    counts = np.diff(np.append(starts, rows.num_rows))
    if not len(starts):
        return pa.array([], pa.string())
    ends = np.frombuffer(offsets, np.int64)[lines.offset : lines.offset + len(lines) + 1]
    said = memoryview(data or b"")
    digests = []
    for start, count in zip(starts.tolist(), counts.tolist(), strict=True):
        mine = ends[start : start + count + 1]
        digest = blake2b(said[int(mine[0]) : int(mine[-1])], digest_size=16)
        digest.update((mine - mine[0]).tobytes())
        digests.append(digest.hexdigest())
    return pa.array(digests, pa.string()).take(pa.array(np.repeat(np.arange(len(starts)), counts)))


def known_speakers(names: pa.ChunkedArray) -> pa.ChunkedArray:
    """The same names, null where they are blank, as tables leave unknown values."""
    return pc.if_else(pc.equal(pc.utf8_trim_whitespace(names), ""), None, names)
