"""LJ Speech: one English reader, ``metadata.csv`` with the transcripts, ``wavs/`` with the clips."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping
from typing import Any

from omni_ray.corpora.base import Corpus, Download, Rejected, SourceOptions, UnitDraft
from omni_ray.corpora.bounds import UnitBounds, media_weight
from omni_ray.corpora.media import with_medium
from omni_ray.corpora.named_again import Firsts, apart
from omni_ray.errors import SourceError
from omni_ray.sources.lists import line_ranges, open_list, read_range
from omni_ray.sources.rooted import RootedTree
from omni_ray.sources.tree import Tree

_CLIPS_PER_UNIT = 128
_HEAD_BYTES = 1 << 16


class LJSpeech(Corpus):
    """Clips in the order of ``metadata.csv``; the normalized transcript where there is one, else the raw one."""

    name = "ljspeech"
    modality = "audio"
    title = "The LJ Speech dataset"
    licence = "Public domain"
    homepage = "https://keithito.com/LJ-Speech-Dataset/"
    size = "2.7 GB, 13,100 clips, 24 h"
    version = 2
    layout = "LJSpeech-1.1/metadata.csv beside wavs/*.wav, or the archive of it"
    hub_id = "keithito/lj_speech"
    downloads = (
        Download(
            "https://data.keithito.com/data/speech/LJSpeech-1.1.tar.bz2",
            "LJSpeech-1.1.tar.bz2",
            2748572632,
            "sha256:be1a30453f28eb8dd26af4101ae40cbf2c50413b1bb21936cbcdc6fae3de8aa5",
        ),
    )
    columns = {
        "audio": ("audio", "file"),
        "text": ("normalized_text", "text", "transcription"),
        "id": ("id",),
    }

    def units(self, tree: Tree, options: SourceOptions) -> Iterator[UnitDraft]:
        firsts = Firsts()
        for folder, folders, files in tree.walk():
            if "metadata.csv" not in files or not ("wavs" in folders or isinstance(tree, RootedTree)):
                continue
            folders[:] = [name for name in folders if name != "wavs"]  # the list names the clips
            yield from _units_of_list(tree, f"{folder}/" if folder else "", options, firsts)

    def read(self, tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected]:
        metadata = payload["list"]
        prefix = metadata.removesuffix("metadata.csv")
        again = dict(payload["again"])
        for number, line in read_range(tree, metadata, *payload["span"]):
            if line.strip():
                yield _record(tree, prefix, f"{metadata}:{number}", line, again.get(number), payload["text"])


def _units_of_list(tree: Tree, prefix: str, options: SourceOptions, firsts: Firsts) -> Iterator[UnitDraft]:
    metadata = f"{prefix}metadata.csv"
    column = _text_column(tree, metadata)
    cut = UnitBounds(options, _CLIPS_PER_UNIT)
    for part in line_ranges(tree, metadata, lambda line: cut.before(media_weight(tree, _clip(prefix, line)))):
        rows = [(number, row) for number, row in read_range(tree, metadata, *part.span) if row.strip()]
        clips = tuple(_clip(prefix, row) for _, row in rows)
        again = [(number, before) for number, row in rows if (before := _before(firsts, prefix, row)) is not None]
        payload = {"list": metadata, "span": part.span, "again": again, "text": column}
        others = dict.fromkeys(before for _, before in again if before and before not in clips)
        yield UnitDraft(payload, (metadata, *clips, *others), len(rows), len(rows))


def _before(firsts: Firsts, prefix: str, line: bytes) -> str | None:
    """The same clip if it came before with the same texts, "" if with others; None where it is new."""
    name, texts = _clip("", line), line.partition(b"|")[2].strip()
    first = firsts.before(name, texts, prefix or "./")
    return first and (first.removeprefix("./") + name)


def _clip_name(line: bytes) -> bytes:
    """The clip that a line names; other corpora in this layout write the ending too."""
    return line.removeprefix(codecs.BOM_UTF8).split(b"|", 1)[0].strip().removesuffix(b".wav")


def _clip(prefix: str, line: bytes) -> str:
    return f"{prefix}wavs/{_clip_name(line).decode('utf-8', 'replace')}.wav"


def _text_column(tree: Tree, metadata: str) -> str:
    """Which column holds the transcript: the normalized (third) one, or the raw one where it is blank; only one of them
    ("second", "third") where the other is something else.

    Other corpora in this layout put a speaker, a length or phones third, or the speaker second.

    Raises:
        SourceError: two columns hold texts that have nothing to do with each other.
    """
    with open_list(tree, metadata) as file:
        head = file.read(_HEAD_BYTES).decode("utf-8", "replace").splitlines()
    rows = [fields for line in head if len(fields := [field.strip() for field in line.split("|")]) > 2 and fields[2]]
    if not rows or 2 * sum(_is_same(second, third) for _, second, third, *_ in rows) >= len(rows):
        return "normalized"
    second, third = (sum(len(fields[column].split()) > 1 for fields in rows) for column in (1, 2))
    numbers = sum(not re.search(r"[^\W\d_]", fields[2]) for fields in rows)
    if 2 * numbers > len(rows) or 2 * third < len(rows) <= 2 * second:
        return "second"
    if 2 * second < len(rows) <= 2 * third:
        return "third"
    raise SourceError(
        f"{metadata}: its second and third columns have nothing in common, and either may be the text; take out the one "
        "that is no transcript"
    )


def _is_same(raw: str, normalized: str) -> bool:
    """Whether two texts share words, or characters where there are no spaces between words."""
    here, there = (set(re.findall(r"\w+", text.casefold())) for text in (raw, normalized))
    if len(here) == 1 == len(there):
        here, there = set(raw.casefold()), set(normalized.casefold())
        return 2 * len(here & there) >= max(len(here), len(there))
    return 4 * len(here & there) >= max(len(here), len(there))


def _record(
    tree: Tree, prefix: str, where: str, line: bytes, before: str | None, column: str
) -> dict[str, Any] | Rejected:
    clip = _clip_name(line).decode("utf-8", "replace")
    try:
        # No quoting: a quotation mark is a character of the transcript.
        _, *texts = line.decode("utf-8").split("|")
    except UnicodeDecodeError as error:
        return Rejected(clip, where, "bad_encoding", str(error))
    if not clip or not texts:
        return Rejected(clip or where, where, "bad_row", f"{line.count(b'|') + 1} columns; expected id|raw|normalized")
    raw, normalized = texts[0].strip(), texts[1].strip() if len(texts) > 1 else ""
    text = {"second": raw, "third": normalized}.get(column, normalized or raw)
    if not text:
        return Rejected(clip, where, "missing_text", "the transcript is blank")
    file = f"{prefix}wavs/{clip}.wav"
    row = {"id": clip, "where": where, "path": f"wavs/{clip}.wav", "text": text, "speaker": "LJ"}
    return apart(tree, with_medium(tree, file, where, "audio", row), file, before)
