"""Corpora in native layouts, read with nothing but the standard tools of each format."""

from __future__ import annotations

import bz2
import csv
import io
import json
import re
import tarfile
import zipfile
from collections import Counter
from itertools import chain
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile
from PIL import Image

from omni_ray.errors import OmniError
from omni_ray.reasons import REASONS, is_fault
from omni_ray.synth import native, native_text
from omni_ray.synth.clips import is_learnable
from omni_ray.synth.native import write_corpus, write_native
from omni_ray.synth.native_task import CorpusToWrite, ExpectedCounts
from tests.folders import files_in

Native = tuple[Path, dict[str, ExpectedCounts]]


def _decodes(data: bytes) -> bool:
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
    except (OSError, SyntaxError):
        return False
    return True


def _sounds(data: bytes) -> bool:
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            return len(file.read()) == file.frames
    except soundfile.LibsndfileError:
        return False


def test_reasons_are_known_and_faults_are_few(native: Native) -> None:
    for name, expected in native[1].items():
        assert set(expected.reasons) <= set(REASONS), name
        faults = sum(count for reason, count in expected.reasons.items() if is_fault(reason))
        assert faults < 0.05 * expected.records, name
        assert expected.kept + expected.quarantined == expected.records


def test_librispeech(native: Native) -> None:
    root, expected = native
    files = {
        path.relative_to(root / "librispeech").as_posix(): path.read_bytes()
        for path in (root / "librispeech/LibriSpeech/dev-clean").rglob("*.*")
    }
    with tarfile.open(root / "librispeech/train-clean-100.tar.gz") as tar:
        for member in tar:
            stream = tar.extractfile(member)
            assert stream is not None
            files[member.name] = stream.read()
    clips = {Path(name).stem: data for name, data in files.items() if name.endswith(".flac")}
    texts = dict(
        line.split(" ", 1)
        for name, data in files.items()
        if name.endswith(".trans.txt")
        for line in data.decode().splitlines()
    )
    assert all(re.fullmatch(r"[A-Z']+( [A-Z']+)*", text) for text in texts.values())
    assert all(re.fullmatch(r"LibriSpeech/[\w-]+/(\d+)/(\d+)/\1-\2(-\d{4})?\..*", name) for name in files)
    assert len(texts.keys() | clips.keys()) == expected["librispeech"].records
    whole = {name for name, data in clips.items() if _sounds(data)}
    assert len(texts.keys() & whole) == expected["librispeech"].kept
    assert len(texts.keys() - clips.keys()) == len(clips.keys() - texts.keys()) == 1
    for name in texts.keys() & whole:
        samples, rate = soundfile.read(io.BytesIO(clips[name]))
        assert rate == 16_000
        assert is_learnable(texts[name], len(samples))


def test_ljspeech(native: Native) -> None:
    root, expected = native
    with tarfile.open(root / "ljspeech/LJSpeech-1.1.tar.bz2") as tar:
        files = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
    rows = [line.split("|") for line in files["LJSpeech-1.1/metadata.csv"].decode().splitlines()]
    assert len(rows) == expected["ljspeech"].records
    assert all(len(row) == 3 and all(row) for row in rows)
    assert any(raw != read for _, raw, read in rows)
    assert any(raw.count('"') % 2 for _, raw, _ in rows)
    there = [name for name, _, _ in rows if f"LJSpeech-1.1/wavs/{name}.wav" in files]
    assert len(there) == expected["ljspeech"].kept
    for name in there:
        info = soundfile.info(io.BytesIO(files[f"LJSpeech-1.1/wavs/{name}.wav"]))
        assert (info.samplerate, info.channels, info.subtype) == (22_050, 1, "PCM_16")


def test_common_voice(native: Native) -> None:
    root, expected = native
    top = root / "common_voice/cv-corpus-6.1-2020-12-11/en"
    tables = {}
    for table in ("validated", "train", "dev", "test", "other", "invalidated"):
        with open(top / f"{table}.tsv", encoding="utf-8", newline="") as file:
            tables[table] = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    rows = tables["validated"]
    assert len(rows) == expected["common_voice"].records
    assert tables["train"] + tables["dev"] + tables["test"] == rows
    assert any(row["sentence"].count('"') == 1 for row in rows)
    assert all(len(row["client_id"]) == 128 for row in rows)
    there = [top / "clips" / row["path"] for row in rows if (top / "clips" / row["path"]).exists()]
    sounding = [path for path in there if _sounds(path.read_bytes())]
    assert len(there) == len(rows) - 1
    assert len(sounding) == expected["common_voice"].kept
    assert {soundfile.info(path).samplerate for path in sounding} == {48_000}


def test_coco(native: Native) -> None:
    root, expected = native
    kept = records = 0
    sizes = set()
    for split in ("train2017", "val2017"):
        notes = json.loads((root / f"coco/annotations/captions_{split}.json").read_bytes())
        if split == "train2017":
            with zipfile.ZipFile(root / "coco/train2017.zip") as archive:
                files = {Path(name).name: archive.read(name) for name in archive.namelist()}
        else:
            files = {path.name: path.read_bytes() for path in (root / "coco" / split).iterdir()}
        names = {image["id"]: image["file_name"] for image in notes["images"]}
        assert Counter(Counter(note["image_id"] for note in notes["annotations"]).values()).keys() == {5}
        assert len({note["id"] for note in notes["annotations"]}) == len(notes["annotations"])
        for note in notes["annotations"]:
            records += 1
            kept += bool(note["caption"].strip()) and _decodes(files[names[note["image_id"]]])
        modes, turns = set(), 0
        for image in notes["images"]:
            with Image.open(io.BytesIO(files[image["file_name"]])) as picture:
                turned = picture.getexif().get(0x0112) == 6
                turns += turned
                modes.add(picture.mode)
                sizes.add(picture.size)
                stated = (image["width"], image["height"])
                assert picture.size == (stated[::-1] if turned else stated)
        assert (modes, turns) == ({"RGB", "L"}, 1)
    assert (records, kept) == (expected["coco"].records, expected["coco"].kept)
    assert len(sizes) > 4


def test_mjsynth(native: Native) -> None:
    root, expected = native
    top = root / "mjsynth/mnt/ramdisk/max/90kDICT32px"
    lexicon = (top / "lexicon.txt").read_text().splitlines()
    lines = (top / "annotation.txt").read_text().splitlines()
    parts = [(top / f"annotation_{part}.txt").read_text().splitlines() for part in ("train", "val", "test")]
    assert list(chain.from_iterable(parts)) == lines
    assert (top / "imlist.txt").read_text().splitlines() == [line.split()[0] for line in lines]
    kept = 0
    for line in lines:
        path, number = line.split(" ")
        _, text, index = Path(path).stem.split("_")
        assert index == number
        assert lexicon[int(number)] == text.lower()
        file = top / path
        if file.exists() and _decodes(file.read_bytes()):
            kept += 1
            with Image.open(file) as image:
                assert image.height == 31
    assert (len(lines), kept) == (expected["mjsynth"].records, expected["mjsynth"].kept)


def _area(points: list[float]) -> float:
    xs, ys = np.array(points[::2]), np.array(points[1::2])
    return float(abs(np.dot(xs, np.roll(ys, 1)) - np.dot(ys, np.roll(xs, 1)))) / 2


def test_textocr(native: Native) -> None:
    root, expected = native
    kept = records = 0
    for split in ("train", "val"):
        content = json.loads((root / f"textocr/TextOCR_0.1_{split}.json").read_bytes())
        assert set(content["imgs"]) == set(content["imgToAnns"])
        assert [a for of_image in content["imgToAnns"].values() for a in of_image] == list(content["anns"])
        for image in content["imgs"].values():
            name = image["file_name"].removeprefix("train/")
            with Image.open(root / "textocr/train_images" / name) as picture:
                assert picture.size == (image["width"], image["height"])
        for note in content["anns"].values():
            image = content["imgs"][note["image_id"]]
            assert all(0 <= x <= image["width"] for x in note["points"][::2])
            assert all(0 <= y <= image["height"] for y in note["points"][1::2])
            records += 1
            kept += note["utf8_string"] != "." and _area(note["points"]) > 50
    assert (records, kept) == (expected["textocr"].records, expected["textocr"].kept)


def test_synthtext(native: Native) -> None:
    from scipy.io import loadmat

    root, expected = native
    truth = loadmat(root / "synthtext/SynthText/gt.mat")
    records = 0
    for name, boxes, letters, text in zip(
        *(truth[key][0] for key in ("imnames", "wordBB", "charBB", "txt")), strict=True
    ):
        words = " ".join(text).split()
        boxes, letters = boxes.reshape(2, 4, -1), letters.reshape(2, 4, -1)
        assert boxes.shape[2] == len(words)
        assert letters.shape[2] == sum(map(len, words))
        with Image.open(root / "synthtext/SynthText" / name[0]) as image:
            assert boxes.min() >= 0
            assert boxes[0].max() <= image.width
            assert boxes[1].max() <= image.height
        records += len(words)
    assert records == expected["synthtext"].records == expected["synthtext"].kept
    assert {truth["wordBB"][0][n].ndim for n in range(len(truth["wordBB"][0]))} == {2, 3}


def test_wikipedia(native: Native) -> None:
    root, expected = native
    space = "{http://www.mediawiki.org/xml/export-0.11/}"
    dump = bz2.decompress((root / "wikipedia/enwiki-latest-pages-articles.xml.bz2").read_bytes())
    pages = ElementTree.fromstring(dump).findall(f"{space}page")
    assert len(pages) == expected["wikipedia"].records
    articles = [
        page for page in pages
        if page.findtext(f"{space}ns") == "0" and "'''" in (page.findtext(f"{space}revision/{space}text") or "")
        and "disambiguation" not in (page.findtext(f"{space}title") or "")
    ]  # fmt: skip
    assert len(articles) == expected["wikipedia"].kept
    assert sum(page.find(f"{space}redirect") is not None for page in pages) == expected["wikipedia"].reasons["redirect"]
    for page in pages:
        text = page.find(f"{space}revision/{space}text")
        assert text is not None and int(text.attrib["bytes"]) == len((text.text or "").encode())


def test_books(native: Native) -> None:
    root, expected = native
    files = sorted((root / "books").rglob("*.txt"))
    assert len(files) == expected["books"].records
    texts = [file.read_bytes() for file in files]
    marked = [text for text in texts if b"*** START OF THE PROJECT GUTENBERG EBOOK" in text]
    assert len(marked) == len(texts) - 1
    assert all(b"Project Gutenberg" in text[:200] for text in texts)
    assert len({file.parent for file in files}) == len(files) - 1
    assert any(b"\r\n" in text for text in texts) and any(b"\r\n" not in text for text in texts)
    assert any(text.startswith(b"\xef\xbb\xbf") for text in texts)


def test_tables(native: Native) -> None:
    import pyarrow.parquet as pq

    root, expected = native
    table = pq.read_table(root / "text_parquet")
    assert table.num_rows == expected["text_parquet"].records
    assert table["text"].null_count == 1
    good = 0
    lines = (root / "text_jsonl/part-000.jsonl").read_text(encoding="utf-8").splitlines()
    for line in lines:
        try:
            good += bool(json.loads(line)["text"])
        except ValueError:
            assert line.startswith('{"text"')
    assert (len(lines), good) == (expected["text_jsonl"].records, expected["text_jsonl"].kept)


@pytest.mark.parametrize(
    "name", ["wikipedia", "books", "text_parquet", "mjsynth", "synthtext", "ljspeech", "librispeech"]
)
def test_the_same_seed_gives_the_same_bytes(native: Native, name: str, tmp_path: Path) -> None:
    write_corpus(CorpusToWrite(name, str(tmp_path), 7, 0.01, "tones"))
    assert files_in(tmp_path / name) == files_in(native[0] / name)


def test_what_is_there_is_not_written_again(native: Native) -> None:
    root, expected = native
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    assert write_native(root, seed=7, scale=0.01, speech="tones") == expected
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def test_another_seed_replaces_the_corpus(tmp_path: Path) -> None:
    write_corpus(CorpusToWrite("text_jsonl", str(tmp_path), 1, 0.01, "tones"))
    first = files_in(tmp_path)
    write_corpus(CorpusToWrite("text_jsonl", str(tmp_path), 2, 0.01, "tones"))
    assert files_in(tmp_path) != first
    assert [path.name for path in tmp_path.iterdir()] == ["text_jsonl"]


def test_what_a_killed_run_left_is_cleared_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = native_text.jsonl

    def killed(task: CorpusToWrite, folder: Path) -> list[ExpectedCounts]:
        write(task, folder)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setitem(native._WRITERS, "text_jsonl", killed)
        write_corpus(CorpusToWrite("text_jsonl", str(tmp_path), 7, 0.01, "tones"))
    [left] = tmp_path.iterdir()
    (left / "half").write_text("half")
    write_corpus(CorpusToWrite("text_jsonl", str(tmp_path), 1, 0.01, "tones"))
    assert [path.name for path in tmp_path.iterdir()] == ["text_jsonl"]
    assert not (tmp_path / "text_jsonl" / "half").exists()


def test_files_of_other_people_are_not_touched(tmp_path: Path) -> None:
    mine = tmp_path / "librispeech" / "real.txt"
    mine.parent.mkdir()
    mine.write_text("real")
    with pytest.raises(OmniError, match="not synthetic"):
        write_native(tmp_path, scale=0.01, speech="tones", run=lambda function, tasks: map(function, list(tasks)[1:]))
    assert mine.read_text() == "real"


def test_what_others_put_into_a_synthetic_corpus_is_not_replaced_with_it(tmp_path: Path) -> None:
    write_corpus(CorpusToWrite("text_jsonl", str(tmp_path), 1, 0.01, "tones"))
    mine = tmp_path / "text_jsonl" / "notes.txt"
    mine.write_text("mine")
    with pytest.raises(OmniError, match=r"notes\.txt"):
        write_corpus(CorpusToWrite("text_jsonl", str(tmp_path), 2, 0.01, "tones"))
    mine.unlink()
    changed = tmp_path / "text_jsonl" / "part-000.jsonl"
    changed.write_text(changed.read_text() + '{"text": "mine"}')
    with pytest.raises(OmniError, match=r"part-000\.jsonl"):
        write_corpus(CorpusToWrite("text_jsonl", str(tmp_path), 2, 0.01, "tones"))
    assert changed.read_text().endswith('{"text": "mine"}')


def test_the_scale_is_checked(tmp_path: Path) -> None:
    with pytest.raises(OmniError, match="above 0"):
        write_native(tmp_path, scale=0)
