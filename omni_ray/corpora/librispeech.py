"""LibriSpeech: read English speech, a folder a chapter, transcripts beside the clips."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from omni_ray.corpora.base import Corpus, Download, Options, Rejected, UnitDraft
from omni_ray.corpora.media import fetch
from omni_ray.sources.tree import Tree

_CLIPS_PER_UNIT = 128
_HOST = "https://www.openslr.org/resources/12"


def _split(name: str, size: int, checksum: str) -> Download:
    return Download(f"{_HOST}/{name}.tar.gz", f"{name}.tar.gz", size, checksum)


class LibriSpeech(Corpus):
    """Chapters in order of split, speaker and chapter number's name; clips in transcript order."""

    name = "librispeech"
    modality = "audio"
    title = "LibriSpeech ASR corpus"
    licence = "CC BY 4.0"
    homepage = "https://www.openslr.org/12"
    size = "train-clean-100 6.3 GB, 28,539 clips, 100 h; dev-clean 337 MB; test-clean 347 MB"
    layout = "LibriSpeech/<split>/<speaker>/<chapter>/*.flac with a *.trans.txt, or archives of it"
    hub_id = "openslr/librispeech_asr"
    downloads = (
        _split("train-clean-100", 6387309499, "md5:2a93770f6d5c6c964bc36631d331a522"),
        _split("dev-clean", 337926286, "md5:42e2234ba48799c1f50f24a7926300a1"),
        _split("test-clean", 346663984, "md5:32fa31d27d2e1cad72775fee3f4849a9"),
    )
    columns = {
        "audio": ("audio", "file"),
        "text": ("text", "transcription"),
        "speaker": ("speaker_id",),
        "id": ("id",),
    }

    def units(self, tree: Tree, options: Options) -> Iterator[UnitDraft]:
        wanted = options.records_per_unit(_CLIPS_PER_UNIT)
        chapters: list[list[Any]] = []
        clips = 0
        for folder, _, files in tree.walk():
            transcripts = [f"{folder}/{f}".lstrip("/") for f in files if f.endswith(".trans.txt")]
            if not transcripts or (options.splits and not set(options.splits) & set(folder.split("/"))):
                continue
            audio = [f for f in files if f.endswith(".flac")]
            chapters.append([folder, transcripts, audio])
            clips += len(audio)
            if clips >= wanted:
                yield _draft(tree, chapters)
                chapters, clips = [], 0
        if chapters:
            yield _draft(tree, chapters)

    def read(self, tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected]:
        for folder, transcripts, audio in payload["chapters"]:
            unspoken = dict.fromkeys(audio)
            seen: set[str] = set()
            for name in transcripts:
                for number, line in enumerate(tree.read(name).split(b"\n"), 1):
                    if not line.strip():
                        continue
                    where = f"{name}:{number}"
                    try:
                        clip, _, text = line.decode("utf-8").strip().partition(" ")
                    except UnicodeDecodeError as error:
                        yield Rejected(
                            line.split(b" ")[0].decode("ascii", "replace"), where, "bad_encoding", str(error)
                        )
                        continue
                    if clip in seen:
                        yield Rejected(clip, where, "duplicate_id")
                        continue
                    seen.add(clip)
                    unspoken.pop(f"{clip}.flac", None)
                    yield _record(tree, folder, clip, text, where)
            for file in unspoken:
                clip = file.removesuffix(".flac")
                yield Rejected(clip, f"{folder}/{file}".lstrip("/"), "missing_text", "no transcript names this clip")


def _draft(tree: Tree, chapters: list[list[Any]]) -> UnitDraft:
    names = [f"{folder}/{clip}".lstrip("/") for folder, _, audio in chapters for clip in audio]
    transcripts = [name for _, each, _ in chapters for name in each]
    # Reading transcripts out of a compressed archive would decompress all of it, on every run.
    is_cheap = all(tree.local_path(name) is not None for name in transcripts)
    return UnitDraft(
        {"chapters": chapters},
        (*transcripts, *names),
        sum(_count(tree, each, audio) for _, each, audio in chapters) if is_cheap else None,
        len(names),
    )


def _count(tree: Tree, transcripts: list[str], audio: list[str]) -> int:
    lines = [line for name in transcripts for line in tree.read(name).split(b"\n") if line.strip()]
    spoken = {line.split()[0] + b".flac" for line in lines}
    return len(lines) + sum(clip.encode("utf-8", "surrogateescape") not in spoken for clip in audio)


def _record(tree: Tree, folder: str, clip: str, text: str, where: str) -> dict[str, Any] | Rejected:
    audio = fetch(tree, f"{folder}/{clip}.flac".lstrip("/"), clip, where)
    if isinstance(audio, Rejected):
        return audio
    if not text.strip():
        return Rejected(clip, where, "missing_text", "the transcript's line holds an id only")
    place = folder.split("/")
    return {
        "id": clip,
        "where": where,
        "audio": audio,
        "path": "/".join([*place[-3:], f"{clip}.flac"]).lstrip("/"),
        "text": text,
        "speaker": place[-2] if len(place) >= 2 else None,
    }
