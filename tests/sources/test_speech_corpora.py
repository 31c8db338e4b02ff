"""Corpora of speech in their native forms, made small: how many records there are is counted by hand."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from omni_ray.corpora.base import Rejected
from omni_ray.errors import SourceError
from tests.made_store import clip
from tests.sources.speech_source import Source


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path)


def talk(seconds: int = 10, channels: int = 1) -> bytes:
    """A recording whose samples say which second, and which channel, they are of."""
    file = io.BytesIO()
    values = np.repeat(np.arange(seconds), 8_000)[:, None] * 100 + np.arange(channels)
    soundfile.write(file, values.astype(np.int16), 8_000, format="WAV")
    return file.getvalue()


def second(row: dict[str, Any] | Rejected) -> tuple[int, float]:
    """The first second of a record's sound, and how many seconds it has."""
    assert isinstance(row, dict)
    samples, rate = soundfile.read(io.BytesIO(row["audio"]), dtype="int16", always_2d=True)
    return int(samples[0, 0]) // 100, len(samples) / rate


# --- Kaldi


def test_a_data_folder_of_kaldi(source: Source) -> None:
    for name in ("a", "b"):
        source.put(f"wav/{name}.flac", clip(1))
    source.put(
        "data/train/wav.scp",
        "a wav/a.flac\nb flac -c -d -s wav/b.flac |\nc sox wav/a.flac -t wav - speed 0.9 |\nd wav/none.wav\n",
    )
    source.put("data/train/text", "a one two\nb drei vier\nc five\nd six\n")
    source.put("data/train/utt2spk", "a s1\nb s2\n")
    rows = source.rows("kaldi")
    assert [(row["id"], row["text"], row["speaker"]) for row in rows if isinstance(row, dict)] == [
        ("a", "one two", "s1"),
        ("b", "drei vier", "s2"),
    ]
    assert [(row.id, row.reason) for row in rows if isinstance(row, Rejected)] == [
        ("c", "bad_path"),
        ("d", "missing_media"),
    ]


def test_kaldi_takes_a_tab_after_the_id_as_it_takes_a_blank(source: Source) -> None:
    source.put("wav/a.flac", clip(1))
    source.put("wav.scp", "a\tsph2pipe -f wav wav/a.flac |\n")
    source.put("text", "a\tone  two three\n")
    source.put("utt2spk", "a\ts1\n")
    [row] = source.rows("kaldi")
    assert isinstance(row, dict) and (row["id"], row["text"], row["speaker"]) == ("a", "one  two three", "s1")


def test_segments_of_kaldi(source: Source) -> None:
    """Four segments, one of which has no text, one text without a segment, and one to the recording's end."""
    source.put("talk.wav", talk())
    source.put("wav.scp", "rec talk.wav\n")
    source.put("segments", "u1 rec 1.0 2.5\nu2 rec 3 5\nu3 rec 8 -1\nu4 rec 5 6\n")
    source.put("text", "u1 one\nu2 two\nu3 three\nu5 five\n")
    rows = source.rows("kaldi")
    assert [second(row) for row in rows[:3]] == [(1, 1.5), (3, 2.0), (8, 2.0)]
    assert [(row.id, row.reason) for row in rows if isinstance(row, Rejected)] == [
        ("u5", "bad_row"),
        ("u4", "missing_text"),
    ]


def test_one_side_of_a_call_and_utterances_that_come_again(source: Source) -> None:
    source.put("call.wav", talk(2, channels=2))
    for folder in ("all", "part"):
        source.put(f"{folder}/wav.scp", "a sph2pipe -f wav -p -c 2 call.wav |\n")
        source.put(f"{folder}/text", "a hello\n")
    one, again = source.rows("kaldi")
    assert isinstance(one, dict) and one["channel"] == "2"
    assert isinstance(again, Rejected) and again.reason == "duplicate_id"


# --- lhotse


def recording(name: str, seconds: float, channels: int = 1) -> dict[str, Any]:
    return {
        "id": name,
        "sources": [{"type": "file", "channels": list(range(channels)), "source": f"{name}.wav"}],
        "sampling_rate": 8_000,
        "num_samples": int(seconds * 8_000),
        "duration": seconds,
        "channel_ids": list(range(channels)),
    }


def supervision(name: str, start: float, duration: float, text: str) -> dict[str, Any]:
    return {
        "id": name,
        "recording_id": "talk",
        "start": start,
        "duration": duration,
        "channel": 0,
        "text": text,
        "speaker": "s",
    }


def packed(*rows: dict[str, Any]) -> bytes:
    return gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode())


def test_cuts_of_lhotse(source: Source) -> None:
    source.put("talk.wav", talk())
    source.put("call.wav", talk(2, channels=2))
    cut = {
        "id": "c1",
        "start": 2.0,
        "duration": 3.0,
        "channel": 0,
        "recording": recording("talk", 10),
        "type": "MonoCut",
    }
    two = [supervision("s1", 0.0, 1.0, "one"), supervision("s2", 1.0, 2.0, "two")]
    side = {
        "id": "c3",
        "start": 0.0,
        "duration": 2.0,
        "channel": 1,
        "recording": recording("call", 2, 2),
        "type": "MonoCut",
    }
    source.put(
        "cuts.jsonl.gz",
        packed(
            {**cut, "supervisions": two},
            {**cut, "id": "c2", "supervisions": []},
            {**side, "supervisions": [supervision("s3", 0, 2, "three")]},
            {"id": "m", "tracks": [], "type": "MixedCut"},
        ),
    )
    rows = source.rows("lhotse")
    assert [second(row) for row in rows[:2]] == [(2, 1.0), (3, 2.0)]
    assert isinstance(rows[3], dict) and (rows[3]["channel"], rows[3]["text"], rows[3]["speaker"]) == (
        "2",
        "three",
        "s",
    )
    assert [(row.id, row.reason) for row in rows if isinstance(row, Rejected)] == [
        ("c2", "missing_text"),
        ("m", "bad_row"),
    ]


def test_recordings_and_supervisions_of_lhotse(source: Source) -> None:
    source.put("talk.wav", talk())
    source.put("train_recordings.jsonl.gz", packed(recording("talk", 10)))
    lost = {**supervision("s3", 0, 1, "three"), "recording_id": "other"}
    source.put(
        "train_supervisions.jsonl.gz", packed(supervision("s1", 1, 2, "one"), supervision("s2", 0, 10, "all"), lost)
    )
    rows = source.rows("lhotse")
    assert [second(row) for row in rows[:2]] == [(1, 2.0), (0, 10.0)]
    assert [row.reason for row in rows if isinstance(row, Rejected)] == ["missing_media"]


def test_manifests_that_lhotse_writes(source: Source) -> None:
    lhotse = pytest.importorskip("lhotse")
    source.put("talk.wav", talk())
    path = source.folder / "source" / "talk.wav"
    made = lhotse.Recording.from_file(path, recording_id="talk", force_read_audio=True)
    for each in made.sources:
        each.source = "talk.wav"
    said = [
        lhotse.SupervisionSegment(f"s{n}", "talk", start=float(n), duration=1.5, text=f"word {n}") for n in range(3)
    ]
    cuts = lhotse.CutSet.from_manifests(
        lhotse.RecordingSet.from_recordings([made]), lhotse.SupervisionSet.from_segments(said)
    )
    cuts.trim_to_supervisions(keep_overlapping=False).to_file(source.folder / "source" / "cuts.jsonl.gz")
    assert [second(row) for row in source.rows("lhotse")] == [(0, 1.5), (1, 1.5), (2, 1.5)]


# --- lists of voices


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        (["wavs/0.flac|It rains.", "wavs/1.flac|Yes."], [("It rains.", None), ("Yes.", None)]),
        (["0|anna|It rains.", "1|bert|It is dry."], [("It rains.", "anna"), ("It is dry.", "bert")]),
        (["0.flac|It rains.|7", "1.flac|It is dry.|8"], [("It rains.", "7"), ("It is dry.", "8")]),
        (["wavs/0.flac|anna|ZH|今天下雨。", "wavs/1.flac|anna|EN|It is dry."], [("今天下雨。", "anna"), ("It is dry.", "anna")]),
        (['wavs/0.flac|0|"Well," he said.', 'wavs/1.flac|1|"Open he said.'], [('"Well," he said.', "0"), ('"Open he said.', "1")]),
    ],
    ids=["two columns", "speaker second", "speaker third", "language", "quotation marks"],
)  # fmt: skip
def test_lists_of_voices(source: Source, lines: list[str], wanted: list[tuple[str, str | None]]) -> None:
    for number in range(2):
        source.put(f"wavs/{number}.flac", clip(number))
    source.put("train.txt", "\n".join(lines) + "\n")
    source.put("readme.txt", "Voices | of two\npeople.\n")
    rows = source.rows("voice_lists")
    assert [(row["text"], row["speaker"]) for row in rows if isinstance(row, dict)] == wanted


def test_a_list_of_voices_with_bad_lines_and_one_that_nobody_can_read(source: Source) -> None:
    for number in range(2):
        source.put(f"wavs/{number}.flac", clip(number))
    source.put("list.csv", "wavs/0.flac|anna|It rains.\nwavs/0.flac|anna|It rains.\nwavs/9.flac|anna|Not there.\n")
    assert source.reasons("voice_lists") == ["duplicate_id", "missing_media"]
    source.put("list.csv", "wavs/0.flac|It rains.|Es regnet hier.\nwavs/1.flac|It is dry.|Es ist trocken.\n")
    with pytest.raises(SourceError, match=r"list\.csv"):
        source.rows("voice_lists")


# --- corpora with a layout of their own


def test_libritts(source: Source) -> None:
    place = "LibriTTS/train-clean-100/103/1241"
    for number in range(3):
        source.put(f"{place}/103_1241_000000_00000{number}.wav", clip(number))
    source.put(f"{place}/103_1241_000000_000000.normalized.txt", "Mister Hobbes.")
    source.put(f"{place}/103_1241_000000_000000.original.txt", "Mr. Hobbes.")
    source.put(f"{place}/103_1241_000000_000001.original.txt", "He left.")
    rows = source.rows("libritts")
    assert [(row["text"], row["speaker"]) for row in rows if isinstance(row, dict)] == [
        ("Mister Hobbes.", "103"),
        ("He left.", "103"),
    ]
    assert [row.reason for row in rows if isinstance(row, Rejected)] == ["missing_text"]
    assert source.rows("libritts", splits=("train-clean-100",)) and not source.found_any(
        "libritts", splits=("dev-clean",)
    )


def test_vctk(source: Source) -> None:
    """Two clips of two microphones, one of p280, which has one microphone, and one without a text."""
    for stem in ("p225/p225_001", "p225/p225_002", "p315/p315_001"):
        for microphone in ("mic1", "mic2"):
            source.put(f"VCTK/wav48_silence_trimmed/{stem}_{microphone}.flac", clip(1))
    source.put("VCTK/wav48_silence_trimmed/p280/p280_001_mic1.flac", clip(2))
    for stem in ("p225/p225_001", "p225/p225_002", "p280/p280_001"):
        source.put(f"VCTK/txt/{stem}.txt", f"{stem} says so.")
    assert source.texts("vctk") == ["p225/p225_001 says so.", "p225/p225_002 says so.", "p280/p280_001 says so."]
    assert source.reasons("vctk") == ["missing_text"]
    assert len(source.texts("vctk", splits=("mic2",))) == 2
    assert len(source.rows("vctk", splits=("mic1", "mic2"))) == 7


def test_the_older_vctk(source: Source) -> None:
    source.put("wav48/p225/p225_001.wav", clip(1))
    source.put("txt/p225/p225_001.txt", "Please call Stella.")
    assert source.texts("vctk") == ["Please call Stella."]


def test_multilingual_librispeech(source: Source) -> None:
    for language in ("german", "polish"):
        for split, number in (("train", 0), ("dev", 1)):
            ident = f"1_2_00000{number}"
            source.put(f"mls_{language}/{split}/audio/1/2/{ident}.opus", clip(number))
            source.put(
                f"mls_{language}/{split}/transcripts.txt", f"{ident}\t{language} {split}\nbroken\n1_2_000009\tgone\n"
            )
    assert source.texts("mls") == ["german dev", "german train", "polish dev", "polish train"]
    assert sorted(source.reasons("mls")) == ["bad_row"] * 4 + ["missing_media"] * 4
    assert source.texts("mls", languages=("german",), splits=("train",)) == ["german train"]


def test_fleurs(source: Source) -> None:
    """Two speakers read sentence 7: two records, with names of their own."""
    rows = [f"7\t{name}.wav\tIt rains, now.\tit rains now\ti t | r\t8000\tFEMALE" for name in ("11", "22")]
    for split in ("train", "dev"):
        source.put(f"en_us/{split}.tsv", "\n".join(rows) + "\n")
        for name in ("11", "22"):
            source.put(f"en_us/audio/{split}/{name}.wav", clip(int(name)))
    found = [row for row in source.rows("fleurs", splits=("train",)) if isinstance(row, dict)]
    assert [(row["id"], row["text"]) for row in found] == [
        ("en_us/11.wav", "it rains now"),
        ("en_us/22.wav", "it rains now"),
    ]
    assert len(source.rows("fleurs", languages=("en_us",))) == 4
    assert not source.found_any("fleurs", languages=("de_de",))


def test_common_voice_of_one_language(source: Source) -> None:
    for language in ("de", "en"):
        source.put(f"cv/{language}/clips/{language}_1.mp3", clip(1))
        header = "client_id\tpath\tsentence_id\tsentence\tsentence_domain\tup_votes\tdown_votes\tage\tgender\taccents\tvariant\tlocale\tsegment"
        source.put(
            f"cv/{language}/validated.tsv",
            f"{header}\nme\t{language}_1.mp3\tabc\tIn {language}.\t\t2\t0\t\t\t\t\t{language}\t\n",
        )
    assert source.texts("common_voice", languages=("de",)) == ["In de."]
    with pytest.raises(SourceError, match="there are de, en"):
        source.rows("common_voice", languages=("fr",))
    with pytest.raises(SourceError, match="--language"):
        source.rows("librispeech", languages=("de",))


# --- WebDataset


def shard(folder: Path, name: str, members: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / name, "w") as tar:
        for member, data in members.items():
            info = tarfile.TarInfo(member)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def test_shards_of_webdataset(source: Source) -> None:
    """Keys begin anew in each shard; texts are files or fields of JSON."""
    folder = source.folder / "source"
    shard(folder, "a-000000.tar", {"0.flac": clip(0), "0.txt": b"zero", "1.mp3": clip(1), "1.txt": b"one"})
    told = {"transcript": "two", "speaker": "s2", "duration": 0.5}
    shard(
        folder,
        "a-000001.tar",
        {"0.wav": clip(2), "0.json": json.dumps(told).encode(), "1.wav": clip(3), "1.json": b"{"},
    )
    rows = source.rows("audio_files")
    found = [row for row in rows if isinstance(row, dict)]
    assert [(row["text"], row["speaker"]) for row in found] == [("zero", None), ("one", None), ("two", "s2")]
    assert len({row["path"] for row in found}) == 3
    assert [row.reason for row in rows if isinstance(row, Rejected)] == ["bad_row"]


def test_shards_that_webdataset_writes(source: Source) -> None:
    webdataset = pytest.importorskip("webdataset")
    folder = source.folder / "source"
    folder.mkdir()
    with webdataset.TarWriter(str(folder / "a.tar")) as writer:
        for number in range(3):
            writer.write({"__key__": f"{number:06}", "flac": clip(number), "json": {"text": f"text {number}"}})
    assert source.texts("audio_files") == ["text 0", "text 1", "text 2"]
