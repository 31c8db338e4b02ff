"""Numbers that stand for bytes."""

from __future__ import annotations

from hashlib import blake2b


def number_of(data: bytes, size: int = 8) -> int:
    """A number of ``size`` bytes that stands for ``data``: another one has it by chance alone."""
    return int.from_bytes(blake2b(data, digest_size=size).digest(), "little")
