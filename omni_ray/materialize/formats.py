"""How a modality's samples are written down for the trainers: lines, CSV rows, JSON objects, media files.

Every byte that a trainer reads is made here and in :mod:`omni_ray.trainers.files`. See docs/formats.md for the rules and the
reasons.
"""

from __future__ import annotations

from collections.abc import Iterator
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
        """Of shard rows, those that records and media are made from."""

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
        return {file.kind: self._records(file, rows, corpus) for file in self.files}

    def _records(self, file: FlatFile, rows: pa.Table, corpus: str) -> pa.LargeBinaryArray:
        if file.form == "lines":
            end, nothing = pa.scalar("\n", pa.large_string()), pa.scalar("", pa.large_string())
            ended = pc.binary_join_element_wise(rows[self.said].cast(pa.large_string()), end, nothing)
            return ended.cast(pa.large_binary()).combine_chunks()
        count = rows.num_rows
        media = self._media_as_listed(rows, corpus) if self.has_media else [""] * count
        said = rows[self.said].to_pylist()
        categories = rows[self._category].to_pylist() if self._category else [corpus] * count
        texts_of = said if self._has_lists else ([text] for text in said)
        records = [
            file.record(path, text, category or corpus) + file.separator
            for path, texts, category in zip(media, texts_of, categories, strict=True)
            for text in texts
        ]
        return pa.array(records, pa.large_binary())

    def _media_as_listed(self, rows: pa.Table, corpus: str) -> list[str]:
        folder = f"{self.folder}/{flat_name(corpus)}".removeprefix(f"{self.files[0].media_root}/")
        return [f"{folder}/{path}" for path in pc.struct_field(rows[self.media_column], "path").to_pylist()]

    def media(self, rows: pa.Table, corpus: str) -> Iterator[tuple[str, bytes]]:
        """Media files of the rows: (path relative to the project root, bytes)."""
        column = rows[self.media_column]
        for value in column:
            yield f"{self.folder}/{flat_name(corpus)}/{value['path'].as_py()}", value["bytes"].as_py()


@cache
def format_of(modality: str) -> Format:
    """How samples of a modality are written down."""
    return Format(modality)
