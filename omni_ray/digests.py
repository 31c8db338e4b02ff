"""What stands for data: a number for bytes, a text for a JSON value."""

from __future__ import annotations

import hashlib
import json


def number_of(data: bytes, size: int = 8) -> int:
    """A number of ``size`` bytes that stands for ``data``: another one has it by chance alone."""
    return int.from_bytes(hashlib.blake2b(data, digest_size=size).digest(), "little")


def digest_of_json(value: object) -> str:
    """SHA-256 of a JSON value, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
