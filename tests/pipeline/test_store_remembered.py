"""Where a project's shards are is said once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from omni_ray import api
from omni_ray.pipeline.store import Store
from omni_ray.storage import Storage

pytestmark = pytest.mark.usefixtures("no_ray")


def lines(folder: Path) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "lines.txt").write_text("A first line of text.\nAnd a second one.\n")
    return str(folder)


@pytest.mark.slow
def test_later_commands_find_the_shards(tmp_path: Path, bucket: str) -> None:
    root, place = tmp_path / "project", Storage(bucket).child("shards").uri
    api.prepare(root, "text", dataset="text_files", source=lines(tmp_path / "source"), shards=place)
    assert [summary.samples for summary in api.status(root)] == [2]
    api.combine(root)
    assert (root / "data/text/production_corpus.txt").stat().st_size
    assert not (root / "data/shards").exists()


def test_the_usual_place_is_gone_back_to_by_naming_it(tmp_path: Path) -> None:
    root, source = tmp_path / "project", lines(tmp_path / "source")
    api.prepare(root, "text", dataset="text_files", source=source, shards=str(tmp_path / "elsewhere"))
    assert api.status(root)
    api.prepare(root, "text", dataset="text_files", source=source, shards=str(root / "data/shards"))
    assert Store(root).storage.local_root == root / "data/shards"


def test_keys_are_not_noted(tmp_path: Path) -> None:
    store = Store(tmp_path, "s3://key:secret@bucket/prefix")
    store._note_place()
    assert not list(tmp_path.rglob("store"))


def test_a_place_inside_the_project_moves_with_it(tmp_path: Path) -> None:
    root, copy = tmp_path / "project", tmp_path / "copy"
    api.prepare(
        root,
        "text",
        dataset="text_files",
        source=lines(tmp_path / "source"),
        name="one",
        shards=str(root / "my shards"),
    )
    shutil.copytree(root, copy)
    api.prepare(copy, "text", dataset="text_files", source=lines(tmp_path / "more"), name="two")
    assert [each.name for each in api.status(root)] == ["one"]
    assert [each.name for each in api.status(copy)] == ["one", "two"]
    copy.rename(tmp_path / "moved")
    assert [each.name for each in api.status(tmp_path / "moved")] == ["one", "two"]
