"""A held-out split that leaks nothing: whole documents, speakers and pictures go to one side.

The side depends on the group's name, or its content, alone: it stays the same when corpora grow, on any machine, at any
parallelism.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from omni_ray.digests import number_of
from omni_ray.errors import OmniError
from omni_ray.modalities.registry import modality as modality_of

HOLD_VERSION = 3
"""Raised when groups go to other sides: whatever was split before is stale."""


def held_out_rows(rows: pa.Table, modality: str, fraction: float, *, by_clip: bool = False) -> npt.NDArray[np.bool_]:
    """Which shard rows (media included; for text, whole documents) are held out, by :meth:`Modality.group_keys`.

    Args:
        fraction: the share of groups wanted, 0 to below 1; the share of rows is only near it.
        by_clip: every clip is a group of its own, whoever speaks.

    Raises:
        OmniError: an unknown modality, or ``fraction`` is out of range.
    """
    keys = modality_of(modality).group_keys(rows, by_row=by_clip)
    encoded = (keys.combine_chunks() if isinstance(keys, pa.ChunkedArray) else keys).dictionary_encode()
    groups: npt.NDArray[np.int32] = encoded.indices.to_numpy()
    return held_out(encoded.dictionary.to_pylist(), fraction)[groups]


def held_out(keys: list[str], fraction: float) -> npt.NDArray[np.bool_]:
    """Which of the groups are held out: those that hash into the first ``fraction`` of the range."""
    if not 0 <= fraction < 1:
        raise OmniError(f"--holdout {fraction}: give a share from 0 to below 1")
    limit = round(fraction * (1 << 64))
    sides = {key: number_of(key.encode("utf-8", "surrogatepass")) < limit for key in set(keys)}
    return np.array([sides[key] for key in keys], bool)
