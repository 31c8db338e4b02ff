"""What belongs together by the shards: the lines of a document, the clips of a speaker, the words of a photograph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from omni_ray.media_names import flat_name
from omni_ray.modalities.documents import whole_documents
from omni_ray.modalities.hold_out import group_keys, group_names, held_out
from omni_ray.pipeline.parts import Part, read_rows
from omni_ray.quality.hashing import Hashes
from omni_ray.quality.partitions import in_one
from omni_ray.verify.sightings import HELD, PARTED, TRAINED, Sightings, key_of, keys_of

ROW_BITS = 32
"""A place in the shards is ``shard << 32 | row``."""
_COLUMNS = {"text": ("id", "text"), "audio": ("audio.path", "speaker"), "ocr": ("image.path", "id")}
"""By modality whose groups are looked at: what is read of shards. Pictures are known by their bytes alone."""
GROUPED = tuple(_COLUMNS)


@dataclass(frozen=True)
class Source:
    """A shard whose samples are on either side.

    Attributes:
        corpus: whose it is.
        part: where it lies, and how much of it counts.
        holdout: the share that was held out; 0 for nothing.
    """

    corpus: str
    part: Part
    holdout: float

    def sightings(self, number: int) -> Sightings:
        """Its lines, or the paths of its media, with their groups; ``number`` is that of the shard."""
        tables = read_rows(self.part, columns=_COLUMNS[self.part.modality])
        is_text = self.part.modality == "text"
        found = [*map(self._lines, whole_documents(tables))] if is_text else [*map(self._media, tables)]
        key, group, side = in_one(found, 3)
        place = np.arange(len(key), dtype=np.uint64) | np.uint64(number << ROW_BITS) | side << np.uint64(PARTED)
        belongs = group != 0
        return Sightings(key[belongs], group[belongs], place[belongs])

    def _lines(self, rows: pa.Table) -> tuple[Hashes, Hashes, Hashes]:
        names = group_keys(rows, "text")
        held = held_out(names, self.holdout) | self.part.is_held
        keys = keys_of(line.encode().strip() for line in rows["text"].to_pylist())
        groups = np.array([int(name[:16], 16) or 1 for name in names], np.uint64)
        return keys, groups, np.where(held, HELD, TRAINED).astype(np.uint64)

    def _media(self, rows: pa.Table) -> tuple[Hashes, Hashes, Hashes]:
        folder = f"data/{self.part.modality}/{flat_name(self.corpus)}"
        keys = keys_of(_bytes(f"{folder}/{path}") for path in self._paths(rows))
        names = group_names(rows, self.part.modality).to_pylist()
        known = {name: key_of(_bytes(f"{self.corpus}\0{name}")) for name in names if name is not None}
        return keys, np.array([known.get(name, 0) for name in names], np.uint64), np.zeros(len(keys), np.uint64)

    def _paths(self, rows: pa.Table) -> list[str]:
        column = _COLUMNS[self.part.modality][0].partition(".")[0]
        return pc.struct_field(rows[column], "path").to_pylist()  # type: ignore[no-any-return]

    def row(self, number: int) -> tuple[str, str]:
        """Of a row, for people: what its group is called, and the path of its medium, "" for a line."""
        [rows] = read_rows(self.part, number, number + 1, columns=_COLUMNS[self.part.modality])
        if self.part.modality == "text":
            document, _, line = rows["id"][0].as_py().rpartition("#")
            return f"document {document or line} of {self.corpus}", ""
        [name], [path] = group_names(rows, self.part.modality).to_pylist(), self._paths(rows)
        kind = "photograph"
        if self.part.modality == "audio":
            kind = "speaker" if rows["speaker"][0].as_py() == name else "recording"
        return f"{kind} {name} of {self.corpus}", path


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
