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
        for folder, folders, files in tree.walk():
            if "metadata.csv" not in files or "wavs" not in folders:
                continue
            prefix = f"{folder}/" if folder else ""
            metadata = f"{prefix}metadata.csv"
            seen = Seen()
            for part in line_ranges(tree, metadata, options.records_per_unit(_CLIPS_PER_UNIT)):
                rows = list(read_range(tree, metadata, part.start, part.end, part.first))
                names = [row.split(b"|")[0].decode("utf-8", "replace") for _, row in rows if row.strip()]
                again = [number for number, row in rows if row.strip() and seen.again(row.split(b"|")[0])]
                clips = tuple(f"{prefix}wavs/{name}.wav" for name in names)
                span = [part.start, part.end, part.first]
                payload = {"list": metadata, "span": span, "again": again}
                yield UnitDraft(payload, (metadata, *clips), len(names), len(names))

    def read(self, tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected]:
        metadata = payload["list"]
        prefix = metadata.removesuffix("metadata.csv")
        for number, line in read_range(tree, metadata, *payload["span"]):
            if line.strip():
                yield _record(tree, prefix, f"{metadata}:{number}", line, number in payload["again"])


def _record(tree: Tree, prefix: str, where: str, line: bytes, is_again: bool) -> dict[str, Any] | Rejected:
    try:
        # No quoting: a quotation mark is a character of the transcript.
        fields = line.decode("utf-8-sig").split("|")
    except UnicodeDecodeError as error:
        return Rejected(line.split(b"|")[0].decode("ascii", "replace"), where, "bad_encoding", str(error))
    clip = fields[0].strip()
    if is_again:
        return Rejected(clip, where, "duplicate_id")
    if len(fields) < 2:
        return Rejected(clip, where, "bad_row", "one column; expected id|raw|normalized")
    text = (fields[2].strip() if len(fields) > 2 else "") or fields[1].strip()
    if not text:
        return Rejected(clip, where, "missing_text", "both transcripts are blank")
    audio = fetch(tree, f"{prefix}wavs/{clip}.wav", clip, where)
    if isinstance(audio, Rejected):
        return audio
    return {"id": clip, "where": where, "audio": audio, "path": f"wavs/{clip}.wav", "text": text, "speaker": "LJ"}
