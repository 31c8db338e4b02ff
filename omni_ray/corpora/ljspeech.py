"""LJ Speech: one English reader, ``metadata.csv`` with the transcripts, ``wavs/`` with the clips."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from omni_ray.corpora.base import Corpus, Download, Options, Rejected, UnitDraft
from omni_ray.corpora.media import fetch
from omni_ray.sources.lists import Seen, line_ranges, read_range
from omni_ray.sources.tree import Tree

_CLIPS_PER_UNIT = 128


class LJSpeech(Corpus):
    """Clips in the order of ``metadata.csv``; the normalized transcript where there is one, else the raw one."""

    name = "ljspeech"
    modality = "audio"
    title = "The LJ Speech dataset"
    licence = "Public domain"
    homepage = "https://keithito.com/LJ-Speech-Dataset/"
    size = "2.7 GB, 13,100 clips, 24 h"
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

    def units(self, tree: Tree, options: Options) -> Iterator[UnitDraft]:
        seen = Seen()
        for folder, folders, files in tree.walk():
            if "metadata.csv" not in files or "wavs" not in folders:
                continue
            folders.remove("wavs")  # the list names the clips
            prefix = f"{folder}/" if folder else ""
            metadata = f"{prefix}metadata.csv"
            for part in line_ranges(tree, metadata, options.records_per_unit(_CLIPS_PER_UNIT)):
                span = (part.start, part.end, part.first)
                rows = [(number, row) for number, row in read_range(tree, metadata, *span) if row.strip()]
                names = [(number, _clip_name(row)) for number, row in rows]
                again = [number for number, name in names if seen.again(name)]
                clips = tuple(f"{prefix}wavs/{name.decode('utf-8', 'replace')}.wav" for _, name in names)
                yield UnitDraft(
                    {"list": metadata, "span": span, "again": again}, (metadata, *clips), len(rows), len(rows)
                )

    def read(self, tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected]:
        metadata = payload["list"]
        prefix = metadata.removesuffix("metadata.csv")
        for number, line in read_range(tree, metadata, *payload["span"]):
            if line.strip():
                yield _record(tree, prefix, f"{metadata}:{number}", line, number in payload["again"])


def _clip_name(line: bytes) -> bytes:
    """The clip a line names; others that use this layout write the ending too."""
    return line.removeprefix(b"\xef\xbb\xbf").split(b"|", 1)[0].strip().removesuffix(b".wav")


def _record(tree: Tree, prefix: str, where: str, line: bytes, is_again: bool) -> dict[str, Any] | Rejected:
    clip = _clip_name(line).decode("utf-8", "replace")
    if is_again:
        return Rejected(clip, where, "duplicate_id")
    try:
        # No quoting: a quotation mark is a character of the transcript.
        _, *texts = line.decode("utf-8").split("|")
    except UnicodeDecodeError as error:
        return Rejected(clip, where, "bad_encoding", str(error))
    if not clip or not texts:
        return Rejected(clip or where, where, "bad_row", f"{line.count(b'|') + 1} columns; expected id|raw|normalized")
    text = (texts[1].strip() if len(texts) > 1 else "") or texts[0].strip()
    if not text:
        return Rejected(clip, where, "missing_text", "both transcripts are blank")
    audio = fetch(tree, f"{prefix}wavs/{clip}.wav", clip, where)
    if isinstance(audio, Rejected):
        return audio
    return {"id": clip, "where": where, "audio": audio, "path": f"wavs/{clip}.wav", "text": text, "speaker": "LJ"}
