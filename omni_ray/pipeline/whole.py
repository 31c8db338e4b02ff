"""A shard that a disk has damaged is found when it is read, and forgotten, so that it is made again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from omni_ray.errors import OmniError
from omni_ray.pipeline.manifest import CommittedFile, part_name
from omni_ray.storage import Storage

_BLOCK = 4 << 20


def is_whole(storage: Storage, file: CommittedFile) -> bool:
    """Whether a committed file has the bytes that were committed."""
    digest = hashlib.sha256()
    try:
        with storage.open(file.file) as opened:
            while len(block := opened.read_buffer(_BLOCK)):  # no copy of a mapped file
                digest.update(block)
    except OSError:
        return False
    return digest.hexdigest() == file.sha256


def check_whole(storage: Storage, unit: int, file: CommittedFile, corpus: str, modality: str) -> None:
    """Read a shard that is about to be used, where it is on a local disk; object stores look after their bytes themselves.

    Raises:
        OmniError: it is not the shard that was committed. Its manifest is removed: the shard is not committed any more,
            and the command that the sentence names makes it again.
    """
    if not storage.is_local or is_whole(storage, file):
        return
    is_cleaned = storage.shown.rstrip("/").endswith(f"/cleaned/{modality}/{corpus}")
    storage.delete(f"{part_name(unit)}.json")
    if is_cleaned:  # which may be a link to what the rules left
        storage.delete(f"{part_name(unit)}.rules.json")
    again = f"`omni-ray clean {modality}`" if is_cleaned else f"the same `omni-ray prepare {modality}` again"
    raise OmniError(
        f"{corpus}: {storage.shown}/{file.file} is damaged: not the bytes that were committed; run {again}, which makes "
        "this shard again"
    )


@contextmanager
def opened(storage: Storage, unit: int, file: CommittedFile, corpus: str, modality: str) -> Iterator[Any]:
    """A committed shard, open for reading; where it cannot be read, it is checked as by :func:`check_whole`."""
    import pyarrow as pa

    try:
        with storage.open(file.file) as shard:
            yield shard
    except (pa.ArrowException, OSError):
        check_whole(storage, unit, file, corpus, modality)
        raise
