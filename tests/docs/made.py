"""What lies in the folder of the user of each guide."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile
from PIL import Image

WORDS = (
    "river",
    "lamp",
    "window",
    "garden",
    "paper",
    "bridge",
    "winter",
    "button",
    "market",
    "silver",
    "orange",
    "letter",
)


def _sentence(number: int, words: int = 9) -> str:
    chosen = [WORDS[(number * 5 + i * (number % 7 + 1)) % len(WORDS)] for i in range(words)]
    return f"The {' and the '.join(chosen[:3])} stood near {' '.join(chosen[3:])} number {number}."


def _put(path: Path, data: bytes | str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)


def _table(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _mp3(number: int, seconds: float) -> bytes:
    rate = 24_000
    time = np.arange(int(rate * seconds)) / rate
    noise = np.random.default_rng(number).normal(0, 0.02, len(time))
    file = io.BytesIO()
    soundfile.write(file, 0.3 * np.sin(2 * np.pi * (180 + 10 * number) * time) + noise, rate, format="MP3")
    return file.getvalue()


def _picture(number: int, width: int = 320, height: int = 240, format: str = "JPEG") -> bytes:
    pixels = np.random.default_rng(number).integers(0, 255, (height // 16, width // 16, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).resize((width, height)).save(file, format)
    return file.getvalue()


def speech(folder: Path) -> None:
    """Twenty MP3s and a CSV; one file is not there, one is not audio."""
    rows = [["file", "sentence", "who"]]
    for number in range(20):
        name = f"clips/{number:03}.mp3"
        rows.append([name, f"{WORDS[number % 12]} and {WORDS[number % 11]}".capitalize(), f"speaker{number % 4}"])
        if number != 7:
            _put(folder / "talks" / name, b"<html>404</html>" if number == 11 else _mp3(number, 4 + number % 3))
    _put(folder / "talks/clips.csv", _table(rows))


def text(folder: Path) -> None:
    """JSON lines, one of which is cut; and conversations."""
    lines = [json.dumps({"id": n, "body": " ".join(_sentence(n * 10 + i) for i in range(5))}) for n in range(50)]
    _put(folder / "articles.jsonl", "\n".join([*lines[:20], lines[20][:40], *lines[21:]]) + "\n")
    turns = [
        [{"role": "user", "content": f"Where is {_sentence(n)}"}, {"role": "assistant", "content": _sentence(n + 100)}]
        for n in range(12)
    ]
    _put(folder / "chats.jsonl", "".join(json.dumps({"messages": each}) + "\n" for each in turns))


def pictures(folder: Path) -> None:
    """A folder of pictures with a table of captions, two for one of them; one picture is cut short."""
    rows = [["file_name", "text"]]
    for number in range(24):
        name = f"{number:04}.jpg"
        body = _picture(number)
        _put(folder / "photos" / name, body[: len(body) // 2] if number == 5 else body)
        rows.append([name, _sentence(number)])
    rows.append(["0000.jpg", "Another sentence for the first picture of them all."])
    _put(folder / "photos/metadata.csv", _table(rows))


def words(folder: Path) -> None:
    """Pictures of words, with a list of what is written on them."""
    lines = []
    for number in range(30):
        name = f"crops/{number:04}.png"
        _put(folder / "signs" / name, _picture(number, 160, 48, "PNG"))
        lines.append(f"{name}\t{WORDS[number % len(WORDS)]}")
    _put(folder / "signs/labels.txt", "\n".join(lines) + "\n")


def long_recordings(folder: Path) -> None:
    """Two recordings, and a table of what is said from where to where."""
    rows = [["audio", "from", "to", "text"]]
    for number in range(2):
        _put(folder / f"{number}.mp3", _mp3(number, 12))
        rows += [[f"{number}.mp3", str(start), str(start + 4), f"Clip {start} of {number}"] for start in (0, 4, 8)]
    _put(folder / "clips.csv", _table(rows))


def spoken_table() -> bytes:
    """Parquet with embedded clips, as the hub has them."""
    clips = [{"bytes": _mp3(number, 3), "path": f"{number}.mp3"} for number in range(6)]
    file = io.BytesIO()
    pq.write_table(pa.table({"audio": clips, "text": [f"Clip number {number}" for number in range(6)]}), file)
    return file.getvalue()


GUIDES: dict[str, Callable[[Path], None]] = {
    "speech.md": speech,
    "text.md": text,
    "pictures.md": pictures,
    "words.md": words,
}
