"""The tiny training files: synthetic text, speech, pictures and words, where the trainers look for them.

Sample ``i`` depends on the seed and on ``i`` only. The work is cut into chunks, which :func:`write_chunk` makes
independently of each other: in any order, on any number of machines that share the folder, once or several times.
A finished chunk leaves a list of its rows under ``data/.synthetic/``, by which a later run knows what is done; at the
end the lists become the training files.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from omni_ray.errors import OmniError
from omni_ray.storage import atomic_writer, remove_temporaries, write_atomic
from omni_ray.synth.clips import SAMPLE_RATE, Engine, encoded, engine, make_clip
from omni_ray.synth.pictures import make_picture
from omni_ray.synth.sentences import make_text
from omni_ray.synth.word_images import make_word_image

KINDS = ("text", "audio", "images", "ocr")
DEFAULT_SAMPLES = {"text": 8_600, "audio": 300, "images": 3_700, "ocr": 2_000}
"""What comes to about 2 MB of text, 15 of clips and 20 of pictures, as the specification has it, and 10 of words."""
DEFAULT_SEED = 42
_CHUNK = {"text": 2000, "audio": 100, "images": 500, "ocr": 250}
"""Samples a chunk holds: one or two seconds of work."""
_LISTS = "data/.synthetic"
_VERSION = 1
"""Raised when the same seed gives other samples than before."""

Row = dict[str, Any]
Run = Callable[[Callable[["Chunk"], int], Iterable["Chunk"]], Iterable[int]]
"""Maps a function over chunks, anyhow: :func:`map` does it in this process."""


@dataclass(frozen=True)
class Chunk:
    """Samples ``start`` to ``stop - 1`` of a kind.

    Attributes:
        kind: one of :data:`KINDS`.
        root: the project folder.
        seed: of the whole corpus.
        start, stop: the range.
        speech: what speaks; the same in every chunk, wherever it is made.
    """

    kind: str
    root: str
    seed: int
    start: int
    stop: int
    speech: Engine

    def stamp(self) -> Row:
        """What the rows depend on."""
        stamp = {**asdict(self), "version": _VERSION}
        del stamp["root"]
        if self.kind != "audio":
            del stamp["speech"]
        return stamp

    @property
    def list_path(self) -> Path:
        """Where the rows are listed when the chunk is done."""
        return Path(self.root, _LISTS, self.kind, f"{self.start:08d}.jsonl")


@dataclass(frozen=True)
class TinyFile:
    """A training file: its path relative to the project folder, and how many samples it holds."""

    path: str
    samples: int


@dataclass
class TinyReport:
    """What :func:`synthesize_tiny` wrote.

    Attributes:
        files: the training files.
        speech: "espeak-ng", or "tones" where there is no espeak-ng.
        chunks_made: chunks made in this run; the others were there already.
        warnings: sentences a user should read.
    """

    files: list[TinyFile] = field(default_factory=list)
    speech: Engine = "espeak-ng"
    chunks_made: int = 0
    warnings: list[str] = field(default_factory=list)


def _text(chunk: Chunk) -> Iterator[Row]:
    for line in make_text(chunk.seed, chunk.start, chunk.stop):
        yield {"text": line}


def _audio(chunk: Chunk) -> Iterator[Row]:
    for i in range(chunk.start, chunk.stop):
        clip = make_clip(chunk.seed, i, chunk.speech)
        file = _media(chunk, f"data/audio/synthetic/{i:06d}.flac", encoded(clip.pcm, SAMPLE_RATE, "FLAC"))
        yield {**file, "text": clip.text, "speaker": clip.speaker, "samples": len(clip.pcm)}


def _images(chunk: Chunk) -> Iterator[Row]:
    for i in range(chunk.start, chunk.stop):
        picture = make_picture(chunk.seed, i)
        file = _media(chunk, f"data/images/synthetic/{i:06d}.jpg", picture.jpeg)
        # One caption for each picture: contrastive training takes two captions of a picture for opposites.
        yield {**file, "text": picture.captions[i % len(picture.captions)]}


def _ocr(chunk: Chunk) -> Iterator[Row]:
    for i in range(chunk.start, chunk.stop):
        image = make_word_image(chunk.seed, i)
        file = _media(chunk, f"data/ocr/synthetic/{i:06d}.jpg", image.jpeg)
        yield {**file, "text": image.label}


def _media(chunk: Chunk, path: str, data: bytes) -> Row:
    write_atomic(Path(chunk.root, path), data, sync=False)  # the list is synced, and all before it
    return {"path": path, "bytes": len(data)}


_MAKERS: dict[str, Callable[[Chunk], Iterator[Row]]] = {"text": _text, "audio": _audio, "images": _images, "ocr": _ocr}


def _listed(path: Path) -> tuple[Row, Iterator[Row]]:
    """The stamp and the rows of a finished chunk."""
    lines = iter(path.read_text(encoding="utf-8").splitlines())
    return json.loads(next(lines)), map(json.loads, lines)


def _is_done(chunk: Chunk) -> bool:
    """Whether the chunk was made with the same stamp, and its media files are still there."""
    try:
        stamp, rows = _listed(chunk.list_path)
        if stamp != chunk.stamp():
            return False
        return all(Path(chunk.root, row["path"]).stat().st_size == row["bytes"] for row in rows if "path" in row)
    except (OSError, ValueError, StopIteration):
        return False


def write_chunk(chunk: Chunk) -> int:
    """Make a chunk's samples, write its media files, and list its rows; nothing where that is done already.

    Returns:
        The number of samples made; 0 where they were there.

    Raises:
        OmniError: espeak-ng was to speak and is not installed here; or a file cannot be written.
    """
    if _is_done(chunk):
        return 0
    try:
        # While the media files change, no list may vouch for them.
        chunk.list_path.unlink(missing_ok=True)
        lines = [json.dumps(chunk.stamp(), ensure_ascii=False)]
        lines += (json.dumps(row, ensure_ascii=False) for row in _MAKERS[chunk.kind](chunk))
        if chunk.kind != "text":
            os.sync()
        write_atomic(chunk.list_path, ("\n".join(lines) + "\n").encode())
    except OSError as error:
        raise OmniError(f"{error.filename or chunk.root}: cannot be written ({error.strerror})") from error
    return chunk.stop - chunk.start


def chunks(root: str | Path, samples: int | None, seed: int, kinds: Sequence[str], speech: Engine) -> list[Chunk]:
    """The chunks that make up ``samples`` of each kind, None for :data:`DEFAULT_SAMPLES`; the slow ones first."""
    slow_first = sorted(kinds, key=("audio", "ocr", "images", "text").index)
    return [
        Chunk(kind, str(root), seed, start, min(start + _CHUNK[kind], count), speech)
        for kind in slow_first
        for count in (samples or DEFAULT_SAMPLES[kind],)
        for start in range(0, count, _CHUNK[kind])
    ]


def _csv_row(*fields: str) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(fields)
    return buffer.getvalue().encode()


def _caption(row: Row) -> bytes:
    image = row["path"].removeprefix("data/images/")
    return json.dumps({"image": image, "caption": row["text"], "category": "synthetic"}, ensure_ascii=False).encode()


@dataclass(frozen=True)
class _Flat:
    """A training file: its name, what stands before, between and after the records, and how a row becomes one."""

    path: str
    record: Callable[[Row], bytes]
    head: bytes = b""
    separator: bytes = b""
    tail: bytes = b""


_FLAT: dict[str, tuple[_Flat, ...]] = {
    "text": (_Flat("data/text/tiny_corpus.txt", lambda row: row["text"].encode() + b"\n"),),
    "audio": (
        _Flat("data/audio/asr.csv", lambda row: _csv_row(row["path"], row["text"]), b"wav,text\n"),
        _Flat("data/audio/tts.csv", lambda row: _csv_row(row["text"], row["path"]), b"text,wav\n"),
    ),
    "images": (_Flat("data/images/annotations.json", _caption, b"[\n", b",\n", b"\n]\n"),),
    "ocr": (
        _Flat(
            "data/ocr/ocr_train.csv",
            lambda row: _csv_row(row["path"].removeprefix("data/ocr/"), row["text"]),
            b"image,text\n",
        ),
    ),
}


def _assemble(root: Path, flat: _Flat, parts: Iterable[Chunk]) -> TinyFile:
    """The lists of one kind, in order, as a training file."""
    count = 0
    with atomic_writer(root / flat.path) as file:
        file.write(flat.head)
        for part in parts:
            for row in _listed(part.list_path)[1]:
                if count:
                    file.write(flat.separator)
                file.write(flat.record(row))
                count += 1
        file.write(flat.tail)
    return TinyFile(flat.path, count)


def _remove_leftovers(root: Path, todo: Iterable[Chunk]) -> None:
    """What killed writers left half, wherever a run writes."""
    flat = [(root / each.path).parent for files in _FLAT.values() for each in files]
    media = [folder / "synthetic" for folder in flat]
    for folder in {*flat, *media, *(chunk.list_path.parent for chunk in todo)}:
        remove_temporaries(folder)


def synthesize_tiny(
    root: str | Path,
    samples: int | None = None,
    seed: int = DEFAULT_SEED,
    run: Run = map,
    *,
    kinds: Sequence[str] = KINDS,
    speech: Engine | None = None,
) -> TinyReport:
    """Write the tiny training files and their media under ``root``/data.

    The same seed gives the same bytes, however the chunks are run; a run that was cut short is taken up where it
    stopped. Media files of an earlier, larger run are left alone.

    Args:
        root: the project folder.
        samples: how many of each kind; None for :data:`DEFAULT_SAMPLES`.
        seed: any number.
        run: maps :func:`write_chunk` over chunks; :func:`map` in this process, or a runner of Ray tasks.
        kinds: which of text, audio, images, ocr.
        speech: "espeak-ng" or "tones"; None for espeak-ng where it is installed.

    Raises:
        OmniError: a wrong number or kind, a file that cannot be written, or no espeak-ng where it was asked for.
    """
    if samples is not None and samples < 1:
        raise OmniError(f"--samples must be at least 1, not {samples}")
    if wrong := [kind for kind in kinds if kind not in KINDS]:
        raise OmniError(f"there is no synthetic {wrong[0]}; there are: {', '.join(KINDS)}")
    report = TinyReport(speech=speech or engine())
    if "audio" in kinds and report.speech == "tones":
        report.warnings.append(
            "espeak-ng is not installed, so the clips are chords, one for each letter, and not speech; "
            "for speech, pip install 'omni-ray[speech]' and run this again"
        )
    todo = chunks(root, samples, seed, kinds, report.speech)
    _remove_leftovers(Path(root), todo)
    report.chunks_made = sum(made > 0 for made in run(write_chunk, todo))
    try:
        for kind in (kind for kind in KINDS if kind in kinds):
            parts = [chunk for chunk in todo if chunk.kind == kind]
            report.files += [_assemble(Path(root), flat, parts) for flat in _FLAT[kind]]
    except OSError as error:
        raise OmniError(f"{error.filename or root}: cannot be written ({error.strerror})") from error
    return report
