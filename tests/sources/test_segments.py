"""Clips out of long recordings: only where a table says from when to when, and exactly that."""

from __future__ import annotations

import csv
import io
import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from omni_ray.corpora.audio_files import AudioFiles
from omni_ray.corpora.base import Rejected, SourceOptions
from omni_ray.corpora.locate import locate
from omni_ray.errors import SourceError
from omni_ray.records import Unusable
from omni_ray.sources.segments import BadSegment, Cutter

RATE = 22_050
NOISE = np.random.default_rng(3).integers(-9000, 9000, (20 * RATE, 2), dtype=np.int16)


@cache
def encoded(ending: str, **more: Any) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, NOISE, RATE, format=ending, **more)
    return file.getvalue()


def recording(ending: str, **more: Any) -> io.BytesIO:
    return io.BytesIO(encoded(ending, **more))


def read_segment(file: io.BytesIO, start: float, end: float | None) -> bytes:
    return Cutter().cut("talk", file, start, end)


@pytest.mark.parametrize("ending", ["WAV", "FLAC", "AIFF"])
def test_a_segment_is_those_very_samples(ending: str) -> None:
    data, rate = soundfile.read(io.BytesIO(read_segment(recording(ending), 3.25, 7.5)), dtype="int16")
    assert rate == RATE
    assert (data == NOISE[round(3.25 * RATE) : round(7.5 * RATE)]).all()


def test_what_is_finer_than_16_bits_stays_so() -> None:
    fine = recording("WAV", subtype="FLOAT")
    assert soundfile.info(io.BytesIO(read_segment(fine, 0, 1))).subtype == "FLOAT"


@pytest.mark.parametrize("ending", ["OGG", "MP3"])
def test_compressed_recordings_are_cut_at_the_right_place(ending: str) -> None:
    whole, _ = soundfile.read(recording(ending), dtype="float32")
    data, _ = soundfile.read(io.BytesIO(read_segment(recording(ending), 5, 6)), dtype="float32")
    assert np.abs(data - whole[5 * RATE : 6 * RATE]).max() < 0.02


@pytest.mark.parametrize(
    ("start", "end"), [(5, 5), (6, 5), (-1, 2), (math.nan, 2), (0, math.inf), (20, 21), (19, 20.6), (0, 4000)]
)
def test_no_such_stretch(start: float, end: float) -> None:
    with pytest.raises(BadSegment):
        read_segment(recording("WAV"), start, end)


def test_a_list_may_run_a_little_over_the_end() -> None:
    data, _ = soundfile.read(io.BytesIO(read_segment(recording("WAV"), 19, 20.4)))
    assert len(data) == RATE


def test_to_the_end() -> None:
    assert soundfile.info(io.BytesIO(read_segment(recording("WAV"), 19, None))).frames == RATE
    assert soundfile.info(io.BytesIO(read_segment(recording("OGG"), 19, None))).frames == RATE


@pytest.mark.parametrize("ending", ["OGG", "MP3"])
def test_stretches_of_one_recording_in_any_order(ending: str) -> None:
    """As each alone, whether they follow each other, overlap or go back."""
    file, cutter = recording(ending), Cutter()
    for start, end in [(1, 2), (1.5, 4), (4, 5), (3, 3.5), (19, 20.2), (0, 1)]:
        file.seek(0)
        together, _ = soundfile.read(io.BytesIO(cutter.cut("talk", file, start, end)))
        alone, _ = soundfile.read(io.BytesIO(read_segment(recording(ending), start, end)))
        assert (together == alone).all()
    file.seek(0)
    with pytest.raises(BadSegment):
        cutter.cut("talk", file, 25, 26)


def test_a_broken_recording_is_said() -> None:
    with pytest.raises(Unusable):
        read_segment(io.BytesIO(recording("OGG").getvalue()[:-500]), 19, 20)
    with pytest.raises(Unusable):
        read_segment(io.BytesIO(b"no recording"), 0, 1)


def rows(tmp_path: Path, columns: str, lines: list[dict[str, Any]]) -> list[dict[str, Any] | Rejected]:
    source = tmp_path / "source"
    source.mkdir(exist_ok=True)
    (source / "talk.wav").write_bytes(recording("WAV").getvalue())
    with open(source / "list.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(key for line in lines for key in line)))
        writer.writeheader()
        writer.writerows(lines)
    options = SourceOptions(columns=dict(pair.split("=") for pair in columns.split(",") if pair))
    found = locate(AudioFiles(), tmp_path, str(source), options, cache=tmp_path / "index")
    return [row for draft in found.drafts for row in found.reader.read(found.tree, draft.payload)]


def test_rows_of_a_list_are_clips_of_one_recording(tmp_path: Path) -> None:
    lines = [
        {"audio": "talk.wav", "text": "one", "offset": "1.5", "duration": "2"},
        {"audio": "talk.wav", "text": "two", "offset": 4, "duration": 0.5},
        {"audio": "talk.wav", "text": "beyond", "offset": 40, "duration": 1},
        {"audio": "talk.wav", "text": "what", "offset": "early", "duration": 1},
        {"audio": "gone.wav", "text": "what", "offset": 1, "duration": 1},
    ]
    one, two, beyond, what, gone = rows(tmp_path, "start=offset,duration=duration", lines)
    assert isinstance(one, dict) and isinstance(two, dict)
    assert [one["path"], two["path"]] == ["talk.wav-1.500-3.500.flac", "talk.wav-4.000-4.500.flac"]
    data, _ = soundfile.read(io.BytesIO(one["audio"]), dtype="int16")
    assert (data == NOISE[round(1.5 * RATE) : round(3.5 * RATE)]).all()
    reasons = [bad.reason for bad in (beyond, what, gone) if isinstance(bad, Rejected)]
    assert reasons == ["bad_row", "bad_row", "missing_media"]


def test_a_segment_without_a_start_is_not_the_recording(tmp_path: Path) -> None:
    lines = [
        {"audio": "talk.wav", "text": "one", "from": "", "to": 3},
        {"audio": "talk.wav", "text": "two", "from": 3, "to": 5},
    ]
    bad, two = rows(tmp_path, "start=from,end=to", lines)
    assert isinstance(bad, Rejected) and bad.reason == "bad_row"
    assert isinstance(two, dict)
    with pytest.raises(SourceError, match="start="):
        rows(tmp_path, "end=to", lines)


def test_a_manifest_of_nemo(tmp_path: Path) -> None:
    lines = [
        {"audio_filepath": "talk.wav", "offset": 2.5, "duration": 1.5, "text": "a part"},
        {"audio_filepath": "talk.wav", "offset": "", "duration": 3, "text": "the beginning"},
    ]
    found = [row for row in rows(tmp_path, "", lines) if isinstance(row, dict)]
    assert [soundfile.info(io.BytesIO(row["audio"])).frames for row in found] == [round(1.5 * RATE), 3 * RATE]


def test_such_columns_mean_nothing_unless_named(tmp_path: Path) -> None:
    [row] = rows(tmp_path, "", [{"audio": "talk.wav", "text": "all of it", "start": 1, "end": 2}])
    assert isinstance(row, dict) and row["path"] == "talk.wav.flac"
    [row] = rows(tmp_path, "start=start,end=end", [{"audio": "talk.wav", "text": "a part", "start": 1, "end": 2}])
    assert isinstance(row, dict) and len(row["audio"]) < 200_000
