"""Splits to measure on: known by their names, read as given, apart where they are held out, accounted for where dropped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from omni_ray.corpora.base import Rejected, SourceOptions, UnitDraft
from omni_ray.corpora.evaluation import TrainingFirst, splits_in
from omni_ray.corpora.locate import LocatedCorpus, locate
from omni_ray.corpora.registry import all_corpora

CORPORA = {corpus.name: corpus for corpus in all_corpora()}


def put(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")


def found(folder: Path, corpus: str, mode: str) -> LocatedCorpus:
    return locate(CORPORA[corpus], folder, str(folder / "in"), SourceOptions(evaluation=mode), cache=folder / "index")


def ids(found: LocatedCorpus, drafts: list[UnitDraft]) -> list[str]:
    """Ids of the records of drafts, whole or rejected."""
    records: list[str] = []
    for draft in drafts:
        for item in found.reader.read(found.tree, draft.payload):
            if isinstance(item, dict):
                records.append(item["id"])
            else:
                records += [item.id] if isinstance(item, Rejected) else item["id"].to_pylist()
    return records


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("LibriSpeech/dev-clean/84/121123/84-121123.trans.txt", "dev-clean"),
        ("test-other.tar.gz/LibriSpeech/x.flac", "test-other"),
        ("annotations/captions_val2017.json", "val2017"),
        ("data/validation-00000-of-00001.parquet", "validation"),
        ("data/train-00000-of-00001.parquet", ""),
        ("LibriSpeech/dev-clean-2/84/x.flac", "dev-clean-2"),
        ("TextOCR_0.1_val.json", "val"),
        ("de/test.tsv", "test"),
        ("wiki.test.tokens", "test"),
        ("transcripts/en/dev.jsonl.gz", "dev"),
        ("latest-articles.xml.bz2", ""),
        ("contest/greatest.txt", ""),
        ("devotional.txt", ""),
        ("train2017/000000000139.jpg", ""),
    ],
)
def test_a_split_is_known_by_a_folder_or_a_file(name: str, split: str) -> None:
    assert splits_in([name]) == ((split,) if split else ())


LIBRISPEECH = {
    f"in/LibriSpeech/{split}/{speaker}/7/{speaker}-7.trans.txt": f"{speaker}-7-0000 WORDS\n"
    for split, speaker in [("dev-clean", 84), ("test-clean", 61), ("train-clean-100", 19), ("train-clean-100", 26)]
} | {
    f"in/LibriSpeech/{split}/{speaker}/7/{speaker}-7-0000.flac": "fLaC"
    for split, speaker in [("dev-clean", 84), ("test-clean", 61), ("train-clean-100", 19), ("train-clean-100", 26)]
}
COMMON_VOICE = {
    "in/cv/de/validated.tsv": "client_id\tpath\tsentence\n" + "".join(f"s\tc{n}.mp3\tSatz {n}\n" for n in range(6)),
    "in/cv/de/train.tsv": "client_id\tpath\tsentence\ns\tc0.mp3\tSatz 0\n",
    "in/cv/de/dev.tsv": "client_id\tpath\tsentence\ns\tc1.mp3\tSatz 1\n",
    "in/cv/de/test.tsv": "client_id\tpath\tsentence\ns\tc4.mp3\tSatz 4\n",
} | {f"in/cv/de/clips/c{n}.mp3": "ID3" for n in range(6)}
KARPATHY = {
    "in/dataset_flickr8k.json": json.dumps(
        {
            "images": [
                {"filename": f"{n}.jpg", "split": split, "sentences": [{"raw": f"Picture {n}."}]}
                for n, split in enumerate(["train", "val", "train", "test"])
            ]
        }
    )
} | {f"in/{n}.jpg": "JPEG" for n in range(4)}


def coco(split: str, numbers: list[int]) -> dict[str, str]:
    content = {
        "images": [{"id": n, "file_name": f"{n:012d}.jpg"} for n in numbers],
        "annotations": [{"id": n, "image_id": n, "caption": f"Picture {n}."} for n in numbers],
    }
    return {f"in/annotations/captions_{split}.json": json.dumps(content)} | {
        f"in/{split}/{n:012d}.jpg": "JPEG" for n in numbers
    }


COCO = coco("train2017", [1, 2, 3]) | coco("val2017", [4, 5])
TABLES = {
    f"in/data/{split}-00000-of-00001.jsonl": json.dumps({"text": f"A line of {split}."}) + "\n"
    for split in ("test", "train", "validation")
}
SIDECARS = {
    f"in/{split}/{n}.{ending}": "words" for split in ("dev", "train") for n in "ab" for ending in ("txt", "flac")
}
CASES = {
    "librispeech": (LIBRISPEECH, ("dev-clean", "test-clean"), ["19-7-0000", "26-7-0000"], 4),
    "common_voice": (COMMON_VOICE, ("dev", "test"), ["de/c0", "de/c2", "de/c3", "de/c5"], 6),
    "karpathy": (KARPATHY, ("val", "test"), ["flickr8k/0", "flickr8k/2"], 4),
    "coco": (COCO, ("val2017",), [f"train2017/{n:012d}" for n in (1, 2, 3)], 5),
    "wikipedia": (TABLES, ("test", "validation"), ["data/train-00000-of-00001.jsonl:0"], 3),
    "audio_files": (SIDECARS, ("dev",), ["train/a", "train/b"], 4),
}


@pytest.mark.parametrize("corpus", CASES)
def test_a_source_is_read_as_it_was_given(tmp_path: Path, corpus: str) -> None:
    files, splits, _, records = CASES[corpus]
    put(tmp_path, files)
    source = found(tmp_path, corpus, "train")
    drafts = list(source.drafts)
    assert set(source.measured()) == set(splits)
    assert len(ids(source, drafts)) == records


@pytest.mark.parametrize("corpus", CASES)
def test_what_is_held_out_comes_last_in_units_of_its_own(tmp_path: Path, corpus: str) -> None:
    files, splits, to_train_on, records = CASES[corpus]
    put(tmp_path, files)
    source = found(tmp_path, corpus, "heldout")
    ordered = TrainingFirst(source.drafts, "heldout", lambda drafts: drafts)
    drafts = list(ordered)
    assert set(source.measured()) == set(splits)
    assert ordered.held_from is not None
    assert len(ids(source, drafts[: ordered.held_from])) == len(to_train_on)
    everything = ids(source, drafts)
    assert len(everything) == len(set(everything)) == records
    if corpus not in ("wikipedia", "audio_files"):
        assert ids(source, drafts[: ordered.held_from]) == to_train_on


@pytest.mark.parametrize("corpus", CASES)
def test_what_is_dropped_is_named_file_by_file(tmp_path: Path, corpus: str) -> None:
    files, splits, to_train_on, _ = CASES[corpus]
    put(tmp_path, files)
    source = found(tmp_path, corpus, "drop")
    drafts = list(source.drafts)
    assert len(ids(source, drafts)) == len(to_train_on)
    assert set(source.measured()) == set(splits)
    count = source.files()
    assert count.read + count.unread_count == len(files)
    dropped = [group for group in count.unread if group.reason == "evaluation"]
    assert dropped and not any(group.fault for group in count.unread if group.reason == "evaluation")
    assert "to measure on" in dropped[0].sentence


def test_a_source_that_is_one_split_is_known_by_its_own_name(tmp_path: Path) -> None:
    put(tmp_path, {name.replace("in/", "", 1): text for name, text in LIBRISPEECH.items() if "dev-clean" in name})
    source = locate(
        CORPORA["librispeech"],
        tmp_path,
        str(tmp_path / "LibriSpeech/dev-clean"),
        SourceOptions(evaluation="heldout"),
        cache=tmp_path / "index",
    )
    ordered = TrainingFirst(source.drafts, "heldout", lambda drafts: drafts)
    assert len(list(ordered)) == 1
    assert ordered.held_from == 0 and source.measured() == ("dev-clean",)
