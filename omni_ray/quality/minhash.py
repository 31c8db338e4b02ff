"""MinHash signatures of documents, and the bands by which near duplicates meet (Broder 1997; Leskovec et al., chapter 3).

Parameters as in FineWeb: runs of 5 words, 14 bands of 8 hashes. Two documents whose sets of runs have Jaccard similarity s
share a band with probability 1 - (1 - s**8)**14: 0.92 at 0.8, 0.56 at 0.7, 0.05 at 0.5.

Words are compared without case, accents and punctuation, numbers as "0". Every distinct blank-separated chunk of a batch
is normalized and hashed once; the rest is integer arithmetic: a run's hash is a polynomial in its words' hashes, and each
of the 112 hash functions is x -> a * x + b modulo 2**32 with odd a, a bijection on the runs' 32-bit hashes.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from omni_ray.modalities.documents import Ints
from omni_ray.quality.documents import Documents
from omni_ray.quality.hashing import Hashes, hash_strings, mix, rolling

_NUMBER = r"\p{Nd}+([.,،٫⎖⎗⎘]\p{Nd}+)?"
_NOT_WORD = r"[^\p{L}\p{N}\p{M}\p{So}]+"
_BLOCK = 1 << 15
"""Runs worked on at once: 128 KiB of 32-bit hashes, which stay in a core's own cache."""


@dataclass(frozen=True)
class MinHash:
    """Parameters of signatures; documents are comparable only under equal ones.

    Attributes:
        run: words in a run.
        bands, rows: the signature has ``bands * rows`` hashes; documents meet where all ``rows`` of a band are equal.
        seed: of the hash functions.
    """

    run: int = 5
    bands: int = 14
    rows: int = 8
    seed: int = 1


def word_hashes(docs: Documents) -> tuple[Hashes, Ints]:
    """Hashes of the normalized words of all documents, one after the other, and where each document's begin."""
    split = pc.split_pattern(docs.lines, " ")
    chunks = split.flatten().dictionary_encode()
    words = pc.split_pattern(_normalized(chunks.dictionary), " ")
    flat = words.flatten()
    filled = pc.not_equal(flat, "").to_numpy(zero_copy_only=False)
    hashes = hash_strings(flat)[filled]
    counts = np.bincount(pc.list_parent_indices(words).to_numpy()[filled], minlength=len(words))
    first = np.concatenate([[0], np.cumsum(counts)])[:-1]
    chunk = chunks.indices.to_numpy()
    per_chunk = counts[chunk]
    ends = np.concatenate([[0], np.cumsum(per_chunk)])
    places = np.repeat(first[chunk] - ends[:-1], per_chunk) + np.arange(ends[-1])
    chunk_ends = np.concatenate([[0], np.cumsum(pc.list_value_length(split).to_numpy())])
    return hashes[places], ends[chunk_ends[docs.starts]]


def _normalized(chunks: pa.LargeStringArray) -> pa.LargeStringArray:
    text = pc.utf8_lower(chunks)
    text = pc.replace_substring_regex(text, _NUMBER, "0")
    text = pc.replace_substring_regex(text, _NOT_WORD, " ")
    wide = pc.match_substring_regex(text, "[^ -~]")
    folded = pa.array([_without_accents(value) for value in text.filter(wide).to_pylist()], pa.large_string())
    return pc.replace_with_mask(text, wide, folded)


def _without_accents(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn")


def run_hashes(docs: Documents, run: int) -> tuple[Hashes, Ints, Ints]:
    """Hashes of the runs of ``run`` words that stay inside a document.

    Returns:
        uint64 hashes in order, the documents that have any (those of at least ``run`` words), and where theirs begin.
    """
    words, starts = word_hashes(docs)
    counts = np.maximum(np.diff(np.append(starts, len(words))) - run + 1, 0)
    having = np.flatnonzero(counts)
    everything = mix(rolling(words, run))
    begin, count = starts[having], counts[having]
    ends = np.cumsum(count)
    places = np.repeat(begin - (ends - count), count) + np.arange(ends[-1] if len(ends) else 0)
    return everything[places], having, ends - count


def signatures(docs: Documents, parameters: MinHash) -> tuple[npt.NDArray[np.uint32], Ints]:
    """Signatures: uint32, (documents with enough words, bands * rows); and which documents these are."""
    hashes, having, starts = run_hashes(docs, parameters.run)
    total = parameters.bands * parameters.rows
    constants = mix(np.arange(2 * total, dtype=np.uint64) ^ mix(np.full(1, parameters.seed, np.uint64)))
    factors = (constants[:total] >> np.uint64(32)).astype(np.uint32) | np.uint32(1)
    shifts = (constants[total:] >> np.uint64(32)).astype(np.uint32)
    runs = (hashes >> np.uint64(32)).astype(np.uint32)
    result = np.empty((total, len(having)), np.uint32)
    ends = np.append(starts[1:], len(runs))
    first = 0
    buffer = np.empty(0, np.uint32)
    while first < len(having):
        last = max(first + 1, int(np.searchsorted(ends, starts[first] + _BLOCK, side="right")))
        block = runs[starts[first] : ends[last - 1]]
        inner = starts[first:last] - starts[first]
        if len(buffer) < len(block):
            buffer = np.empty(len(block), np.uint32)
        product = buffer[: len(block)]
        for number in range(total):
            np.multiply(block, factors[number], out=product)
            np.add(product, shifts[number], out=product)
            np.minimum.reduceat(product, inner, out=result[number, first:last])
        first = last
    return result.T, having


def band_keys(found: npt.NDArray[np.uint32], parameters: MinHash) -> Hashes:
    """One 64-bit key for each band of each signature; (documents, bands). The band's number enters its key."""
    rows = found.astype(np.uint64).reshape(len(found), parameters.bands, parameters.rows)
    key = np.broadcast_to(mix(np.arange(parameters.bands, dtype=np.uint64)), rows.shape[:2]).copy()
    for row in range(parameters.rows):
        key = mix(key ^ rows[:, :, row])
    return key
