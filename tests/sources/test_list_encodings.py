"""Lists of clips and pictures in other encodings than UTF-8: read as what they are, or rejected line by line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from omni_ray.corpora.base import Corpus
from omni_ray.corpora.fleurs import Fleurs
from omni_ray.corpora.flickr import Flickr8k
from omni_ray.corpora.iam import Iam
from omni_ray.corpora.kaldi import Kaldi
from omni_ray.corpora.ocr_images import OcrImages
from omni_ray.corpora.voice_lists import VoiceLists
from omni_ray.errors import SourceError
from tests.list_sources import Source, kept, lost
from tests.made_store import clip, picture

SAID = [f"Die größte Mühle über dem Fluß, und {n} schöne Äpfel." for n in range(4)]
LAYOUTS: list[tuple[Corpus, str, str, str]] = [
    (VoiceLists(), "train.txt", "wavs/{n}.flac", "wavs/{n}.flac|{said}\n"),
    (Kaldi(), "text", "wavs/{n}.flac", "u{n} {said}\n"),
    (Fleurs(), "de_de/train.tsv", "de_de/audio/train/{n}.flac", "{n}\t{n}.flac\t{said}\t{said}\tx\t1\tMALE\n"),
    (Flickr8k(), "Flickr8k.token.txt", "Images/{n}.jpg", "{n}.jpg#0\t{said}\n"),
    (Iam(), "lines.txt", "lines/a-0-{n}.png", "a-0-{n} ok 1 2 3 4 5 6 {said}\n"),
    (OcrImages(), "gt.txt", "{n}.png", "{n}.png\t{said}\n"),
]


def made(tmp_path: Path, layout: tuple[Corpus, str, str, str], content: bytes) -> Source:
    corpus, name, media, _ = layout
    source = Source(tmp_path)
    source.put(name, content)
    for n in range(len(SAID)):
        source.put(media.format(n=n), clip(n) if corpus.modality == "audio" else picture(n))
    if isinstance(corpus, Kaldi):
        source.put("wav.scp", "".join(f"u{n} {media.format(n=n)}\n" for n in range(len(SAID))))
    return source


def said_in(row: dict[str, Any]) -> str:
    return str(row["words"][0]["text"] if "words" in row else row["captions"][0] if "captions" in row else row["text"])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout[0].name)
def test_a_list_is_read_in_its_own_encoding(
    tmp_path: Path, layout: tuple[Corpus, str, str, str], encoding: str
) -> None:
    lines = "".join(layout[3].format(n=n, said=said) for n, said in enumerate(SAID))
    rows = made(tmp_path, layout, lines.encode(encoding)).rows(layout[0])
    assert sorted(map(said_in, kept(rows))) == SAID and not lost(rows)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout[0].name)
def test_a_damaged_line_is_never_kept_as_garbage(tmp_path: Path, layout: tuple[Corpus, str, str, str]) -> None:
    lines = [layout[3].format(n=n, said=said).encode() for n, said in enumerate(SAID)]
    lines[2] = lines[2].replace("ß".encode(), b"\xff")
    source = made(tmp_path, layout, b"".join(lines))
    if isinstance(layout[0], Kaldi):
        with pytest.raises(SourceError, match="line 3 is not UTF-8"):
            source.rows(layout[0])
        return
    rows = source.rows(layout[0])
    assert sorted(map(said_in, kept(rows))) == [SAID[0], SAID[1], SAID[3]]
    assert [reason for _, reason in lost(rows)] == ["bad_encoding"]


def test_an_odd_line_of_a_list_of_voices_costs_itself(tmp_path: Path) -> None:
    lines = [f"wavs/{n}.flac|{said}\n" for n, said in enumerate(SAID)]
    source = made(tmp_path, LAYOUTS[0], "".join([*lines, "wavs/0.flac|He waited | and went.\n"]).encode())
    rows = source.rows(VoiceLists())
    assert sorted(map(said_in, kept(rows))) == SAID
    assert [reason for _, reason in lost(rows)] == ["bad_row"]
