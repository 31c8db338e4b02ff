"""LibriTTS and LibriTTS-R: LibriSpeech's books at 24 kHz, a text file beside each clip."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from omni_ray.corpora.base import Corpus, Rejected, SourceOptions, UnitDraft
from omni_ray.corpora.stems import pair_units, read_pairs
from omni_ray.sources.tree import Tree

_CLIP = re.compile(r"(?P<stem>(?P<speaker>\d+)_\d+_\d+_\d+)\.(?:wav|flac)")
_TEXTS = (".normalized.txt", ".original.txt")


class LibriTts(Corpus):
    """Chapters in order of their folders' names, clips in order of name; the normalized text where there is one."""

    name = "libritts"
    modality = "audio"
    title = "LibriTTS"
    licence = "CC BY 4.0"
    homepage = "https://www.openslr.org/60"
    size = "train-clean-100 7.7 GB, 33,236 clips, 54 h; all 585 h"
    layout = "LibriTTS/<split>/<speaker>/<chapter>/*.wav with *.normalized.txt beside them, or archives of it"
    manual = "Fetch its parts from openslr.org/60 (LibriTTS-R: openslr.org/141)."
    in_all = False
    columns = {
        "audio": ("audio",),
        "text": ("text_normalized", "text_original", "text"),
        "speaker": ("speaker_id",),
        "id": ("id",),
    }

    def units(self, tree: Tree, options: SourceOptions) -> Iterator[UnitDraft]:
        return pair_units(tree, _clips(tree, options), options, 128)

    def read(self, tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected]:
        return read_pairs(tree, payload)

    def why_unread(self, name: str) -> str:
        return "copy" if name.endswith(_TEXTS[1]) else ""


def _clips(tree: Tree, options: SourceOptions) -> Iterator[list[str | None]]:
    """[clip, text file, speaker]."""
    for folder, _, files in tree.walk():
        if not options.is_wanted_folder(folder):
            continue
        there, prefix = set(files), f"{folder}/" if folder else ""
        for file in files:
            found = _CLIP.fullmatch(file)
            if found:
                text = next((found["stem"] + ending for ending in _TEXTS if found["stem"] + ending in there), None)
                yield [prefix + file, None if text is None else prefix + text, found["speaker"]]
