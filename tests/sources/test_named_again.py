"""Clips that are called alike: the same clip is a duplicate, another one, or another text, is a record of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from omni_ray.corpora.base import Rejected
from tests.made_store import clip
from tests.sources.speech_source import Source

Told = list[tuple[str, str]]
"""Clip and text."""
Put = Callable[[Source, str, Told, int], None]


def ljspeech(source: Source, folder: str, told: Told, seed: int) -> None:
    source.put(f"{folder}/metadata.csv", "".join(f"{name}|{text}|{text}\n" for name, text in told))
    for name, _ in told:
        source.put(f"{folder}/wavs/{name}.wav", clip(seed + int(name[-1])))


def librispeech(source: Source, folder: str, told: Told, seed: int) -> None:
    place = f"{folder}/train/19/198"
    source.put(f"{place}/19-198.trans.txt", "".join(f"{name} {text}\n" for name, text in told))
    for name, _ in told:
        source.put(f"{place}/{name}.flac", clip(seed + int(name[-1])))


def common_voice(source: Source, folder: str, told: Told, seed: int) -> None:
    rows = "".join(f"s\t{name}.mp3\t{text}\n" for name, text in told)
    source.put(f"{folder}/en/validated.tsv", f"client_id\tpath\tsentence\n{rows}")
    for name, _ in told:
        source.put(f"{folder}/en/clips/{name}.mp3", clip(seed + int(name[-1])))


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path)


@pytest.fixture(params=[ljspeech, librispeech, common_voice], ids=lambda put: put.__name__)
def layout(request: pytest.FixtureRequest) -> Put:
    return request.param  # type: ignore[no-any-return]


def ids_and_texts(source: Source, layout: Put) -> tuple[list[str], list[str], list[tuple[str, str]]]:
    """Ids, texts and media of what is kept, and what is not, with the reason."""
    rows = source.rows(layout.__name__)
    kept = [row for row in rows if isinstance(row, dict)]
    assert len({row["id"] for row in kept}) == len({row["path"] for row in kept}) == len(kept)
    return (
        [row["id"] for row in kept],
        [row["text"] for row in kept],
        [(row.reason, row.detail) for row in rows if isinstance(row, Rejected)],
    )


def test_two_speakers_whose_clips_are_called_alike(source: Source, layout: Put) -> None:
    layout(source, "a", [("x1", "one"), ("x2", "two")], 0)
    layout(source, "b", [("x1", "uno"), ("x2", "two")], 10)
    ids, texts, lost = ids_and_texts(source, layout)
    assert texts == ["one", "two", "uno", "two"] and not lost
    assert [ident.partition("@")[0].rpartition("/")[2] for ident in ids] == ["x1", "x2", "x1", "x2"]


def test_the_same_clips_once_more(source: Source, layout: Put) -> None:
    layout(source, "a", [("x1", "one"), ("x2", "two")], 0)
    layout(source, "b", [("x1", "one"), ("x2", "two"), ("x3", "three")], 0)
    _, texts, lost = ids_and_texts(source, layout)
    assert texts == ["one", "two", "three"] and [reason for reason, _ in lost] == ["duplicate_id"] * 2
    assert "a/" in lost[0][1] and "x1" in lost[0][1]


def test_a_clip_that_is_listed_twice(source: Source, layout: Put) -> None:
    layout(source, "a", [("x1", "one"), ("x1", "one"), ("x1", "another text")], 0)
    _, texts, lost = ids_and_texts(source, layout)
    assert texts == ["one", "another text"] and [reason for reason, _ in lost] == ["duplicate_id"]
