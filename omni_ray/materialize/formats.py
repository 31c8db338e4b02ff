"""How a modality's samples are written down for the trainers: lines, CSV rows, JSON objects, media files.

Every byte that a trainer reads is made here and in :mod:`omni_ray.trainers.files`. See docs/formats.md for the rules and the
reasons.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc

from omni_ray.media_names import flat_name
from omni_ray.modalities.registry import modality as modality_of
from omni_ray.storage import TEMPORARY
from omni_ray.trainers.files import FlatFile, files_of

_CATEGORY = "category"


class Format:
    """Turns shard rows of a modality into the records of its flat files, and into media files."""

    def __init__(self, modality: str) -> None:
        kind = modality_of(modality)
        self.media_column, self.said = kind.media, kind.said
        self.has_media = bool(kind.media)
        self.folder = f"data/{modality}"
        """Where the files go, relative to the project root."""
        self.files: tuple[FlatFile, ...] = files_of(modality)
        """The flat files, the one with texts first."""
        self._has_lists = pa.types.is_list(kind.schema.field(kind.said).type)
        self._category = _CATEGORY if _CATEGORY in kind.schema.names else ""
        self.columns = tuple(filter(None, (kind.media, kind.said, self._category)))
        """The columns of shard rows that records and media are made from."""

    @property
    def scratch(self) -> str:
        """Where media are until they are whole, relative to the project root; nothing of it outlives a run."""
        return f"{self.folder}/{TEMPORARY}media"

    def corpus_places(self, corpus: str) -> tuple[str, ...]:
        """Where the files and media of one corpus go, relative to the project root."""
        files = [f"{self.folder}/{file.of(corpus)}" for file in self.files if file.per_corpus]
        return (*files, f"{self.folder}/{flat_name(corpus)}") if self.has_media else tuple(files)

    def shared_places(self) -> tuple[str, ...]:
        """Where the files of all corpora go, relative to the project root."""
        return tuple(f"{self.folder}/{name}" for file in self.files for name in (file.production, file.held_out))

    def records(self, rows: pa.Table, corpus: str) -> dict[str, pa.LargeBinaryArray]:
        """Serialized records by the kind of file, one for each sample, in order, each with the file's separator after it."""
        if all(file.form == "lines" for file in self.files):
            return {file.kind: self._lines(rows) for file in self.files}
        samples = self._samples(rows, corpus)
        return {file.kind: _serialized(file, samples) for file in self.files}

    def _lines(self, rows: pa.Table) -> pa.LargeBinaryArray:
        end, nothing = pa.scalar("\n", pa.large_string()), pa.scalar("", pa.large_string())
        ended = pc.binary_join_element_wise(rows[self.said].cast(pa.large_string()), end, nothing)
        return ended.cast(pa.large_binary()).combine_chunks()

    def _samples(self, rows: pa.Table, corpus: str) -> tuple[Sequence[str], ...]:
        """The media, the texts and (where there are any) the categories of all samples."""
        media = self._media_as_listed(rows, corpus) if self.has_media else [""] * rows.num_rows
        said = rows[self.said].to_pylist()
        if not self._has_lists:
            return media, said
        categories = rows[self._category].to_pylist() if self._category else [corpus] * rows.num_rows
        samples = [
            (path, text, category or corpus)
            for path, texts, category in zip(media, said, categories, strict=True)
            for text in texts
        ]
        return tuple(zip(*samples, strict=True)) if samples else ((), ())

    def _media_as_listed(self, rows: pa.Table, corpus: str) -> list[str]:
        folder = f"{self.folder}/{flat_name(corpus)}".removeprefix(f"{self.files[0].media_root}/")
        return [f"{folder}/{path}" for path in pc.struct_field(rows[self.media_column], "path").to_pylist()]

    def media(self, rows: pa.Table, corpus: str) -> Iterator[tuple[str, bytes]]:
        """Media files of the rows: (path relative to the project root, bytes)."""
        column = rows[self.media_column]
        for value in column:
            yield f"{self.folder}/{flat_name(corpus)}/{value['path'].as_py()}", value["bytes"].as_py()


def _serialized(file: FlatFile, samples: Sequence[Sequence[str]]) -> pa.LargeBinaryArray:
    records = map(file.record, *samples)
    return pa.array([each + file.separator for each in records] if file.separator else records, pa.large_binary())


@cache
def format_of(modality: str) -> Format:
    """How samples of a modality are written down."""
    return Format(modality)
