"""A held-out split that leaks nothing: whole documents, speakers and pictures go to one side.

The side depends on the group's name, or its content, alone: it stays the same when corpora grow, on any machine, at any
parallelism.
"""

from __future__ import annotations

import re
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from omni_ray.errors import OmniError
from omni_ray.media_names import word_name
from omni_ray.modalities.documents import document_starts

HOLD_VERSION = 2
"""Raised when groups go to other sides: whatever was parted before is stale."""
_DIGEST = re.compile(r"(-[0-9a-f]{10})?")
_CUT_OUT = r"^(?P<recording>.*)-\d+\.\d{3}-\d+\.\d{3}(?:-[0-9a-f]{10})?\.[a-z]+$"


def group_keys(rows: pa.Table, modality: str, *, by_clip: bool = False) -> list[str]:
    """The group of every shard row: text its document, audio its speaker (where none is known, the recording a clip was
    cut from, or the clip), images the picture, ocr the photograph a word was cut from (or the word's own picture).

    Documents are known by their lines, clips and pictures by their bytes, wherever and how often they lie. Speakers and
    photographs of different corpora are different.

    Args:
        rows: shard rows, media included; of text whole documents.
        modality: text, audio, images or ocr.
        by_clip: every clip is a group of its own, whoever speaks.

    Raises:
        OmniError: an unknown modality.
    """
    return _keys(rows, modality, by_clip).to_pylist()  # type: ignore[no-any-return]


def held_out_rows(
    rows: pa.Table, modality: str, fraction: float, *, by_clip: bool = False, seed: int = 0
) -> npt.NDArray[np.bool_]:
    """:func:`held_out` of the :func:`group_keys` of ``rows``, each group hashed once."""
    keys = _keys(rows, modality, by_clip)
    encoded = (keys.combine_chunks() if isinstance(keys, pa.ChunkedArray) else keys).dictionary_encode()
    groups: npt.NDArray[np.int32] = encoded.indices.to_numpy()
    return held_out(encoded.dictionary.to_pylist(), fraction, seed)[groups]


def _keys(rows: pa.Table, modality: str, by_clip: bool) -> pa.Array | pa.ChunkedArray:
    if modality == "text":
        return _documents(rows)
    if modality not in ("audio", "images", "ocr"):
        raise OmniError(f"{modality}: no such modality; there are text, audio, images and ocr")
    contents = _contents(rows, "audio" if modality == "audio" else "image")
    if by_clip or modality == "images":
        return contents
    return pc.coalesce(_within(rows, group_names(rows, modality)), contents)


def group_names(rows: pa.Table, modality: str) -> pa.Array | pa.ChunkedArray:
    """What joins several media of a corpus: audio its speaker, or the recording a clip was cut from; ocr the photograph.
    Null where it is nothing but the medium's own bytes, which are not needed here.
    """
    if modality == "ocr":
        return _photographs(rows)
    return pc.coalesce(known_speakers(rows["speaker"]), _recordings(rows))


def _within(rows: pa.Table, names: pa.Array | pa.ChunkedArray) -> pa.ChunkedArray:
    """Names that mean something within their corpus only; null where they are null."""
    return pc.binary_join_element_wise(rows["corpus"], names, "\0")


def _documents(rows: pa.Table) -> pa.Array:
    """What the documents say: their bytes, and where among them their lines end."""
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


def _contents(rows: pa.Table, column: str) -> pa.Array:
    """What the media are, by their bytes."""
    values = pc.struct_field(rows[column], "bytes")
    return pa.array([blake2b(value.as_buffer(), digest_size=16).hexdigest() for value in values], pa.string())


def known_speakers(names: pa.ChunkedArray) -> pa.ChunkedArray:
    """The same names, null where they are blank, as tables leave what they do not know."""
    return pc.if_else(pc.equal(pc.utf8_trim_whitespace(names), ""), None, names)


def _recordings(rows: pa.Table) -> pa.ChunkedArray:
    """A clip cut from a recording has its name, then from when to when; null for a clip that is whole."""
    paths = pc.struct_field(rows["audio"], "path")
    return pc.struct_field(pc.extract_regex(paths, _CUT_OUT), "recording")


def _photographs(rows: pa.Table) -> pa.Array:
    """A word cut from a photograph lies in a folder named after it, in a file named after the word's own id; null for one
    that is a picture by itself."""
    paths = pc.struct_field(rows["image"], "path").to_pylist()
    names: list[str | None] = []
    for path, word in zip(paths, rows["id"].to_pylist(), strict=True):
        folder, _, file = path.rpartition("/")
        stem, name = file.rpartition(".")[0], word_name(word.partition("@")[0])
        is_cut = bool(folder) and stem.startswith(name) and bool(_DIGEST.fullmatch(stem[len(name) :]))
        names.append(folder if is_cut else None)
    return pa.array(names, pa.string())


def held_out(keys: list[str], fraction: float, seed: int = 0) -> npt.NDArray[np.bool_]:
    """Which rows are held out: those whose group hashes into the first ``fraction`` of the range.

    Args:
        keys: as :func:`group_keys` gives them.
        fraction: the share of groups wanted, 0 to below 1; the share of rows is only near it.
        seed: another split.

    Raises:
        OmniError: ``fraction`` is out of its range.
    """
    if not 0 <= fraction < 1:
        raise OmniError(f"--holdout {fraction}: from 0 to below 1")
    limit = round(fraction * (1 << 64))
    salt = seed.to_bytes(8, "little", signed=True)
    sides = {key: _place(key, salt) < limit for key in set(keys)}
    return np.array([sides[key] for key in keys], bool)


def _place(key: str, salt: bytes) -> int:
    return int.from_bytes(blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8, salt=salt).digest(), "little")
