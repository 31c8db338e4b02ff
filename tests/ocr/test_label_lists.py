"""Lists of labels without a header, and boxes of words beside photographs, as other tools write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from omni_ray.corpora.ocr_images import OcrImages
from omni_ray.corpora.word_boxes import boxes_of, is_labels, is_numbers
from tests.list_sources import Source, kept, lost
from tests.made_store import picture


@pytest.fixture
def source(tmp_path: Path) -> Source:
    made = Source(tmp_path)
    for number in range(3):
        made.put(f"train/word_{number}.png", picture(number))
    return made


def labels(rows: list[Any]) -> list[tuple[str, str]]:
    return [(row["id"], word["text"]) for row in kept(rows) for word in row["words"]]


WORDS = [("train/word_0", "hello"), ("train/word_1", 'say "wörld", so'), ("train/word_2", "简单 字")]


@pytest.mark.parametrize(
    "name, content",
    [
        ("rec_gt_train.txt", "".join(f"{name}.png\t{label}\n" for name, label in WORDS)),
        ("rec_gt_train.tsv", "".join(f"./{name}.png\t{label}\r\n" for name, label in WORDS)),
        ("rec_gt_train.txt", "".join(f"train_data/rec/{name}.png\t{label}\n" for name, label in WORDS)),
        ("train/gt.txt", "".join(f"{name.rpartition('/')[2]}.png\t{label}\n" for name, label in WORDS)),
        ("label.txt", "".join(f"{name}.png {label}\n" for name, label in WORDS)),
        ("train/gt.txt", '\ufeffword_0.png, "hello"\nword_1.png, "say ""wörld"", so"\nword_2.png, "简单 字"\n'),
        ("train/labels.csv", 'filename,words\nword_0.png,hello\nword_1.png,say "wörld", so\nword_2.png,简单 字\n'),
    ],
)
def test_names_and_labels(source: Source, name: str, content: str) -> None:
    source.put(name, content)
    rows = source.rows(OcrImages())
    assert labels(rows) == WORDS and not lost(rows)


def test_a_list_with_faults(source: Source) -> None:
    source.put("gt.txt", b'train/word_0.png\tone\nno separator\n\ntrain/gone.png\ttwo\n["train/word_1.png"]\tthree\n')
    rows = source.rows(OcrImages())
    assert labels(rows) == [("train/word_0", "one"), ("train/word_1", "three")]
    assert lost(rows) == [("gt.txt:2", "bad_row"), ("train/gone", "missing_media")]


def test_a_list_of_other_things_is_none(source: Source) -> None:
    source.put("notes.txt", "elsewhere/a.png\tnot here\n")
    source.put("list.csv", "image,text\ntrain/word_0.png,a table\n")
    assert [text for _, text in labels(source.rows(OcrImages()))] == ["a table"]


@pytest.mark.parametrize("corners", ["1,1,60,1,60,20,1,20", "1 1 60 1 60 20 1 20", "1,1,60,20,0 5,5,9,9,3"])
def test_a_list_of_where_the_words_are_has_no_labels(source: Source, corners: str) -> None:
    source.put("coords.txt", "".join(f"train/word_{n}.png, {corners}\r\n" for n in range(3)))
    source.put("gt.txt", "".join(f'train/word_{n}.png, "word {n}"\r\n' for n in range(3)))
    assert [text for _, text in labels(source.rows(OcrImages()))] == ["word 0", "word 1", "word 2"]


def test_numbers_in_a_list_of_words_are_labels(source: Source) -> None:
    source.put("gt.txt", "train/word_0.png\t4000 1234 5678 9010\ntrain/word_1.png\t1,250,000\n")
    assert [text for _, text in labels(source.rows(OcrImages()))] == ["4000 1234 5678 9010", "1,250,000"]


def test_paddle_photographs(source: Source) -> None:
    words = '[{"transcription": "EXIT", "points": [[1, 2], [9, 2], [9, 6], [1, 6]]}, {"transcription": "###", "points": []}]'
    source.put("Label.txt", f"train/word_0.png\t{words}\ntrain/word_1.png\t[]\ntrain/word_2.png\t[{{]\n")
    rows = source.rows(OcrImages())
    assert [word["quad"] for word in kept(rows)[0]["words"]] == [[1, 2, 9, 2, 9, 6, 1, 6]]
    assert lost(rows) == [
        ("train/word_0#1", "bad_geometry"),
        ("train/word_1", "missing_text"),
        ("train/word_2", "bad_row"),
    ]


def test_mmocr_lists(source: Source) -> None:
    items: list[Any] = [
        {"img_path": "train/word_0.png", "instances": [{"text": "one"}]},
        {
            "img_path": "train/word_1.png",
            "height": 80,
            "width": 120,
            "instances": [
                {"text": "two", "polygon": [1, 2, 9, 2, 9, 6, 1, 6]},
                {"text": "three", "bbox": [1, 2, 9, 6]},
                {"text": None, "bbox": [1, 2, 9, 6]},
                {"text": "four", "bbox": [1, 2]},
            ],
        },
        {"img_path": None},
        7,
    ]
    source.put("textrecog_train.json", {"metainfo": {"task_name": "textrecog"}, "data_list": items})
    rows = source.rows(OcrImages())
    assert labels(rows) == [("train/word_0", "one"), ("train/word_1", "two"), ("train/word_1", "three")]
    assert [row["frame"] for row in kept(rows)] == [None, [120, 80]]
    assert kept(rows)[1]["words"][0]["quad"] == kept(rows)[1]["words"][1]["quad"]
    assert [reason for _, reason in lost(rows)] == ["missing_text", "bad_geometry", "bad_row", "bad_row"]


@pytest.mark.parametrize(
    "line",
    [
        "377,17,463,17,465,30,377,30,Grand, Café",
        "377 17 463 17 465 30 377 30 Grand, Café",
        "1,2,3,4,5,6,7,8,Latin,Grand, Café",
    ],
)
def test_boxes_with_eight_numbers(line: str) -> None:
    boxes = boxes_of(f"\ufeff{line}\r\n".removeprefix("\ufeff"))
    assert boxes is not None and [box.text for box in boxes] == ["Grand, Café"]
    assert len(boxes[0].quad or []) == 8


@pytest.mark.parametrize("line", ['38, 43, 920, 215, "Tired"', '38 43 920 215 "Tired"', "38,43,920,215,Tired"])
def test_boxes_with_four_numbers(line: str) -> None:
    boxes = boxes_of(line)
    assert boxes is not None and boxes[0].quad == [38, 43, 920, 43, 920, 215, 38, 215] and boxes[0].text == "Tired"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("1,1,25,1,50,1,50,20,25,20,1,20,####HELLO", "HELLO"),
        ("1,1,25,1,50,1,50,20,25,20,1,20,2017, Paris", "2017, Paris"),
        ("1,1,50,1,50,20,1,20,1,234,567", "1,234,567"),
        ("1,1,50,1,50,20,1,20,12 34 Road", "12 34 Road"),
    ],
)
def test_outlines_with_more_than_four_corners(line: str, text: str) -> None:
    boxes = boxes_of(line)
    assert boxes is not None and [(box.quad, box.text) for box in boxes] == [([1, 1, 50, 1, 50, 20, 1, 20], text)]


@pytest.mark.parametrize("text", ["42", "3.14", "12, 24", "1 2 3", "a 1,2,3,4", "10,000,000", "+49 30 123456"])
def test_labels_of_numbers_are_labels(text: str) -> None:
    assert boxes_of(text) is None and not is_numbers(text)


@pytest.mark.parametrize("text", ["0 0.5 0.5 0.2 0.3\n1 0.1 0.1 0.05 0.05\n", "10,20,30,40,50,60,70,80\n"])
def test_boxes_without_words(text: str) -> None:
    assert is_numbers(text)


def test_a_photograph_with_boxes_beside_it(source: Source) -> None:
    source.put("train/word_0.txt", "1,2,9,2,9,6,1,6,Grand Cafe\n1,2,9,2,9,6,1,6,###\nhello\n")
    source.put("train/word_1.txt", "0 0.5 0.5 0.2 0.3\n")
    source.put("train/word_2.txt", "1984")
    rows = source.rows(OcrImages())
    assert labels(rows) == [
        ("train/word_0", "Grand Cafe"),
        ("train/word_0", "###"),
        ("train/word_2", "1984"),
    ]
    assert lost(rows) == [("train/word_0#2", "bad_row"), ("train/word_1", "bad_row")]


def test_icdar_folders(tmp_path: Path) -> None:
    source = Source(tmp_path)
    for number in range(2):
        source.put(f"ch4_training_images/img_{number}.jpg", picture(number))
    source.put("ch4_gt/gt_img_0.txt", "\ufeff1,2,9,2,9,6,1,6,Genaxis Theatre\r\n1,2,9,2,9,6,1,6,[06]\r\n")
    rows = source.rows(OcrImages())
    assert [text for _, text in labels(rows)] == ["Genaxis Theatre", "[06]"]
    assert [reason for _, reason in lost(rows)] == ["missing_text"]


@pytest.mark.parametrize(
    "text, answer",
    [
        ("0 0.5 0.5 0.2 0.3\n1 0.1 0.1 0.05 0.05\n", True),
        ("Car 0.00 0 -1.58 587.01 173.33 614.12 200.12 1.65 1.67 3.64 -0.65 1.71 46.70 -1.59\n", True),
        ("2753 2408 2861 2385 2888 2468 2805 2502 plane 0\n", True),
        ("0 0.5 0.5 0.2 0.3\nA dog on a sofa.\n", False),
        ("1984", False),
        ("Players 4, 8, 15 and 16 wait for the ball.", False),
        ("", False),
    ],
)
def test_labels_of_detectors(text: str, answer: bool) -> None:
    assert is_labels(text) is answer
