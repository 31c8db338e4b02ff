"""Cleaning committed shards: what is left, what is listed, what is done again, and what later steps read."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from omni_ray import api
from omni_ray.errors import OmniError
from omni_ray.export.parts import chosen_corpora
from omni_ray.materialize.combine import combine
from omni_ray.pipeline.engine import inline
from omni_ray.pipeline.store import Store
from omni_ray.quality.clean_shards import clean_shards
from omni_ray.quality.cleaned import Cleaning, training_corpora
from omni_ray.quality.duplicate_kinds import KINDS
from omni_ray.quality.preset import Settings, rules_in
from omni_ray.quality.settings import settings_of
from omni_ray.report.page import write_report
from omni_ray.trainers.files import all_modalities
from omni_ray.verify.run import verify
from tests.folders import files_in
from tests.made_store import ROWS, audio_row, commit, image_row, text_row, word_row
from tests.quality.conftest import PROSE

OTHER = "Rain fell on the roofs of the old town all night, and in the morning the river had come up to the third step."


def page(number: int, *lines: str) -> list[dict[str, Any]]:
    return [dict(text_row(number), id=f"page {number}#{n}", text=line) for n, line in enumerate(lines)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Text of two corpora, in shards of a few pages: a page said twice, one said again elsewhere, and one of nothing new."""
    root = tmp_path / "project"
    dull = ["Click here to read more of this."] * 12
    web = [
        page(0, PROSE, OTHER),
        page(1, OTHER, "A line of its own."),
        page(2, PROSE, OTHER),
        page(3, *dull),
        page(4, "Caf\u00c3\u00a9 life, as told by those who were there."),
    ]
    commit(root, "text", "web", [web[0] + web[1], web[2] + web[3], web[4]])
    commit(root, "text", "books", [page(7, PROSE, OTHER) + page(8, "A book that says something else altogether.")])
    return root


def clean(root: Path, modality: str = "text", preset: str = "default", **more: Any) -> bool:
    run = more.pop("run", inline)
    settings = Settings(preset, more.pop("rules", {}), more.pop("duplicates", None))
    return clean_shards(Store(root), modality, settings, run=run)


def lines_of(root: Path) -> dict[str, list[str]]:
    return {
        corpus.name: [
            text
            for manifest, _ in corpus.parts()
            for text in pq.read_table(corpus.storage.open(manifest.shard.file))["text"].to_pylist()
        ]
        for corpus in training_corpora(Store(root), "text")
    }


def test_every_sample_is_left_or_listed_with_its_reason(root: Path) -> None:
    before = files_in(root / "data/shards")
    assert clean(root)
    assert lines_of(root) == {
        "books": [PROSE, OTHER, "A book that says something else altogether."],
        "web": [OTHER, "A line of its own.", "Café life, as told by those who were there."],
    }
    removed = [(row["corpus"], row["id"], row["reason"], row["detail"]) for row in api.removed(root)]
    assert [row[1] for row in removed if row[2] == "repeated_lines"] == [f"page 3#{n}" for n in range(12)]
    assert [row for row in removed if row[2] != "repeated_lines"] == [
        ("web", f"page {number}#{n}", "duplicate_document", "document: as books/part-00000 row 0")
        for number in (0, 2)
        for n in (0, 1)
    ]
    for corpus in training_corpora(Store(root), "text"):
        summary, prepared = corpus.summary(), Store(root).corpus("text", corpus.name).summary()
        lost = sum(count for key, count in summary.stats.items() if key.startswith("removed."))
        assert (summary.records_in, summary.kept) == (prepared.records_in, prepared.kept)
        assert summary.samples + lost == prepared.samples
    assert {name: value for name, value in files_in(root / "data/shards").items() if "cleaned" not in name} == before


def test_all_later_steps_read_what_is_left(root: Path) -> None:
    clean(root)
    files = {file.path: file.records for file in combine(Store(root), "text", run=inline)}
    assert files["data/text/production_corpus.txt"] == 6 and files["data/text/web.txt"] == 3
    assert verify(root).ok
    assert sum(part.samples for corpus in chosen_corpora(Store(root)) for part in corpus.parts) == 6
    html = write_report(root).read_text("utf-8")
    assert "Removed by cleaning" in html and "as books/part-00000 row 0" in html
    assert {s.name: s.samples for s in api.status(root)} == {"web": 3, "books": 3}


def test_nothing_is_done_twice(root: Path) -> None:
    assert clean(root)
    before = {path: path.stat().st_mtime_ns for path in (root / "data/shards").rglob("cleaned/**/*.parquet")}
    assert not clean(root)

    def never(function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            raise AssertionError(f"{function} was called for {item}")
        return iter(())

    assert not clean(root, run=never)
    assert clean(root, duplicates=()), "another setting"
    after = {path: path.stat().st_mtime_ns for path in (root / "data/shards/accounts/cleaned").rglob("*.rules.parquet")}
    assert after == {path: time for path, time in before.items() if path in after}, "rules are not applied again"


@pytest.mark.slow
def test_a_kill_at_any_point_costs_nothing_but_time(root: Path, tmp_path: Path) -> None:
    twin = tmp_path / "undisturbed"
    shutil.copytree(root, twin)
    clean(twin)
    wanted = files_in(twin / "data/shards")
    calls = 0

    def mortal(function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        nonlocal calls
        for item in items:
            calls += 1
            if calls > limit:
                raise KeyboardInterrupt
            yield function(item)

    limit, deaths = 0, 0
    while True:
        calls = 0
        try:
            clean(root, run=mortal)
            break
        except KeyboardInterrupt:
            deaths += 1
            limit += 1
            assert Cleaning(Store(root), "text").is_fresh is False
    assert deaths > 10
    assert files_in(root / "data/shards") == wanted


@pytest.mark.parametrize("kind", ["reversed", "in two halves"])
def test_the_order_of_work_does_not_matter(root: Path, tmp_path: Path, kind: str) -> None:
    twin = tmp_path / "twin"
    shutil.copytree(root, twin)

    def odd(function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        todo = list(items)
        order = range(len(todo) - 1, -1, -1) if kind == "reversed" else sorted(range(len(todo)), key=lambda n: n % 2)
        results = {number: function(todo[number]) for number in order}
        return iter([results[number] for number in range(len(todo))])

    clean(root)
    clean(twin, run=odd)
    assert files_in(root / "data/shards") == files_in(twin / "data/shards")


def test_what_comes_new_makes_the_cleaned_shards_stale(root: Path) -> None:
    clean(root)
    commit(root, "text", "a_corpus_before", [page(5, PROSE, OTHER)])
    with pytest.raises(OmniError, match="run `omni-ray clean text`"):
        combine(Store(root), "text", run=inline)
    assert clean(root)
    assert lines_of(root)["a_corpus_before"] == [PROSE, OTHER], "the first in order is kept"
    assert lines_of(root)["books"] == ["A book that says something else altogether."]
    for folder in ("text", "accounts/text"):
        shutil.rmtree(root / "data/shards" / folder / "a_corpus_before")
    assert clean(root)
    assert lines_of(root)["books"][:2] == [PROSE, OTHER], "and comes back"
    assert not (root / "data/shards/cleaned/text/a_corpus_before").exists()


def test_status_shows_what_is_left_of_a_cleaned_corpus_and_of_those_beside_it(root: Path) -> None:
    clean(root)
    (root / "data/shards/accounts/text/web/part-00001.json").unlink()  # a run that makes it again was killed
    books, web = api.status(root)
    assert (books.units_left, web.units_left) == (0, 1)
    assert books.samples == 3, "as long as cleaning is not whole, what was prepared"


def test_a_limit_is_applied_before_cleaning(tmp_path: Path) -> None:
    rows = page(0, PROSE, OTHER, "The end of it.") + page(1, "What was said then.", "What is said now.", "And so on.")
    commit(tmp_path, "text", "web", [rows[:3], rows[3:]], limit=4)
    clean(tmp_path)
    assert lines_of(tmp_path)["web"] == [row["text"] for row in rows[:4]]
    assert api.status(tmp_path)[0].samples == 4


def test_captions_beyond_the_limit_stay_out(tmp_path: Path) -> None:
    commit(tmp_path, "images", "coco", [[image_row(n) for n in range(4)]], limit=8)
    clean(tmp_path, "images", "off", duplicates=("picture",))
    [corpus] = training_corpora(Store(tmp_path), "images")
    assert sum(take for _, take in corpus.parts()) == 8


def test_off_takes_it_back(root: Path) -> None:
    before = files_in(root / "data/shards")
    clean(root)
    assert clean(root, preset="off")
    assert files_in(root / "data/shards") == before and not (root / "data/shards/cleaned").exists()
    assert not clean(root, preset="off")
    (root / "data/shards/accounts/cleaned/text").mkdir(parents=True)  # which a kill may leave
    clean(root, preset="off")
    assert not (root / "data/shards/accounts/cleaned").exists()


def test_foreign_files_survive(root: Path) -> None:
    clean(root)
    notes = root / "data/shards/cleaned/text/web/notes.txt"
    notes.write_text("mine")
    clean(root, preset="off")
    assert notes.read_text() == "mine"


def test_media_lose_their_duplicates(tmp_path: Path) -> None:
    audio = [
        audio_row(0),
        audio_row(1),
        {**audio_row(2), "audio": {**audio_row(0)["audio"], "path": "train/19/2.flac"}},
    ]
    commit(tmp_path, "audio", "speech", [audio])
    pictures = [image_row(n) for n in range(3)]
    again = {**image_row(5), "image": {**pictures[1]["image"], "path": "train2017/000005.jpg"}}
    commit(tmp_path, "images", "coco", [pictures, [again]])
    commit(tmp_path, "ocr", "words", [[word_row(n) for n in range(3)]])
    clean(tmp_path, "audio", "off", duplicates=("clip",))
    clean(tmp_path, "images", "off", duplicates=("picture",))
    assert clean(tmp_path, "ocr", "default", rules={"label_alphabet": False})
    reasons = [(row["corpus"], row["id"], row["reason"], row["samples"]) for row in api.removed(tmp_path)]
    assert reasons == [
        ("speech", "19-198-0002", "duplicate_clip", 1),
        ("coco", "train2017/000005.jpg", "near_duplicate", 3),
    ]
    [speech] = [s for s in api.status(tmp_path) if s.name == "speech"]
    assert speech.stats["seconds"] == pytest.approx(1.0)


def test_captions_said_before_go_from_later_pictures_if_asked(tmp_path: Path) -> None:
    said = [["a dog", "a cat"], ["a cat"], ["a dog", "two birds"]]
    rows = [{**image_row(n), "captions": captions} for n, captions in enumerate(said)]
    commit(tmp_path, "images", "coco", [rows[:2], rows[2:]])
    clean(tmp_path, "images", "off", duplicates=("picture", "caption"))
    [corpus] = training_corpora(Store(tmp_path), "images")
    left = [
        caption
        for manifest, _ in corpus.parts()
        for captions in pq.read_table(corpus.storage.open(manifest.shard.file))["captions"].to_pylist()
        for caption in captions
    ]
    assert left == ["a dog", "a cat", "two birds"]
    removed = [(row["id"], row["detail"]) for row in api.removed(tmp_path)]
    assert removed == [
        ("train2017/000001.jpg", "caption: as coco/part-00000 caption 1: a cat"),
        ("train2017/000002.jpg", "caption: as coco/part-00000 caption 0: a dog"),
    ]


def test_every_line_stays_somewhere(tmp_path: Path) -> None:
    line, other = "A line that two documents have in common.", "A line that is said in one document alone."
    near = f"{PROSE} {OTHER}"
    commit(tmp_path, "text", "a", [page(0, near)])
    commit(tmp_path, "text", "b", [page(1, f"{near[:-1]}!", line)])
    commit(tmp_path, "text", "c", [page(2, line, other)])
    clean(tmp_path, preset="off", duplicates=("near_document", "line"))
    assert lines_of(tmp_path) == {"a": [near], "b": [], "c": [line, other]}


@pytest.mark.parametrize(
    ("texts", "rules"),
    [
        (["snr=12"], {"snr": 12.0}),
        (["clip_seconds=0.5..30"], {"clip_seconds": [0.5, 30.0]}),
        (["speaking_rate=..40", "repair=off"], {"speaking_rate": [None, 40.0], "repair": False}),
        (["mask_personal"], {"mask_personal": True}),
    ],
)
def test_rules_as_people_write_them(texts: list[str], rules: dict[str, Any]) -> None:
    assert rules_in(texts) == rules


def test_rules_by_themselves_are_added_to_what_was_chosen_before() -> None:
    text = Settings("strict", {"gopher_min_words": 20}, ("document",))
    before = {"text": text, "audio": Settings("default", {"snr": 15.0}), "images": None, "ocr": None}

    def chosen(preset: str | None = None, rules: Any = None, duplicates: Any = None) -> dict[str, Settings]:
        return settings_of(before, preset, rules, duplicates)

    added = chosen(rules={"level": -40.0, "mask_personal": True})
    assert added["text"] == Settings("strict", {"gopher_min_words": 20, "mask_personal": True}, ("document",))
    assert added["audio"] == Settings("default", {"level": -40.0, "snr": 15.0})
    assert added["images"].is_off and added["ocr"].is_off, "what was not cleaned, and no rule concerns, is left alone"
    assert chosen(rules={"entropy": 2.0})["images"] == Settings("default", {"entropy": 2.0})
    lines = chosen(duplicates=["line"])
    assert (
        lines["text"] == Settings("strict", {"gopher_min_words": 20}, ("line",)) and lines["audio"] == before["audio"]
    )
    assert [each.duplicates for each in chosen(duplicates=[]).values()] == [()] * 4
    assert chosen("default", {"snr": 9.0})["audio"] == Settings("default", {"snr": 9.0}), "a preset begins anew"
    assert chosen()["images"] == Settings()


def test_one_rule_does_not_clean_what_it_does_not_concern(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def here(store: Store, modality: str, settings: Settings, **ray: Any) -> bool:
        return clean_shards(store, modality, settings, run=inline)

    monkeypatch.setattr("omni_ray.api.cleaning.clean_shards", here)
    commit(root, "audio", "speech", [[audio_row(n) for n in range(2)]])
    commit(root, "ocr", "words", [[word_row(0)]])
    api.clean(root, ["text"], preset="strict", rules={"prose_from": 60})
    report = api.clean(root, rules={"level": -40.0})
    assert report.changed == ["audio"]
    assert report.settings["text"] == Settings("strict", {"prose_from": 60}) and report.settings["ocr"] is None


@pytest.mark.parametrize("text", ["snr=loud", "snr=1..2..3", "=3", "snr="])
def test_what_is_no_rule_is_said(text: str) -> None:
    with pytest.raises(OmniError, match="--rule"):
        rules_in([text])


@pytest.mark.parametrize("modality", all_modalities())
def test_shards_of_which_nothing_is_left(tmp_path: Path, modality: str) -> None:
    harsh = {
        "text": {"gopher_min_words": 1000, "prose_from": 0},
        "audio": {"clip_seconds": [100, None]},
        "images": {"source_edge": 10_000},
        "ocr": {"label_length": [50, None]},
    }
    commit(tmp_path, modality, "made", [[ROWS[modality](n) for n in range(3)], [ROWS[modality](4)]])
    kinds = [name for name, kind in KINDS.items() if kind.modality == modality]
    clean(tmp_path, modality, "strict", rules=harsh[modality], duplicates=kinds)
    [summary] = api.status(tmp_path)
    assert summary.samples == 0 and sum(summary.removed.values()) == (12 if modality == "images" else 4)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"preset": "best"}, "choose one of off, default, strict"),
        ({"rules": {"snr": 3}}, "no rule named snr"),
        ({"duplicates": ["clip"]}, "no kind of duplicates named clip"),
        ({"rules": {"gopher_min_words": "many"}}, "not a valid limit"),
    ],
)
def test_wrong_settings_are_one_line_and_change_nothing(root: Path, more: dict[str, Any], says: str) -> None:
    before = files_in(root / "data/shards")
    with pytest.raises(OmniError, match=says):
        api.clean(root, ["text"], **more)
    assert files_in(root / "data/shards") == before


def test_nothing_prepared(tmp_path: Path) -> None:
    with pytest.raises(OmniError, match="nothing is prepared"):
        api.clean(tmp_path)


def test_damage_of_what_the_rules_left_is_not_committed_without_duplicates(root: Path) -> None:
    assert clean(root, duplicates=())
    file = root / "data/shards/accounts/cleaned/text/web/part-00000.rules.parquet"
    data = bytearray(file.read_bytes())
    data[data.index(b"parquet-cpp")] ^= 32  # it can still be read
    file.write_bytes(data)
    with pytest.raises(OmniError, match=r"is damaged: .* run `omni-ray clean text`"):
        clean(root, duplicates=("document",))
    assert clean(root, duplicates=("document",))
    assert OTHER in lines_of(root)["web"]
