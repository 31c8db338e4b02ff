"""How each modality's samples are written down for the trainers: lines, CSV rows, JSON objects, media files.

Every byte that a trainer reads is made here. See docs/formats.md for the rules and the reasons.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from omni_ray.media_names import flat_name
from omni_ray.storage import TEMPORARY
from omni_ray.trainers.files import FlatFile, files_of


class Format:
    """Turns shard rows into the records of flat files, and into media files."""

    modality: ClassVar[str]
    has_media: ClassVar[bool] = True
    media_column: ClassVar[str] = ""
    columns: ClassVar[tuple[str, ...]]
    """Of shard rows, those that records and media are made from."""

    @property
    def files(self) -> tuple[FlatFile, ...]:
        """The flat files, the one with texts first."""
        return files_of(self.modality)

    @property
    def folder(self) -> str:
        """Where the files go, relative to the project root."""
        return f"data/{self.modality}"

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
        media, texts = self._media_as_listed(rows, corpus), rows["text"].to_pylist()
        return {file.kind: pa.array(map(file.record, media, texts), pa.large_binary()) for file in self.files}

    def _media_as_listed(self, rows: pa.Table, corpus: str) -> list[str]:
        folder = f"{self.folder}/{flat_name(corpus)}".removeprefix(f"{self.files[0].media_root}/")
        return [f"{folder}/{path}" for path in pc.struct_field(rows[self.media_column], "path").to_pylist()]

    def media(self, rows: pa.Table, corpus: str) -> Iterator[tuple[str, bytes]]:
        """Media files of the rows: (path relative to the project root, bytes)."""
        column = rows[self.media_column]
        for value in column:
            yield f"{self.folder}/{flat_name(corpus)}/{value['path'].as_py()}", value["bytes"].as_py()


class TextFormat(Format):
    """``production_corpus.txt``: one sample a line."""

    modality = "text"
    has_media = False
    columns = ("text",)

    def records(self, rows: pa.Table, corpus: str) -> dict[str, pa.LargeBinaryArray]:
        end, nothing = pa.scalar("\n", pa.large_string()), pa.scalar("", pa.large_string())
        ended = pc.binary_join_element_wise(rows["text"].cast(pa.large_string()), end, nothing)
        return {"text": ended.cast(pa.large_binary()).combine_chunks()}


class AudioFormat(Format):
    """``production_asr.csv`` (wav,text) and ``production_tts.csv`` (text,wav): same rows, same order.

    Paths are relative to the project root, where the trainers are started.
    """

    modality = "audio"
    columns = ("audio", "text")
    media_column = "audio"


class ImagesFormat(Format):
    """``production_annotations.json``: a plain list, one object for each caption.

    ``image`` is relative to ``data/images``, the trainers' ``image_root``.
    """

    modality = "images"
    columns = ("image", "captions", "category")
    media_column = "image"

    def records(self, rows: pa.Table, corpus: str) -> dict[str, pa.LargeBinaryArray]:
        [file] = self.files
        rows_of = zip(
            self._media_as_listed(rows, corpus),
            rows["captions"].to_pylist(),
            rows["category"].to_pylist(),
            strict=True,
        )
        entries = [
            file.record(image, caption, category or corpus) + file.separator
            for image, captions, category in rows_of
            for caption in captions
        ]
        return {file.kind: pa.array(entries, pa.large_binary())}


class OcrFormat(Format):
    """``production_ocr.csv`` (image,text); ``image`` is relative to ``data/ocr``, the trainer's ``image_root``."""

    modality = "ocr"
    columns = ("image", "text")
    media_column = "image"


FORMATS: dict[str, Format] = {f.modality: f for f in (TextFormat(), AudioFormat(), ImagesFormat(), OcrFormat())}
