"""Benchmarks: what shares 13 words in a row with one goes, whatever the benchmark is written in, and is counted."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omni_ray import api
from omni_ray.api.decontaminating import read_benchmark
from omni_ray.errors import OmniError
from omni_ray.pipeline.engine import inline
from omni_ray.pipeline.store import Store
from omni_ray.quality import benchmarks
from omni_ray.quality.benchmarks import RUN, benchmarks_of, forget_others, save_runs
from omni_ray.quality.clean_shards import clean_shards
from omni_ray.quality.cleaned import Cleaning
from omni_ray.quality.preset import Settings
from omni_ray.quality.settings import settings_of
from tests.made_store import audio_row, commit, image_row, text_row

QUESTION = "A farmer has seventeen sheep, and all but nine of them run away one night."
ANSWER = "How many sheep are left in the morning? Nine are left, as the sentence says plainly."
LEAKED = "He asked: a FARMER has seventeen sheep and all but nine, of them, run away; what now?"


def write(folder: Path, kind: str) -> Path:
    """A benchmark of one question, in columns that nobody would call text."""
    row = {"id": 7, "stem": QUESTION, "options": {"label": ["A", "B"], "said": [ANSWER, "eight"]}}
    file = folder / f"bench.{kind}"
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist([row]), file)
    elif kind == "jsonl.gz":
        file.write_bytes(gzip.compress(json.dumps(row).encode() + b"\n"))
    elif kind == "json":
        file.write_text(json.dumps({"version": 1, "items": [row]}), "utf-8")
    elif kind == "csv":
        file.write_text(f'number,stem,said\n7,"{QUESTION}","{ANSWER}"\n', "utf-8")
    else:
        file.write_text(f"{QUESTION}\n{ANSWER}\n", "utf-8")
    return file


def clean(root: Path, modality: str, *sources: Path, preset: str = "off") -> Settings:
    store = Store(root)
    known = [read_benchmark(store, str(source), lambda text: None) for source in sources]
    before = {modality: Cleaning(store, modality).settings}
    [settings] = settings_of(before, preset if before[modality] is None else None, None, None, (), known).values()
    clean_shards(store, modality, settings, run=inline)
    return settings


@pytest.mark.parametrize("kind", ["parquet", "jsonl.gz", "json", "csv", "txt"])
def test_a_benchmark_is_found_in_whatever_it_is_written_in(tmp_path: Path, kind: str) -> None:
    rows = [
        text_row(1, text="Twelve words of it are too few: seventeen sheep and all but nine of them."),
        text_row(2, id="page 2#0", text="A page that begins harmlessly."),
        text_row(2, id="page 2#1", text=LEAKED),
        text_row(3, text=ANSWER.upper()),
        # A run may go on in the next line of a document, and not in the next document.
        text_row(4, id="page 4#0", text="A farmer has seventeen sheep and all"),
        text_row(4, id="page 4#1", text="but nine of them run away one night."),
        text_row(5, text="A farmer has seventeen sheep and all"),
        text_row(6, text="but nine of them run away one night."),
    ]
    commit(tmp_path, "text", "pages", [rows[:4], rows[4:]])
    clean(tmp_path, "text", write(tmp_path, kind))
    left = pa.concat_tables(list(api.dataset(tmp_path, "text").tables()))["id"].to_pylist()
    assert left == ["page 1#0", "page 5#0", "page 6#0"]
    [summary] = api.status(tmp_path)
    assert (summary.samples, summary.removed) == (3, {"benchmark": 5})
    row = next(iter(api.removed(tmp_path)))
    assert row["reason"] == "benchmark" and str(tmp_path / f"bench.{kind}") in row["detail"]


def test_transcripts_and_captions_are_looked_at_too(tmp_path: Path) -> None:
    commit(tmp_path, "audio", "talks", [[audio_row(0, text=LEAKED), audio_row(1)]])
    pictures = [image_row(0), {**image_row(1), "captions": ["A sheep.", LEAKED]}]
    commit(tmp_path, "images", "farm", [pictures])
    file = write(tmp_path, "txt")
    for modality, left in (("audio", 1), ("images", 3)):
        clean(tmp_path, modality, file)
        [summary] = [each for each in api.status(tmp_path) if each.modality == modality]
        assert summary.samples == left and summary.removed["benchmark"]
    with pytest.raises(OmniError, match="ocr has no text that a benchmark"):
        clean(tmp_path, "ocr", file)


def test_it_is_the_content_that_counts_and_what_comes_new_needs_no_benchmark(tmp_path: Path) -> None:
    commit(tmp_path, "text", "pages", [[text_row(1, text=LEAKED), text_row(2)]])
    file = write(tmp_path, "txt")
    first = clean(tmp_path, "text", file)
    store = Store(tmp_path)
    assert Cleaning(store, "text").settings == first, "what was chosen is remembered"
    assert not clean_shards(store, "text", first, run=inline)
    file.write_text(file.read_text() + "\n", "utf-8")
    assert clean(tmp_path, "text", file) == first, "the same words are the same benchmark"
    file.unlink()
    commit(tmp_path, "text", "late", [[text_row(3, text=LEAKED), text_row(4)]])
    assert clean_shards(Store(tmp_path), "text", first, run=inline)
    assert [each.samples for each in api.status(tmp_path)] == [1, 1]
    file.write_text("Other words that nobody has written down in any of the pages of this little corpus.", "utf-8")
    second = clean(tmp_path, "text", file)
    assert second != first and [each.samples for each in api.status(tmp_path)] == [2, 2]
    kept = benchmarks_of(Store(tmp_path))
    forget_others(kept, second.benchmarks)
    assert list(kept.files()) == [f"{second.benchmarks[0].sha256}.runs"]
    kept.delete(f"{second.benchmarks[0].sha256}.runs")
    benchmarks._runs.cache_clear()
    commit(tmp_path, "text", "later", [[text_row(5, text=LEAKED)]])
    with pytest.raises(OmniError, match=r"gone or damaged; run `omni-ray clean --decontaminate .*bench.txt"):
        clean_shards(Store(tmp_path), "text", second, run=inline)


def test_what_is_no_benchmark_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    (tmp_path / "short.txt").write_text("Too short.\n")
    with pytest.raises(OmniError, match=r"short\.txt: has no 13 words in a row"):
        read_benchmark(store, str(tmp_path / "short.txt"), lambda text: None)
    with pytest.raises(OmniError, match="no such"):
        read_benchmark(store, str(tmp_path / "nowhere.txt"), lambda text: None)
    monkeypatch.setattr(benchmarks, "_MOST_RUNS", 2)
    monkeypatch.setattr(benchmarks, "_AT_ONCE", 2)
    with pytest.raises(OmniError, match="that is not a benchmark"):
        read_benchmark(store, str(write(tmp_path, "txt")), lambda text: None)


WORDS = st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=1, max_size=40)


@given(WORDS, WORDS)
def test_runs_are_those_that_a_loop_finds(
    tmp_path_factory: pytest.TempPathFactory, one: list[str], two: list[str]
) -> None:
    def runs(words: list[str]) -> set[tuple[str, ...]]:
        return {tuple(words[start : start + RUN]) for start in range(len(words) - RUN + 1)}

    storage = benchmarks_of(Store(tmp_path_factory.mktemp("store")))
    texts = [pa.array([" ".join(one).upper()])]
    if not runs(one):
        with pytest.raises(OmniError):
            save_runs(storage, "made", texts)
        return
    benchmark, count = save_runs(storage, "made", texts)
    rule = benchmarks.overlap_rule(storage, benchmark, "text")
    shared = sum(run in runs(one) for run in [tuple(two[s : s + RUN]) for s in range(len(two) - RUN + 1)])
    assert count == len(runs(one))
    assert rule.measure(pa.table({"text": [" ".join(two), ""]})).tolist() == [shared, 0]


def test_the_list_says_what_is_taken_for_a_benchmark() -> None:
    [row] = [each for each in api.rules(["audio"]) if each["reason"] == "benchmark"]
    assert row["name"] == "--decontaminate SOURCE" and "file, folder, archive or hf://" in row["measures"]
    assert not [each for each in api.rules(["ocr"]) if each["reason"] == "benchmark"]
