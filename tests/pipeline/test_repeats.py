"""What files of a source have in common is said, whatever they are: nobody trains on it twice without a word."""

from __future__ import annotations

import csv
import json
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from omni_ray import api
from omni_ray.api.in_numbers import repeat_lines
from omni_ray.corpora.base import SourceOptions
from omni_ray.corpora.many import locate_all
from omni_ray.corpora.registry import select
from omni_ray.modalities.registry import modality as modality_of
from omni_ray.pipeline.asked import Asked
from omni_ray.pipeline.corpus_state import SampleLimit, Summary
from omni_ray.pipeline.marks import MARK_BITS, Marks, enough_of, file_of, unpacked
from omni_ray.pipeline.repeats import repeats
from omni_ray.pipeline.small_files import asked_of
from omni_ray.pipeline.stages import Job, Making, read_unit
from omni_ray.pipeline.store import Store
from omni_ray.pipeline.units import number_units
from omni_ray.storage import Storage
from tests.made_store import clip, commit, picture, text_row


def said(modality: str, dataset: str, *sources: Path) -> list[str]:
    """What is said of the sources: their units are made without Ray, and their marks compared."""
    (corpus,) = select(modality, dataset)
    root = sources[0].parent
    found, _ = locate_all(corpus, root, [*map(str, sources)], SourceOptions(), all_of_them=True, cache=root / "index")
    kind = modality_of(modality)
    storage = Storage(root / "out")
    job = Job(dataset, found.reader, found.tree.spec(), kind, kind.params_type(), storage, marks=enough_of(2))
    units = number_units(iter(found.drafts), found.tree, {})
    job = replace(job, asked=asked_of(job, units))
    marks = []
    for unit in units:
        making = Making(job, unit)
        for batch in read_unit(job, unit):
            making.add(batch)
        marks.append(making.commit().marks)
    return [each.sentence for each in repeats(marks, bool(kind.media))]


def lines(*numbers: int) -> str:
    return "".join(f"Sentence number {n} about the weather in a small town.\n" for n in range(*numbers))


def texts(*numbers: int) -> list[dict[str, Any]]:
    return [{"id": f"{numbers}{n}", "text": line} for n, line in enumerate(lines(*numbers).splitlines())]


def write(folder: Path, **files: str | bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def table(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """As its ending says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(list(rows)), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


def test_lines_of_parts_beside_the_whole(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "in", all__txt=lines(10), train__txt=lines(8), valid__txt=lines(8, 10), new__txt=lines(20, 30)
    )
    assert said("text", "text_files", folder) == [
        "8 of 8 records of train.txt are in all.txt, too",
        "2 of 2 records of valid.txt are in all.txt, too",
    ]


def test_lines_of_a_corpus_beside_what_is_left_of_it(tmp_path: Path) -> None:
    kept = "".join(line for n, line in enumerate(lines(200).splitlines(True)) if n % 3)
    folder = write(tmp_path / "in", corpus__txt=lines(200).replace("\n", "\r\n"), corpus__dedup__txt=kept)
    (told,) = said("text", "text_files", folder)
    assert told == "133 of 133 records of corpus.dedup.txt are in corpus.txt, too"


@pytest.mark.parametrize("ending", ["parquet", "jsonl", "csv"])
def test_tables_of_text_that_overlap_in_part(tmp_path: Path, ending: str) -> None:
    table(tmp_path / f"in/data/a.{ending}", texts(0, 10))
    table(tmp_path / f"in/data/b.{ending}", texts(6, 16))
    assert said("text", "text_files", tmp_path / "in") == [
        f"4 of 10 records of data/b.{ending} are in data/a.{ending}, too"
    ]


@pytest.mark.parametrize("packed", [1, 40])
def test_a_few_lines_of_a_small_file_in_a_large_one(tmp_path: Path, packed: int) -> None:
    """``packed`` files beside it share its unit, and its marks."""
    folder = write(tmp_path / "in", large__txt=lines(100_000), small__txt=lines(99_990, 100_030))
    for n in range(1, packed):
        write(folder, **{f"other{n}__txt": lines(200_000 + 50 * n, 200_050 + 50 * n)})
    assert said("text", "text_files", folder) == ["10 of 40 records of small.txt are in large.txt, too"]


def test_a_small_file_that_is_beyond_the_limit_is_in_nothing() -> None:
    asked = Asked.about({"small": {5: 7 << 40}})
    marks = Marks("", "text", 64, asked)
    marks.add(pa.table({"where": ["large, byte 0"], "text": pa.array(["text"], pa.large_string())}))
    found = marks.as_json() | {"met": {"large": {"small": (1, b64encode((5).to_bytes(6, "little")).decode())}}}
    assert repeats([found], False) == []
    assert [each.sentence for each in repeats([found, {"small": ["small"]}], False)] == [
        "what small holds is in large, too"
    ]


def test_lines_beside_a_table(tmp_path: Path) -> None:
    write(tmp_path / "in", notes__txt=lines(5))
    table(tmp_path / "in/notes.csv", texts(0, 12))
    assert said("text", "text_files", tmp_path / "in") == ["5 of 5 records of notes.txt are in notes.csv, too"]


def test_chance_is_no_word(tmp_path: Path) -> None:
    folder = write(tmp_path / "in", a__txt="Chapter 1\n" + lines(9), b__txt="Chapter 1\n" + lines(9, 18))
    assert said("text", "text_files", folder) == []
    write(folder, c__txt=lines(3, 4))
    assert said("text", "text_files", folder) == ["what c.txt holds is in a.txt, too"]


def test_sources_that_overlap(tmp_path: Path) -> None:
    write(tmp_path / "in/old", train__txt=lines(10))
    write(tmp_path / "in/new", train__txt=lines(5, 20))
    found = said("text", "text_files", tmp_path / "in/old", tmp_path / "in/new")
    assert found == ["5 of 10 records of train.txt are in new-2/train.txt, too"]


def test_a_text_under_two_names(tmp_path: Path) -> None:
    books = {f"{name}__txt": f"{name}\n\n" + lines(n, n + 3) for n, name in enumerate("abc")}
    folder = write(tmp_path / "books", **books, copy__txt=books["b__txt"], again__txt=books["c__txt"])
    assert said("text", "books", folder) == [
        "what c.txt holds is in again.txt, too",
        "what copy.txt holds is in b.txt, too",
    ]


Media = Callable[[int], bytes]


def overlapping(folder: Path, ending: str, media: Media, column: str) -> None:
    """``all.csv`` names ten files, ``train.csv`` six of them as it does and two with another text."""
    files = {f"{n}__{ending}": media(n) for n in range(10)}
    write(folder / "media", **files)
    for name, texts in (
        ("all.csv", [f"words {n}" for n in range(10)]),
        ("train.csv", [f"words {n}" for n in range(6)]),
    ):
        texts += ["other words", "more of them"] if name == "train.csv" else []
        table(folder / name, [{column: f"media/{n}.{ending}", "text": text} for n, text in enumerate(texts)])


@pytest.mark.parametrize(
    ("modality", "dataset", "ending", "media", "column"),
    [
        ("images", "image_captions", "jpg", picture, "image"),
        ("ocr", "ocr_images", "jpg", picture, "image"),
    ],
    ids=["images", "ocr"],
)
def test_lists_that_overlap_in_part(
    tmp_path: Path, modality: str, dataset: str, ending: str, media: Media, column: str
) -> None:
    overlapping(tmp_path / "in", ending, media, column)
    assert said(modality, dataset, tmp_path / "in") == ["6 of 8 records of train.csv are in all.csv, too"]


@pytest.mark.parametrize(
    ("modality", "dataset", "ending", "media", "role"),
    [
        ("images", "image_captions", "jpg", picture, "image"),
        ("ocr", "ocr_images", "jpg", picture, "image"),
        ("audio", "audio_files", "flac", clip, "audio"),
    ],
    ids=["images", "ocr", "audio"],
)
def test_a_list_beside_a_table_that_embeds_its_media(
    tmp_path: Path, modality: str, dataset: str, ending: str, media: Media, role: str
) -> None:
    write(tmp_path / "in/media", **{f"{n}__{ending}": media(n) for n in range(5)})
    table(tmp_path / "in/metadata.csv", [{role: f"media/{n}.{ending}", "text": f"Words of {n}. "} for n in range(5)])
    inside = [{role: {"bytes": media(n), "path": f"{n}"}, "text": f"words of {n}"} for n in range(3, 9)]
    table(tmp_path / "in/data/train.parquet", inside)
    (told,) = said(modality, dataset, tmp_path / "in")
    assert told == "2 of 5 records of metadata.csv are in data/train.parquet, too"


def test_pictures_of_two_folders(tmp_path: Path) -> None:
    for folder, numbers in (("one", range(8)), ("two", range(4, 12))):
        for n in numbers:
            write(tmp_path / "in" / folder, **{f"{folder}{n}__jpg": picture(n), f"{folder}{n}__txt": f"words {n}"})
    assert said("images", "image_captions", tmp_path / "in") == ["4 of 8 records of two/ are in one/, too"]
    for n in range(12, 16):
        write(tmp_path / "in/one", **{f"{n}__jpg": picture(n - 12), f"{n}__txt": f"words {n - 12}"})
    assert said("images", "image_captions", tmp_path / "in") == [
        "4 of 8 records of two/ are in one/, too",
        "4 of 12 records of one/ are in others of its files, too, such as one/one0.jpg and one/12.jpg",
    ]


def test_one_picture_under_two_names(tmp_path: Path) -> None:
    for n in range(9):
        write(tmp_path / "in", **{f"{n}__jpg": picture(n % 8), f"{n}__txt": f"words {n % 8}"})
    assert said("images", "image_captions", tmp_path / "in") == ["what 8.jpg holds is in 0.jpg, too"]


def test_two_versions_of_annotations(tmp_path: Path) -> None:
    names = [f"{n:012d}.jpg" for n in range(6)]
    write(tmp_path / "in/train2017", **{name.replace(".", "__"): picture(n) for n, name in enumerate(names)})
    for split, words in (("train2017", "Words"), ("train2017_v2", "Words")):
        value = {
            "images": [{"id": n, "file_name": name} for n, name in enumerate(names)],
            "annotations": [{"id": n, "image_id": n, "caption": f"{words} {n // 2 * 2}"} for n in range(6)],
        }
        write(tmp_path / "in/annotations", **{f"captions_{split}__json": json.dumps(value)})
    told = said("images", "coco", tmp_path / "in")
    assert told and all("captions_train2017" in sentence for sentence in told)


def test_what_two_records_of_one_file_share_is_no_matter_of_files(tmp_path: Path) -> None:
    folder = write(tmp_path / "in", a__txt=lines(9) * 2, b__txt=lines(9, 30) + "Sentence number 0")
    assert said("text", "text_files", folder) == []


def units_of(files: dict[str, Iterable[int]], at_once: int = 1 << 20) -> list[Any]:
    found = []
    for name, numbers in files.items():
        marks = Marks("", "text", 64)
        rows = [(f"{name}, byte {n}", f"row {n * 7919} of a text") for n in numbers]
        for first in range(0, len(rows), at_once):
            where, text = zip(*rows[first : first + at_once], strict=True)
            marks.add(pa.table({"where": where, "text": pa.array(text, pa.large_string())}))
        found.append(marks.as_json())
    return found


@pytest.mark.slow
def test_marks_do_not_depend_on_how_many_rows_come_at_once() -> None:
    files = {"a": range(5000)}
    whole = units_of(files)
    assert whole == units_of(files, 64) == units_of(files, 1)
    assert 16 <= len(unpacked(whole[0]["of"]["a"])) <= 64


def test_records_that_stand_nowhere_have_no_marks() -> None:
    marks = Marks("", "text", 64)
    where = pa.array([None if n % 2 else "a, row 1" for n in range(400)])
    marks.add(pa.table({"where": where, "text": pa.array([f"row {n % 4}" for n in range(400)], pa.large_string())}))
    found = marks.as_json()
    assert found["level"] == 0 and len(unpacked(found["of"]["a"])) == 2


def test_large_files_are_compared_by_some_of_their_records() -> None:
    files = {"all.txt": range(40_000), "small.txt": range(5_000, 9_000), "half.txt": range(30_000, 50_000)}
    found = {each.other: each for each in repeats(units_of(files), False)}
    assert set(found) == {"small.txt", "half.txt"} and all(each.is_estimate for each in found.values())
    assert found["small.txt"].sentence == "about 100 % of the records of small.txt are in all.txt, too"
    assert 0.35 < found["half.txt"].records / found["half.txt"].of < 0.65


def test_many_small_files_are_told_by_their_folders() -> None:
    files = {f"{copy}/{n}.trans.txt": range(9 * n, 9 * n + 9) for copy in ("one", "two") for n in range(20)}
    assert [each.sentence for each in repeats(units_of(files), False)] == [
        "180 of 180 records of two/ are in one/, too"
    ]


def test_short_texts_are_told_apart_wherever_they_stand() -> None:
    words = ["", "a", "b", "ab", "abcdefg", "abcdefgh", "abcdefghi", "ü", "a", "abcdefh"]
    marks = []
    for order in (words, words[::-1]):
        one = Marks("", "text", 64)
        for word in order:
            one.add(pa.table({"where": ["f, byte 1"], "text": pa.array([word], pa.large_string())}))
        several = Marks("", "text", 64)
        several.add(pa.table({"where": ["f, byte 1"] * len(words), "text": pa.array(order, pa.large_string())}))
        marks += [one.as_json(), several.as_json()]
    assert marks[0] == marks[1] == marks[2] == marks[3]
    found = unpacked(marks[0]["of"]["f"])
    assert len(found) == len({word for word in words if word}) and found.max() < 1 << MARK_BITS


@pytest.mark.parametrize(
    ("where", "file", "is_whole"),
    [
        ("a.txt, byte 10", "a.txt", False),
        ("data/a, b.csv, row 10", "data/a, b.csv", False),
        ("list.csv, row 3: media/a: b.jpg", "list.csv", False),
        ("gt.txt:12", "gt.txt", False),
        ("gt.txt:12: a.jpg", "gt.txt", False),
        ("train.json: photo.jpg", "train.json", False),
        ("labels.json, item 4: x.jpg", "labels.json", False),
        ("clips/12:30.wav", "clips/12:30.wav", True),
        ("a.txt", "a.txt", True),
    ],
)
def test_the_file_of_a_record(where: str, file: str, is_whole: bool) -> None:
    assert file_of(where) == (file, is_whole)


def test_small_corpora_keep_more_marks() -> None:
    assert [enough_of(units) for units in (0, 1, 64, 65, 128, 1000, 10**6)] == [256, 256, 256, 128, 128, 64, 64]


def test_what_status_and_prepare_print() -> None:
    found = repeats(units_of({name: range(9) for name in "abcdef"}), False)
    told = repeat_lines(Summary("mine", "text", repeats=found))
    assert told[0] == "text/mine: read twice: 9 of 9 records of b are in a, too"
    assert "2 other pairs" in told[3] and "omni-ray clean text --duplicates document" in told[4]
    cleaned = Summary("mine", "text", repeats=found)
    cleaned.stats["removed.duplicate_document"] = 45
    assert repeat_lines(cleaned) == []


def test_the_summary_of_a_corpus_counts_what_the_limit_keeps(tmp_path: Path) -> None:
    corpus = commit(tmp_path, "text", "made", [[text_row(n) for n in range(9)]] * 3)
    units = units_of({name: range(9) for name in "abc"})
    for unit, marks in enumerate(units):
        manifest = corpus.manifest(unit)
        assert manifest is not None
        corpus.storage.write(f"part-{unit:05d}.json", replace(manifest, marks=marks).as_json())
    assert [(each.one, each.other) for each in Store(tmp_path).corpus("text", "made").summary().repeats] == [
        ("a", "b"),
        ("a", "c"),
    ]
    state = corpus.state()
    assert state is not None
    corpus.save_state(replace(state, cut=SampleLimit(1, 2, 2)))
    found = Store(tmp_path).corpus("text", "made").summary()
    assert [each["other"] for each in found.as_dict()["repeats"]] == ["b"]


@pytest.mark.usefixtures("no_ray")
def test_what_two_corpora_share_is_said_where_they_come_together(tmp_path: Path) -> None:
    write(tmp_path / "in", mine__txt=lines(0, 900), others__txt=lines(2000, 2900), some__txt=lines(850, 950))

    def combined(name: str, source: str, **how: Any) -> str:
        place = str(tmp_path / "in" / f"{source}.txt")
        report = api.prepare(tmp_path, "text", dataset="text_files", source=place, name=name, combine=True, **how)
        return next(file.note for file in report.files if file.is_production)

    assert combined("first", "mine") == combined("other", "others") == ""
    assert "in it twice: about 100 % of the records of first are in again, too; `omni-ray clean" in combined(
        "again", "mine"
    )
    assert "% of the records of part are in again, too" in combined("part", "some", holdout=0.2)
    assert "in it twice" not in combined("part", "some", clean="default")
