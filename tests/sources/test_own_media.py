"""Media of one's own, laid out as people lay them out: lists called .txt, media in a folder beside, texts in another."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from omni_ray.cli.commands import app
from omni_ray.corpora.audio_files import AudioFiles
from omni_ray.corpora.base import Corpus, Rejected, SourceOptions
from omni_ray.corpora.coco import Coco
from omni_ray.corpora.common_voice import CommonVoice
from omni_ray.corpora.flickr import Flickr8k
from omni_ray.corpora.iam import Iam
from omni_ray.corpora.image_captions import ImageCaptions
from omni_ray.corpora.kaldi import Kaldi
from omni_ray.corpora.ljspeech import LJSpeech
from omni_ray.corpora.locate import locate
from omni_ray.corpora.ocr_images import OcrImages
from omni_ray.corpora.voice_lists import VoiceLists
from omni_ray.errors import SourceError
from omni_ray.sources import columnar, open_spec
from omni_ray.sources.tree import FolderTree
from tests.made_store import clip, picture
from tests.sources.test_census import put


def rows(corpus: Corpus, tmp_path: Path, columns: str = "") -> list[dict[str, Any] | Rejected]:
    options = SourceOptions(columns=dict(pair.split("=") for pair in columns.split(",") if pair))
    found = locate(corpus, tmp_path, str(tmp_path / "source"), options, cache=tmp_path / "index")
    return [row for draft in found.drafts for row in found.reader.read(found.tree, draft.payload)]


def test_a_list_of_captions_called_txt_and_pictures_in_a_folder(tmp_path: Path) -> None:
    for number in range(3):
        put(tmp_path, f"Images/{number}.jpg", picture(number))
    put(tmp_path, "readme.txt", "Three pictures,\nand what is on them.\n")
    lines = [f'{number}.jpg,"Picture {number}, said {said}"' for number in range(3) for said in ("so", "otherwise")]
    put(tmp_path, "captions.txt", "\n".join(["image,caption", *lines]))
    made = rows(ImageCaptions(), tmp_path)
    assert [row["captions"] for row in made if isinstance(row, dict)] == [
        [f"Picture {n}, said so", f"Picture {n}, said otherwise"] for n in range(3)
    ]


def test_columns_named_by_hand_and_a_bar_between_them(tmp_path: Path) -> None:
    put(tmp_path, "pictures/9.jpg", picture(9))
    put(tmp_path, "empty/nothing", "")
    put(tmp_path, "results.csv", "image_name| comment_number| comment\n9.jpg| 0| A picture .\n8.jpg| 0| Not there .\n")
    with pytest.raises(SourceError, match="--columns image=image_name"):
        rows(ImageCaptions(), tmp_path)
    good, gone = rows(ImageCaptions(), tmp_path, "image=image_name,captions=comment")
    assert isinstance(good, dict) and good["captions"] == [" A picture ."]
    assert isinstance(gone, Rejected) and gone.reason == "missing_media"


def test_texts_in_a_folder_of_their_own(tmp_path: Path) -> None:
    for speaker in ("p225", "p226"):
        for number in range(2):
            put(tmp_path, f"wav48/{speaker}/{speaker}_{number}.flac", clip(number))
            put(tmp_path, f"txt/{speaker}/{speaker}_{number}.txt", f"What {speaker} says, {number}.")
    put(tmp_path, "wav48/p227/p227_0.flac", clip(5))
    made = rows(AudioFiles(), tmp_path)
    assert [row["text"] for row in made if isinstance(row, dict)] == [
        f"What {speaker} says, {number}." for speaker in ("p225", "p226") for number in range(2)
    ]
    assert [row.reason for row in made if isinstance(row, Rejected)] == ["missing_text"]


@pytest.mark.parametrize("corpus", [AudioFiles(), ImageCaptions(), OcrImages()], ids=lambda corpus: corpus.name)
def test_endings_in_capitals(tmp_path: Path, corpus: Corpus) -> None:
    make, ending = (clip, "flac") if corpus.modality == "audio" else (picture, "png")
    for name in ("a", "B"):
        put(tmp_path, f"beside/{name}.{ending.upper()}", make(1))
        put(tmp_path, f"beside/{name}.TXT", f"Text of {name}.")
    put(tmp_path, f"beside/c.{ending}", make(2))
    put(tmp_path, "beside/c.Txt", "Text of the other c.")
    put(tmp_path, "beside/c.txt", "Text of c.")
    made = rows(corpus, tmp_path)
    said = [str(row.get("captions") or row.get("text") or row["words"]) for row in made if isinstance(row, dict)]
    assert [re.findall(r"Text of [^.]*", each) for each in said] == [["Text of B"], ["Text of a"], ["Text of c"]]


def test_two_texts_of_one_name_are_nobodys(tmp_path: Path) -> None:
    put(tmp_path, "wav/a.flac", clip(1))
    put(tmp_path, "wav/b.flac", clip(2))
    put(tmp_path, "english/a.txt", "A text.")
    put(tmp_path, "german/a.txt", "Ein Text.")
    put(tmp_path, "english/b.txt", "Another text.")
    a, b = rows(AudioFiles(), tmp_path)
    assert isinstance(a, Rejected) and a.reason == "missing_text"
    assert isinstance(b, dict) and b["text"] == "Another text."


def test_a_name_that_several_folders_have_is_nobodys(tmp_path: Path) -> None:
    for folder, number in (("en", 1), ("de", 2)):
        put(tmp_path, f"{folder}/1.flac", clip(number))
    put(tmp_path, "en/2.flac", clip(3))
    put(tmp_path, "list.csv", "audio,text\n1.flac,One.\n2.flac,Two.\nde/1.flac,Eins.\n")
    made = rows(AudioFiles(), tmp_path)
    assert [row["text"] for row in made if isinstance(row, dict)] == ["Two.", "Eins."]
    [lost] = [row for row in made if isinstance(row, Rejected)]
    assert lost.reason == "missing_media" and "in several folders, de/1.flac and en/1.flac" in lost.detail


def test_paths_as_lists_give_them(tmp_path: Path) -> None:
    """Absolute ones within the source, of Windows, out of the list's folder; and what to do about the others."""
    for number in range(3):
        put(tmp_path, f"wavs/{number}.flac", clip(number))
    root = (tmp_path / "source").absolute()
    paths = [f"{root}/wavs/0.flac", "wavs\\\\1.flac", "../wavs/2.flac", "/elsewhere/wavs/3.flac", "../../x.flac"]
    put(
        tmp_path,
        "lists/a.jsonl",
        "".join(f'{{"audio": "{path}", "text": "Clip {n}."}}\n' for n, path in enumerate(paths)),
    )
    made = rows(AudioFiles(), tmp_path)
    assert [row["text"] for row in made if isinstance(row, dict)] == ["Clip 0.", "Clip 1.", "Clip 2."]
    details = [row.detail for row in made if isinstance(row, Rejected)]
    assert "--media-root" in details[0] and "leads out of the source" in details[1]


def test_media_in_another_folder(tmp_path: Path) -> None:
    for speaker in "ab":
        (tmp_path / "media" / speaker).mkdir(parents=True)
        (tmp_path / "media" / speaker / "1.flac").write_bytes(clip(ord(speaker)))
    paths = ["a/1.flac", "/old/place/b/1.flac", "/old/media/a/1.flac", "/old/place/c/1.flac"]
    put(tmp_path, "a.csv", "audio,text\n" + "".join(f"{path},Clip {n}.\n" for n, path in enumerate(paths)))
    options = SourceOptions(media_root=str(tmp_path / "media"))
    found = locate(AudioFiles(), tmp_path, str(tmp_path / "source"), options, cache=tmp_path / "index")
    made = [row for draft in found.drafts for row in found.reader.read(open_spec(found.tree.spec()), draft.payload)]
    assert [row["text"] for row in made if isinstance(row, dict)] == ["Clip 0.", "Clip 1.", "Clip 2."]
    assert [row["audio"] for row in made if isinstance(row, dict)][1] == clip(ord("b"))
    assert [row.reason for row in made if isinstance(row, Rejected)] == ["bad_path"]


@pytest.mark.parametrize("beside", [["thumbs"], ["thumbs", "others"]])
def test_the_folder_that_is_named_comes_before_one_that_lies_beside_the_table(
    tmp_path: Path, beside: list[str]
) -> None:
    for number, place in enumerate([*(tmp_path / "source" / name for name in beside), tmp_path / "full"]):
        place.mkdir(parents=True)
        (place / "0.jpg").write_bytes(picture(number))
    put(tmp_path, "a.csv", "image,caption\n0.jpg,A caption.\n")
    options = SourceOptions(media_root=str(tmp_path / "full"))
    found = locate(ImageCaptions(), tmp_path, str(tmp_path / "source"), options, cache=tmp_path / "index")
    [row] = [row for draft in found.drafts for row in found.reader.read(open_spec(found.tree.spec()), draft.payload)]
    assert isinstance(row, dict) and row["image"] == picture(len(beside))


SAID = "It rains on {} days."
LISTS: dict[str, tuple[Corpus, str, str]] = {
    "CSV": (AudioFiles(), "a.csv", "audio,text\n" + "".join(f"/old/sounds/{n}.flac,{SAID.format(n)}\n" for n in "01")),
    "CSV, above": (AudioFiles(), "a.csv", "audio,text\n" + "".join(f"../sounds/{n}.flac,{SAID}\n" for n in "01")),
    "JSON": (
        ImageCaptions(),
        "a.json",
        json.dumps([{"image": f"/old/pictures/{n}.jpg", "caption": SAID.format(n)} for n in range(2)]),
    ),
    "labels": (OcrImages(), "gt.txt", "".join(f"/old/pictures/{n}.jpg\tword{n}\n" for n in range(2))),
    "labels, above": (OcrImages(), "gt.txt", "".join(f"../../pictures/{n}.jpg\tword{n}\n" for n in range(2))),
    "voices": (VoiceLists(), "train.txt", "".join(f"/old/sounds/{n}.flac|{SAID.format(n)}\n" for n in range(2))),
    "voices, above": (VoiceLists(), "train.txt", "".join(f"../sounds/{n}.flac|{SAID.format(n)}\n" for n in range(2))),
    "Kaldi": (Kaldi(), "wav.scp", "".join(f"u{n} /old/sounds/{n}.flac\n" for n in range(2))),
    "COCO": (
        Coco(),
        "captions_pictures.json",
        json.dumps(
            {
                "images": [{"id": n, "file_name": f"{n}.jpg"} for n in range(2)],
                "annotations": [{"id": n, "image_id": n, "caption": SAID.format(n)} for n in range(2)],
            }
        ),
    ),
    "Flickr8k": (Flickr8k(), "Flickr8k.token.txt", "".join(f"pictures/{n}.jpg#0\t{SAID}\n" for n in range(2))),
    "IAM": (Iam(), "lines.txt", "".join(f"a01-0-{n} ok 154 19 408 746 1661 89 word\n" for n in range(2))),
    "LJSpeech": (LJSpeech(), "metadata.csv", "".join(f"{n}|{SAID}|{SAID}\n" for n in range(2))),
    "Common Voice": (
        CommonVoice(),
        "de/validated.tsv",
        "path\tsentence\n" + "".join(f"{n}.mp3\t{SAID}\n" for n in range(2)),
    ),
}


@pytest.mark.parametrize("name", LISTS)
def test_media_elsewhere_in_every_kind_of_list(name: str, tmp_path: Path) -> None:
    """Without ``--media-root`` nothing is kept, and what is said names it where paths lead out; with it, all is."""
    corpus, file, content = LISTS[name]
    put(tmp_path, file, content)
    if name == "Kaldi":
        put(tmp_path, "text", "u0 it rains\nu1 it rains\n")
    for n in range(2):
        for place in (f"sounds/{n}.flac", f"wavs/{n}.wav", f"clips/{n}.mp3"):
            (tmp_path / "media" / place).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "media" / place).write_bytes(clip(n))
        for place in (f"pictures/{n}.jpg", f"a01/a01-0/a01-0-{n}.png"):
            (tmp_path / "media" / place).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "media" / place).write_bytes(picture(n))
    try:
        before = [row for row in rows(corpus, tmp_path) if row is not None]
        said = [row.detail for row in before if isinstance(row, Rejected)]
        assert len(said) == len(before) == 2
        assert name in ("IAM", "Common Voice") or all("--media-root" in detail for detail in said)
    except SourceError as error:
        assert name in ("LJSpeech", "Common Voice") or "--media-root" in str(error)
    options = SourceOptions(media_root=str(tmp_path / "media"))
    found = locate(corpus, tmp_path, str(tmp_path / "source"), options, cache=tmp_path / "index")
    tree = open_spec(found.tree.spec())
    drafts = list(found.drafts)
    made = [row for draft in drafts for row in found.reader.read(tree, json.loads(json.dumps(draft.payload)))]
    assert [isinstance(row, dict) for row in made] == [True, True]
    media = [row.get("audio") or row.get("image") for row in made if isinstance(row, dict)]
    assert media in ([clip(0), clip(1)], [picture(0), picture(1)])
    before_change = [tree.stamp(draft.inputs) for draft in drafts]
    for path in (tmp_path / "media").rglob("1.*"):
        path.write_bytes(b"changed")
    for path in (tmp_path / "media").rglob("*-1.png"):
        path.write_bytes(b"changed")
    assert [tree.stamp(draft.inputs) for draft in drafts] != before_change


def test_the_command_says_what_to_do_and_does_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_ray: None) -> None:
    put(tmp_path, "lists/a.csv", "audio,text\n/old/sounds/0.flac,It rains.\n../../sounds/1.flac,It is dry.\n")
    for n in range(2):
        (tmp_path / "media" / "sounds").mkdir(parents=True, exist_ok=True)
        (tmp_path / "media" / "sounds" / f"{n}.flac").write_bytes(clip(n, 2.0))
    monkeypatch.chdir(tmp_path)
    command = ["prepare", "audio", "--dataset", "audio_files", "--source", "source", "--root", "project", "--combine"]
    refused = CliRunner().invoke(app, command)
    assert refused.exit_code == 1 and "bad_path 2" in refused.output
    assert "same command again" not in refused.output  # it would not help
    why = CliRunner().invoke(app, ["status", "--quarantine", "--root", "project"], env={"COLUMNS": "300"})
    assert why.output.count("--media-root") == 2
    done = CliRunner().invoke(app, [*command, "--media-root", "media"])
    assert done.exit_code == 0, done.output
    found = Path("project/data/audio/production_asr.csv").read_text().splitlines()
    assert sorted(line.rpartition(",")[2] for line in found) == ["It is dry.", "It rains.", "text"]
    verified = CliRunner().invoke(app, ["verify", "--root", "project"])
    assert verified.exit_code == 0, verified.output


def test_a_slice_deep_inside_a_row_group(tmp_path: Path) -> None:
    count = 140_000
    put(tmp_path, "x", "")
    table = pa.table({"image": ["p/0.jpg"] * count, "caption": [f"caption {n}" for n in range(count)]})
    pq.write_table(table, tmp_path / "source" / "t.parquet", row_group_size=count)
    tree = FolderTree(tmp_path / "source")
    for start in (0, 65_530, 65_536, 131_072, 139_990):
        [read] = columnar.read(tree, "t.parquet", "parquet", {"captions": "caption"}, start, start + 6, {})
        assert not isinstance(read, Rejected)
        assert read["captions"].to_pylist() == [[f"caption {n}"] for n in range(start, start + 6)]


def test_texts_in_another_folder_are_never_anothers(tmp_path: Path) -> None:
    texts = {
        "txt/ada/1.txt": "Ada's first.",
        "txt/bob/1.txt": "Bob's first.",
        "txt/2.txt": "Whose?",
        "txt/3.txt": "Ada's third.",
    }
    for name, text in texts.items():
        put(tmp_path, name, text)
    for number, name in enumerate(("ada/1", "bob/1", "ada/2", "bob/2", "ada/3")):
        put(tmp_path, f"wav/{name}.flac", clip(number))
    made = {row["id"]: row["text"] for row in rows(AudioFiles(), tmp_path) if isinstance(row, dict)}
    assert made == {"wav/ada/1": "Ada's first.", "wav/bob/1": "Bob's first.", "wav/ada/3": "Ada's third."}


def test_ground_truth_of_one_split_is_not_that_of_another(tmp_path: Path) -> None:
    for number, split in enumerate(("train", "test")):
        put(tmp_path, f"{split}_images/Img_1.jpg", picture(number))
        put(tmp_path, f"{split}_images/img_{number + 2}.jpg", picture(number + 2))
    for number in (1, 2):
        put(tmp_path, f"train_gt/gt_img_{number}.txt", f"1,1,20,1,20,10,1,10,WORD{number}\n")
    found = [row["words"][0]["text"] for row in rows(OcrImages(), tmp_path) if isinstance(row, dict)]
    assert found == ["WORD2"]


def test_a_missing_clip_is_not_taken_from_the_folder_of_another_table(tmp_path: Path) -> None:
    for number, split in enumerate(("train", "test")):
        put(tmp_path, f"{split}.csv", "audio,text\n" + "".join(f"{n}.flac,{split} {n}\n" for n in range(3)))
        for n in range(3):
            if (split, n) != ("train", 1):
                put(tmp_path, f"{split}/{n}.flac", clip(10 * number + n))
    made = rows(AudioFiles(), tmp_path)
    assert {row["text"] for row in made if isinstance(row, dict)} == {
        "train 0",
        "train 2",
        "test 0",
        "test 1",
        "test 2",
    }
    assert [row.detail for row in made if isinstance(row, Rejected)] == ["no 1.flac"]
