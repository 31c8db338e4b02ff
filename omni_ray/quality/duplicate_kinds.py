"""What makes two rows comparable: for each kind of duplicate the keys under which rows meet."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import blake2b
from itertools import combinations, pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from omni_ray.errors import OmniError
from omni_ray.quality.audio_rules import pcm, samples_of
from omni_ray.quality.documents import Documents
from omni_ray.quality.hashing import Hashes, mix
from omni_ray.quality.minhash import MinHash, band_keys, signatures
from omni_ray.quality.picture_hash import picture_hashes

MAX_DISTANCE = 4
"""Bits of 64 in which the hashes of near-duplicate pictures may differ."""
MIN_LINE_CHARS = 20
"""Shorter lines recur in any book."""
_BLOCKS = MAX_DISTANCE + 2
"""Hashes within this distance agree in two of so many blocks of bits at least."""


@dataclass(frozen=True)
class RowKeys:
    """Keys of rows; equally long uint64 arrays.

    Attributes:
        key: rows are compared where these are equal.
        check: what else must agree: the same, or within a Hamming distance.
        row: the row; for a document its first; for a caption its number among all captions of the table.
    """

    key: Hashes
    check: Hashes
    row: Hashes


@dataclass(frozen=True)
class DuplicateKind:
    """One way to be a duplicate.

    Attributes:
        modality: that of the shards.
        reason: a code of QUALITY_REASONS.
        columns: the shard columns it reads.
        entries: a table of these to its entries, by rising row.
        says: what is compared, for people.
        unit: what goes: a "document", a "row" or a "caption".
        keys: entries that each of these has at most.
        usual: whether it is looked for unless told otherwise.
        chains: whether a, which is like b, goes with c, which is like b too, though a and c may share nothing.
        distance: bits in which checks may differ.
    """

    modality: str
    reason: str
    columns: tuple[str, ...]
    entries: Callable[[pa.Table], RowKeys]
    says: str
    unit: str = "row"
    keys: int = 1
    usual: bool = True
    chains: bool = False
    distance: int = 0


def _digests(values: Iterable[bytes], rows: npt.NDArray[np.int64]) -> RowKeys:
    """128 bits of BLAKE2b, half as key and half as check: equal only for equal bytes, for all that is practical."""
    raw = b"".join(blake2b(value, digest_size=16).digest() for value in values)
    halves = np.frombuffer(raw, "<u8").reshape(-1, 2).astype(np.uint64)
    return RowKeys(halves[:, 0].copy(), halves[:, 1].copy(), rows.astype(np.uint64))


def _documents(rows: pa.Table) -> RowKeys:
    docs = Documents.of_table(rows)
    lines = docs.lines.to_pylist()
    places = zip(docs.starts.tolist(), docs.line_counts.tolist(), strict=True)
    texts = ("\n".join(lines[start : start + count]).encode() for start, count in places)
    return _digests(texts, docs.starts)


def _lines(rows: pa.Table) -> RowKeys:
    docs = Documents.of_table(rows)
    long = np.flatnonzero(docs.line_chars >= MIN_LINE_CHARS)
    return _digests((line.encode() for line in docs.lines.take(pa.array(long)).to_pylist()), long)


def _near(rows: pa.Table) -> RowKeys:
    parameters = MinHash()
    docs = Documents.of_table(rows)
    found, having = signatures(docs, parameters)
    keys = band_keys(found, parameters)
    return RowKeys(
        keys.reshape(-1),
        np.zeros(keys.size, np.uint64),
        np.repeat(docs.starts[having], parameters.bands).astype(np.uint64),
    )


def _clips(rows: pa.Table) -> RowKeys:
    files = rows["audio"].combine_chunks().field("bytes")
    return _digests((pcm(samples_of(data.as_py())).tobytes() for data in files), np.arange(len(rows)))


def _pictures(rows: pa.Table) -> RowKeys:
    """Hashes within 4 bits differ in 4 of 6 blocks at most, and agree in the other two: pairs of blocks are the keys.

    Single blocks of five would do as well, but 13 bits are too few to tell pictures apart: among a hundred million, each would
    be compared with tens of thousands.
    """
    hashes = picture_hashes(rows["image"].combine_chunks().field("bytes"))
    edges = np.linspace(0, 64, _BLOCKS + 1).astype(int).tolist()
    blocks = [((1 << high) - 1) ^ ((1 << low) - 1) for low, high in pairwise(edges)]
    masks = [np.uint64(one | other) for one, other in combinations(blocks, 2)]
    keys = [mix(hashes & mask ^ mix(np.full(1, number, np.uint64))) for number, mask in enumerate(masks)]
    rows_of = np.arange(len(hashes), dtype=np.uint64)
    return RowKeys(np.concatenate(keys), np.tile(hashes, len(keys)), np.tile(rows_of, len(keys)))


def _captions(rows: pa.Table) -> RowKeys:
    texts = rows["captions"].combine_chunks().flatten().to_pylist()
    return _digests((text.encode() for text in texts), np.arange(len(texts)))


# What is judged as a whole comes first: lines and captions are compared where it stays.
KINDS: dict[str, DuplicateKind] = {
    "document": DuplicateKind(
        "text", "duplicate_document", ("id", "text"), _documents, "the text of documents", "document"
    ),
    "near_document": DuplicateKind(
        "text",
        "near_duplicate",
        ("id", "text"),
        _near,
        "runs of 5 words of documents (MinHash, 14 bands of 8)",
        "document",
        keys=14,
        chains=True,
    ),
    "line": DuplicateKind(
        "text", "duplicate_line", ("id", "text"), _lines, "lines of at least 20 characters", usual=False
    ),
    "clip": DuplicateKind("audio", "duplicate_clip", ("audio",), _clips, "decoded samples"),
    "picture": DuplicateKind(
        "images",
        "near_duplicate",
        ("image",),
        _pictures,
        "perceptual hashes: at most 4 of 64 bits differ",
        keys=_BLOCKS * (_BLOCKS - 1) // 2,
        chains=True,
        distance=MAX_DISTANCE,
    ),
    "caption": DuplicateKind(
        "images",
        "duplicate_caption",
        ("captions",),
        _captions,
        "captions, across pictures",
        "caption",
        usual=False,
    ),
}


def kinds_of(modality: str, wanted: Iterable[str] | None = None) -> list[str]:
    """The kinds of duplicates of a modality: the usual ones, or those wanted. Raises OmniError for unknown ones."""
    own = [name for name, kind in KINDS.items() if kind.modality == modality]
    if wanted is None:
        return [name for name in own if KINDS[name].usual]
    for name in wanted:
        if name not in own:
            raise OmniError(f"{modality} has no duplicates of kind {name}; choose from {', '.join(own) or 'none'}")
    return [name for name in own if name in set(wanted)]
