"""Preparing a corpus: what is kept, what is not, what is done again, and what is not."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from omni_ray import api
from omni_ray.corpora import registry
from omni_ray.corpora.base import SourceOptions
from omni_ray.errors import OmniError, SourceError
from omni_ray.storage import Storage
from tests.made_store import picture

pytestmark = [pytest.mark.usefixtures("no_ray", "subtitles_file")]

Films = Callable[..., Path]


def prepare(root: Path, source: Path, **more: Any) -> api.PrepareReport:
    options = SourceOptions(unit_scale=2 / 200)  # two files a unit
    return api.prepare(root, "text", dataset="subtitles", source=str(source), options=options, **more)


def digests(root: Path) -> dict[str, str]:
    files = [p for p in (root / "data").rglob("*") if p.is_file() and ".omni" not in p.parts]
    return {str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_every_record_is_kept_or_quarantined_with_its_reason(tmp_path: Path, films: Films) -> None:
    report = prepare(tmp_path / "project", films(7, bad=(2,)), combine=True)
    [summary] = report.summaries
    assert (summary.records_in, summary.kept, summary.quarantined, summary.beyond) == (7, 6, 1, 0)
    assert summary.samples == 30
    [row] = api.quarantine(tmp_path / "project")
    assert (row["reason"], row["id"]) == ("bad_encoding", "film-002.srt")
    lines = (tmp_path / "project/data/text/production_corpus.txt").read_text("utf-8").splitlines()
    assert sorted(lines) == sorted(f"Film {i}, line {n}." for i in range(7) if i != 2 for n in range(5))


def test_a_rotten_corpus_is_no_quiet_success(tmp_path: Path, films: Films) -> None:
    report = prepare(tmp_path / "project", films(7, bad=(2,)))
    assert report.exit_code == 1  # one in seven is over 5 %
    assert "bad_encoding" in report.summaries[0].reasons
    assert prepare(tmp_path / "project", films(7, bad=(2,)), max_quarantine=0.2).exit_code == 0


def test_files_that_are_not_read_are_no_quiet_success(tmp_path: Path, films: Films) -> None:
    source = films(7)
    (source / "more.jsonl").write_text('{"text": "A line."}')
    report = prepare(tmp_path / "project", source)
    assert report.exit_code == 1 and "1 of 8 files of the source look like text" in report.shortfalls[0]
    [summary] = api.status(tmp_path / "project")
    assert (summary.files.read, summary.files.unread_count) == (7, 1)
    assert summary.as_dict()["files"]["unread"][0]["example"] == "more.jsonl"
    assert prepare(tmp_path / "project", source, max_quarantine=0.2).exit_code == 0


@pytest.mark.parametrize("limit", [1, 5, 6, 12, 29, 30, 31])
def test_max_samples_takes_the_first_kept_ones_exactly(tmp_path: Path, films: Films, limit: int) -> None:
    source = films(7, bad=(0, 3))
    whole = [f"Film {i}, line {n}." for i in range(7) if i not in (0, 3) for n in range(5)]
    report = prepare(tmp_path / "project", source, max_samples=limit, combine=True, seed=None, max_quarantine=1.0)
    [summary] = report.summaries
    lines = (tmp_path / "project/data/text/production_corpus.txt").read_text("utf-8").splitlines()
    assert lines == whole[:limit]
    assert summary.samples == len(lines)
    assert summary.records_in == summary.kept + summary.quarantined + summary.beyond
    assert summary.records_in == 7


def test_raising_the_limit_makes_only_what_is_missing_and_lowering_it_nothing(tmp_path: Path, films: Films) -> None:
    source, root = films(40), tmp_path / "project"
    first = prepare(root, source, max_samples=10, combine=True)
    shards = digests(root / "data/shards/..")
    more = prepare(root, source, max_samples=None, combine=True)
    assert first.units_made + more.units_made == 20
    again = prepare(root, source, max_samples=10, combine=True)
    assert again.units_made == 0
    assert again.summaries[0].samples == 10
    assert len((root / "data/text/production_corpus.txt").read_text().splitlines()) == 10
    kept = {name: digest for name, digest in digests(root / "data/shards/..").items() if name in shards}
    assert {k: v for k, v in kept.items() if "part-" in k} == {k: v for k, v in shards.items() if "part-" in k}


def test_the_same_command_again_does_nothing(tmp_path: Path, films: Films) -> None:
    root, source = tmp_path / "project", films(6)
    prepare(root, source, combine=True)
    before = {p: p.stat().st_mtime_ns for p in (root / "data").rglob("*") if p.is_file() and p.name != "lock"}
    assert prepare(root, source, combine=True).units_made == 0
    assert {p: p.stat().st_mtime_ns for p in before} == before


AGAIN = """
import sys
from omni_ray.cli import commands, running
try:
    running.run(commands.app)
except SystemExit as end:
    assert not end.code, end.code
assert "ray" not in sys.modules
"""


@pytest.mark.slow
def test_nothing_to_do_starts_no_ray(tmp_path: Path, films: Films, subtitles_file: Path) -> None:
    root, source = tmp_path / "project", films(4)
    api.prepare(root, "text", dataset="subtitles", source=str(source), combine=True)
    command = ["prepare", "text", "--dataset", "subtitles", "--corpus-file", str(subtitles_file)]
    command += ["--source", str(source), "--root", str(root), "--combine"]
    before = digests(root)
    done = subprocess.run([sys.executable, "-c", AGAIN, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert digests(root) == before


def test_only_the_shard_of_a_changed_file_is_made_again(tmp_path: Path, films: Films) -> None:
    root, source = tmp_path / "project", films(6)
    prepare(root, source)
    changed = source / "film-003.srt"
    changed.write_text(changed.read_text().replace("Film 3", "Movie 3"))
    report = prepare(root, source, combine=True)
    assert report.units_made == 1
    text = (root / "data/text/subtitles.txt").read_text()
    assert "Movie 3, line 0." in text and "Film 3" not in text


def test_another_parameter_makes_every_shard_again(tmp_path: Path, films: Films) -> None:
    root, source = tmp_path / "project", films(6)
    prepare(root, source)
    assert prepare(root, source, params={"text": {"max_line_chars": 300}}).units_made == 3


def test_a_corpus_of_one_s_own_that_reads_otherwise_is_made_again(
    tmp_path: Path, films: Films, subtitles_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_added", {})
    root, source, file = tmp_path / "project", films(6), tmp_path / "subtitles.py"
    code = subtitles_file.read_text()
    for text, made in ((code, 3), (code, 0), (code.replace('"title": name', '"title": "tt"'), 3)):
        file.write_text(text)
        assert prepare(root, source, corpus_file=file).units_made == made
    titles = pq.read_table(root / "data/shards/text/subtitles", columns=["title"])["title"]
    assert set(titles.to_pylist()) == {"tt"}


def test_a_reader_that_loses_a_record_is_refused(
    tmp_path: Path, films: Films, subtitles_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_added", {})
    file = tmp_path / "subtitles.py"
    file.write_text(subtitles_file.read_text().replace('payload["files"]:', 'payload["files"][1:]:'))
    with pytest.raises(OmniError, match="gave 1 records of unit 0, for which its `units` counted 2"):
        prepare(tmp_path / "project", films(6), corpus_file=file)


@pytest.mark.parametrize(
    ("item", "said"), [("None", "and not NoneType"), ('{"text": "a line"}', "a record with no `id`")]
)
def test_what_is_no_record_is_refused(
    tmp_path: Path, films: Films, subtitles_file: Path, monkeypatch: pytest.MonkeyPatch, item: str, said: str
) -> None:
    monkeypatch.setattr(registry, "_added", {})
    file = tmp_path / "subtitles.py"
    file.write_text(f"{subtitles_file.read_text()}        yield {item}\n")
    with pytest.raises(OmniError, match=said):
        prepare(tmp_path / "project", films(6), corpus_file=file)


def test_a_file_that_vanished_from_the_source_leaves_the_result(tmp_path: Path, films: Films) -> None:
    root, source = tmp_path / "project", films(6)
    prepare(root, source, combine=True)
    (source / "film-005.srt").unlink()
    report = prepare(root, source, combine=True)
    assert report.summaries[0].records_in == 5
    assert "Film 5" not in (root / "data/text/production_corpus.txt").read_text()


def test_reset_removes_what_the_manifests_list_and_nothing_else(tmp_path: Path, films: Films) -> None:
    root, source = tmp_path / "project", films(4)
    prepare(root, source)
    mine = root / "data/shards/text/subtitles/notes.md"
    mine.write_text("keep me")
    assert prepare(root, source, reset=True).units_made == 2
    assert mine.read_text() == "keep me"


def test_reset_removes_nothing_before_every_source_is_found(tmp_path: Path, films: Films) -> None:
    root, source = tmp_path / "project", films(4)
    prepare(root, source)
    before = digests(root)
    with pytest.raises(OmniError):
        api.prepare(root, ["text", "audio"], dataset="subtitles", source=str(source), reset=True)
    assert digests(root) == before


def test_what_killed_writers_and_removers_left_goes_and_nothing_else(tmp_path: Path, films: Films) -> None:
    root, source = tmp_path / "project", films(6)
    prepare(root, source, combine=True, clean="default")
    before = digests(root)
    shards = root / "data/shards"
    mine = [shards / "text/subtitles/part-1.parquet", shards / "text/subtitles/notes.md"]
    left = [
        shards / "text/subtitles/part-00007.parquet",  # its unit is gone, and so is its manifest
        shards / "text/subtitles/part-00008.quarantine.parquet",  # of an earlier version
        shards / "accounts/text/subtitles/part-00009.quarantine.parquet",
        shards / "accounts/cleaned/text/subtitles/part-00007.rules.parquet",
        *(
            shards / folder / ".tmp-0123456789ab-part-00001.json"
            for folder in ("text/subtitles", "accounts/text/subtitles", "cleaned/text/subtitles")
        ),
        *(root / "data/.omni" / folder / ".tmp-0123456789ab-x" for folder in (".", "index")),
        root / "data/text/.tmp-0123456789ab-production_corpus.txt",
    ]
    whole = (shards / "text/subtitles/part-00000.parquet").read_bytes()
    for path in mine + left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(whole if path == left[0] else b"" if ".quarantine." in path.name else b"half")
    (shards / "accounts/text/subtitles/part-00000.json").unlink()
    (shards / "accounts/cleaned/text/subtitles/part-00000.json").unlink()
    (root / "data/text/production_corpus.txt").unlink()
    prepare(root, source, combine=True, clean="strict")
    prepare(root, source, combine=True, clean="default")
    assert [path for path in left if path.exists()] == []
    assert all(path.read_bytes() == b"half" for path in mine)
    for path in mine:
        path.unlink()
    assert digests(root) == before


def test_a_rerun_with_nothing_to_do_reads_each_manifest_once(
    tmp_path: Path, films: Films, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, source = tmp_path / "project", films(6)
    prepare(root, source, combine=True)
    read: list[str] = []
    of_storage = Storage.read

    def counted(self: Storage, name: str) -> bytes:
        read.append(name)
        return of_storage(self, name)

    monkeypatch.setattr(Storage, "read", counted)
    prepare(root, source, combine=True)
    assert sorted(name for name in read if name.startswith("part-")) == [f"part-0000{unit}.json" for unit in range(3)]


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("name", ["part-00007.parquet", "part-00008.quarantine.parquet", "part-00001.json"])
def test_a_strangers_file_called_like_a_shard_is_refused(tmp_path: Path, films: Films, name: str, reset: bool) -> None:
    root, source = tmp_path / "project", films(6)
    mine = root / "data/shards/text/subtitles" / name
    mine.parent.mkdir(parents=True)
    for data in (b"mine", b'{"text": "mine"}', parquet_of({"text": ["mine"]})):
        mine.write_bytes(data)
        with pytest.raises(OmniError, match=f"{name} is in the place of a shard"):
            prepare(root, source, reset=reset)
        assert mine.read_bytes() == data
        assert [path.name for path in mine.parent.iterdir()] == [name]


def parquet_of(columns: dict[str, list[str]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def test_a_lost_shard_is_made_again_with_the_same_bytes(tmp_path: Path, films: Films) -> None:
    root, source = tmp_path / "project", films(8)
    prepare(root, source, combine=True)
    before = digests(root)
    os.truncate(root / "data/shards/text/subtitles/part-00001.parquet", 100)
    (root / "data/shards/accounts/text/subtitles/part-00002.json").write_text("{")
    (root / "data/text/production_corpus.txt").unlink()
    assert prepare(root, source, combine=True).units_made == 2
    assert digests(root) == before


def test_the_shuffle_depends_on_the_seed_alone_and_loses_nothing(tmp_path: Path, films: Films) -> None:
    source = films(12)
    root = tmp_path / "project"
    prepare(root, source, combine=True, seed=1)
    corpus = root / "data/text/production_corpus.txt"
    one = corpus.read_text()
    api.combine(root, seed=2)
    two = corpus.read_text()
    api.combine(root, seed=1)
    assert corpus.read_text() == one != two
    assert sorted(one.splitlines()) == sorted(two.splitlines())


def test_a_wrong_source_is_one_sentence(tmp_path: Path, films: Films) -> None:
    with pytest.raises(SourceError, match="no such"):
        prepare(tmp_path / "project", tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=r"looked for \*\.srt"):
        prepare(tmp_path / "project", tmp_path / "empty")


def test_an_unfinished_run_is_not_combined(tmp_path: Path, films: Films) -> None:
    root, source = tmp_path / "project", films(6)
    prepare(root, source)
    (root / "data/shards/accounts/text/subtitles/part-00001.json").unlink()
    with pytest.raises(OmniError, match="unit 1 of 3 is not committed"):
        api.combine(root)
    [summary] = api.status(root)
    assert (summary.units_done, summary.units_left) == (2, 1)


def test_the_manifest_tells_how_the_shard_came_to_be(tmp_path: Path, films: Films) -> None:
    root = tmp_path / "project"
    prepare(root, films(2, bad=(1,)), max_quarantine=1.0)
    folder = root / "data/shards/text/subtitles"
    manifest = json.loads((root / "data/shards/accounts/text/subtitles/part-00000.json").read_text())
    shard = folder / manifest["shard"]["file"]
    assert hashlib.sha256(shard.read_bytes()).hexdigest() == manifest["shard"]["sha256"]
    assert manifest["records"] == {"in": 2, "kept": 1, "quarantined": 1}
    assert manifest["reasons"] == {"bad_encoding": 1}


def test_a_second_run_on_the_same_root_is_told_to_wait(tmp_path: Path, films: Films) -> None:
    from omni_ray.pipeline.lease import lease

    with lease(tmp_path / "project/data/.omni", "omni-ray prepare"), pytest.raises(OmniError, match="is working here"):
        prepare(tmp_path / "project", films(2))


def test_each_corpus_has_its_own_file_without_the_production_ones(tmp_path: Path, films: Films) -> None:
    root = tmp_path / "project"
    report = prepare(root, films(4), corpus_files=True)
    assert [file.path for file in report.files] == ["data/text/subtitles.txt"]
    assert len((root / "data/text/subtitles.txt").read_text("utf-8").splitlines()) == 20
    assert not (root / "data/text/production_corpus.txt").exists()
    before = (root / "data/text/subtitles.txt").stat().st_mtime_ns
    prepare(root, films(4), corpus_files=True)
    prepare(root, films(4), combine=True, holdout=0.5)
    held_out = (root / "data/text/subtitles.txt").read_bytes()
    # What the training files hold out is not in the corpus's file either, until there are other shards.
    prepare(root, films(4), corpus_files=True)
    assert (root / "data/text/subtitles.txt").read_bytes() == held_out
    assert (root / "data/text/subtitles.txt").stat().st_mtime_ns != before
    prepare(root, films(5), corpus_files=True)
    assert len((root / "data/text/subtitles.txt").read_text("utf-8").splitlines()) == 25


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".hidden", "production", "heldout_x", "tiny_corpus"])
def test_a_name_that_would_hit_other_files_is_refused(tmp_path: Path, films: Films, name: str) -> None:
    with pytest.raises(OmniError, match="--name"):
        prepare(tmp_path / "project", films(2), name=name)
    assert not (tmp_path / "project" / "data" / "shards").exists()


def test_a_text_beside_a_picture_may_hold_several_captions(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.jpg").write_bytes(picture(1))
    (source / "a.txt").write_text("One.\nAnother.\n")
    [summary] = api.prepare(tmp_path / "project", "images", dataset="image_captions", source=str(source)).summaries
    assert (summary.records_in, summary.samples) == (2, 2)
