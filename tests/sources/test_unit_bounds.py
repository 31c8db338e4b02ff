"""No corpus makes a unit of more than a task can hold: each is read here where a unit has room for one record."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from omni_ray.corpora import bounds
from omni_ray.corpora.base import Corpus, Rejected, SourceOptions, UnitDraft
from omni_ray.corpora.locate import locate
from omni_ray.corpora.registry import all_corpora
from omni_ray.sources.tree import FolderTree
from omni_ray.synth import native_ocr
from omni_ray.synth.native import CorpusToWrite
from tests.list_sources import Source
from tests.made_store import clip, picture

Put = Callable[[str, Any], None]
COUNT = 3
N = range(COUNT)
BY_BYTES = {"text/text_files", "text/wet", "text/wikipedia"}
"""A record is a line, or a page: ranges of bytes are units, however large the file is."""
FETCHED = {"images/image_urls"}
"""Sizes are not known before pictures are fetched; a picture has 16 MiB at most, and a unit some ten."""


def _clips(put: Put, name: str = "{}.flac") -> None:
    for n in N:
        put(name.format(n), clip(n))


def _pictures(put: Put, name: str = "{}.jpg") -> None:
    for n in N:
        put(name.format(n), picture(n))


def _lines(line: str) -> str:
    return "".join(line.format(n) + "\n" for n in N)


def _sidecars(put: Put) -> None:
    _clips(put)
    for n in N:
        put(f"{n}.txt", f"text {n}")


def _common_voice(put: Put) -> None:
    _clips(put, "cv/de/clips/{}.mp3")
    put("cv/de/validated.tsv", "path\tsentence\n" + _lines("{0}.mp3\ttext {0}"))


def _listed(put: Put) -> None:
    _clips(put)
    put("list.csv", "audio,text\n" + _lines("{0}.flac,text {0}"))


def _fleurs(put: Put) -> None:
    _clips(put, "en_us/audio/train/{}.wav")
    put("en_us/train.tsv", _lines("{0}\t{0}.wav\tText {0}.\ttext {0}\tt | t\t8000\tFEMALE"))


def _kaldi(put: Put) -> None:
    _clips(put)
    put("wav.scp", _lines("{0} {0}.flac"))
    put("text", _lines("{0} text"))


def _lhotse(put: Put) -> None:
    for n in N:
        put(f"{n}.wav", clip(n))
    sources = [[{"type": "file", "channels": [0], "source": f"{n}.wav"}] for n in N]
    recordings = [{"id": f"r{n}", "sources": sources[n], "duration": 1.0, "channel_ids": [0]} for n in N]
    said = [{"id": f"s{n}", "recording_id": f"r{n}", "start": 0.0, "duration": 1.0, "text": "text"} for n in N]
    put("recordings.jsonl", "".join(json.dumps(row) + "\n" for row in recordings))
    put("supervisions.jsonl", "".join(json.dumps(row) + "\n" for row in said))


def _librispeech(put: Put) -> None:
    _clips(put, "LibriSpeech/train-clean-100/1/2/1-2-000{}.flac")
    put("LibriSpeech/train-clean-100/1/2/1-2.trans.txt", _lines("1-2-000{0} TEXT"))


def _libritts(put: Put) -> None:
    place = "LibriTTS/train-clean-100/1/2/1_2_000000_00000{}"
    _clips(put, place + ".wav")
    for n in N:
        put(f"{place.format(n)}.normalized.txt", "text")


def _ljspeech(put: Put) -> None:
    _clips(put, "LJSpeech-1.1/wavs/LJ{}.wav")
    put("LJSpeech-1.1/metadata.csv", _lines("LJ{0}|text|text"))


def _mls(put: Put) -> None:
    _clips(put, "mls_german/train/audio/1/2/1_2_00000{}.flac")
    put("mls_german/train/transcripts.txt", _lines("1_2_00000{0}\ttext"))


def _vctk(put: Put) -> None:
    _clips(put, "wav48/p225/p225_{}.wav")
    for n in N:
        put(f"txt/p225/p225_{n}.txt", "text")


def _voice_lists(put: Put) -> None:
    _clips(put)
    put("train.txt", _lines("{0}.flac|text {0}"))


def _coco(put: Put) -> None:
    _pictures(put, "train2017/{}.jpg")
    images = [{"id": n, "file_name": f"{n}.jpg"} for n in N]
    said = [{"id": n, "image_id": n, "caption": "text"} for n in N]
    put("annotations/captions_train2017.json", {"images": images, "annotations": said})


def _flickr30k(put: Put) -> None:
    _pictures(put, "images/{}.jpg")
    put("results.token", _lines("{0}.jpg#0\ttext"))


def _flickr8k(put: Put) -> None:
    _pictures(put, "images/{}.jpg")
    put("Flickr8k.token.txt", _lines("{0}.jpg#0\ttext"))


def _karpathy(put: Put) -> None:
    _pictures(put, "train2014/{}.jpg")
    images = [{"filepath": "train2014", "filename": f"{n}.jpg", "sentences": [{"raw": "text"}]} for n in N]
    put("dataset_coco.json", {"dataset": "coco", "images": images})


def _llava(put: Put) -> None:
    _pictures(put)
    turns = [{"from": "human", "value": "What?\n<image>"}, {"from": "gpt", "value": "text"}]
    put("chat.json", [{"id": f"{n}", "image": f"{n}.jpg", "conversations": turns} for n in N])


def _table(put: Put) -> None:
    _pictures(put)
    put("list.csv", "image,text\n" + _lines("{0}.jpg,text {0}"))


def _iam(put: Put) -> None:
    _pictures(put, "lines/a01/a01-0/a01-0-0{}.png")
    put("ascii/lines.txt", _lines("a01-0-0{0} ok 154 19 408 746 1661 89 text"))


def _mjsynth(put: Put) -> None:
    _pictures(put, "max/1/1/{}_text_5.jpg")
    put("max/annotation.txt", _lines("./1/1/{0}_text_5.jpg 5"))


def _labels(put: Put) -> None:
    _pictures(put)
    put("gt.txt", _lines("{0}.jpg\ttext {0}"))


def _mmocr(put: Put) -> None:
    _pictures(put)
    put("train.json", {"data_list": [{"img_path": f"{n}.jpg", "instances": [{"text": "text"}]} for n in N]})


def _boxes(put: Put) -> None:
    _pictures(put)
    for n in N:
        put(f"gt_{n}.txt", "38,43,60,50,text\n")


def _synthtext(put: Put) -> None:
    folder = Path(put.__self__.folder)  # type: ignore[attr-defined]
    native_ocr.synthtext(CorpusToWrite("synthtext", str(folder), 7, 0.01, "tones"), folder)


def _textocr(put: Put) -> None:
    _pictures(put, "train_images/{}.jpg")
    images = {f"{n}": {"width": 640, "height": 480, "file_name": f"train/{n}.jpg"} for n in N}
    box = [1, 2, 11, 2, 11, 8, 1, 8]
    words = {f"w{n}": {"image_id": f"{n}", "utf8_string": "text", "points": box} for n in N}
    put("TextOCR_0.1_train.json", {"imgs": images, "anns": words})


def _books(put: Put) -> None:
    for n in N:
        put(f"{n}.txt", f"A book, the {n}th of them all.\n\nIt has a paragraph or two in it.\n")


def _made(put: Put) -> None:
    put("synthetic.json", {"seed": 1, "samples": COUNT})


LAYOUTS: dict[str, list[Callable[[Put], None]]] = {
    "text/books": [_books],
    "audio/audio_files": [_sidecars, _listed],
    "audio/common_voice": [_common_voice],
    "audio/fleurs": [_fleurs],
    "audio/kaldi": [_kaldi],
    "audio/lhotse": [_lhotse],
    "audio/librispeech": [_librispeech],
    "audio/libritts": [_libritts],
    "audio/ljspeech": [_ljspeech],
    "audio/mls": [_mls],
    "audio/vctk": [_vctk],
    "audio/voice_lists": [_voice_lists],
    "images/coco": [_coco],
    "images/flickr30k": [_flickr30k],
    "images/flickr8k": [_flickr8k],
    "images/image_captions": [_table],
    "images/karpathy": [_karpathy],
    "images/llava": [_llava],
    "ocr/iam": [_iam],
    "ocr/mjsynth": [_mjsynth],
    "ocr/ocr_images": [_labels, _mmocr, _boxes, _table],
    "ocr/synthtext": [_synthtext],
    "ocr/textocr": [_textocr],
    **{f"{modality}/synthetic": [_made] for modality in ("text", "audio", "images", "ocr")},
}
"""The layouts of every corpus, of three records each. A new corpus belongs here, too."""
CORPORA = {f"{corpus.modality}/{corpus.name}": corpus for corpus in all_corpora()}


def units(tmp_path: Path, corpus: Corpus, **options: Any) -> list[UnitDraft]:
    source = str(tmp_path / "source")
    found = locate(corpus, tmp_path, source, SourceOptions(**options), cache=tmp_path / "index", download=False)
    return list(found.drafts)


@pytest.mark.parametrize("name", sorted(CORPORA.keys() - BY_BYTES - FETCHED))
def test_every_corpus_bounds_its_units_by_bytes(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, layout in enumerate(LAYOUTS[name]):
        source = Source(tmp_path / f"{number}")
        source.folder.mkdir(parents=True)
        layout(source.put)
        whole = units(tmp_path / f"{number}", CORPORA[name])
        with monkeypatch.context() as patch:
            patch.setattr(bounds, "UNIT_BYTES", 1)
            cut = units(tmp_path / f"{number}", CORPORA[name])
        assert len(whole) == 1, f"{name}, layout {number}"
        assert len(cut) >= COUNT, f"{name}, layout {number}: several records in a unit that has room for one"
        assert sum(draft.samples or 0 for draft in cut) == whole[0].samples or whole[0].samples is None


@pytest.mark.slow
def test_hours_of_silence_count_for_their_hours(tmp_path: Path) -> None:
    """Recordings of 75 minutes in FLAC files of a quarter MB: a unit each, of 144 MB when it is decoded."""
    file = io.BytesIO()
    soundfile.write(file, np.zeros(16_000 * 4500, np.int16), 16_000, format="FLAC")
    source = Source(tmp_path)
    for n in N:
        source.put(f"{n}.flac", file.getvalue())
        source.put(f"{n}.txt", "text")
    assert len(file.getvalue()) < 1 << 18
    assert [draft.records for draft in units(tmp_path, CORPORA["audio/audio_files"])] == [1, 1, 1]


def _encoded(form: str, codec: str, rate: int, seconds: int) -> bytes:
    file = io.BytesIO()
    noise = np.random.default_rng(1).normal(0, 0.1, rate * seconds)
    soundfile.write(file, noise, rate, codec, format=form)
    return file.getvalue()


AMR = b"#!AMR\n" + (b"\x04" + bytes(12)) * 50 * 60
"""A minute at 4.75 kbit/s."""


@pytest.mark.parametrize(
    ("ending", "data", "seconds"),
    [
        ("wav", _encoded("WAV", "ULAW", 8000, 20), 20),
        ("wav", _encoded("WAV", "IMA_ADPCM", 8000, 20), 20),
        ("wav", _encoded("WAV", "GSM610", 8000, 20), 20),
        ("wav", _encoded("WAV", "PCM_16", 8000, 20), 20),
        ("au", _encoded("AU", "ULAW", 8000, 20), 20),
        ("sph", _encoded("NIST", "ULAW", 8000, 20), 20),
        ("ogg", _encoded("OGG", "VORBIS", 16000, 20), 20),
        ("opus", _encoded("OGG", "OPUS", 16000, 20), 20),
        ("amr", AMR, 60),
    ],
)
def test_a_recording_weighs_what_it_is_when_it_is_decoded(
    tmp_path: Path, ending: str, data: bytes, seconds: int
) -> None:
    for n in N:
        (tmp_path / f"{n}.{ending}").write_bytes(data)
    tree = FolderTree(tmp_path)
    for n in N:
        weight = bounds.media_weight(tree, f"{n}.{ending}")
        assert 0.9 < weight / (seconds * bounds.BYTES_A_SECOND) < 1.2


def test_one_recording_of_a_folder_speaks_for_the_small_ones(tmp_path: Path) -> None:
    for n in range(100):
        (tmp_path / f"{n}.wav").write_bytes(_encoded("WAV", "ULAW", 8000, 1))
    tree = FolderTree(tmp_path)
    opened = []
    tree.open = lambda name: opened.append(name) or (tmp_path / name).open("rb")  # type: ignore
    assert len({bounds.media_weight(tree, f"{n}.wav") for n in range(100)}) == 1
    assert opened == ["0.wav"]


def test_a_long_chapter_is_several_units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines of other parts are theirs; what no clip has, is the first part's: each record once, as in one unit."""
    source = Source(tmp_path)
    _librispeech(source.put)
    place = "LibriSpeech/train-clean-100/1/2"
    lines = ["1-2-0000 ONE", "1-2-0001 TWO", "1-2-0001 AGAIN", "1-2-0009 GONE", "", "1-2-0004"]
    source.put(f"{place}/1-2.trans.txt", "\n".join(lines))
    source.put(f"{place}/1-2-0004.flac", clip(4))
    corpus = CORPORA["audio/librispeech"]

    def found() -> list[list[str]]:
        each = locate(corpus, tmp_path, str(source.folder), SourceOptions(), cache=tmp_path / "index", download=False)
        drafts = list(each.drafts)
        rows = [list(each.reader.read(each.tree, json.loads(json.dumps(draft.payload)))) for draft in drafts]
        assert [draft.records for draft in drafts] == list(map(len, rows))
        return [[row.reason if isinstance(row, Rejected) else row["text"] for row in part] for part in rows]

    [whole] = found()
    monkeypatch.setattr(bounds, "UNIT_BYTES", 1)
    parts = found()
    assert sorted(text for part in parts for text in part) == sorted(whole) and len(parts) == 4
    assert parts[0] == ["ONE", "missing_media"]
