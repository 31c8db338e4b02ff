"""A source that lies where something is written is refused before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from omni_ray import api
from omni_ray.api.overlaps import refuse_overlap
from omni_ray.errors import OmniError
from omni_ray.pipeline.store import Store
from tests.made_store import clip, picture

pytestmark = pytest.mark.usefixtures("no_ray")


def tree(root: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in root.rglob("*") if p.is_file() and ".omni" not in p.parts}


def pictures(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for n in range(3):
        (folder / f"{n}.jpg").write_bytes(picture(n))
        (folder / f"{n}.txt").write_text(f"picture {n}")
    return folder


@pytest.mark.parametrize("source", ["data/images/image_captions", "data/images", "data", ".", "linked"])
def test_pictures_where_ours_would_go(tmp_path: Path, source: str) -> None:
    pictures(tmp_path / "data/images/image_captions")
    (tmp_path / "linked").symlink_to(tmp_path / "data/images/image_captions")
    before = tree(tmp_path)
    with pytest.raises(OmniError, match="move the source") as refused:
        api.prepare(tmp_path, "images", dataset="image_captions", source=str(tmp_path / source), combine=True)
    assert ("--name" in str(refused.value)) == (source not in ("data", "."))  # data/images: the folder in it is meant
    assert tree(tmp_path) == before


def test_clips_in_the_place_of_their_corpus(tmp_path: Path) -> None:
    folder = tmp_path / "data/audio/librispeech/train-clean-100/19/198"
    folder.mkdir(parents=True)
    (folder / "19-198-0000.flac").write_bytes(clip(0))
    (folder / "19-198.trans.txt").write_text("19-198-0000 ONE TWO\n")
    before = tree(tmp_path)
    with pytest.raises(OmniError, match="--name"):
        api.prepare(tmp_path, "audio", dataset="librispeech", source=str(tmp_path / "data/audio/librispeech"))
    assert tree(tmp_path) == before


def test_a_text_that_would_become_its_own_result(tmp_path: Path) -> None:
    notes = tmp_path / "data/text/notes.txt"
    notes.parent.mkdir(parents=True)
    notes.write_text("One line.\nAnother line.\n")
    for name, ways in (("notes", "--name"), ("diary", None)):
        before = tree(tmp_path)
        (notes.parent / "diary.txt").write_text("mine")
        with pytest.raises(OmniError, match=ways or "not omni-ray's"):
            api.prepare(tmp_path, "text", dataset="text_files", source=str(notes), name=name, combine=True)
        (notes.parent / "diary.txt").unlink()
        assert tree(tmp_path) == before


def test_a_table_that_two_corpora_could_read_is_not_read_twice(tmp_path: Path) -> None:
    source = tmp_path / "mine.jsonl"
    source.write_text('{"text": "A line of mine."}\n')
    with pytest.raises(OmniError, match=r"both books and wikipedia would read it; .* text_files for data of your own"):
        api.prepare(tmp_path / "project", "text", source=str(source))
    assert not (tmp_path / "project/data/shards").exists()


def test_an_archive_on_an_object_store_is_no_place_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    remote = {"kind": "remote", "uri": "s3://bucket/prefix", "only": ""}
    archive = {"kind": "archive", "path": "data/images/coco/train.zip", "remote": remote}
    refuse_overlap(Store(tmp_path), "images", "coco", archive)
