"""Lists of captioned pictures in the forms they were published in."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from omni_ray.corpora.flickr import Flickr8k, Flickr30k
from omni_ray.corpora.image_captions import ImageCaptions
from omni_ray.corpora.karpathy import Karpathy
from omni_ray.corpora.llava import Llava
from omni_ray.errors import SourceError
from tests.list_sources import Source, kept, lost
from tests.made_store import picture


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path)


def test_flickr8k(source: Source) -> None:
    for number in range(3):
        source.put(f"Flicker8k_Dataset/{number}.jpg", picture(number))
    lines = [f"{n}.jpg#{k}\tPicture {n}, said {k} ." for n in (2, 0, 1) for k in range(5)]
    lines += ["2258277193_586949ec62.jpg.1#0\tnobody has this one", "no tab"]
    source.put("Flickr8k_text/Flickr8k.token.txt", "\r\n".join(lines).encode() + b"\n0.jpg#5\tcaf\xe9\n")
    source.put("Flickr8k_text/Flickr8k.lemma.token.txt", "0.jpg#0\tpicture 0 , say 0 .\n")
    source.put("Flickr8k_text/Flickr_8k.devImages.txt", "1.jpg\n")
    rows = source.rows(Flickr8k())
    assert [(row["id"], len(row["captions"])) for row in kept(rows)] == [(f"flickr8k/{n}", 5) for n in range(3)]
    assert kept(rows)[0]["captions"][4] == "Picture 0, said 4 ."
    assert lost(rows) == [
        ("flickr8k/line 17", "bad_row"),
        ("flickr8k/0.jpg", "bad_encoding"),
        ("flickr8k/2258277193_586949ec62.jpg", "missing_media"),
    ]
    assert [row["id"] for row in kept(source.rows(Flickr8k(), splits=("dev",)))] == ["flickr8k/1"]
    with pytest.raises(SourceError, match="no list of the pictures of nothing"):
        source.rows(Flickr8k(), splits=("nothing",))


def test_flickr30k(source: Source) -> None:
    source.put("flickr30k-images/36979.jpg", picture(1))
    source.put("results_20130124.token", "36979.jpg#0\tA group of friends .\n36979.jpg#1\tFriends , and a cup .\n")
    assert [row["captions"] for row in kept(source.rows(Flickr30k()))] == [
        ["A group of friends .", "Friends , and a cup ."]
    ]


def test_flickr30k_as_a_table(source: Source) -> None:
    source.put("flickr30k_images/9.jpg", picture(9))
    source.put("results.csv", "image_name| comment_number| comment\n9.jpg| 0| One .\n9.jpg| 1| Two , yes .\n")
    assert [row["captions"] for row in kept(source.rows(Flickr30k()))] == [[" One .", " Two , yes ."]]


def test_karpathy_coco(source: Source) -> None:
    for folder, number in (("train2014", 1), ("val2014", 2), ("val2014", 3)):
        source.put(f"{folder}/COCO_{folder}_{number:012}.jpg", picture(number))
    images = [
        {
            "filepath": folder,
            "filename": f"COCO_{folder}_{number:012}.jpg",
            "split": split,
            "sentences": [{"raw": f"{number} {k}", "tokens": []} for k in range(5)],
            "cocoid": number,
        }
        for folder, number, split in (("val2014", 2, "test"), ("val2014", 3, "restval"), ("train2014", 1, "train"))
    ]
    source.put("dataset_coco.json", {"dataset": "coco", "images": [*images, 5, {"split": "train"}]})
    rows = source.rows(Karpathy())
    assert [(row["id"], row["captions"][0], row["category"]) for row in kept(rows)] == [
        ("coco/val2014/COCO_val2014_000000000002", "2 0", "coco"),
        ("coco/val2014/COCO_val2014_000000000003", "3 0", "coco"),
        ("coco/train2014/COCO_train2014_000000000001", "1 0", "coco"),
    ]
    assert lost(rows) == [("coco/image 3", "bad_row"), ("coco/image 4", "missing_media")]
    assert len(kept(source.rows(Karpathy(), splits=("train", "restval")))) == 2


def test_llava(source: Source) -> None:
    def record(image: str | None, *answers: str) -> dict[str, object]:
        turns = [[{"from": "human", "value": "What is this?\n<image>"}, {"from": "gpt", "value": a}] for a in answers]
        return {
            "id": "1",
            **({"image": image} if image else {}),
            "conversations": [turn for pair in turns for turn in pair],
        }

    source.put("images/00453/004539375.jpg", picture(1))
    records = [record("00453/004539375.jpg", "a dog"), record("a.jpg", "one", "two"), record(None, "no picture"), 7]
    source.put("blip_laion_cc_sbu_558k.json", records)
    source.put("config.json", {"a": 1})
    rows = source.rows(Llava())
    assert [(row["id"], row["captions"]) for row in kept(rows)] == [
        ("blip_laion_cc_sbu_558k/00453/004539375", ["a dog"])
    ]
    assert [reason for _, reason in lost(rows)] == ["bad_row", "missing_media", "bad_row"]


@pytest.mark.parametrize(
    "name, content",
    [
        ("metadata.csv", 'file_name,text\n0.png,"A dog, wet"\n1.png,A cat\n'),
        ("metadata.jsonl", '{"file_name": "0.png", "text": "A dog, wet"}\n{"file_name": "1.png", "text": "A cat"}\n'),
    ],
)
def test_an_imagefolder(source: Source, name: str, content: str) -> None:
    for number in range(2):
        source.put(f"train/{number}.png", picture(number))
    source.put(f"train/{name}", content)
    assert [row["captions"] for row in kept(source.rows(ImageCaptions()))] == [["A dog, wet"], ["A cat"]]


@pytest.mark.parametrize("ending", ["txt", "json"])
def test_webdataset(source: Source, ending: str) -> None:
    source.folder.mkdir()
    for shard in range(2):
        with tarfile.open(source.folder / f"{shard:05}.tar", "w") as tar:
            for key in range(2):
                text = f"shard {shard}, {key}"
                said = text if ending == "txt" else json.dumps({"caption": text})
                for name, data in ((f"{key:09}.jpg", picture(key)), (f"{key:09}.{ending}", said.encode())):
                    info = tarfile.TarInfo(name)
                    info.size = len(data)
                    tar.addfile(info, io.BytesIO(data))
    rows = source.rows(ImageCaptions())
    assert sorted(row["captions"][0] for row in kept(rows)) == [f"shard {s}, {k}" for s in range(2) for k in range(2)]
    assert len({row["path"] for row in kept(rows)}) == 4 and not lost(rows)


def test_lists_whose_pictures_are_not_there(source: Source) -> None:
    source.put("dataset_flickr8k.json", {"images": [{"filename": "1.jpg", "sentences": [{"raw": "a"}]}]})
    with pytest.raises(SourceError, match=r"dataset_flickr8k\.json, but the pictures named there are in no folder"):
        source.rows(Karpathy())
