"""The files that the trainers read: what they are called, where they are, and how a record is written in them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from omni_ray.media_names import flat_name

MAX_FIELD_CHARS = 131_072
"""The longest CSV field: Python's csv module stops at a longer one, and the trainer with it."""
PRODUCTION, HELD_OUT, TINY = "production_", "heldout_", "tiny_"
"""How the names of files of all corpora begin: to train on, to measure on, and small ones that are made up."""
SHARED = (PRODUCTION, HELD_OUT, TINY)

ModalityName = Literal["text", "audio", "images", "ocr"]


@dataclass(frozen=True)
class FlatFile:
    """One file that trainers read, or several in the same form.

    Attributes:
        kind: text, asr, tts, images or ocr: names it among the others.
        modality: text, audio, images or ocr; its files are in ``data/<modality>``.
        form: how a sample is written: as a line, a row of CSV, or an object in a JSON list.
        readers: the scripts that read it.
        production: the name of the file of all corpora.
        synthetic: the name of the small one that is made up.
        per_corpus: the name of a single corpus's file, with ``{corpus}`` in it; None where there is none.
        header: of a CSV file, its columns in the order that is specified.
        media, text: names that the columns (or keys) may have, of which the first present one counts; none where no
            trainer reads them.
        starts_here: whether paths of media start from the file's folder, and not from the project's.
        twin: the kind of the file with the same samples whose media are looked at; "" where that is this one.
    """

    kind: str
    modality: ModalityName
    form: Literal["lines", "csv", "list"]
    readers: tuple[str, ...]
    production: str
    synthetic: str
    per_corpus: str | None
    header: tuple[str, ...] = ()
    media: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    starts_here: bool = False
    twin: str = ""

    @property
    def folder(self) -> str:
        """Where it is, relative to the project root."""
        return f"data/{self.modality}"

    @property
    def held_out(self) -> str:
        """The name of the file beside the combined one that has what is held out."""
        return self.production.replace(PRODUCTION, HELD_OUT, 1)

    @property
    def production_path(self) -> str:
        """The combined file, relative to the project root."""
        return f"{self.folder}/{self.production}"

    @property
    def held_out_path(self) -> str:
        """What is held out of it, relative to the project root."""
        return f"{self.folder}/{self.held_out}"

    @property
    def synthetic_path(self) -> str:
        """The small one, relative to the project root."""
        return f"{self.folder}/{self.synthetic}"

    @property
    def media_root(self) -> str:
        """The folder that paths of media start from: the trainers' ``image_root``, and for clips the project root."""
        return self.folder if self.starts_here else ""

    @property
    def head(self) -> bytes:
        """What comes before the first record."""
        return b"[\n" if self.form == "list" else f"{','.join(self.header)}\n".encode() if self.header else b""

    @property
    def separator(self) -> bytes:
        """What comes between two records."""
        return b",\n" if self.form == "list" else b""

    @property
    def tail(self) -> bytes:
        """What comes after the last record."""
        return b"\n]\n" if self.form == "list" else b""

    def record(self, media: str, text: str, category: str = "") -> bytes:
        """A sample as it is written in the file; ``media`` is relative to ``media_root``."""
        if self.form == "lines":
            return f"{text}\n".encode()
        if self.form == "list":
            return json.dumps({"image": media, "caption": text, "category": category}, ensure_ascii=False).encode()
        return _csv_row(media if column in self.media else text for column in self.header)

    def of(self, corpus: str) -> str:
        """The name of a single corpus's file. Raises ValueError where there is none."""
        if self.per_corpus is None:
            raise ValueError(f"{self.production} has no files of single corpora")
        return self.per_corpus.format(corpus=flat_name(corpus))


WAV = ("wav",)
TRANSCRIPT = ("text",)
IMAGE = ("image", "img")
LABEL = ("text", "label", "text_label")

_FILES = (
    FlatFile(
        "text", "text", "lines", ("train_text", "sft_omni"), "production_corpus.txt", "tiny_corpus.txt", "{corpus}.txt",
    ),
    FlatFile(
        "asr", "audio", "csv", ("train_audio_enc", "sft_omni"), "production_asr.csv", "asr.csv", "{corpus}_asr.csv",
        header=("wav", "text"), media=WAV, text=TRANSCRIPT,
    ),
    FlatFile(
        "tts", "audio", "csv", ("train_talker", "train_vocoder"), "production_tts.csv", "tts.csv", None,
        header=("text", "wav"), media=WAV, twin="asr",
    ),
    FlatFile(
        "images", "images", "list", ("train_vision", "sft_omni"), "production_annotations.json", "annotations.json",
        "{corpus}_annotations.json", media=("image",), text=("caption",), starts_here=True,
    ),
    FlatFile(
        "ocr", "ocr", "csv", ("train_ocr",), "production_ocr.csv", "ocr_train.csv", "{corpus}_ocr.csv",
        header=("image", "text"), media=IMAGE, text=LABEL, starts_here=True,
    ),
)  # fmt: skip
FILES = {file.kind: file for file in _FILES}
"""Every file that a trainer reads, by kind, those of a modality together."""


def all_modalities() -> tuple[ModalityName, ...]:
    """The names of all modalities, in the order in which everything lists them."""
    return tuple(dict.fromkeys(file.modality for file in FILES.values()))


def files_of(modality: str) -> tuple[FlatFile, ...]:
    """The files of a modality; the first one has its texts."""
    return tuple(file for file in FILES.values() if file.modality == modality)


def is_production(path: str) -> bool:
    """Whether a file of this name has all corpora, to train on."""
    return path.rpartition("/")[2].startswith(PRODUCTION)


def is_held_out(path: str) -> bool:
    """Whether a file of this name has what is not to be trained on."""
    return path.rpartition("/")[2].startswith(HELD_OUT)


def _csv_row(fields: Iterable[str]) -> bytes:
    """Comma, minimal quoting, doubled quotes, LF."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(fields)
    return buffer.getvalue().encode()
