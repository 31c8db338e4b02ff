"""Media that tables hold as text: in base64, alone or in a data URI, as JSON and TSV have no other way."""

from __future__ import annotations

import base64
import binascii
import re

import pyarrow as pa
import pyarrow.compute as pc

_DATA_URI = re.compile(r"data:[\w.+/-]*(?:;[\w.+=-]+)*;base64,", re.IGNORECASE)
_LEAST_CHARS = 64
"""No recording and no picture is shorter; most paths are."""
_MARKS = (
    *(b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*"),
    *(b"RIFF", b"fLaC", b"OggS", b"ID3", b"FORM", b"\x1aE\xdf\xa3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2"),
)
_LOOK_CHARS = 32
_URL_SAFE = str.maketrans("-_", "+/")
_HELD = pa.struct([("bytes", pa.large_binary()), ("path", pa.string())])


def inline_media(text: str) -> bytes | None:
    """The media that a text is in base64: in a data URI, or with a media file's mark at its beginning; None for a path."""
    uri = _DATA_URI.match(text[:200])
    if uri is None and (len(text) < _LEAST_CHARS or not _is_marked(_decoded(text[:_LOOK_CHARS]))):
        return None
    return _decoded(text[uri.end() :] if uri else text) or None


def with_inline(values: pa.Array) -> pa.Array:
    """Paths, or, where some of them are media in base64, structs of bytes and path as Hugging Face has them."""
    if values.type not in (pa.string(), pa.large_string()):
        return values
    if (pc.max(pc.binary_length(values)).as_py() or 0) < _LEAST_CHARS:
        return values
    texts = values.to_pylist()
    inside = [None if text is None else inline_media(text) for text in texts]
    if not any(inside):
        return values
    held = [
        None if text is None else {"bytes": found, "path": text if found is None else None}
        for text, found in zip(texts, inside, strict=True)
    ]
    return pa.array(held, _HELD)


def _decoded(text: str) -> bytes:
    text = "".join(text.split()).translate(_URL_SAFE).rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _is_marked(data: bytes) -> bool:
    return data.startswith(_MARKS) or data[4:8] == b"ftyp"
