"""LibriSpeech: read English speech, a folder for each chapter, transcripts beside the clips."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping
from typing import Any

from omni_ray.corpora.base import Corpus, Download, Rejected, SourceOptions, UnitDraft
from omni_ray.corpora.bounds import UnitBounds, media_weight, runs
from omni_ray.corpora.evaluation import TRAIN, splits_in
from omni_ray.corpora.media import fetch
from omni_ray.corpora.named_again import Firsts, apart
from omni_ray.errors import SourceError
from omni_ray.sources.tree import Tree

_CLIPS_PER_UNIT = 128
_HOST = "https://www.openslr.org/resources/12"
_MINI = "https://www.openslr.org/resources/31"
_CLIP = re.compile(r"(?P<speaker>\d+)-(?P<chapter>\d+)-\d+")


class LibriSpeech(Corpus):
    """Chapters in the order of their folders' names; clips in transcript order."""

    name = "librispeech"
    modality = "audio"
    title = "LibriSpeech ASR corpus"
    licence = "CC BY 4.0"
    homepage = "https://www.openslr.org/12"
    size = "train 60 GB, 281,241 clips, 960 h (train-clean-100 6.4 GB, 28,539 clips); dev-clean 338 MB, 2,703 clips"
    layout = "LibriSpeech/<split>/<speaker>/<chapter>/*.flac with a *.trans.txt, or archives of it"
    hub_id = "openslr/librispeech_asr"
    version = 2
    downloads = (
        Download(f"{_HOST}/train-clean-100.tar.gz", "train-clean-100.tar.gz", 6387309499, "md5:2a93770f6d5c6c964bc36631d331a522", split="train-clean-100", samples=28539),
        Download(f"{_HOST}/train-clean-360.tar.gz", "train-clean-360.tar.gz", None, "md5:c0e676e450a7ff2f54aeade5171606fa", split="train-clean-360", samples=104014, about=23_000_000_000),
        Download(f"{_HOST}/train-other-500.tar.gz", "train-other-500.tar.gz", None, "md5:d1a0fd59409feb2c614ce4d30c387708", split="train-other-500", samples=148688, about=30_600_000_000),
        Download(f"{_HOST}/dev-clean.tar.gz", "dev-clean.tar.gz", 337926286, "md5:42e2234ba48799c1f50f24a7926300a1", split="dev-clean", samples=2703),
        Download(f"{_HOST}/dev-other.tar.gz", "dev-other.tar.gz", None, "md5:c8d0bcc9cca99d4f8b62fcc847357931", split="dev-other", samples=2864, about=314_000_000),
        Download(f"{_HOST}/test-clean.tar.gz", "test-clean.tar.gz", 346663984, "md5:32fa31d27d2e1cad72775fee3f4849a9", split="test-clean", samples=2620),
        Download(f"{_HOST}/test-other.tar.gz", "test-other.tar.gz", None, "md5:fb5a50374b501bb3bac4815ee91d3135", split="test-other", samples=2939, about=329_000_000),
        Download(f"{_MINI}/train-clean-5.tar.gz", "train-clean-5.tar.gz", split="train-clean-5", about=332_000_000, by_default=False),
        Download(f"{_MINI}/dev-clean-2.tar.gz", "dev-clean-2.tar.gz", split="dev-clean-2", about=126_000_000, by_default=False),
    )  # fmt: skip
    mini = (("dev-clean-2",), None)
    columns = {
        "audio": ("audio", "file"),
        "text": ("text", "transcription"),
        "speaker": ("speaker_id",),
        "id": ("id",),
    }

    def units(self, tree: Tree, options: SourceOptions) -> Iterator[UnitDraft]:
        """A unit is some chapters, or a part of a long one. Chapters without a transcript count once another has one."""
        chapters: list[list[Any]] = []
        ended: list[list[list[Any]]] = []  # chapters of another side, while none with a transcript was seen
        cut, is_full = UnitBounds(options, _CLIPS_PER_UNIT), False
        is_librispeech = False
        splits: set[str] = set()
        firsts = Firsts()
        for folder, _, files in tree.walk():
            place = folder.split("/")
            transcripts = [f"{folder}/{file}".lstrip("/") for file in files if file.endswith(".trans.txt")]
            audio = [file for file in files if file.endswith(".flac")]
            if not transcripts and not (audio and _is_chapter(place, audio[0])):
                continue
            splits.update(place[-3:-2])
            if not options.is_wanted_folder(folder):
                continue
            if options.evaluation != TRAIN and chapters and _splits([[folder]]) != _splits(chapters[-1:]):
                ended, chapters, is_full = [*ended, chapters], [], False
            is_librispeech = is_librispeech or bool(transcripts)
            before = {file: firsts.before(file, b"", f"{folder}/") for file in audio}
            again = [[file, (first + file).lstrip("/")] for file, first in before.items() if first]
            for part, weight in _parts(tree, options, [folder, transcripts, audio, again]):
                chapters.append(part)
                is_full = cut.after(len(part[2]), weight) or is_full
                if is_librispeech:
                    yield from (_draft(tree, each) for each in ended)
                    ended = []
                if is_full and is_librispeech:
                    yield _draft(tree, chapters)
                    chapters, is_full = [], False
        if chapters and is_librispeech:
            yield _draft(tree, chapters)
        elif splits and options.splits and not is_librispeech:
            raise SourceError(
                f"librispeech: {tree.location} has no transcripts in a folder {' or '.join(options.splits)}; "
                f"there are {', '.join(sorted(splits))}"
            )

    def read(self, tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected]:
        for chapter in payload["chapters"]:
            folder, _, audio, again = chapter[:4]
            unspoken = dict.fromkeys(audio)
            before, said = dict(again), dict[str, bytes]()
            for line in _lines(tree, chapter):
                yield line if isinstance(line, Rejected) else _record(tree, folder, *line, before, said, unspoken)
            for file in unspoken:
                clip = file.removesuffix(".flac")
                where = f"{folder}/{file}".lstrip("/")
                yield Rejected(clip, where, "missing_text", "no line of a transcript names this clip")


def _is_chapter(place: list[str], clip: str) -> bool:
    """Whether a folder without transcripts is a chapter that lost them: its clips are named for its place."""
    found = _CLIP.match(clip)
    return found is not None and place[-2:] == [found["speaker"], found["chapter"]]


def _parts(tree: Tree, options: SourceOptions, chapter: list[Any]) -> Iterator[tuple[list[Any], int]]:
    """A chapter and its weight; of one that is more than a unit holds, parts: [..., clips of the other parts, number]."""
    folder, transcripts, audio, again = chapter
    weights = {file: media_weight(tree, f"{folder}/{file}".lstrip("/")) for file in audio}
    parts = list(runs(audio, options, max(1, len(audio)), weights.__getitem__)) or [[]]
    for number, files in enumerate(parts):
        own = set(files)
        told = [[file for file in audio if file not in own], number] if len(parts) > 1 else []
        yield [folder, transcripts, files, again, *told], sum(map(weights.__getitem__, files))


def _lines(tree: Tree, chapter: list[Any]) -> Iterator[tuple[bytes, str] | Rejected]:
    """The lines of a chapter's transcripts, and where they are; of a part's, those of its clips.

    Lines that name no clip of the chapter, and transcripts that cannot be read, belong to the first part.
    """
    folder, transcripts, audio, _, *told = chapter
    others, number = told or ((), 0)
    own, others = ({file.encode("utf-8", "surrogateescape") for file in files} for files in (audio, others))
    for name in transcripts:
        lines = fetch(tree, name, folder, name)
        if isinstance(lines, Rejected):
            if not number:
                yield lines
            continue
        for place, line in enumerate(lines.split(b"\n"), 1):
            clip = _clip_and_text(line)[0] + b".flac"
            if line.strip() and (clip in own or (not number and clip not in others)):
                yield line, f"{name}:{place}"


def _draft(tree: Tree, chapters: list[list[Any]]) -> UnitDraft:
    names = [f"{folder}/{clip}".lstrip("/") for folder, _, audio, *_ in chapters for clip in audio]
    others = dict.fromkeys(first for *_, again in (each[:4] for each in chapters) for _, first in again)
    names += [name for name in others if name not in names]
    transcripts = [name for _, each, *_ in chapters for name in each]
    # Reading transcripts out of a compressed archive would decompress all of it, on every run.
    is_cheap = all(tree.local_path(name) is not None for name in transcripts)
    return UnitDraft(
        {"chapters": chapters},
        (*transcripts, *names),
        sum(_count(tree, chapter) for chapter in chapters) if is_cheap else None,
        sum(len(each[2]) for each in chapters),
        evaluation=_splits(chapters),
    )


def _splits(chapters: list[list[Any]]) -> tuple[str, ...]:
    """The evaluation splits that chapters belong to."""
    return splits_in(f"{folder}/" for folder, *_ in chapters)


def _count(tree: Tree, chapter: list[Any]) -> int:
    """Records of a chapter: lines, and clips that no line names."""
    lines = list(_lines(tree, chapter))
    spoken = {_clip_and_text(line[0])[0] + b".flac" for line in lines if not isinstance(line, Rejected)}
    return len(lines) + sum(clip.encode("utf-8", "surrogateescape") not in spoken for clip in chapter[2])


def _clip_and_text(line: bytes) -> tuple[bytes, bytes]:
    clip, text = (*line.removeprefix(codecs.BOM_UTF8).split(maxsplit=1), b"", b"")[:2]
    return clip, text


def _record(
    tree: Tree,
    folder: str,
    line: bytes,
    where: str,
    before: Mapping[str, str],
    said: dict[str, bytes],
    unspoken: dict[str, None],
) -> dict[str, Any] | Rejected:
    """What one line of a transcript stands for; the clip joins those ``said`` and leaves ``unspoken``."""
    named, spoken = _clip_and_text(line)
    clip = named.decode("utf-8", "surrogateescape")
    file = f"{folder}/{clip}.flac".lstrip("/")
    unspoken.pop(f"{clip}.flac", None)
    first = before.get(f"{clip}.flac")
    if clip in said:
        first = file if said[clip] == spoken else ""
    said[clip] = spoken
    try:
        text = spoken.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        return Rejected(clip, where, "bad_encoding", str(error))
    audio = fetch(tree, file, clip, where)
    if isinstance(audio, Rejected):
        return audio
    if not text:
        return Rejected(clip, where, "missing_text", "the transcript's line holds an id only")
    place = folder.split("/")
    found = _CLIP.match(clip)
    row = {
        "id": clip,
        "where": where,
        "audio": audio,
        "path": "/".join([*place[-3:], f"{clip}.flac"]).lstrip("/"),
        "text": text,
        "speaker": found["speaker"] if found else (place[-2] if len(place) >= 2 else None),
    }
    return apart(tree, row, file, first)
