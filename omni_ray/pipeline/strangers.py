"""A file named like one of a unit, but written by no run of ours, is never removed as what a killed run left."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

from omni_ray.errors import OmniError
from omni_ray.modalities.registry import modality as modality_of
from omni_ray.pipeline.manifest import part_name
from omni_ray.storage import Storage

_OF_A_MANIFEST = {"format", "unit", "fingerprint", "shard", "records"}
_LARGEST_MANIFEST = 1 << 20
_QUARANTINE = {"id", "where", "reason", "detail", "records"}


def refuse_strangers(storage: Storage, modality: str, files: Mapping[str, int], units: Collection[int]) -> None:
    """Raise OmniError where a file of one of ``units`` cannot be of omni-ray.

    A manifest vouches for the files it names, whatever became of them; one that is damaged can still be told. Other
    files are ours where they have the columns that we write, or hold nothing: files appear whole.

    Args:
        storage: the folder.
        modality: of its shards.
        files: what is in it, with sizes in bytes.
        units: those whose files are about to be removed.
    """
    for unit in sorted(units):
        part = part_name(unit)
        vouched: Collection[str] = ()
        if f"{part}.json" in files:
            vouched = _manifest(storage, f"{part}.json", files[f"{part}.json"])
        for name in (f"{part}.parquet", f"{part}.quarantine.parquet"):
            if name in files and name not in vouched and not _is_table(storage, modality, name, files[name]):
                raise _stranger(storage, name)


def _stranger(storage: Storage, name: str) -> OmniError:
    return OmniError(f"{storage.shown}/{name} is in the place of a shard, and not omni-ray's: move it away")


def _manifest(storage: Storage, name: str, size: int) -> Collection[str]:
    """The files that a manifest names; none where it is damaged. Raises OmniError where it never was one."""
    data = storage.read(name) if size <= _LARGEST_MANIFEST else b"?"
    try:
        value = json.loads(data)
        if value.keys() >= _OF_A_MANIFEST:
            return [str(each["file"]) for each in (value["shard"], value.get("quarantine")) if each]
        is_cut = False
    except (ValueError, AttributeError, KeyError, TypeError):
        is_cut = not data.strip(b"\0") or data.startswith(b"{")
    if is_cut or b'"fingerprint' in data:
        return ()
    raise _stranger(storage, name)


def _is_table(storage: Storage, modality: str, name: str, size: int) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    wanted = _QUARANTINE if name.endswith(".quarantine.parquet") else set(modality_of(modality).schema.names)
    try:
        with storage.open(name) as file:
            return set(pq.read_schema(file).names) >= wanted  # and columns that were kept
    except (pa.ArrowException, OSError):
        return size <= _LARGEST_MANIFEST and not storage.read(name).strip(b"\0")
