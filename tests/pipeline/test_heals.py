"""Whatever file of ours is damaged, in whatever way: the command that needs it mends it, or says which one does."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from omni_ray import api
from omni_ray.corpora.base import SourceOptions
from omni_ray.errors import OmniError
from tests.faults.harness import tree_digest
from tests.made_store import clip
from tests.without_ray import Here

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("no_ray_here")]


def swap(path: Path, data: bytes) -> None:
    """The bytes of another file of the same folder and kind."""
    other = next(p for p in sorted(path.parent.iterdir()) if p.suffixes == path.suffixes and p.read_bytes() != data)
    path.write_bytes(other.read_bytes())


DAMAGES: dict[str, Callable[[Path, bytes], object]] = {
    "cut": lambda path, data: path.write_bytes(data[: len(data) * 2 // 3]),
    "emptied": lambda path, data: path.write_bytes(b""),
    "zeroed": lambda path, data: path.write_bytes(bytes(len(data))),
    "flipped": lambda path, data: path.write_bytes(
        data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 32]) + data[len(data) // 2 + 1 :]
    ),
    "deleted": lambda path, data: path.unlink(),
    "swapped": swap,
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, no_ray_here: None) -> Path:
    """A project of clips out of an archive, some of them quarantined, some removed as duplicates."""
    folder = tmp_path_factory.mktemp("whole")
    with tarfile.open(folder / "clips.tar.gz", "w:gz") as archive:
        for number in range(8):
            (folder / "clip.flac").write_bytes(clip(number % 7) if number != 5 else b"no clip")
            (folder / "clip.txt").write_text(f"No {number % 7}")
            for ending in ("flac", "txt"):
                archive.add(folder / f"clip.{ending}", f"{number}.{ending}")
    run(folder)
    return folder


def run(folder: Path, **more: Any) -> None:
    api.prepare(
        folder / "project", "audio", dataset="audio_files", source=str(folder / "clips.tar.gz"), combine=True,
        options=SourceOptions(unit_scale=4 / 128), max_quarantine=1, cluster=Here(), holdout=0.4, clean="default", **more,
    )  # fmt: skip


def mend(folder: Path) -> str:
    """Do what is said until nothing is said any more; returns all that was said."""
    said = ""
    how: dict[str, Any] = {}
    for _ in range(4):
        try:
            if how.pop("replace", False):
                api.combine(folder / "project", ["audio"], replace=True, holdout=0.4, cluster=Here())
            if how.pop("clean", False):
                api.clean(folder / "project", ["audio"], preset="default", cluster=Here())
            run(folder, **how)
            return said
        except OmniError as error:
            assert "`omni-ray " in str(error) and "\n" not in str(error)
            said += f"{error}\n"
            how = {
                key: True
                for key, word in {"replace": "--replace", "reset": "--reset", "clean": "clean audio"}.items()
                if word in str(error)
            }
    raise AssertionError(said)


def ours(project: Path) -> list[str]:
    """All files but locks, which hold nothing, and what is for people."""
    files = (p for p in project.rglob("*") if p.is_file() and not p.name.endswith("lock") and p.name != "README.md")
    return sorted(str(p.relative_to(project)) for p in files)


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_file_of_ours(whole: Path, damage: str) -> None:
    kept = whole.with_name(f"kept-{damage}")
    shutil.copytree(whole, kept)
    before = tree_digest(whole)
    names = ours(whole / "project")
    assert len(names) > 20, names
    faults = []
    for name in names:
        path = whole / "project" / name
        data = path.read_bytes()
        try:
            DAMAGES[damage](path, data)
        except StopIteration:  # it has no neighbour
            continue
        if "/shards/" in name and path.suffix == ".parquet":
            (whole / "project/data/audio/production_asr.csv").unlink()  # so that shards are needed
        if name.startswith(("data/shards/audio/", "data/shards/accounts/audio/")):
            for manifest in (whole / "project/data/shards/accounts/cleaned/audio").rglob("part-*.json"):
                manifest.unlink()
        said = mend(whole)
        if damage in ("flipped", "swapped", "zeroed") and name.endswith(".flac"):
            api.combine(whole / "project", ["audio"], replace=True, holdout=0.4, cluster=Here())
        for aside in whole.rglob("*.bak"):
            aside.unlink()
        if ".rules." in name:  # of what is cleaned already, it is not needed
            path.write_bytes(data)
        if tree_digest(whole) != before:
            faults.append((name, said))
        shutil.rmtree(whole)
        shutil.copytree(kept, whole)
    assert not faults
