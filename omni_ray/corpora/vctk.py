"""VCTK: 110 English speakers, ``txt/`` with the transcripts, ``wav48_silence_trimmed/`` (0.92) or ``wav48/`` with the clips."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from omni_ray.corpora.base import Corpus, Rejected, SourceOptions, UnitDraft
from omni_ray.corpora.stems import pair_units, read_pairs
from omni_ray.errors import SourceError
from omni_ray.sources.tree import Tree

_CLIP = re.compile(
    r"(?P<top>.*/|)(?:wav48_silence_trimmed|wav48|wav16)/(?P<speaker>[ps]\d+)/"
    r"(?P<stem>(?P=speaker)_\d+)(?:_(?P<microphone>mic[12]))?\.(?:flac|wav)"
)


class Vctk(Corpus):
    """Speakers and clips in order of name. Of 0.92's two microphones, the first is read; with ``--split mic2`` the second."""

    name = "vctk"
    modality = "audio"
    title = "CSTR VCTK corpus"
    licence = "CC BY 4.0"
    homepage = "https://datashare.ed.ac.uk/handle/10283/3443"
    size = "0.92: 11 GB, 44,000 clips of each microphone, 110 speakers"
    layout = "txt/<speaker>/*.txt and wav48_silence_trimmed/<speaker>/*_mic1.flac (or wav48/<speaker>/*.wav), or the archive of it"
    manual = "Fetch VCTK-Corpus-0.92.zip from datashare.ed.ac.uk/handle/10283/3443."
    in_all = False

    def units(self, tree: Tree, options: SourceOptions) -> Iterator[UnitDraft]:
        wanted = options.splits or ("mic1",)
        if not set(wanted) <= {"mic1", "mic2"}:
            raise SourceError(f"vctk: --split {' '.join(options.splits)}: choose mic1 or mic2")
        return pair_units(tree, _clips(tree, wanted), options, 128)

    def read(self, tree: Tree, payload: Mapping[str, Any]) -> Iterator[dict[str, Any] | Rejected]:
        return read_pairs(tree, payload)

    def why_unread(self, name: str) -> str:
        found = _CLIP.fullmatch(name)
        return "split" if found and found["microphone"] else ""


def _clips(tree: Tree, wanted: tuple[str, ...]) -> Iterator[list[str | None]]:
    """[clip, text file, speaker]; the older releases have one microphone, and do not name it."""
    for folder, _, files in tree.walk():
        for file in files:
            found = _CLIP.fullmatch(f"{folder}/{file}")
            if found and (found["microphone"] or wanted[0]) in wanted:
                text = f"{found['top']}txt/{found['speaker']}/{found['stem']}.txt"
                yield [f"{folder}/{file}", text if tree.exists(text) else None, found["speaker"]]
