"""LibriSpeech, LJSpeech and Common Voice as they are distributed, spoken by synthetic voices."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

from omni_ray.synth.book import utterance
from omni_ray.synth.clips import encoded, opened, resampled, say
from omni_ray.synth.espeak import SAMPLE_RATE, SPEAKERS, Speaker
from omni_ray.synth.native_task import CorpusToWrite, ExpectedCounts, put
from omni_ray.synth.seeds import stream
from omni_ray.trainers.speech import SAMPLING_RATE

_RATES = (90, 115)
"""Words a minute to start from."""


def _spoken(task: CorpusToWrite, text: str, speaker: Speaker, r: Random, rate: int, file_format: str) -> bytes:
    """``text`` as a sound file at ``rate`` Hz."""
    with opened(task.speech) as voice:
        samples = say(voice, text, speaker, r.randint(*_RATES))
    return encoded(resampled(samples, rate, r.uniform(0.4, 0.9)), rate, file_format)


def add_to_tar(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """A file in an archive, with no trace of when and by whom it was made."""
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))


def _read_aloud(r: Random) -> str:
    """A piece of a book, or two: plain letters and apostrophes, no punctuation."""
    return " ".join(utterance(r, 44) for _ in range(r.randint(1, 2))).upper()


def _librispeech_split(
    task: CorpusToWrite, split: str, speakers: list[int], utterances: int
) -> Iterator[tuple[str, bytes]]:
    """The files of a split, two chapters of each speaker: (path below LibriSpeech, bytes)."""
    for number in speakers:
        speaker = SPEAKERS[number % len(SPEAKERS)]
        for chapter in range(2):
            name = f"{number}-{number * 100 + chapter}"
            folder = f"{split}/{number}/{number * 100 + chapter}"
            lines = []
            for n in range(utterances):
                r = stream(task.seed, f"librispeech {name}", n)
                text = _read_aloud(r)
                lines.append(f"{name}-{n:04d} {text}\n")
                yield f"{folder}/{name}-{n:04d}.flac", _spoken(task, text.lower(), speaker, r, SAMPLING_RATE, "FLAC")
            yield f"{folder}/{name}.trans.txt", "".join(lines).encode()


def librispeech(task: CorpusToWrite, folder: Path) -> list[ExpectedCounts]:
    """``dev-clean`` unpacked and ``train-clean-100`` as the archive that is published.

    One utterance of dev-clean is cut short, one is missing, one has no transcript.
    """
    per_chapter = task.count(10, 4)
    top = folder / "LibriSpeech"
    for path, data in _librispeech_split(task, "dev-clean", [84, 174, 251], per_chapter):
        put(top / path, data)
    chapters = sorted((top / "dev-clean").glob("*/*"))
    clips = [sorted(chapter.glob("*.flac")) for chapter in chapters]
    cut, missing, mute = clips[0][1], clips[1][2], clips[2][-1]
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size * 3 // 5])
    missing.unlink()
    transcript = next(mute.parent.glob("*.trans.txt"))
    transcript.write_bytes(b"".join(transcript.read_bytes().splitlines(keepends=True)[:-1]))

    training = [19, 26, 27, 32, 39, 40, 60]
    with (
        open(folder / "train-clean-100.tar.gz", "wb") as file,
        gzip.GzipFile("", "wb", 1, file, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as tar,
    ):
        for path, data in _librispeech_split(task, "train-clean-100", training, per_chapter):
            add_to_tar(tar, f"LibriSpeech/{path}", data)
    listed = [f"{n:<6}| {'MF'[n % 2]} | train-clean-100  | 25.00 | Speaker {n}" for n in training]
    listed += [f"{n:<6}| {'MF'[n % 2]} | dev-clean        |  8.00 | Speaker {n}" for n in (84, 174, 251)]
    put(top / "SPEAKERS.TXT", "\n".join([";ID  |SEX| SUBSET           |MINUTES| NAME", *listed]) + "\n")
    records = (3 + len(training)) * 2 * per_chapter
    reasons = {"truncated": 1, "missing_media": 1, "missing_text": 1}
    return [ExpectedCounts("librispeech", "audio", "librispeech", records, reasons)]


def _lj_sentence(r: Random) -> tuple[str, str]:
    """A sentence as printed, and as read."""
    text = utterance(r, 44).capitalize()
    roll = r.random()
    if roll < 0.2:
        # A quotation that begins here and ends in another clip: quotes need not pair up.
        return f'"{text};', f'"{text};'
    if roll < 0.5:
        return f"{text}, Mr. Starbuck.", f"{text}, Mister Starbuck."
    return f"{text}.", f"{text}."


def ljspeech(task: CorpusToWrite, folder: Path) -> list[ExpectedCounts]:
    """The published archive: metadata of three columns without quoting, and WAV files at 22,050 Hz. One is missing."""
    count = task.count(80, 21)
    lines = []
    with tarfile.open(folder / "LJSpeech-1.1.tar.bz2", "w:bz2", compresslevel=1) as tar:
        for n in range(count):
            r = stream(task.seed, "ljspeech", n)
            raw, read = _lj_sentence(r)
            name = f"LJ{n // 50 + 1:03d}-{n % 50 + 1:04d}"
            lines.append(f"{name}|{raw}|{read}\n")
            wav = _spoken(task, read, SPEAKERS[1], r, SAMPLE_RATE, "WAV")
            if n != 7:
                add_to_tar(tar, f"LJSpeech-1.1/wavs/{name}.wav", wav)
        add_to_tar(tar, "LJSpeech-1.1/metadata.csv", "".join(lines).encode())
        add_to_tar(tar, "LJSpeech-1.1/README", b"Synthetic speech in the layout of The LJ Speech Dataset 1.1.\n")
    return [ExpectedCounts("ljspeech", "audio", "ljspeech", count, {"missing_media": 1})]


_CV_COLUMNS = "client_id path sentence up_votes down_votes age gender accent locale segment".split()


def common_voice(task: CorpusToWrite, folder: Path) -> list[ExpectedCounts]:
    """A release with one language: clips as MP3 at 48 kHz, tables without quoting. One clip is missing, one empty."""
    count = task.count(50, 41)
    top = folder / "cv-corpus-6.1-2020-12-11" / "en"
    rows = []
    for n in range(count):
        r = stream(task.seed, "common voice", n)
        speaker = r.choice(SPEAKERS)
        text = utterance(r, 32)
        name = f"common_voice_en_{17_000_000 + n * 37}.mp3"
        clip = _spoken(task, text, speaker, r, 48_000, "MP3")
        if n != 5:
            put(top / "clips" / name, b"" if n == 11 else clip)
        sentence = text.capitalize() + r.choice(".!?.")
        if n % 9 == 0:
            sentence = f'"{sentence}'
        client = hashlib.sha512(f"{task.seed}/{speaker.id}".encode()).hexdigest()
        row = [client, name, sentence, str(r.randint(2, 5)), str(r.randint(0, 1))]
        rows.append(
            "\t".join([*row, r.choice(("", "twenties", "fifties")), r.choice(("", "male", "female")), "", "en", ""])
        )
    tables = {
        "validated": rows,
        "train": rows[: count * 7 // 10],
        "dev": rows[count * 7 // 10 : count * 17 // 20],
        "test": rows[count * 17 // 20 :],
        "other": [],
        "invalidated": [],
    }
    for name, body in tables.items():
        put(top / f"{name}.tsv", "\n".join(["\t".join(_CV_COLUMNS), *body]) + "\n")
    reasons = {"missing_media": 1, "decode_error": 1}
    return [ExpectedCounts("common_voice", "audio", "common_voice", count, reasons)]
