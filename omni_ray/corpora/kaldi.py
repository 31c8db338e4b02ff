"""Kaldi's data folders: ``wav.scp`` and ``text``, with ``segments`` and ``utt2spk`` where there are any."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from omni_ray.corpora.base import Corpus, Rejected, SourceOptions, UnitDraft
from omni_ray.corpora.spoken import Parsed, Spoken, spoken_records, spoken_units, told_apart
from omni_ray.corpora.table_rows import media_name
from omni_ray.errors import SourceError
from omni_ray.sources.lists import SeenKeys, text_of, whole_list
from omni_ray.sources.tree import Tree

_MAX_LIST_BYTES = 1 << 30
_ARCHIVE = re.compile(r"\.ark:\d+$")
_PROGRAMS = {"flac": ("-c", "-d", "-s", "-cd", "-dc", "-dcs", "-cds"), "sph2pipe": ("-f", "wav", "-p"), "cat": ()}
"""Programs that pipe a recording through unchanged, and the flags that change nothing either."""


class Kaldi(Corpus):
    """Folders in order of name, utterances in the order of ``text``. Commands in ``wav.scp`` are never run."""

    name = "kaldi"
    modality = "audio"
    title = "Kaldi data folders"
    licence = "as the recordings"
    homepage = "https://kaldi-asr.org/doc/data_prep.html"
    layout = (
        "folders with wav.scp and text (segments, utt2spk), and the recordings that wav.scp names, within the source"
    )
    in_all = False
    version = 2

    def units(self, tree: Tree, options: SourceOptions) -> Iterator[UnitDraft]:
        seen = SeenKeys()
        for folder, _, files in tree.walk():
            if not {"wav.scp", "text"} <= set(files):
                continue
            if not options.is_wanted_folder(folder):
                continue
            prefix = f"{folder}/" if folder else ""
            lists = tuple(prefix + name for name in ("wav.scp", "text", "segments", "utt2spk") if name in files)
            items = told_apart(_utterances(tree, prefix, set(files)), seen)
            yield from spoken_units(tree, items, options, lists)

    def read(self, tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected]:
        return spoken_records(tree, payload)


def _utterances(tree: Tree, prefix: str, files: set[str]) -> Iterator[Parsed]:
    """Every utterance of ``text``, and those of ``segments`` or ``wav.scp`` that have no text."""
    recordings = _by_first(tree, f"{prefix}wav.scp")
    speakers = _by_first(tree, f"{prefix}utt2spk") if "utt2spk" in files else {}
    segments = _by_first(tree, f"{prefix}segments") if "segments" in files else None
    silent = dict.fromkeys(recordings if segments is None else segments)

    def made(utterance: str, where: str, text: str) -> Parsed:
        recording, start, end = utterance, None, None
        if segments is not None:
            said = segments.get(utterance, "")
            if said is None:
                return _several(utterance, where, "segments", utterance)
            fields = said.split()
            try:
                recording, start, end = fields[0], float(fields[1]), float(fields[2])
            except (IndexError, ValueError):
                detail = "no line of segments names it" if not fields else f"segments: {' '.join(fields)}"
                return Rejected(utterance, where, "bad_row", detail)
        if recording not in recordings:
            return Rejected(utterance, where, "missing_media", f"wav.scp has no {recording}")
        place, speaker = recordings[recording], speakers.get(utterance, "")
        if place is None or speaker is None:
            return _several(utterance, where, *("wav.scp", recording) if place is None else ("utt2spk", utterance))
        file, channel = _file(place)
        if file is None:
            detail = f"wav.scp: {place[:160]}: a command or an archive, which is not read"
            return Rejected(utterance, where, "bad_path", detail)
        name = media_name(tree, f"{prefix}wav.scp", file)
        until = None if end is not None and end < 0 else end
        return Spoken(utterance, where, name, text, speaker or None, start, until, channel)

    for number, (utterance, text) in enumerate(_pairs(tree, f"{prefix}text"), 1):
        silent.pop(utterance, None)
        where = f"{prefix}text:{number}"
        if text:
            yield made(utterance, where, text)
        else:
            yield Rejected(utterance, where, "missing_text", "the line holds an id only")
    for utterance in silent:
        where = f"{prefix}{'wav.scp' if segments is None else 'segments'}"
        yield Rejected(utterance, where, "missing_text", "no line of text names this utterance")


def _several(utterance: str, where: str, file: str, name: str) -> Rejected:
    return Rejected(utterance, where, "bad_row", f"{file}: several lines, which differ, name {name}")


def _file(place: str) -> tuple[str | None, str | None]:
    """The recording that an entry of ``wav.scp`` means, and the channel; no file where it means anything else."""
    if not place.endswith("|"):
        return (None if _ARCHIVE.search(place) else place), None
    try:
        program, *words = shlex.split(place[:-1])
    except ValueError:
        return None, None
    flags = _PROGRAMS.get(program.rpartition("/")[2])
    channel = None
    if flags is not None and "-c" in words and "-c" not in flags:
        at = words.index("-c")
        channel = words[at + 1] if at + 1 < len(words) else None
        words[at : at + 2] = []
    rest = [word for word in words if flags is not None and word not in flags and word != "-"]
    return (rest[0], channel) if len(rest) == 1 and not rest[0].startswith("-") else (None, None)


def _by_first(tree: Tree, name: str) -> dict[str, str | None]:
    """The rest of every line by its first word; None where several lines begin with that and do not say the same."""
    found: dict[str, str | None] = {}
    for first, rest in _pairs(tree, name):
        found[first] = rest if found.get(first, rest) == rest else None
    return found


def _pairs(tree: Tree, name: str) -> Iterator[tuple[str, str]]:
    """First word and the rest of every line. Raises SourceError for one that is not UTF-8."""
    for number, raw in enumerate(whole_list(tree, name, _MAX_LIST_BYTES), 1):
        line = text_of(raw)
        if line is None:
            raise SourceError(f"{name}: line {number} is not UTF-8; convert the file")
        if line.strip():
            first, *rest = re.split(r"[ \t]+", line.strip(), maxsplit=1)
            yield first, "".join(rest)
