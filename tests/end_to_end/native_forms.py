"""Every form in which people bring corpora, written small: files in a folder, and the texts that they hold, counted by hand."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.list_sources import Source
from tests.made_store import clip, picture
from tests.ocr.test_label_lmdb import samples, written
from tests.sources.test_speech_corpora import talk
from tests.text.test_wet import INFO, record

WORDS = ["HELLO", "简单", "Straße"]
SAID = ["It rains today.", "Es regnet heute.", "今天下雨。"]


@dataclass(frozen=True)
class Form:
    """One form.

    Attributes:
        modality, corpus: how it is prepared.
        make: puts the files into a source.
        texts: every sample's text, in any order.
        options: of :class:`omni_ray.corpora.base.Options`.
    """

    modality: str
    corpus: str
    make: Callable[[Source], None]
    texts: list[str]
    options: dict[str, Any] = field(default_factory=dict)


FORMS: dict[str, Form] = {}


def form(
    modality: str, corpus: str, texts: list[str], name: str = "", **options: Any
) -> Callable[[Callable[[Source], None]], Callable[[Source], None]]:
    def noted(make: Callable[[Source], None]) -> Callable[[Source], None]:
        FORMS[name or make.__name__] = Form(modality, corpus, make, texts, options)
        return make

    return noted


def lines(rows: list[Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def parquet(rows: list[dict[str, Any]]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), out)
    return out.getvalue()


def arrow(rows: list[dict[str, Any]]) -> bytes:
    table, out = pa.Table.from_pylist(rows), io.BytesIO()
    with pa.ipc.new_file(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


def zstd(data: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(data, asbytes=True))


def tarred(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def spoken(number: int) -> bytes:
    return clip(number, 3.0)  # long enough for what is said


# --- speech


@form("audio", "libritts", SAID)
def libritts(source: Source) -> None:
    for number, text in enumerate(SAID):
        stem = f"LibriTTS/train-clean-100/103/1241/103_1241_000000_00000{number}"
        source.put(f"{stem}.wav", spoken(number))
        source.put(f"{stem}.normalized.txt", text)
        source.put(f"{stem}.original.txt", "as printed")


@form("audio", "vctk", SAID)
def vctk(source: Source) -> None:
    for number, text in enumerate(SAID, 1):
        source.put(f"VCTK/wav48_silence_trimmed/p225/p225_00{number}_mic1.flac", spoken(number))
        source.put(f"VCTK/txt/p225/p225_00{number}.txt", text)


@form("audio", "mls", SAID[1:])
def mls(source: Source) -> None:
    for number in range(2):
        source.put(f"mls_german/train/audio/1/2/1_2_00000{number}.flac", spoken(number))
    source.put(
        "mls_german/train/transcripts.txt", "".join(f"1_2_00000{n}\t{text}\n" for n, text in enumerate(SAID[1:]))
    )


@form("audio", "fleurs", ["it rains now", "it rains now"])
def fleurs(source: Source) -> None:
    for name in ("11", "22"):
        source.put(f"en_us/audio/train/{name}.wav", spoken(int(name)))
    rows = [f"7\t{name}.wav\tIt rains, now.\tit rains now\ti t | r\t8000\tFEMALE" for name in ("11", "22")]
    source.put("en_us/train.tsv", "\n".join(rows) + "\n")


@form("audio", "kaldi", SAID)
def kaldi(source: Source) -> None:
    source.put("data/talk.wav", talk())
    source.put("data/wav.scp", "rec data/talk.wav\n")
    source.put("data/segments", "".join(f"u{n} rec {n}.0 {n + 1}.5\n" for n in range(3)))
    source.put("data/text", "".join(f"u{n} {text}\n" for n, text in enumerate(SAID)))
    source.put("data/utt2spk", "".join(f"u{n} s{n}\n" for n in range(3)))


@form("audio", "audio_files", SAID)
def nemo(source: Source) -> None:
    source.put("talk.wav", talk())
    rows = [{"audio_filepath": "talk.wav", "offset": n, "duration": 1.5, "text": text} for n, text in enumerate(SAID)]
    source.put("manifest.json", lines(rows))


@form("audio", "lhotse", SAID)
def lhotse(source: Source) -> None:
    import lhotse as library

    source.put("talk.wav", talk())
    made = library.Recording.from_file(source.folder / "talk.wav", recording_id="talk", force_read_audio=True)
    for each in made.sources:
        each.source = "talk.wav"
    said = [
        library.SupervisionSegment(f"s{n}", "talk", start=float(n), duration=1.5, text=t) for n, t in enumerate(SAID)
    ]
    recordings = library.RecordingSet.from_recordings([made])
    cuts = library.CutSet.from_manifests(recordings, library.SupervisionSet.from_segments(said))
    cuts.trim_to_supervisions(keep_overlapping=False).to_file(source.folder / "cuts.jsonl.gz")


@form("audio", "voice_lists", SAID[:2])
def voice_lists(source: Source) -> None:
    for number in range(2):
        source.put(f"wavs/{number}.flac", spoken(number))
    source.put("train.txt", "".join(f"wavs/{n}.flac|anna|{text}\n" for n, text in enumerate(SAID[:2])))


@form("audio", "common_voice", SAID[1:2], languages=("de",))
def common_voice(source: Source) -> None:
    for number, language in enumerate(("en", "de")):
        source.put(f"cv/{language}/clips/{language}_1.mp3", spoken(number))
        header = "client_id\tpath\tsentence_id\tsentence\tsentence_domain\tup_votes\tdown_votes\tage\tgender\taccents"
        source.put(
            f"cv/{language}/validated.tsv", f"{header}\nme\t{language}_1.mp3\ta\t{SAID[number]}\t\t2\t0\t\t\tx\n"
        )


@form("audio", "audio_files", SAID)
def webdataset_of_clips(source: Source) -> None:
    import webdataset

    source.folder.mkdir()
    with webdataset.TarWriter(str(source.folder / "a-000000.tar")) as writer:
        for number, text in enumerate(SAID):
            said = {"txt": text} if number % 2 else {"json": {"text": text}}
            writer.write({"__key__": f"{number:06}", "flac": spoken(number), **said})


# --- pictures with captions


@form("images", "flickr8k", SAID)
def flickr8k(source: Source) -> None:
    for number in range(3):
        source.put(f"Flicker8k_Dataset/{number}.jpg", picture(number))
    source.put("Flickr8k_text/Flickr8k.token.txt", "".join(f"{n}.jpg#0\t{text}\n" for n, text in enumerate(SAID)))


@form("images", "flickr30k", SAID)
def flickr30k(source: Source) -> None:
    source.put("flickr30k-images/36979.jpg", picture(1))
    source.put("results_20130124.token", "".join(f"36979.jpg#{n}\t{text}\n" for n, text in enumerate(SAID)))


@form("images", "karpathy", SAID)
def karpathy(source: Source) -> None:
    source.put("train2014/COCO_train2014_000000000001.jpg", picture(1))
    said = [{"raw": text, "tokens": []} for text in SAID]
    name = {"filepath": "train2014", "filename": "COCO_train2014_000000000001.jpg"}
    source.put("dataset_coco.json", {"images": [{**name, "split": "train", "sentences": said, "cocoid": 1}]})


@form("images", "coco", SAID)
def coco_2014_and_2017(source: Source) -> None:
    for number, split in enumerate(("train2014", "train2017", "val2014")):
        name = f"COCO_{split}_00.jpg" if "2014" in split else "00.jpg"
        source.put(f"{split}/{name}", picture(number))
        said = [{"id": 1, "image_id": 7, "caption": SAID[number]}]
        source.put(
            f"annotations/captions_{split}.json", {"images": [{"id": 7, "file_name": name}], "annotations": said}
        )


@form("images", "llava", SAID)
def llava(source: Source) -> None:
    records = []
    for number, text in enumerate(SAID):
        source.put(f"images/00453/{number}.jpg", picture(number))
        turns = [{"from": "human", "value": "What is this?\n<image>"}, {"from": "gpt", "value": text}]
        records.append({"id": str(number), "image": f"00453/{number}.jpg", "conversations": turns})
    source.put("blip_laion_cc_sbu_558k.json", records)


def pictures(source: Source, folder: str = "train") -> None:
    for number in range(3):
        source.put(f"{folder}/{number}.png", picture(number, kind="PNG"))


@form("images", "image_captions", SAID)
def imagefolder_csv(source: Source) -> None:
    pictures(source)
    source.put("train/metadata.csv", "file_name,text\n" + "".join(f"{n}.png,{text}\n" for n, text in enumerate(SAID)))


@form("images", "image_captions", SAID)
def imagefolder_jsonl(source: Source) -> None:
    pictures(source)
    source.put("train/metadata.jsonl", lines([{"file_name": f"{n}.png", "text": text} for n, text in enumerate(SAID)]))


@form("images", "image_captions", SAID)
def webdataset_of_pictures(source: Source) -> None:
    import webdataset

    source.folder.mkdir()
    with webdataset.TarWriter(str(source.folder / "00000.tar")) as writer:
        for number, text in enumerate(SAID):
            said = {"txt": text} if number % 2 else {"json": {"caption": text, "url": "http://a/b"}}
            writer.write({"__key__": f"{number:09}", "jpg": picture(number), **said})


@form("images", "image_captions", SAID)
def shards_of_img2dataset(source: Source) -> None:
    """As DataComp is fetched, too: picture, text and JSON in a tar, a table and statistics beside it."""
    rows, members = [], {}
    for number, text in enumerate(SAID):
        key = f"{number:09}"
        said = {"uid": "ab", "key": key, "caption": text, "url": "http://a", "status": "success", "sha256": "00"}
        members |= {
            f"{key}.jpg": picture(number),
            f"{key}.txt": text.encode(),
            f"{key}.json": json.dumps(said).encode(),
        }
        rows.append(said)
    source.put("00000000.tar", tarred(members))
    source.put("00000000.parquet", parquet([*rows, {**rows[0], "key": "000000009", "status": "failed_to_download"}]))
    source.put("00000000_stats.json", {"count": 4, "successes": 3, "failed_to_download": 1})


# --- words


@form("ocr", "ocr_images", WORDS)
def paddleocr(source: Source) -> None:
    pictures(source)
    source.put("rec_gt_train.txt", "".join(f"train/{n}.png\t{word}\n" for n, word in enumerate(WORDS)))


@form("ocr", "ocr_images", WORDS)
def lmdb_of_words(source: Source) -> None:
    written(source.folder / "training/MJ", samples(WORDS))


@form("ocr", "ocr_images", WORDS)
def mmocr_txt(source: Source) -> None:
    pictures(source)
    source.put("label.txt", "".join(f"train/{n}.png {word}\n" for n, word in enumerate(WORDS)))


@form("ocr", "ocr_images", WORDS)
def mmocr_jsonl(source: Source) -> None:
    pictures(source)
    source.put("label.jsonl", lines([{"filename": f"train/{n}.png", "text": word} for n, word in enumerate(WORDS)]))


@form("ocr", "ocr_images", WORDS)
def mmocr_1(source: Source) -> None:
    pictures(source)
    items = [{"img_path": f"train/{n}.png", "instances": [{"text": word}]} for n, word in enumerate(WORDS)]
    source.put("textrecog_train.json", {"metainfo": {"task_name": "textrecog"}, "data_list": items})


@form("ocr", "ocr_images", WORDS)
def easyocr(source: Source) -> None:
    pictures(source)
    source.put("train/labels.csv", "filename,words\n" + "".join(f"{n}.png,{word}\n" for n, word in enumerate(WORDS)))


@form("ocr", "ocr_images", ["Genaxis Theatre", "[06]"])
def icdar_boxes(source: Source) -> None:
    source.put("ch4_training_images/img_0.jpg", picture(0))
    boxes = "\ufeff1,2,19,2,19,16,1,16,Genaxis Theatre\r\n1,12,29,12,29,26,1,26,[06]\r\n"
    source.put("ch4_training_localization_gt/gt_img_0.txt", boxes)


@form("ocr", "iam", ["A MOVE to stop"])
def iam(source: Source) -> None:
    source.put("ascii/lines.txt", "#\na01-000u-00 ok 154 19 408 746 1661 89 A|MOVE|to|stop\n")
    source.put("lines/a01/a01-000u/a01-000u-00.png", picture(0))


# --- text

TURNS = [{"role": "user", "content": "Does it rain?"}, {"role": "assistant", "content": "It does."}]
GPT = [{"from": "human", "value": "Does it rain?"}, {"from": "gpt", "value": "It does."}]
TALK = ["User: Does it rain?", "Assistant: It does."]


@form("text", "text_files", TALK, chat_template="roles")
def messages(source: Source) -> None:
    source.put("a.jsonl", lines([{"messages": TURNS}]))


@form("text", "text_files", TALK, chat_template="roles")
def sharegpt(source: Source) -> None:
    source.put("a.json", [{"id": "1", "conversations": GPT}])


@form("text", "text_files", TALK, chat_template="roles")
def alpaca(source: Source) -> None:
    source.put("a.parquet", parquet([{"instruction": "Does it rain?", "input": "", "output": "It does."}]))


@form("text", "text_files", SAID, columns={"text": "doc.text"})
def nested_columns(source: Source) -> None:
    source.put("a.parquet", parquet([{"doc": {"text": text, "id": 1}} for text in SAID]))


@form("text", "text_files", SAID)
def saved_to_disk(source: Source) -> None:
    from datasets import Dataset

    Dataset.from_list([{"text": text} for text in SAID]).save_to_disk(source.folder)


PACKINGS: dict[str, Callable[[bytes], bytes]] = {"gz": gzip.compress, "xz": lzma.compress, "zst": zstd}


def packed(ending: str, packing: str, data: Callable[[], bytes]) -> Callable[[Source], None]:
    return lambda source: source.put(f"a.{ending}.{packing}", PACKINGS[packing](data()))


TABLE = [{"text": text} for text in SAID]
CONTAINERS: dict[str, Callable[[], bytes]] = {
    "txt": lambda: "".join(f"{text}\n" for text in SAID).encode(),
    "csv": lambda: ("text,n\n" + "".join(f"{text},1\n" for text in SAID)).encode(),
    "jsonl": lambda: lines(TABLE).encode(),
    "parquet": lambda: parquet(TABLE),
    "arrow": lambda: arrow(TABLE),
}
for _ending, _data in CONTAINERS.items():
    for _packing in PACKINGS:
        form("text", "text_files", SAID, f"{_ending}.{_packing}")(packed(_ending, _packing, _data))


@form("text", "wet", SAID)
def wet(source: Source) -> None:
    pages = [record("conversion", text.encode(), n) for n, text in enumerate(SAID)]
    source.put("CC-MAIN-00000.warc.wet.gz", b"".join(map(gzip.compress, [INFO, *pages])))


for _packing in PACKINGS:
    form("text", "text_files", SAID, f"tar.{_packing}")(
        packed("tar", _packing, lambda: tarred({"a.txt": CONTAINERS["txt"]()}))
    )


def source_of(each: Form, folder: Path) -> str:
    """The form written into a folder; where it is."""
    made = Source(folder)
    each.make(made)
    return str(made.folder)
