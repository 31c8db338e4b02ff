"""How each modality's samples are written down for the trainers: lines, CSV rows, JSON objects, media files.

Every byte that a trainer reads is made here. See docs/formats.md for the rules and the reasons.
"""

from __future__ import annotations

import csv
import io
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from omni_ray.media_names import flat_name
from omni_ray.storage import TEMPORARY


@dataclass(frozen=True)
class FlatFile:
    """One flat file of a modality.

    Attributes:
        key: names it among the modality's files.
        production: the combined file's name.
        per_corpus: the name of a single corpus's file, with ``{corpus}`` in it; None where there is none.
        head, separator, tail: bytes before the first record, between two, and after the last.
    """

    key: str
    production: str
    per_corpus: str | None
    head: bytes = b""
    separator: bytes = b""
    tail: bytes = b""

    def of(self, corpus: str) -> str:
        """The name of a single corpus's file. Raises ValueError where there is none."""
        if self.per_corpus is None:
            raise ValueError(f"{self.production} has no files of single corpora")
        return self.per_corpus.format(corpus=flat_name(corpus))

    @property
    def held_out(self) -> str:
        """The name of the file beside the combined one that has what is held out."""
        return self.production.replace("production_", "heldout_", 1)


class Format(ABC):
    """Turns shard rows into the records of flat files, and into media files."""

    modality: ClassVar[str]
    files: ClassVar[tuple[FlatFile, ...]]
    has_media: ClassVar[bool] = True

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

    @abstractmethod
    def records(self, rows: pa.Table, corpus: str) -> dict[str, pa.LargeBinaryArray]:
        """Serialized records by file key, one for each sample, in order, each with the file's separator after it."""

    def media(self, rows: pa.Table, corpus: str) -> Iterator[tuple[str, bytes]]:
        """Media files of the rows: (path relative to the project root, bytes)."""
        column = rows[self.media_column]
        for value in column:
            yield f"{self.folder}/{flat_name(corpus)}/{value['path'].as_py()}", value["bytes"].as_py()

    media_column: ClassVar[str] = ""


def _rows_as_csv(*columns: list[str]) -> pa.LargeBinaryArray:
    """CSV rows: comma, minimal quoting, doubled quotes, LF."""
    lines = []
    for fields in zip(*columns, strict=True):
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="\n").writerow(fields)
        lines.append(buffer.getvalue().encode())
    return pa.array(lines, pa.large_binary())


def _paths(rows: pa.Table, column: str) -> list[str]:
    paths: list[str] = pc.struct_field(rows[column], "path").to_pylist()
    return paths


class TextFormat(Format):
    """``production_corpus.txt``: one sample a line."""

    modality = "text"
    files = (FlatFile("text", "production_corpus.txt", "{corpus}.txt"),)
    has_media = False

    def records(self, rows: pa.Table, corpus: str) -> dict[str, pa.LargeBinaryArray]:
        end, nothing = pa.scalar("\n", pa.large_string()), pa.scalar("", pa.large_string())
        ended = pc.binary_join_element_wise(rows["text"].cast(pa.large_string()), end, nothing)
        return {"text": ended.cast(pa.large_binary()).combine_chunks()}


class AudioFormat(Format):
    """``production_asr.csv`` (wav,text) and ``production_tts.csv`` (text,wav): same rows, same order.

    Paths are relative to the project root, where the trainers are started.
    """

    modality = "audio"
    files = (
        FlatFile("asr", "production_asr.csv", "{corpus}_asr.csv", head=b"wav,text\n"),
        FlatFile("tts", "production_tts.csv", None, head=b"text,wav\n"),
    )
    media_column = "audio"

    def records(self, rows: pa.Table, corpus: str) -> dict[str, pa.LargeBinaryArray]:
        wavs = [f"{self.folder}/{flat_name(corpus)}/{path}" for path in _paths(rows, "audio")]
        texts = rows["text"].to_pylist()
        return {"asr": _rows_as_csv(wavs, texts), "tts": _rows_as_csv(texts, wavs)}


class ImagesFormat(Format):
    """``production_annotations.json``: a plain list, one object for each caption.

    ``image`` is relative to ``data/images``, the trainers' ``image_root``.
    """

    modality = "images"
    files = (
        FlatFile(
            "annotations",
            "production_annotations.json",
            "{corpus}_annotations.json",
            b"[\n",
            b",\n",
            b"\n]\n",
        ),
    )
    media_column = "image"

    def records(self, rows: pa.Table, corpus: str) -> dict[str, pa.LargeBinaryArray]:
        objects = []
        categories = rows["category"].to_pylist()
        for path, captions, category in zip(
            _paths(rows, "image"), rows["captions"].to_pylist(), categories, strict=True
        ):
            for caption in captions:
                entry = {"image": f"{flat_name(corpus)}/{path}", "caption": caption, "category": category or corpus}
                objects.append(json.dumps(entry, ensure_ascii=False).encode() + self.files[0].separator)
        return {"annotations": pa.array(objects, pa.large_binary())}


class OcrFormat(Format):
    """``production_ocr.csv`` (image,text); ``image`` is relative to ``data/ocr``, the trainer's ``image_root``."""

    modality = "ocr"
    files = (FlatFile("ocr", "production_ocr.csv", "{corpus}_ocr.csv", head=b"image,text\n"),)
    media_column = "image"

    def records(self, rows: pa.Table, corpus: str) -> dict[str, pa.LargeBinaryArray]:
        images = [f"{flat_name(corpus)}/{path}" for path in _paths(rows, "image")]
        return {"ocr": _rows_as_csv(images, rows["text"].to_pylist())}


FORMATS: dict[str, Format] = {f.modality: f for f in (TextFormat(), AudioFormat(), ImagesFormat(), OcrFormat())}
