"""Multilingual LibriSpeech: a folder for each language, ``transcripts.txt`` beside ``audio/<speaker>/<book>/``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from omni_ray.corpora.base import Corpus, Rejected, SourceOptions, UnitDraft
from omni_ray.corpora.spoken import Parse, Parsed, Spoken, list_records, list_units, parsed
from omni_ray.sources.lists import open_list
from omni_ray.sources.tree import Tree

_ENDINGS = (".flac", ".opus", ".wav")


class MultilingualLibriSpeech(Corpus):
    """Lists in order of name, clips in list order."""

    name = "mls"
    modality = "audio"
    title = "Multilingual LibriSpeech"
    licence = "CC BY 4.0"
    homepage = "https://www.openslr.org/94"
    size = "German: 115 GB (Opus 30 GB), 469,942 clips, 1,967 h; Polish: 6 GB, 25,043 clips, 104 h; eight languages"
    layout = "mls_<language>/<split>/transcripts.txt beside audio/<speaker>/<book>/*.flac or *.opus, or archives of it"
    manual = "Fetch a language's archive from openslr.org/94."
    in_all = False
    hub_id = "facebook/multilingual_librispeech"
    has_languages = True
    columns = {
        "audio": ("audio",),
        "text": ("transcript", "text"),
        "speaker": ("speaker_id",),
        "id": ("id",),
    }

    def units(self, tree: Tree, options: SourceOptions) -> Iterator[UnitDraft]:
        for folder, folders, files in tree.walk():
            if "transcripts.txt" not in files or "audio" not in folders:
                continue
            folders.clear()
            if not (options.is_wanted_folder(folder) and options.is_wanted_language(folder)):
                continue
            prefix = f"{folder}/" if folder else ""
            with open_list(tree, f"{prefix}transcripts.txt") as file:
                first = parsed(_parser(prefix, ""), "", 1, file.readline())
            clip = first.file if isinstance(first, Spoken) else ""
            ending = next((each for each in _ENDINGS if clip and tree.exists(clip + each)), ".flac")
            payload = {"prefix": prefix, "ending": ending}
            yield from list_units(tree, f"{prefix}transcripts.txt", _parser(prefix, ending), options, payload)

    def read(self, tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected]:
        return list_records(tree, payload, _parser(payload["prefix"], payload["ending"]))


def _parser(prefix: str, ending: str) -> Parse:
    def parse(where: str, text: str) -> Parsed:
        ident, _, said = text.partition("\t")
        place = ident.strip().split("_")
        if len(place) != 3:
            detail = "expected <speaker>_<book>_<number>, a tab and the transcript"
            return Rejected(ident or where, where, "bad_row", detail)
        return Spoken(ident, where, f"{prefix}audio/{place[0]}/{place[1]}/{ident}{ending}", said, place[0])

    return parse
