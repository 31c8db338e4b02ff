"""A held-out split that leaks nothing: whole documents, speakers and pictures go to one side.

The side depends on the group's name, or its content, alone: it stays the same when corpora grow, on any machine, at any
parallelism.
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from omni_ray.errors import OmniError
from omni_ray.modalities.registry import modality as modality_of

HOLD_VERSION = 2
"""Raised when groups go to other sides: whatever was split before is stale."""


def group_keys(rows: pa.Table, modality: str, *, by_clip: bool = False) -> list[str]:
    """The group of every shard row: text its document, audio its speaker (where none is known, the recording a clip was
    cut from, or the clip), images the picture, ocr the photograph a word was cut from (or the word's own picture).

    Documents are known by their lines, clips and pictures by their bytes, wherever and however often they occur. Speakers and
    photographs of different corpora are different.

    Args:
        rows: shard rows, media included; for text, whole documents.
        modality: text, audio, images or ocr.
        by_clip: every clip is a group of its own, whoever speaks.

    Raises:
        OmniError: an unknown modality.
    """
    return modality_of(modality).group_keys(rows, by_row=by_clip).to_pylist()  # type: ignore[no-any-return]


def held_out_rows(rows: pa.Table, modality: str, fraction: float, *, by_clip: bool = False) -> npt.NDArray[np.bool_]:
    """:func:`held_out` of the :func:`group_keys` of ``rows``, each group hashed once."""
    keys = modality_of(modality).group_keys(rows, by_row=by_clip)
    encoded = (keys.combine_chunks() if isinstance(keys, pa.ChunkedArray) else keys).dictionary_encode()
    groups: npt.NDArray[np.int32] = encoded.indices.to_numpy()
    return held_out(encoded.dictionary.to_pylist(), fraction)[groups]


def held_out(keys: list[str], fraction: float) -> npt.NDArray[np.bool_]:
    """Which rows are held out: those whose group hashes into the first ``fraction`` of the range.

    Args:
        keys: as :func:`group_keys` gives them.
        fraction: the share of groups wanted, 0 to below 1; the share of rows is only near it.

    Raises:
        OmniError: ``fraction`` is out of range.
    """
    if not 0 <= fraction < 1:
        raise OmniError(f"--holdout {fraction}: give a share from 0 to below 1")
    limit = round(fraction * (1 << 64))
    sides = {key: _place(key) < limit for key in set(keys)}
    return np.array([sides[key] for key in keys], bool)


def _place(key: str) -> int:
    return int.from_bytes(blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")
