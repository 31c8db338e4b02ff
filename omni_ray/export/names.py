"""Names that every file system, archive and reader takes, and that never collide."""

from __future__ import annotations

import hashlib
import re

KEY_BYTES = 90
"""A tar header without extensions holds names of 100 bytes; a dot and an ending come after the key."""
_UNSAFE = re.compile(rb"[^A-Za-z0-9_-]")


def sample_key(name: str) -> str:
    """A sample's id as a WebDataset key: letters, digits, ``_``, ``-`` and ``+``, at most 90 of them.

    Different ids give different keys. Every other byte of the id's UTF-8 form is written as ``+`` and two hexadecimal
    digits, so that short ids can be read back; a long one ends in ``+x`` and the BLAKE2b digest (128 bits) of the whole.
    """
    data = name.encode("utf-8", "surrogatepass")
    key = _UNSAFE.sub(lambda match: b"+%02X" % match[0][0], data)
    if not key:
        return "+"
    if len(key) > KEY_BYTES:
        digest = hashlib.blake2b(data, digest_size=16).hexdigest().encode()
        key = key[: KEY_BYTES - 2 - len(digest)] + b"+x" + digest
    return key.decode("ascii")
