"""FLEURS: sentences of FLoRes read in 102 languages; a folder for each language, lists without a header beside ``audio/``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from omni_ray.corpora.base import Corpus, Rejected, SourceOptions, UnitDraft
from omni_ray.corpora.spoken import Parse, Parsed, Spoken, list_records, list_units
from omni_ray.sources.lists import open_list, text_of
from omni_ray.sources.tree import Tree

_SPLITS = ("train", "dev", "test")
_COLUMNS = 7


class Fleurs(Corpus):
    """Languages and splits in order of name, clips in list order. Several speakers read each sentence."""

    name = "fleurs"
    modality = "audio"
    title = "FLEURS"
    licence = "CC BY 4.0"
    homepage = "https://huggingface.co/datasets/google/fleurs"
    size = "102 languages of about 12 h"
    layout = "<language>/{train,dev,test}.tsv beside audio/<split>/*.wav (or its archives), as the hub's data/ has them"
    manual = "Fetch data/<language> of google/fleurs from the hub."
    in_all = False
    hub_id = "google/fleurs"
    has_languages = True
    columns = {
        "audio": ("audio", "path"),
        "text": ("transcription", "raw_transcription"),
    }

    def units(self, tree: Tree, options: SourceOptions) -> Iterator[UnitDraft]:
        for folder, _, files in tree.walk():
            prefix = f"{folder}/" if folder else ""
            for split in _SPLITS:
                is_wanted = options.is_wanted_language(folder) and (not options.splits or split in options.splits)
                if f"{split}.tsv" not in files or not is_wanted:
                    continue
                name = f"{prefix}{split}.tsv"
                with open_list(tree, name) as file:
                    fields = (text_of(file.readline()) or "").split("\t")
                if len(fields) != _COLUMNS or not fields[0].isdigit():
                    continue
                places = (f"{prefix}audio/{split}/", f"{prefix}{split}/", f"{prefix}audio/", prefix)
                media = next((place for place in places if tree.exists(place + fields[1])), places[0])
                yield from list_units(tree, name, _parser(name, media), options, {"media": media})

    def read(self, tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected]:
        return list_records(tree, payload, _parser(payload["list"], payload["media"]))


def _parser(name: str, media: str) -> Parse:
    def parse(where: str, text: str) -> Parsed:
        fields = text.split("\t")
        if len(fields) != _COLUMNS:
            return Rejected(where, where, "bad_row", f"{len(fields)} columns; expected {_COLUMNS}")
        ident = f"{name.rpartition('/')[0]}/{fields[1]}".lstrip("/")
        return Spoken(ident, where, media + fields[1], fields[3] or fields[2])

    return parse
