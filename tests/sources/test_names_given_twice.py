"""Names given twice, in objects of JSON and in lists that others refer to: none of the values is taken in silence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from omni_ray.corpora.audio_files import AudioFiles
from omni_ray.corpora.base import Corpus
from omni_ray.corpora.coco import Coco
from omni_ray.corpora.image_captions import ImageCaptions
from omni_ray.corpora.kaldi import Kaldi
from omni_ray.corpora.karpathy import Karpathy
from omni_ray.corpora.lhotse_cuts import Lhotse
from omni_ray.corpora.llava import Llava
from omni_ray.corpora.ocr_images import OcrImages
from omni_ray.corpora.textocr import TextOcr
from omni_ray.errors import SourceError
from tests.list_sources import Source, kept, lost
from tests.made_store import clip, picture

BOX = "[1, 2, 11, 2, 11, 8, 1, 8]"
TURNS = '[{"from": "human", "value": "What?"}, {"from": "gpt", "value": "So.", "value": "Otherwise."}]'
CUT = (
    '{"type": "MonoCut", "start": 0, "duration": 1, "recording": {"duration": 1, "sources": [{"type": "file", "channels": [0],'
    ' "source": "1.wav"}]}, "supervisions": [{"start": 0, "duration": 1, "text": "one", "text": "two"}]}'
)
LISTS: list[tuple[Corpus, str, str, str]] = [
    (ImageCaptions(), "1.json", '{"caption": "one", "caption": "two"}', "bad_row"),
    (ImageCaptions(), "1.json", r'{"caption": "one", "\u0063aption": "two"}', "bad_row"),
    (ImageCaptions(), "list.csv", 'image,caption\n1.jpg,"[{""raw"": ""one"", ""raw"": ""two""}]"\n', "bad_row"),
    (AudioFiles(), "1.json", '{"text": "one", "text": "two"}', "bad_row"),
    (Lhotse(), "cuts.jsonl", CUT, "bad_row"),
    (
        Coco(),
        "captions_train2017.json",
        '{"images": [{"id": 1, "file_name": "1.jpg"}, {"id": 2, "id": 3, "file_name": "2.jpg"}], "annotations": [{"id": 5, '
        '"image_id": 1, "caption": "one", "caption": "two"}]}',
        "bad_row",
    ),
    (
        Karpathy(),
        "dataset_flickr8k.json",
        '{"images": [{"filename": "1.jpg", "sentences": [{"raw": "one"}], "sentences": [{"raw": "two"}]}]}',
        "bad_row",
    ),
    (Llava(), "list.json", f'[{{"image": "1.jpg", "conversations": {TURNS}}}]', "bad_row"),
    (
        TextOcr(),
        "TextOCR_0.1_train.json",
        f'{{"imgs": {{"a": {{"file_name": "1.jpg"}}, "a": {{"file_name": "2.jpg"}}}}, "anns": {{"w": {{"image_id": "a", '
        f'"utf8_string": "RED", "points": {BOX}}}}}}}',
        "bad_row",
    ),
    (
        OcrImages(),
        "Label.txt",
        '1.jpg\t[{"transcription": "one", "transcription": "two", "points": [[1, 2], [11, 2], [11, 8], [1, 8]]}]\n',
        "bad_row",
    ),
    (
        OcrImages(),
        "mm.json",
        '{"metainfo": {}, "data_list": [{"img_path": "1.jpg", "instances": [{"text": "one", "text": "two"}]}]}',
        "missing_text",
    ),
]


@pytest.mark.parametrize(("corpus", "name", "said", "reason"), LISTS, ids=lambda each: getattr(each, "name", None))
def test_it_costs_its_record(tmp_path: Path, corpus: Corpus, name: str, said: str, reason: str) -> None:
    source = Source(tmp_path)
    for number in (1, 2):
        source.put(f"{number}.wav" if corpus.modality == "audio" else f"{number}.jpg", _medium(corpus, number))
    source.put(name, said)
    for keeps in (False, corpus.keeps_columns):
        rows = source.rows(corpus, keep_columns=keeps)
        assert not kept(rows)
        assert reason in [why for _, why in lost(rows)]


def _medium(corpus: Corpus, number: int) -> bytes:
    return clip(number) if corpus.modality == "audio" else picture(number)


def test_a_list_that_says_twice_what_it_lists_is_refused(tmp_path: Path) -> None:
    source = Source(tmp_path)
    source.put("train2017/1.jpg", picture(1))
    source.put(
        "captions_train2017.json", '{"images": [], "annotations": [], "images": [{"id": 1, "file_name": "1.jpg"}]}'
    )
    with pytest.raises(SourceError, match="several members called images; give each a name of its own"):
        source.rows(Coco())


@pytest.mark.parametrize(
    ("name", "more"), [("wav.scp", "a 2.wav\n"), ("segments", "a r 0 0.2\n"), ("utt2spk", "a eve\n")]
)
def test_kaldis_lists(tmp_path: Path, name: str, more: str) -> None:
    source = Source(tmp_path)
    lists = {"wav.scp": "a 1.wav\nb 2.wav\n", "utt2spk": "a ada\nb bob\n", "text": "a one\nb two\n"}
    if name == "segments":
        lists |= {"wav.scp": "r 1.wav\n", "segments": "a r 0 0.3\nb r 0.3 0.6\n"}
    for number in (1, 2):
        source.put(f"{number}.wav", clip(number))
    for file, said in lists.items():
        source.put(file, said + (more + said if file == name else ""))
    rows = source.rows(Kaldi())
    assert [row["text"] for row in kept(rows)] == ["two"] and lost(rows) == [("a", "bad_row")]


def test_recordings_of_one_id_in_two_manifests(tmp_path: Path) -> None:
    source = Source(tmp_path)
    for number, folder in enumerate(("dev", "train"), 1):
        source.put(f"{folder}/a.wav", clip(number))
        what = {"type": "file", "channels": [0], "source": "a.wav"}
        source.put(f"{folder}/recordings.jsonl", {"id": "r", "duration": 0.6, "sources": [what]})
        said = {"id": f"{folder}-1", "recording_id": "r", "start": 0, "duration": 0.6, "text": folder}
        source.put(f"{folder}/supervisions.jsonl", said)
    source.put("supervisions.jsonl", json.dumps({**said, "id": "whose"}))
    rows = source.rows(Lhotse())
    assert {row["text"]: row["audio"] for row in kept(rows)} == {"dev": clip(1), "train": clip(2)}
    assert lost(rows) == [("whose", "bad_row")]
