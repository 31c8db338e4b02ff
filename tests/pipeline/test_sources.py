"""Several sources of one corpus, and another source than before."""

from __future__ import annotations

import csv
import json
import shutil
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from omni_ray import api
from omni_ray.corpora.base import SourceOptions
from omni_ray.errors import OmniError
from omni_ray.pipeline.store import Store
from tests.made_store import clip, picture

pytestmark = pytest.mark.usefixtures("no_ray_here")


def clips(folder: Path, first: int, count: int = 2) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / f"{number}.flac").write_bytes(clip(first + number))
        (folder / f"{number}.txt").write_text(f"clip {first + number}")
    return folder


def prepare(root: Path, *sources: Path, **more: Any) -> api.PrepareReport:
    return api.prepare(
        root, "audio", dataset="audio_files", source=[str(source) for source in sources], combine=True, **more
    )


def texts(root: Path, name: str = "production") -> list[str]:
    with open(root / f"data/audio/{name}_asr.csv", newline="") as file:
        return sorted(row["text"] for row in csv.DictReader(file))


def test_another_source_is_refused_with_the_ways_on(tmp_path: Path) -> None:
    root, one, two = tmp_path / "project", clips(tmp_path / "one/de", 0), clips(tmp_path / "two/en", 10)
    prepare(root, one)
    with pytest.raises(OmniError, match="would replace") as refused:
        prepare(root, two)
    said = str(refused.value)
    assert all(word in said for word in (str(one), str(two), "--source", "--name", "--reset"))
    assert texts(root) == ["clip 0", "clip 1"]
    prepare(root, two, name="english")
    assert texts(root) == ["clip 0", "clip 1", "clip 10", "clip 11"]
    prepare(root, two, reset=True)
    assert texts(root, "audio_files") == ["clip 10", "clip 11"]


def test_several_sources_are_one_corpus(tmp_path: Path) -> None:
    root, one, two = tmp_path / "project", clips(tmp_path / "one/a", 0), clips(tmp_path / "two/a", 10)
    assert prepare(root, one).units_made == 1
    both = prepare(root, one, two)
    assert both.units_made == 1, "what is there of the first one stays"
    assert texts(root) == ["clip 0", "clip 1", "clip 10", "clip 11"]
    files = sorted(path for path in (root / "data/audio/audio_files").rglob("*.flac"))
    assert sorted(path.read_bytes() for path in files) == sorted(map(clip, (0, 1, 10, 11)))
    state = Store(root).corpus("audio", "audio_files").state()
    assert state is not None and state.files is not None and state.files.read == 8
    with pytest.raises(OmniError, match="would replace"):
        prepare(root, two)
    assert prepare(root, one, two).units_made == 0


def test_a_narrower_choice_is_refused_with_the_ways_on(tmp_path: Path) -> None:
    root, source = tmp_path / "project", tmp_path / "source"
    clips(source / "train", 0)
    clips(source / "test", 10)
    prepare(root, source)
    before = texts(root)
    for options, option in (
        (SourceOptions(splits=("train",)), "--split"),
        (SourceOptions(evaluation="drop"), "--evaluation"),
    ):
        with pytest.raises(OmniError, match=f"was made with no {option}, and with {option}") as refused:
            prepare(root, source, options=options)
        assert all(word in str(refused.value) for word in ("--name", "--reset"))
    assert texts(root) == before == ["clip 0", "clip 1", "clip 10", "clip 11"]
    prepare(root, source, options=SourceOptions(evaluation="drop"), reset=True)
    assert texts(root) == ["clip 0", "clip 1"]
    prepare(root, source)
    assert texts(root) == before


def jsonl(path: Path, **columns: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "".join(json.dumps({key: f"{value} {n}" for key, value in columns.items()}) + "\n" for n in range(3))
    )


def test_another_configuration_takes_no_ones_place(tmp_path: Path) -> None:
    root, source = tmp_path / "project", tmp_path / "source"
    for name in ("clean", "other"):
        jsonl(source / name / "part.jsonl", text=name)
    card = "".join(f"- config_name: {name}\n  data_files: {name}/*.jsonl\n" for name in ("clean", "other"))
    (source / "README.md").write_text(f"---\nconfigs:\n{card}---\n")

    def take(config: str, **more: str) -> None:
        api.prepare(root, "text", dataset="text_files", source=str(source), configuration=config, **more)

    take("clean")
    with pytest.raises(OmniError, match="was made with --config clean, and with --config other"):
        take("other")
    take("clean")
    take("other", name="other")
    assert [each.samples for each in api.status(root)] == [3, 3]


def test_another_column_takes_no_ones_place(tmp_path: Path) -> None:
    root, source = tmp_path / "project", tmp_path / "both.jsonl"
    jsonl(source, text="by default", en="hello", de="hallo", by="somebody")

    def said(**columns: str) -> list[str]:
        api.prepare(root, "text", dataset="text_files", source=str(source), columns=columns)
        return api.dataset(root, "text").as_arrow().read_all()["text"].to_pylist()

    assert said() == ["by default 0", "by default 1", "by default 2"]
    with pytest.raises(OmniError, match="was made with no --columns, and with --columns text=de"):
        said(text="de")
    assert said(title="by") == ["by default 0", "by default 1", "by default 2"]
    with pytest.raises(OmniError, match="was made with --columns title=by, and with --columns text=de"):
        said(text="de")


def test_a_corpus_of_an_earlier_version_does_not_say_which_columns_it_had(tmp_path: Path) -> None:
    root, source = tmp_path / "project", tmp_path / "lines.jsonl"
    jsonl(source, body="hello")
    how: dict[str, Any] = {"dataset": "text_files", "source": str(source), "columns": {"text": "body"}}
    api.prepare(root, "text", **how)
    corpus = Store(root).corpus("text", "text_files")
    state = corpus.state()
    assert state is not None
    corpus.save_state(replace(state, chosen={}))
    source.write_text(source.read_text() + json.dumps({"body": "more"}) + "\n")
    assert api.prepare(root, "text", **how).summaries[0].samples == 4


def test_media_of_another_folder_take_no_ones_place(tmp_path: Path) -> None:
    root, source = tmp_path / "project", tmp_path / "list/captions.csv"
    source.parent.mkdir()
    source.write_text("image,caption\n0.png,a caption\n")

    def take(place: str | None) -> tuple[int, int]:
        media_root = place and str(tmp_path / place)
        report = api.prepare(root, "images", dataset="image_captions", source=str(source), media_root=media_root)
        return report.summaries[0].kept, report.summaries[0].quarantined

    for number, place in enumerate(("none", "one", "two")):
        (tmp_path / place).mkdir()
        if number:
            (tmp_path / place / "0.png").write_bytes(picture(number, kind="PNG"))
    assert take(None) == take("none") == (0, 1)  # of nothing, nothing can be replaced
    assert take("one") == (1, 0)
    with pytest.raises(OmniError, match="was made with --media-root"):
        take("two")


def test_a_source_may_grow_and_move(tmp_path: Path) -> None:
    root, one = tmp_path / "project", clips(tmp_path / "one", 0)
    prepare(root, one)
    shutil.move(one, tmp_path / "moved")
    assert prepare(root, tmp_path / "moved").units_made == 0
    clips(tmp_path / "moved/more", 10)
    prepare(root, tmp_path / "moved")
    assert texts(root) == ["clip 0", "clip 1", "clip 10", "clip 11"]


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("ending", ["tar", "zip"])
def test_workers_that_outlive_a_run_read_archives_as_they_are_now(tmp_path: Path, ending: str, alone: bool) -> None:
    root, source = tmp_path / "project", tmp_path / "source"

    def take(*texts: str) -> list[str]:
        lines = tmp_path / "lines.jsonl"
        lines.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
        source.mkdir(exist_ok=True)
        if ending == "tar":
            with tarfile.open(source / "one.tar", "w") as tar:
                tar.add(lines, "lines.jsonl")
        else:
            with zipfile.ZipFile(source / "one.zip", "w") as archive:
                archive.write(lines, "lines.jsonl")
        sources = [str(source)] if alone else [str(tmp_path / "other.jsonl"), str(source)]
        api.prepare(root, "text", dataset="text_files", source=sources)
        return api.dataset(root, "text").as_arrow().read_all()["text"].to_pylist()

    jsonl(tmp_path / "other.jsonl", text="first")
    before = [] if alone else [f"first {n}" for n in range(3)]
    assert take("a line", "another line") == [*before, "a line", "another line"]
    assert take("a line", "another line", "a third line") == [*before, "a line", "another line", "a third line"]
    assert take("others") == [*before, "others"]


def test_a_link_to_a_folder_may_lead_elsewhere(tmp_path: Path) -> None:
    root = tmp_path / "project"
    (tmp_path / "source").mkdir()
    for first, name in enumerate("ab"):
        clips(tmp_path / name, first * 10)
        (tmp_path / "source/link").unlink(missing_ok=True)
        (tmp_path / "source/link").symlink_to(tmp_path / name)
        prepare(root, tmp_path / "source", follow_links=True)
    assert texts(root) == ["clip 10", "clip 11"]


def test_each_source_must_hold_the_corpus(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(OmniError, match="empty"):
        prepare(tmp_path / "project", clips(tmp_path / "one", 0), tmp_path / "empty")


def test_a_source_given_twice_is_refused(tmp_path: Path) -> None:
    one = clips(tmp_path / "one", 0)
    (tmp_path / "link").symlink_to(one)
    with pytest.raises(OmniError, match=r"link: it is given twice \(.*one is the same\)"):
        prepare(tmp_path / "project", one, tmp_path / "link")
    assert not (tmp_path / "project/data/shards").exists()
