"""Nothing that is not ours is ever written over or removed, whatever is asked for and in whatever order."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omni_ray.errors import OmniError
from omni_ray.materialize.combine import TrainingFileOptions, combine
from omni_ray.materialize.formats import format_of
from omni_ray.pipeline.engine import inline
from omni_ray.pipeline.store import Store
from omni_ray.trainers.files import all_modalities
from tests.examples import examples
from tests.faults.harness import tree_digest
from tests.made_store import ROWS, audio_row, clip, commit, image_row, make_store, picture, text_row


def write(root: Path, modality: str, **options: object) -> None:
    combine(Store(root), modality, TrainingFileOptions(**options), run=inline)  # type: ignore[arg-type]


def place(root: Path, name: str, data: bytes = b"mine") -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    "modality, name",
    [
        ("text", "data/text/diary.txt"),
        ("text", "data/text/production_corpus.txt"),
        ("audio", "data/audio/diary_asr.csv"),
        ("audio", "data/audio/production_tts.csv"),
        ("audio", "data/audio/diary/train/19/3.flac"),
        ("images", "data/images/diary/train2017/000003.jpg"),
        ("images", "data/images/production_annotations.json"),
        ("ocr", "data/ocr/diary/3/a.png"),
        ("ocr", "data/ocr/diary_ocr.csv"),
    ],
)
def test_a_file_that_is_not_ours_is_refused_or_kept_beside(tmp_path: Path, modality: str, name: str) -> None:
    commit(tmp_path, modality, "diary", [[ROWS[modality](n) for n in range(4)]])
    mine = place(tmp_path, name)
    with pytest.raises(OmniError, match=name) as refused:
        write(tmp_path, modality)
    assert "--replace" in str(refused.value) and "\n" not in str(refused.value)
    assert mine.read_bytes() == b"mine"
    notes = [file.note for file in combine(Store(tmp_path), modality, TrainingFileOptions(replace=True), run=inline)]
    assert any("kept as" in note and mine.name in note for note in notes)
    [kept] = mine.parent.glob(f"{mine.name}.*.bak")
    assert kept.read_bytes() == b"mine"
    assert mine.read_bytes() != b"mine"


@pytest.mark.parametrize("modality", all_modalities())
def test_a_file_changed_since_is_somebody_elses(tmp_path: Path, modality: str) -> None:
    make_store(tmp_path)
    write(tmp_path, modality)
    form = format_of(modality)
    changed = tmp_path / form.folder / form.files[0].production
    changed.write_bytes(changed.read_bytes() + b"\nadded by hand")
    with pytest.raises(OmniError, match="changed since"):
        write(tmp_path, modality)
    assert changed.read_bytes().endswith(b"added by hand")


def test_links_are_never_written_through(tmp_path: Path) -> None:
    root, outside = tmp_path / "project", tmp_path / "outside"
    for folder in ("data/images/diary", "data/images", "data/images/diary/train2017"):
        shutil.rmtree(root, ignore_errors=True)
        commit(root, "images", "diary", [[image_row(n) for n in range(3)]])
        before = place(outside, "000001.jpg").read_bytes()
        (root / folder).parent.mkdir(parents=True, exist_ok=True)
        (root / folder).symlink_to(outside)
        with pytest.raises(OmniError, match="is a link to"):
            write(root, "images")
        assert [(p.name, p.read_bytes()) for p in outside.iterdir()] == [("000001.jpg", before)]
    shutil.rmtree(root)
    commit(root, "text", "diary", [[text_row(n) for n in range(3)]])
    (root / "data/text").mkdir(parents=True)
    (root / "data/text/diary.txt").symlink_to(outside / "000001.jpg")
    with pytest.raises(OmniError, match=r"diary\.txt"):
        write(root, "text")
    assert (outside / "000001.jpg").read_bytes() == before


@pytest.mark.parametrize("name", ["data/images/diary/train2017/000002.jpg", "data/images/diary/train2017"])
def test_a_link_to_the_same_bytes_is_no_medium_of_ours(tmp_path: Path, name: str) -> None:
    commit(tmp_path, "images", "diary", [[image_row(n) for n in range(3)]])
    write(tmp_path, "images")
    elsewhere = (tmp_path / name).rename(tmp_path / "elsewhere")
    (tmp_path / name).symlink_to(elsewhere)
    with pytest.raises(OmniError, match="link"):
        write(tmp_path, "images")
    assert (tmp_path / name).is_symlink() and elsewhere.exists()


def test_data_itself_may_be_on_another_disk(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "project").mkdir()
    (tmp_path / "project/data").symlink_to(tmp_path / "disk")
    commit(tmp_path / "project", "audio", "diary", [[audio_row(n) for n in range(3)]])
    write(tmp_path / "project", "audio")
    assert (tmp_path / "disk/audio/diary/train/19/2.flac").read_bytes() == clip(2)


def test_the_same_bytes_are_used_and_stay_when_they_are_no_more_needed(tmp_path: Path) -> None:
    mine = place(tmp_path, "data/audio/diary/train/19/2.flac", clip(2))
    commit(tmp_path, "audio", "diary", [[audio_row(n) for n in range(4)]])
    write(tmp_path, "audio")
    assert len(list((tmp_path / "data/audio/diary").rglob("*.flac"))) == 4
    commit(tmp_path, "audio", "diary", [[audio_row(0)]])
    write(tmp_path, "audio")
    assert sorted(p.name for p in (tmp_path / "data/audio/diary").rglob("*.flac")) == ["0.flac", "2.flac"]
    assert mine.read_bytes() == clip(2)


def test_a_medium_that_somebody_changed_is_not_removed_with_its_shard(tmp_path: Path) -> None:
    commit(tmp_path, "audio", "diary", [[audio_row(n) for n in range(4)]])
    write(tmp_path, "audio")
    changed = place(tmp_path, "data/audio/diary/train/19/3.flac", clip(33))
    commit(tmp_path, "audio", "diary", [[audio_row(0)]])
    write(tmp_path, "audio")
    assert changed.read_bytes() == clip(33)


def test_a_copied_project_goes_on(tmp_path: Path) -> None:
    make_store(tmp_path / "project")
    for modality in all_modalities():
        write(tmp_path / "project", modality, holdout=0.3)
    shutil.copytree(tmp_path / "project", tmp_path / "copy", copy_function=shutil.copyfile)
    for modality in all_modalities():
        write(tmp_path / "copy", modality, seed=7)
    assert not list((tmp_path / "copy").rglob("heldout_*"))


@pytest.mark.parametrize("what", ["cut", "zeroed", "empty", "deleted"])
def test_what_a_power_failure_left_is_made_again(tmp_path: Path, what: str) -> None:
    make_store(tmp_path)
    for modality in all_modalities():
        write(tmp_path, modality)
    before = tree_digest(tmp_path)
    spoil: dict[str, Callable[[bytes], bytes]] = {
        "cut": lambda data: data[: len(data) // 2],
        "zeroed": lambda data: b"\0" * (len(data) - 1),
        "empty": lambda data: b"",
    }
    for modality in all_modalities():
        form = format_of(modality)
        folder = tmp_path / form.folder
        media = [next(p for p in (folder / f"{modality}_corpus").rglob("*") if p.is_file())] if form.has_media else []
        for path in [folder / form.files[0].production, *media]:
            data = path.read_bytes()
            path.unlink()
            if what in spoil:
                path.write_bytes(spoil[what](data))
            write(tmp_path, modality)
            assert path.read_bytes() == data
    assert tree_digest(tmp_path) == before


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["commit", "combine", "corpora", "mine", "edit", "remove", "copy over"]),
        st.integers(0, 5),
        st.booleans(),
    ),
    max_size=8,
)
NAMES = [
    "data/audio/diary/train/19/1.flac",
    "data/audio/diary/train/19/notes.txt",
    "data/audio/other/1.flac",
    "data/audio/diary_asr.csv",
    "data/audio/production_asr.csv",
    "data/audio/mine_asr.csv",
]


@pytest.mark.slow
@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_any_sequence_leaves_what_is_not_ours_as_it_is(tmp_path: Path, steps: list[tuple[str, int, bool]]) -> None:
    root = tmp_path / "project"
    shutil.rmtree(root, ignore_errors=True)
    commit(root, "audio", "diary", [[audio_row(n) for n in range(3)]])
    mine: dict[str, bytes] = {}
    for number, (step, pick, flag) in enumerate(steps):
        path = root / NAMES[pick]
        if step == "commit":
            commit(root, "audio", "diary", [[audio_row(n + flag) for n in range(pick)], [audio_row(9)]])
        elif step in ("combine", "corpora"):
            with suppress(OmniError):
                write(root, "audio", holdout=0.3 if flag else None, production=step == "combine")
        elif step == "remove":
            path.unlink(missing_ok=True)
            mine.pop(NAMES[pick], None)
        elif step == "mine" or (step in ("edit", "copy over") and path.exists()):
            data = clip(2) if step == "copy over" else f"mine {number}".encode()
            mine[NAMES[pick]] = place(root, NAMES[pick], data).read_bytes()
        for name, data in mine.items():
            assert (root / name).read_bytes() == data, (step, name)


def test_names_that_differ_in_case_alone_on_a_disk_that_cannot_tell_them_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("train/A.jpg", "train/a.jpg")
    rows = [image_row(n, id=name, image={"bytes": picture(n), "path": name}) for n, name in enumerate(names)]
    commit(tmp_path, "images", "mine", [rows])
    monkeypatch.setattr("omni_ray.materialize.media._folds_case", lambda root: True)
    with pytest.raises(OmniError, match=r"train/A\.jpg and .*train/a\.jpg of mine are one file to this disk"):
        write(tmp_path, "images")
    monkeypatch.undo()
    write(tmp_path, "images")


def test_files_do_not_appear_where_two_samples_would_share_a_clip(tmp_path: Path) -> None:
    one, other = (audio_row(n, audio={"bytes": clip(n), "path": "a.flac"}) for n in (1, 2))
    commit(tmp_path, "audio", "speech", [[one], [other]])
    for _ in range(2):
        with pytest.raises(OmniError, match="2 shards of speech have a sample each for one media file"):
            write(tmp_path, "audio", replace=True)
        assert not list((tmp_path / "data/audio").glob("*.csv"))
