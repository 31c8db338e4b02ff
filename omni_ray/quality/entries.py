"""What makes two rows comparable: for each kind of duplicate the keys under which rows meet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from omni_ray.errors import OmniError
from omni_ray.quality.documents import Documents
from omni_ray.quality.hashing import Hashes

ROW_BITS = 32
"""An item is ``shard << 32 | row``."""
MAX_DISTANCE = 4
"""Bits of 64 in which the hashes of near-duplicate pictures may differ."""


@dataclass(frozen=True)
class Entries:
    """Keys of rows; equally long uint64 arrays.

    Attributes:
        key: rows are compared where these are equal.
        check: what else must agree: the same, or within a Hamming distance.
        row: the row.
    """

    key: Hashes
    check: Hashes
    row: Hashes


@dataclass(frozen=True)
class Kind:
    """One way to be a duplicate.

    Attributes:
        modality: of which shards.
        reason: a code of QUALITY_REASONS.
        columns: the shard columns it reads.
        entries: a table of these to its entries.
        says: what is compared, for people.
        keys: entries a row has at most.
        usual: whether it is looked for unless told otherwise.
        by_distance: whether checks are bits to be compared by Hamming distance.
    """

    modality: str
    reason: str
    columns: tuple[str, ...]
    entries: Callable[[pa.Table, Mapping[str, Any]], Entries]
    says: str
    keys: int = 1
    usual: bool = True
    by_distance: bool = False


def _digests(values: Iterable[bytes], rows: npt.NDArray[np.int64]) -> Entries:
    """128 bits of BLAKE2b, half as key and half as check: equal only for equal bytes, for all that is practical."""
    raw = b"".join(blake2b(value, digest_size=16).digest() for value in values)
    halves = np.frombuffer(raw, "<u8").reshape(-1, 2).astype(np.uint64)
    return Entries(halves[:, 0].copy(), halves[:, 1].copy(), rows.astype(np.uint64))


def _documents(rows: pa.Table, options: Mapping[str, Any]) -> Entries:
    docs = Documents.of_table(rows)
    lines = docs.lines.to_pylist()
    places = zip(docs.starts.tolist(), docs.line_counts.tolist(), strict=True)
    texts = ("\n".join(lines[start : start + count]).encode() for start, count in places)
    return _digests(texts, docs.starts)


def _lines(rows: pa.Table, options: Mapping[str, Any]) -> Entries:
    docs = Documents.of_table(rows)
    long = np.flatnonzero(docs.line_chars >= int(options.get("min_line_chars", 20)))
    return _digests((line.encode() for line in docs.lines.take(pa.array(long)).to_pylist()), long)


def _near(rows: pa.Table, options: Mapping[str, Any]) -> Entries:
    from omni_ray.quality.minhash import MinHash, band_keys, signatures

    parameters = MinHash()
    docs = Documents.of_table(rows)
    found, having = signatures(docs, parameters)
    keys = band_keys(found, parameters)
    return Entries(
        keys.reshape(-1),
        np.zeros(keys.size, np.uint64),
        np.repeat(docs.starts[having], parameters.bands).astype(np.uint64),
    )


def _clips(rows: pa.Table, options: Mapping[str, Any]) -> Entries:
    from omni_ray.quality.audio_rules import pcm, samples_of

    files = rows["audio"].combine_chunks().field("bytes")
    return _digests((pcm(samples_of(data.as_py())).tobytes() for data in files), np.arange(len(rows)))


def _pictures(rows: pa.Table, options: Mapping[str, Any]) -> Entries:
    """By the pigeonhole principle, hashes within d bits agree in one of d + 1 bands: the bands are the keys."""
    from omni_ray.quality.hashing import mix
    from omni_ray.quality.picture_hash import picture_hashes

    hashes = picture_hashes(rows["image"].combine_chunks().field("bytes"))
    bands = int(options.get("max_distance", MAX_DISTANCE)) + 1
    edges = np.linspace(0, 64, bands + 1).astype(int)
    keys = []
    for band in range(bands):
        width = int(edges[band + 1] - edges[band])
        mask = np.uint64((1 << width) - 1)
        keys.append(mix(((hashes >> np.uint64(edges[band])) & mask) ^ mix(np.full(1, band, np.uint64))))
    rows_of = np.arange(len(hashes), dtype=np.uint64)
    return Entries(np.concatenate(keys), np.tile(hashes, bands), np.tile(rows_of, bands))


KINDS: dict[str, Kind] = {
    "document": Kind("text", "duplicate_document", ("id", "text"), _documents, "the text of documents"),
    "near_document": Kind(
        "text",
        "near_duplicate",
        ("id", "text"),
        _near,
        "runs of 5 words of documents (MinHash, 14 bands of 8)",
        keys=14,
    ),
    "line": Kind("text", "duplicate_line", ("id", "text"), _lines, "lines of at least 20 characters", usual=False),
    "clip": Kind("audio", "duplicate_clip", ("audio",), _clips, "decoded samples"),
    "picture": Kind(
        "images",
        "near_duplicate",
        ("image",),
        _pictures,
        "perceptual hashes: at most 4 of 64 bits differ",
        keys=MAX_DISTANCE + 1,
        by_distance=True,
    ),
}


def kinds_of(modality: str, wanted: Iterable[str] | None = None) -> list[str]:
    """The kinds of duplicates of a modality: the usual ones, or those wanted. Raises OmniError for unknown ones."""
    own = [name for name, kind in KINDS.items() if kind.modality == modality]
    if wanted is None:
        return [name for name in own if KINDS[name].usual]
    for name in wanted:
        if name not in own:
            raise OmniError(f"{modality} has no duplicates of kind {name}; there are {', '.join(own) or 'none'}")
    return [name for name in own if name in set(wanted)]
