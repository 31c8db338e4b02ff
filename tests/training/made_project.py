"""A small project: every production file, with media, ready to be planned."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

WORDS = [
    "river",
    "stone",
    "cloud",
    "seven",
    "eight",
    "quick",
    "brown",
    "fox",
    "jumps",
    "over",
    "lazy",
    "dogs",
    "nine",
    "ten",
    "harbour",
    "lantern",
    "winter",
    "garden",
    "teacher",
    "kitchen",
    "mountain",
    "letter",
    "silver",
    "market",
    "station",
    "bridge",
]


def write_csv(path: Path, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def make_project(root: Path, rows: int = 200, *, production: bool = True) -> Path:
    """``rows`` samples of each kind; the media files are few and used again and again."""
    rng = random.Random(7)
    names = (
        ("production_corpus.txt", "production_asr.csv", "production_tts.csv", "production_annotations.json",
         "production_ocr.csv")
        if production
        else ("tiny_corpus.txt", "asr.csv", "tts.csv", "annotations.json", "ocr_train.csv")
    )  # fmt: skip
    sentences = [" ".join(rng.choices(WORDS, k=rng.randint(4, 12))) + "." for _ in range(rows)]
    (root / "data/text").mkdir(parents=True, exist_ok=True)
    (root / "data/text" / names[0]).write_text("".join(f"{line}\n" for line in sentences), encoding="utf-8")
    (root / "data/audio/clips").mkdir(parents=True, exist_ok=True)
    for clip in range(4):
        samples = np.sin(np.arange(16_000 + 4_000 * clip) * 0.05).astype(np.float32) * 0.2
        soundfile.write(root / f"data/audio/clips/{clip}.flac", samples, 16_000)
    spoken = [(f"data/audio/clips/{n % 4}.flac", rng.choice(WORDS)) for n in range(rows)]
    write_csv(root / "data/audio" / names[1], ("wav", "text"), spoken)
    write_csv(root / "data/audio" / names[2], ("text", "wav"), [(text, wav) for wav, text in spoken])
    for folder in ("images", "ocr"):
        (root / f"data/{folder}/files").mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (224, 224), "navy").save(root / f"data/{folder}/files/a.png")
    manifest = [{"image": "files/a.png", "caption": line, "category": "made"} for line in sentences]
    (root / "data/images" / names[3]).write_text(json.dumps(manifest), encoding="utf-8")
    write_csv(
        root / "data/ocr" / names[4],
        ("image", "text"),
        [("files/a.png", rng.choice(WORDS).upper()) for _ in range(rows)],
    )
    return root
