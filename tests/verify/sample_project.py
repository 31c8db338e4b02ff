"""A clean project of every kind of file, written by hand, and small again for every test."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

LINES = [
    "The quick brown fox jumps over the lazy dog.",
    "Ein Satz mit Umlauten: äöü und ein „Zitat“.",
    "日本語の一行、句読点つき。",
    "“Quoted” at the start, café.",
    "Plain again, and done.",
]
TEXTS = ["hello there", "yes, indeed", 'she said "no"', "añadir", "five"]
CAPTIONS = ["A dog on a bench.", "Two cats, asleep", "A “sign” in a street", "Bread and butter", "The sea"]
LABELS = ["Street", "Ex-it", "№5", "a,b", 'q"t']


def rows_as_csv(rows: Sequence[Sequence[str]]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue().encode()


@dataclass
class Project:
    """A project folder, and what its files are made of; :meth:`write` makes the files of it."""

    root: Path
    lines: list[str] = field(default_factory=lambda: list(LINES))
    clips: list[list[str]] = field(default_factory=list)
    captions: list[object] = field(default_factory=list)
    words: list[list[str]] = field(default_factory=list)

    TEXT = "data/text/production_corpus.txt"
    ASR = "data/audio/production_asr.csv"
    TTS = "data/audio/production_tts.csv"
    IMAGES = "data/images/production_annotations.json"
    OCR = "data/ocr/production_ocr.csv"

    def write(self) -> None:
        self.put(self.TEXT, "".join(f"{line}\n" for line in self.lines).encode())
        self.put(self.ASR, rows_as_csv([["wav", "text"], *self.clips]))
        self.put(self.TTS, rows_as_csv([["text", "wav"], *([text, wav] for wav, text in self.clips)]))
        self.put(self.IMAGES, json.dumps(self.captions, ensure_ascii=False, indent=1).encode())
        self.put(self.OCR, rows_as_csv([["image", "text"], *self.words]))

    def put(self, name: str, data: bytes) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def get(self, name: str) -> bytes:
        return (self.root / name).read_bytes()

    def edit(self, name: str, change: Callable[[bytes], bytes]) -> None:
        before = self.get(name)
        after = change(before)
        assert after != before, "the change changes nothing"
        self.put(name, after)


def tone(seconds: float = 2.0, rate: int = 16_000) -> np.ndarray:
    return (np.sin(np.arange(int(seconds * rate)) * 0.1) * 8000).astype(np.int16)


def picture(size: tuple[int, int] = (48, 48), mode: str = "RGB") -> Image.Image:
    ramp = np.arange(size[0] * size[1], dtype=np.uint32).reshape(size[1], size[0]) % 251
    return Image.fromarray(ramp.astype(np.uint8)).convert(mode)


def make_project(root: Path) -> Project:
    """Five of everything, and nothing wrong."""
    made = Project(root)
    for folder in ("text", "audio/ls/a", "images/coco/train", "ocr/mj"):
        (made.root / "data" / folder).mkdir(parents=True)
    for i, text in enumerate(TEXTS):
        name = f"data/audio/ls/a/{i}.{'flac' if i % 2 else 'wav'}"
        soundfile.write(made.root / name, tone(), 16_000, subtype="PCM_16")
        made.clips.append([name, text])
    for i, caption in enumerate(CAPTIONS):
        name = f"coco/train/{i // 2}.{'png' if i // 2 == 1 else 'jpg'}"
        picture().save(made.root / "data/images" / name)
        made.captions.append({"image": name, "caption": caption, "category": "coco"})
    for i, label in enumerate(LABELS):
        name = f"mj/{i} ü.png" if i == 2 else f"mj/{i}.jpg"
        picture().save(made.root / "data/ocr" / name)
        made.words.append([name, label])
    made.write()
    return made
