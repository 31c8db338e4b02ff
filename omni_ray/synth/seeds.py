"""Random streams by name: what sample ``i`` looks like depends on the seed and on ``i``, and on nothing else."""

from __future__ import annotations

from random import Random


def stream(seed: int, kind: str, index: int) -> Random:
    """The random stream of one sample. Seeded with text (hashed by SHA-512), so no two streams are related."""
    return Random(f"{seed}/{kind}/{index}")
