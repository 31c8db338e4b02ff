"""What belongs together according to the shards: the lines of a document, the clips of a speaker, the words of a photograph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from omni_ray.media_names import flat_name
from omni_ray.modalities.base import Modality
from omni_ray.modalities.documents import whole_documents
from omni_ray.modalities.hold_out import held_out
from omni_ray.modalities.registry import modality as modality_of
from omni_ray.pipeline.parts import Part, read_rows
from omni_ray.quality.hashing import Hashes
from omni_ray.quality.partitions import in_one
from omni_ray.verify.sightings import HELD, PARTED, TRAINED, Sightings, key_of, keys_of

ROW_BITS = 32
"""A place in the shards is ``shard << 32 | row``."""


@dataclass(frozen=True)
class HeldOutShard:
    """A shard whose samples are on either side.

    Attributes:
        corpus: whose it is.
        part: where it is, and how much of it counts.
        holdout: the share that was held out; 0 for nothing.
    """

    corpus: str
    part: Part
    holdout: float

    @property
    def _kind(self) -> Modality[Any]:
        return modality_of(self.part.modality)

    def sightings(self, number: int) -> Sightings:
        """Its lines, or the paths of its media, with their groups; ``number`` is that of the shard."""
        tables = read_rows(self.part, columns=self._kind.group_columns)
        is_text = self._kind.of_documents
        found = [*map(self._lines, whole_documents(tables))] if is_text else [*map(self._media, tables)]
        key, group, side = in_one(found, 3)
        place = np.arange(len(key), dtype=np.uint64) | np.uint64(number << ROW_BITS) | side << np.uint64(PARTED)
        belongs = group != 0
        return Sightings(key[belongs], group[belongs], place[belongs])

    def _lines(self, rows: pa.Table) -> tuple[Hashes, Hashes, Hashes]:
        names = self._kind.group_keys(rows).to_pylist()
        held = held_out(names, self.holdout) | self.part.is_held
        keys = keys_of(line.encode().strip() for line in rows["text"].to_pylist())
        groups = np.array([int(name[:16], 16) or 1 for name in names], np.uint64)
        return keys, groups, np.where(held, HELD, TRAINED).astype(np.uint64)

    def _media(self, rows: pa.Table) -> tuple[Hashes, Hashes, Hashes]:
        folder = f"data/{self.part.modality}/{flat_name(self.corpus)}"
        keys = keys_of(_bytes(f"{folder}/{path}") for path in self._paths(rows))
        names = self._names(rows)
        known = {name: key_of(_bytes(f"{self.corpus}\0{name}")) for name in names if name is not None}
        return (
            keys,
            np.array([known[name] if name is not None else 0 for name in names], np.uint64),
            np.zeros(len(keys), np.uint64),
        )

    def _names(self, rows: pa.Table) -> list[str | None]:
        names = self._kind.group_names(rows)
        assert names is not None  # only modalities with group_columns are looked through
        return names.to_pylist()  # type: ignore[no-any-return]

    def _paths(self, rows: pa.Table) -> list[str]:
        return pc.struct_field(rows[self._kind.media], "path").to_pylist()  # type: ignore[no-any-return]

    def row(self, number: int) -> tuple[str, str]:
        """For a row, in words: what its group is called, and the path of its medium, "" for a line."""
        [rows] = read_rows(self.part, number, number + 1, columns=self._kind.group_columns)
        if self._kind.of_documents:
            return f"{self._kind.group_said(rows.to_pylist()[0], '')} of {self.corpus}", ""
        [name], [path] = self._names(rows), self._paths(rows)
        return f"{self._kind.group_said(rows.to_pylist()[0], name or '')} of {self.corpus}", path


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")


def said(held: tuple[str, str], trained: tuple[str, str]) -> str:
    """A sentence about a group that is on both sides, by two of its rows."""
    (group, path), (other, other_path) = held, trained
    if path:
        return f"{group}: {path} is held out, {other_path} is trained on"
    if group == other:
        return f"{group} is held out in part, and trained on in part"
    return f"{group} is held out, and says what {other} says"
