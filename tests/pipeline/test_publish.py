"""Training files, media and configs in another place: whole, as they are here, and sent once."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest

from omni_ray import api
from omni_ray.errors import OmniError
from omni_ray.progress.reporter import Reporter
from omni_ray.sources.remote import RemoteTree
from omni_ray.storage import Storage
from tests.made_store import clip, picture

pytestmark = pytest.mark.usefixtures("no_ray")


def project(folder: Path, clips: int = 4) -> Path:
    source = folder / "source"
    source.mkdir(parents=True, exist_ok=True)
    for number in range(clips):
        (source / f"{number}.flac").write_bytes(clip(number))
        (source / f"{number}.jpg").write_bytes(picture(number))
        (source / f"{number}.txt").write_text(f"What is said in number {number}.")
    root = folder / "project"
    api.prepare(root, "audio", dataset="audio_files", source=str(source), combine=True, max_quarantine=1)
    api.prepare(root, "images", dataset="image_captions", source=str(source), combine=True, max_quarantine=1)
    (root / "configs").mkdir(exist_ok=True)
    (root / "configs/audio_enc_tiny.json").write_text("{}")
    return root


def here(root: Path) -> dict[str, bytes]:
    wanted = [*(root / "data/audio").rglob("*"), *(root / "data/images").rglob("*"), *(root / "configs").rglob("*")]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in wanted if path.is_file()}


def there(place: str) -> dict[str, bytes]:
    tree = RemoteTree(place)
    return {name: tree.read(name) for name in tree._listing if not name.startswith(".omni/")}


@pytest.mark.slow
def test_a_bucket_has_what_the_project_has(tmp_path: Path, bucket: str) -> None:
    root, place = project(tmp_path), Storage(bucket).child("training").uri
    first = api.publish(root, place)
    assert there(place) == here(root)
    assert (first.media, first.sent, first.removed) == (8, 8 + first.files, 0)
    assert api.publish(root, place).sent == 0
    project(tmp_path, clips=6)
    api.prepare(root, "audio", dataset="audio_files", source=str(tmp_path / "source"), max_samples=2, max_quarantine=1)
    api.combine(root)
    again = api.publish(root, place)
    assert there(place) == here(root)
    assert again.removed


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    root, place = project(tmp_path), tmp_path / "theirs"
    place.mkdir()
    (place / "notes.txt").write_text("mine")
    with pytest.raises(OmniError, match=r"notes\.txt"):
        api.publish(root, str(place))
    assert [path.name for path in place.rglob("*")] == ["notes.txt"]


def test_what_went_missing_is_sent_again(tmp_path: Path) -> None:
    root, place = project(tmp_path), tmp_path / "place"
    api.publish(root, str(place))
    (place / "data/audio/production_asr.csv").unlink()
    gone, *_ = sorted((place / "data/images").rglob("*.jpg"))
    gone.unlink()
    cut = place / "data/images/production_annotations.json"
    cut.write_bytes(cut.read_bytes()[:-1])
    assert api.publish(root, str(place)).sent > 0
    assert (
        here(root).items()
        <= {
            path.relative_to(place).as_posix(): path.read_bytes() for path in place.rglob("*") if path.is_file()
        }.items()
    )
    assert api.publish(root, str(place)).sent == 0


def test_what_was_changed_since_is_not_sent(tmp_path: Path) -> None:
    root = project(tmp_path)
    media = next((root / "data/audio").rglob("*.flac"))
    media.write_bytes(media.read_bytes()[:-1])
    with pytest.raises(OmniError, match="omni-ray combine"):
        api.publish(root, str(tmp_path / "place"))
    (root / "data/audio/production_asr.csv").write_text("mine")
    with pytest.raises(OmniError, match="omni-ray combine"):
        api.publish(root, str(tmp_path / "other"))


@pytest.mark.slow
def test_lists_that_combine_no_longer_writes_go_and_nothing_else(tmp_path: Path, bucket: str) -> None:
    root, place = project(tmp_path), Storage(bucket).child("lists")
    api.combine(root, holdout=0.5)
    api.publish(root, place.uri)
    held = {"data/audio/heldout_asr.csv", "data/audio/heldout_tts.csv", "data/images/heldout_annotations.json"}
    assert held <= there(place.uri).keys()
    place.write("data/audio/heldout_tts.csv", b"mine")
    place.write("data/audio/of_mine.csv", b"mine, too")
    api.combine(root)
    (root / "configs/audio_enc_tiny.json").unlink()
    assert api.publish(root, place.uri, modalities=["audio"]).removed == 2, (
        "a list and a config; pictures were not asked for"
    )
    assert held - there(place.uri).keys() == {"data/audio/heldout_asr.csv"}
    assert api.publish(root, place.uri).removed == 1
    left = {"data/audio/heldout_tts.csv": b"mine", "data/audio/of_mine.csv": b"mine, too"}
    assert there(place.uri) == {**here(root), **left}
    assert api.publish(root, place.uri).removed == 0


def test_a_kill_before_the_note_of_a_removal_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, place = project(tmp_path), tmp_path / "place"
    api.combine(root, holdout=0.5)
    api.publish(root, str(place))
    api.combine(root)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("omni_ray.export.publish._note", killed)
        api.publish(root, str(place))
    api.publish(root, str(place))
    assert there(str(place)) == here(root)
    assert "heldout" not in (place / ".omni/files.json").read_text()


def test_the_place_of_another_project_is_left_alone(tmp_path: Path) -> None:
    root, place = project(tmp_path), tmp_path / "place"
    api.publish(root, str(place))
    sent = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    copy = shutil.copytree(root, tmp_path / "copy", copy_function=shutil.copy2)
    for another in (project(tmp_path / "other", clips=2), copy):
        with pytest.raises(OmniError, match="another project, or a copy of this one"):
            api.publish(another, str(place))
    assert sent == {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    moved = root.rename(tmp_path / "moved")
    assert api.publish(moved, str(place)).sent == 0

    (place / ".omni/project").unlink()
    assert api.publish(copy, str(place)).sent == 0
    with pytest.raises(OmniError, match="another project"):
        api.publish(moved, str(place))


def test_files_older_than_the_shards_are_said_to_be(tmp_path: Path) -> None:
    root, said = project(tmp_path), io.StringIO()
    api.publish(root, str(tmp_path / "place"), reporter=Reporter(stream=said))
    assert "other shards" not in said.getvalue()
    api.prepare(root, "audio", dataset="audio_files", source=str(tmp_path / "source"), max_samples=2, max_quarantine=1)
    api.publish(root, str(tmp_path / "place"), reporter=Reporter(stream=said))
    assert "run the same `omni-ray combine audio` again" in said.getvalue()
