"""The folder of an export: whole or not there, made once, never over somebody else's files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from omni_ray import api
from omni_ray.cli.commands import app
from omni_ray.errors import OmniError
from omni_ray.export.webdataset import write_tar
from tests.made_store import commit, make_store, text_row


@pytest.fixture
def root(tmp_path: Path) -> Path:
    commit(tmp_path / "p", "text", "books", [[text_row(n) for n in range(3)], [text_row(n) for n in range(3, 6)]])
    return tmp_path / "p"


def times(folder: Path) -> dict[str, int]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.parent.name != ".omni")
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in files}


@pytest.mark.parametrize("form", ["hf", "webdataset"])
def test_again_does_nothing_and_mends_what_is_missing(root: Path, tmp_path: Path, form: str) -> None:
    out = tmp_path / "out"
    assert not api.export(root, form, out).was_there
    before = times(out)
    again = api.export(root, form, out)
    assert again.was_there and times(out) == before and again.files == len(before)
    victim = next(name for name in before if name.endswith((".parquet", ".tar")))
    (out / victim).unlink()
    assert not api.export(root, form, out).was_there
    assert times(out).keys() == before.keys()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "p"]  # nothing is left beside it


def test_a_change_replaces_the_export(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    api.export(root, "webdataset", out, samples_per_shard=1)
    assert len(list(out.glob("*.tar"))) == 6
    api.export(root, "webdataset", out, samples_per_shard=3)
    assert len(list(out.glob("*.tar"))) == 2


@pytest.mark.parametrize("foreign", ["notes.md", "text/books/mine.parquet", ".git/config"])
def test_foreign_files_are_never_touched(root: Path, tmp_path: Path, foreign: str) -> None:
    out = tmp_path / "out"
    api.export(root, "hf", out)
    (out / foreign).parent.mkdir(parents=True, exist_ok=True)
    (out / foreign).write_text("mine")
    before = times(out)
    with pytest.raises(OmniError, match="does not belong to an export"):
        api.export(root, "hf", out)
    assert times(out) == before


def test_other_folders_are_refused_in_one_sentence(root: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/letter.txt").write_text("mine")
    with pytest.raises(OmniError, match=r"contains letter\.txt, which does not belong to an export"):
        api.export(root, "hf", tmp_path / "home")
    with pytest.raises(OmniError, match="not a folder"):
        api.export(root, "hf", tmp_path / "home/letter.txt")
    with pytest.raises(OmniError, match="local or shared folder"):
        api.export(root, "hf", "s3://bucket/x")
    api.export(root, "hf", tmp_path / "out")
    with pytest.raises(OmniError, match="contains an export for hf"):
        api.export(root, "webdataset", tmp_path / "out")


def test_an_empty_folder_is_taken(root: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    api.export(root, "hf", tmp_path / "out")
    assert (tmp_path / "out/README.md").is_file()


def test_a_kill_leaves_the_older_export_and_what_was_done_is_kept(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    api.export(root, "webdataset", out, samples_per_shard=6)
    before = times(out)

    def killed(function: Any, items: Any) -> Iterator[Any]:
        for item in items:
            yield function(item)
            if function is write_tar:
                raise KeyboardInterrupt

    monkeypatch.setattr("omni_ray.export.run.inline", killed)
    with pytest.raises(KeyboardInterrupt):
        api.export(root, "webdataset", out, samples_per_shard=1)
    assert times(out) == before
    [work] = tmp_path.glob(".out.making-*")
    [first] = work.glob("*.tar")
    stamp = first.stat().st_mtime_ns
    monkeypatch.undo()
    api.export(root, "webdataset", out, samples_per_shard=1)
    assert (out / first.name).stat().st_mtime_ns == stamp
    assert len(list(out.glob("*.tar"))) == 6 and not list(tmp_path.glob(".out.*"))


def test_a_kill_between_the_two_renames_loses_nothing(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    api.export(root, "hf", out)
    out.rename(tmp_path / ".out.old")
    assert api.export(root, "hf", out).was_there


def test_an_unfinished_run_is_not_exported(root: Path, tmp_path: Path) -> None:
    (root / "data/shards/accounts/text/books/part-00001.json").unlink()
    with pytest.raises(OmniError, match="unit 1 of 2 is not committed"):
        api.export(root, "hf", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_command_prints_a_table_or_json(tmp_path: Path) -> None:
    root = make_store(tmp_path / "p", 2)
    out = tmp_path / "out"
    done = CliRunner().invoke(app, ["export", "webdataset", str(out), "--root", str(root), "--json"])
    report = json.loads(done.stdout)
    assert done.exit_code == 0 and report["files"] == 7 and report["form"] == "webdataset"
    assert [each["name"] for each in report["corpora"]][2] == "images-images_corpus"
    done = CliRunner().invoke(app, ["export", "webdataset", str(out), "--root", str(root)])
    assert "nothing to do" in done.stdout
    done = CliRunner().invoke(app, ["export", "hf", str(out), "--root", str(root), "--dataset", "nonesuch"])
    assert isinstance(done.exception, OmniError)


@pytest.mark.parametrize("form", ["hf", "webdataset"])
def test_what_a_kill_left_is_neither_exported_nor_left(root: Path, tmp_path: Path, form: str) -> None:
    out = tmp_path / "out"
    api.export(root, form, out)
    wanted = {name: (out / name).read_bytes() for name in times(out)}
    mark = json.loads((out / "export.json").read_bytes())
    # Killed while it wrote a file, and once more after it had written the mark.
    work = tmp_path / f".out.making-{mark['fingerprint'][:16]}"
    out.rename(work)
    (work / ".tmp-0123456789ab-README.md").write_bytes(b"half")
    (work / "text").mkdir(exist_ok=True)
    (work / "text" / ".tmp-456789abcdef-train.parquet").write_bytes(b"half")
    api.export(root, form, out)
    found = {name: (out / name).read_bytes() for name in times(out)}
    assert found == wanted
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "p"]


def test_the_older_export_goes_though_its_removal_was_interrupted(root: Path, tmp_path: Path) -> None:
    out, old = tmp_path / "out", tmp_path / ".out.old"
    api.export(root, "hf", out)
    api.export(root, "hf", old)
    next(old.rglob("*.parquet")).unlink()
    assert api.export(root, "hf", out).was_there
    assert not old.exists()


def test_what_lies_in_the_older_export_s_place_is_left_alone(root: Path, tmp_path: Path) -> None:
    out, old = tmp_path / "out", tmp_path / ".out.old"
    api.export(root, "hf", out)
    old.mkdir()
    (old / "diary.txt").write_text("mine")
    with pytest.raises(OmniError, match="in the way of the export, and not made by an export"):
        api.export(root, "hf", out)
    assert (old / "diary.txt").read_text() == "mine"
    (old / "diary.txt").unlink()
    old.rmdir()
    old.symlink_to(out)
    with pytest.raises(OmniError, match="in the way"):
        api.export(root, "hf", out)
    (tmp_path / ".out.making-notes").mkdir()
    old.unlink()
    commit(root, "text", "more", [[text_row(9)]])
    assert not api.export(root, "hf", out).was_there
    assert (tmp_path / ".out.making-notes").is_dir()


@pytest.mark.parametrize("form", ["hf", "webdataset", "mds"])
def test_a_damaged_shard_is_not_passed_on(root: Path, tmp_path: Path, form: str) -> None:
    shard = root / "data/shards/text/books/part-00001.parquet"
    data = bytearray(shard.read_bytes())
    data[data.index(b"parquet-cpp")] ^= 32  # it can still be read
    shard.write_bytes(data)
    with pytest.raises(
        OmniError, match=r"part-00001\.parquet is damaged: .* run the same `omni-ray prepare text` again"
    ):
        api.export(root, form, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("form", ["hf", "webdataset", "mds"])
def test_the_export_of_another_project_is_not_replaced(root: Path, tmp_path: Path, form: str) -> None:
    out = tmp_path / "out"
    api.export(root, form, out)
    commit(tmp_path / "other", "text", "web", [[text_row(9)]])
    copy = shutil.copytree(root, tmp_path / "copy")
    commit(copy, "text", "web", [[text_row(9)]])
    before = times(out)
    for another in (tmp_path / "other", copy):
        with pytest.raises(OmniError, match=r"another project, .* exported \(.*books\)"):
            api.export(another, form, out)
    assert times(out) == before

    moved = root.rename(tmp_path / "moved")
    commit(moved, "text", "web", [[text_row(9)]])
    assert not api.export(moved, form, out).was_there
    shutil.rmtree(moved)
    commit(moved, "text", "anew", [[text_row(9)]])
    assert [each.samples for each in api.export(moved, form, out).corpora] == [1]
