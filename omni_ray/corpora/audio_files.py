"""Audio of your own: a table of clips and transcripts, or clips with a text file of the same name beside each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from omni_ray.corpora.base import Corpus, Rejected, SourceOptions, UnitDraft
from omni_ray.corpora.media import with_medium
from omni_ray.corpora.stems import beside_text, paired_units, sidecar_text, why_alone
from omni_ray.media_names import media_file
from omni_ray.records import EXTRA
from omni_ray.sources.extra import extra_text, rest_of
from omni_ray.sources.json_objects import loads
from omni_ray.sources.kinds import AUDIO
from omni_ray.sources.tree import Tree

_TEXTS = (".txt", ".lab", ".trans", ".json")


_TIMED = re.compile(r"\s*(\d+(?:\.\d+)?)\s+(\d+(?:\.\d+)?)\s+(\S.*)")
_FEWEST_SAMPLES = 1000
_WITH_TIMES = re.compile(
    r'\s*(?:WEBVTT\b|File type = "ooTextFile|<\?xml |\[\d+:\d\d(?:[.:]\d+)?\]|(?:\d+\s+)?\d+:\d\d:\d\d[,.]\d+ --> )'
)
"""How subtitles (WebVTT, SRT, LRC), TextGrid and XML begin, whatever they are called."""


class AudioFiles(Corpus):
    """Tables first; else every audio file with ``<stem>.txt``, ``.lab`` or ``.trans`` beside it."""

    name = "audio_files"
    modality = "audio"
    title = "Your own audio"
    licence = "yours"
    layout = (
        "CSV, TSV, JSONL or Parquet with columns audio and text (see --columns), a Hugging Face dataset, or audio "
        "files with <stem>.txt or .json beside them, in folders and tars (WebDataset); NeMo manifests; clips out of long recordings with --columns start=...,end=... (or duration=...), "
        "in seconds"
    )
    in_all = False
    version = 3
    keeps_columns = True
    columns = {
        "audio": ("audio", "wav", "audio_filepath", "file_name", "filename", "path", "file", "clip"),
        "text": ("text", "transcript", "transcription", "sentence", "normalized_text", "raw_text"),
        "speaker": ("speaker", "speaker_id", "client_id"),
        "id": ("id", "utt_id", "utterance_id"),
        # Where a row is a stretch of a long recording. Never guessed: many tables have such columns for other things.
        "start": (),
        "end": (),
        "duration": (),
        "offset": ("offset",),  # NeMo's, where it is NeMo's
        "channel": (),
    }

    def units(self, tree: Tree, options: SourceOptions) -> Iterator[UnitDraft]:
        return paired_units(tree, AUDIO, _TEXTS, options, 128, (self.columns, self.modality))

    def read(self, tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected]:
        for name, sidecar in payload["files"]:
            ident, speaker, extra = name.rpartition(".")[0], None, None
            text = sidecar_text(tree, sidecar, ident, name, encoding=payload.get("encoding", ""))
            if isinstance(text, str) and str(sidecar).lower().endswith(".json"):
                text, speaker, extra = _of_json(text, self.columns, str(sidecar), ident, name)
            elif isinstance(text, str):
                text = _transcript(text, str(sidecar), ident, name)
            if isinstance(text, Rejected):
                yield text
                continue
            row = {"id": ident, "where": name, "path": media_file(name, ".flac"), "text": text, "speaker": speaker}
            if "keeps_columns" in payload:
                row[EXTRA] = extra or beside_text(tree, name, sidecar)
            yield with_medium(tree, name, name, "audio", row)

    def why_unread(self, name: str) -> str:
        return why_alone(name, _TEXTS[:3])


def _transcript(text: str, sidecar: str, ident: str, where: str) -> str | Rejected:
    """The text, unless it is a list of phones or words with times, as HTK, festvox or Audacity write it, or subtitles.

    TIMIT has one line, with the transcript after the numbers of the first and last sample.
    """
    timeless = Rejected(ident, where, "missing_text", f"{sidecar}: labels with times, no transcript")
    if _WITH_TIMES.match(text.removeprefix("\ufeff")):
        return timeless
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith(("#", "\\"))]
    timed = [match for line in lines if (match := _TIMED.fullmatch(line))]
    if not timed or len(timed) < len(lines):
        return text
    starts = [float(match[1]) for match in timed]
    if len(timed) == 1:
        if starts != [0] or float(timed[0][2]) < _FEWEST_SAMPLES or "." in timed[0][2]:
            return text
        if " " in timed[0][3].strip():
            return timed[0][3]
    if starts == sorted(starts):
        return timeless
    return text


def _of_json(
    content: str, columns: Mapping[str, tuple[str, ...]], sidecar: str, ident: str, where: str
) -> tuple[str | Rejected, str | None, str | None]:
    """Text and speaker of one object, as WebDataset's shards keep it beside a clip, and its other fields."""
    try:
        value = loads(content)
    except (ValueError, RecursionError) as error:
        return Rejected(ident, where, "bad_row", f"{sidecar}: no JSON ({str(error)[:80]})"), None, None
    there = value if isinstance(value, dict) else {}
    names = {role: next((name for name in columns[role] if name in there), "") for role in ("text", "speaker")}
    try:
        text, speaker = there.get(names["text"]), there.get(names["speaker"])
    except ValueError as error:
        return Rejected(ident, where, "bad_row", f"{sidecar} is {error}"), None, None
    if not isinstance(text, str):
        return Rejected(ident, where, "missing_text", f"{sidecar}: none of {', '.join(columns['text'])}"), None, None
    return text, None if speaker is None else str(speaker), extra_text(rest_of(there, names.values()))
