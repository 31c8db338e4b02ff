"""Speech as people lay it out: which column, which file and which split is meant, and how much of it is a unit."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from omni_ray.corpora import bounds
from omni_ray.corpora.base import Rejected, SourceOptions, UnitDraft
from omni_ray.corpora.locate import locate
from omni_ray.errors import SourceError
from tests.made_store import clip
from tests.sources.speech_source import CORPORA, Source


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path)


# --- tables and text files side by side


def test_one_text_file_does_not_hide_the_table(source: Source) -> None:
    for number in range(3):
        source.put(f"wavs/{number}.flac", clip(number))
    source.put("metadata.csv", "file_name,text\n" + "".join(f"wavs/{n}.flac,Number {n}.\n" for n in range(3)))
    source.put("wavs/0.txt", "A note.")
    assert source.texts("audio_files") == ["Number 0.", "Number 1.", "Number 2."]


def test_more_text_files_than_the_table_has_rows(source: Source) -> None:
    for number in range(3):
        source.put(f"wavs/{number}.flac", clip(number))
        source.put(f"wavs/{number}.txt", f"Number {number}.")
    source.put("sample.csv", "file_name,text\nwavs/0.flac,Number 0.\n")
    with pytest.raises(SourceError, match=r"sample\.csv.*1 .*3"):
        source.rows("audio_files")


def test_tables_of_other_things_hide_no_text_files(source: Source) -> None:
    source.put("a.flac", clip(1))
    source.put("a.txt", "A text.")
    source.put("speakers.csv", "speaker,age\np1,33\n")
    assert source.texts("audio_files") == ["A text."]


# --- labels with times

LABELS = {
    "htk.lab": "0 3100000 sil\n3100000 4000000 dh\n4000000 4500000 ax\n",
    "festvox.lab": "#\n0.1200 125 pau\n0.2300 125 k\n0.5000 125 ae\n",
    "audacity.txt": "0.000000\t0.450000\tone\n0.450000\t0.900000\ttwo\n",
    "word.lab": "0 16000000 word\n",
    "srt.txt": "1\n00:00:00,000 --> 00:00:01,000\nOne two.\n",
    "vtt.txt": "\ufeffWEBVTT\n\n00:00.000 --> 00:01.000\nOne two.\n",
    "lrc.txt": "[00:00.00]One two.\n",
    "praat.txt": 'File type = "ooTextFile"\nObject class = "TextGrid"\n',
}
TEXTS = {
    "timit.txt": ("0 46797 She had your dark suit.\n", "She had your dark suit."),
    "digits.txt": ("5 6 2 1\n", "5 6 2 1\n"),
    "count.lab": ("1 2 buckle my shoe\n", "1 2 buckle my shoe\n"),
    "lines.txt": ("3 4 knock at the door\nand a line more\n", "3 4 knock at the door\nand a line more\n"),
}


def test_labels_with_times_are_no_transcript(source: Source) -> None:
    for name, text in (LABELS | {name: text for name, (text, _) in TEXTS.items()}).items():
        source.put(name, text)
        source.put(f"{name.rpartition('.')[0]}.flac", clip(1))
    by_name = {row["where"] if isinstance(row, dict) else row.where: row for row in source.rows("audio_files")}
    for name in LABELS:
        row = by_name[f"{name.rpartition('.')[0]}.flac"]
        assert isinstance(row, Rejected) and row.reason == "missing_text" and name in row.detail
    for name, (_, wanted) in TEXTS.items():
        row = by_name[f"{name.rpartition('.')[0]}.flac"]
        assert isinstance(row, dict) and row["text"] == wanted


# --- the third column of metadata.csv


def metadata(source: Source, *rows: str) -> None:
    for number in range(len(rows)):
        source.put(f"wavs/L{number}.wav", clip(number))
    source.put("metadata.csv", "".join(f"L{number}|{row}\n" for number, row in enumerate(rows)))


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        (["Dr. Who has 2.|Doctor Who has two.", "He left.|He left.", "So|"], ["Doctor Who has two.", "He left.", "So"]),
        (["It rains.|anna", "It is dry.|bert", "It blows.|anna"], ["It rains.", "It is dry.", "It blows."]),
        (["It rains.|1.204", "It is dry.|0.9", "It blows.|2"], ["It rains.", "It is dry.", "It blows."]),
        (["anna|It rains.", "bert|It is dry.", "anna|"], ["It rains.", "It is dry."]),
        (["今日は雨です。|今日は雨です", "明日は晴れ。|明日は晴れ"], ["今日は雨です", "明日は晴れ"]),
        (["It rains.", "It is dry."], ["It rains.", "It is dry."]),
    ],
    ids=["normalized", "speaker", "length", "speaker second", "no spaces", "two columns"],
)
def test_which_column_is_the_transcript(source: Source, rows: list[str], wanted: list[str]) -> None:
    metadata(source, *rows)
    assert source.texts("ljspeech") == wanted


def test_two_texts_that_have_nothing_in_common_are_refused(source: Source) -> None:
    metadata(source, "It rains here.|Hier regnet es.", "It is dry now.|Jetzt scheint die Sonne.")
    with pytest.raises(SourceError, match=r"metadata\.csv.*third"):
        source.rows("ljspeech")


# --- splits of Common Voice in tables


def table(source: Source, name: str, *texts: str) -> None:
    rows = [{"path": f"{text}.mp3", "audio": {"bytes": clip(1), "path": None}, "sentence": text} for text in texts]
    target = source.folder / "source" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), target)


def test_tables_of_common_voice_are_read_as_its_lists_are(source: Source) -> None:
    for split in ("validated", "train", "test", "other", "invalidated"):
        table(source, f"eo/{split}-00000-of-00001.parquet", split)
    assert source.texts("common_voice") == ["validated"]
    assert source.texts("common_voice", splits=("other", "test")) == ["other", "test"]


def test_splits_as_folders_and_without_validated(source: Source) -> None:
    for split in ("train", "validation", "other", "invalidated"):
        table(source, f"eo/{split}/0000.parquet", split)
    assert source.texts("common_voice") == ["train", "validation"]


def test_clips_that_were_voted_down_are_never_read_unasked(source: Source) -> None:
    table(source, "invalidated-00000-of-00001.parquet", "invalidated")
    with pytest.raises(SourceError, match="--split"):
        source.rows("common_voice")


def test_a_configuration_that_holds_the_others_is_read_once(source: Source) -> None:
    there = {"all/train.clean.100": "one", "all/test.other": "two", "clean/train.100": "one", "other/test": "two"}
    for name, text in there.items():
        target = source.folder / "source" / name / "0000.parquet"
        target.parent.mkdir(parents=True)
        rows = [{"id": text, "audio": {"bytes": clip(len(text)), "path": None}, "text": text}]
        pq.write_table(pa.Table.from_pylist(rows), target)
    assert source.texts("librispeech") == ["one", "two"]
    assert source.texts("librispeech", splits=("clean",)) == ["one"]


def test_paths_that_lead_out_of_the_tables_folder_and_stay_in_the_source(source: Source) -> None:
    source.put("wavs/0.flac", clip(0))
    source.put(
        "lists/train.jsonl",
        "".join(f'{{"audio_filepath": "{path}", "text": "t"}}\n' for path in ("../wavs/0.flac", "../../wavs/0.flac")),
    )
    assert source.texts("audio_files") == ["t"]
    assert source.reasons("audio_files") == ["bad_path"]


def test_a_table_without_a_split_in_its_name_is_read(source: Source) -> None:
    table(source, "mine.parquet", "one", "two")
    assert source.texts("common_voice") == ["one", "two"]


# --- how much is a unit


def drafts(source: Source, name: str, **options: Any) -> list[UnitDraft]:
    return list(source.found(name, **options).drafts)


def wav(seconds: float) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(round(seconds * 16_000), np.int16), 16_000, format="WAV")
    return file.getvalue()


def test_units_are_bounded_by_what_their_media_are_when_decoded(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten recordings of 3 s, where a unit may have 10 s: three each, in every layout."""
    monkeypatch.setattr(bounds, "UNIT_BYTES", 320_000)
    for number in range(10):
        for place in (
            f"LJ/wavs/{number}.wav",
            f"mine/{number}.wav",
            f"listed/{number}.wav",
            f"cv/en/clips/{number}.wav",
        ):
            source.put(place, wav(3))
        source.put(f"mine/{number}.txt", "text")
    source.put("LJ/metadata.csv", "".join(f"{number}|text\n" for number in range(10)))
    source.put("listed/list.csv", "audio,text\n" + "".join(f"{number}.wav,text\n" for number in range(10)))
    source.put("cv/en/validated.tsv", "path\tsentence\n" + "".join(f"{number}.wav\ttext\n" for number in range(10)))
    for name, folder in (
        ("ljspeech", "LJ"),
        ("audio_files", "mine"),
        ("audio_files", "listed"),
        ("common_voice", "cv"),
    ):
        found = locate(
            CORPORA[name],
            source.folder,
            str(source.folder / "source" / folder),
            SourceOptions(),
            cache=source.folder / "i",
        )
        assert [draft.records for draft in found.drafts] == [3, 3, 3, 1], folder


def test_lossy_recordings_count_for_more_than_their_bytes(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "UNIT_BYTES", 100_000)
    for number in range(4):
        source.put(f"{number}.mp3", bytes(5_000))
        source.put(f"{number}.txt", "text")
    assert [draft.records for draft in drafts(source, "audio_files")] == [1, 1, 1, 1]


def test_segments_count_for_their_seconds(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "UNIT_BYTES", 320_000)
    source.put("talk.wav", wav(1))
    rows = [f"talk.wav,text,{4 * number},{4 * number + 4}\n" for number in range(5)]
    source.put("list.csv", "audio,text,from,to\n" + "".join(rows))
    columns = {"start": "from", "end": "to"}
    assert [draft.records for draft in drafts(source, "audio_files", columns=columns)] == [2, 2, 1]


def test_paths_in_parquet_are_inputs_and_bound_units(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "UNIT_BYTES", 320_000)
    for number in range(5):
        source.put(f"{number}.wav", wav(4))
    pq.write_table(
        pa.table({"audio": [f"{n}.wav" for n in range(5)], "text": [f"text {n}" for n in range(5)]}),
        source.folder / "source" / "list.parquet",
    )
    found = drafts(source, "audio_files")
    assert [draft.records for draft in found] == [2, 2, 1]
    assert found[1].inputs == ("list.parquet", "2.wav", "3.wav")
    assert source.texts("audio_files") == [f"text {n}" for n in range(5)]


# --- rows that share recordings


@pytest.mark.parametrize(
    ("header", "asked"),
    [
        ("start,end", "--columns start=start,end=end"),
        ("begin_time,dur", "--columns start=begin_time,duration=dur"),
        ("channel,day", "--columns channel=channel"),
        ("offset,duration", "--columns start=offset,duration=duration"),
        ("start_ms,end_ms", "write start_ms and end_ms in seconds"),
        ("start_sample,num_samples", "write start_sample and num_samples in seconds"),
    ],
)
def test_rows_that_share_recordings_are_asked_which_part_is_meant(source: Source, header: str, asked: str) -> None:
    source.put("talk.flac", clip(0))
    source.put("meeting.flac", clip(1))
    rows = "".join(f"{name}.flac,Part {n} of {name}.,{n},{n + 1}\n" for name in ("talk", "meeting") for n in range(2))
    source.put("list.csv", f"path,text,{header}\n{rows}")
    with pytest.raises(SourceError, match=asked):
        source.texts("audio_files")


def test_rows_with_clips_of_their_own_are_not_asked(source: Source) -> None:
    for n in range(3):
        source.put(f"{n}.flac", clip(n))
    rows = "".join(f"{n}.flac,Number {n}.,{n},{n + 1}\n" for n in range(3))
    source.put("list.csv", f"path,text,start,end\n{rows}0.flac,Another word for it.,0,1\n")
    assert source.texts("audio_files") == ["Number 0.", "Number 1.", "Number 2.", "Another word for it."]
    source.put("list.csv", "path,text\n0.flac,One reading.\n0.flac,Another reading.\n")
    assert source.texts("audio_files") == ["One reading.", "Another reading."]
