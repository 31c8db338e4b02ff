"""Media of one's own, laid out as people lay them out: lists called .txt, media in a folder beside, texts in another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from omni_ray.corpora.audio_files import AudioFiles
from omni_ray.corpora.base import Corpus, Options, Rejected
from omni_ray.corpora.image_captions import ImageCaptions
from omni_ray.corpora.locate import locate
from omni_ray.errors import SourceError
from omni_ray.sources import open_spec
from omni_ray.sources.columnar import Slice, read_parquet
from omni_ray.sources.tree import FolderTree
from tests.made_store import clip, picture


def rows(corpus: Corpus, tmp_path: Path, columns: str = "") -> list[dict[str, Any] | Rejected]:
    options = Options(columns=dict(pair.split("=") for pair in columns.split(",") if pair))
    found = locate(corpus, tmp_path, str(tmp_path / "source"), options, cache=tmp_path / "index")
    return [row for draft in found.drafts for row in found.reader.read(found.tree, draft.payload)]


def put(tmp_path: Path, name: str, data: bytes | str) -> None:
    path = tmp_path / "source" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)


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
    options = Options(media_root=str(tmp_path / "media"))
    found = locate(AudioFiles(), tmp_path, str(tmp_path / "source"), options, cache=tmp_path / "index")
    made = [row for draft in found.drafts for row in found.reader.read(open_spec(found.tree.spec()), draft.payload)]
    assert [row["text"] for row in made if isinstance(row, dict)] == ["Clip 0.", "Clip 1.", "Clip 2."]
    assert [row["audio"] for row in made if isinstance(row, dict)][1] == clip(ord("b"))
    assert [row.reason for row in made if isinstance(row, Rejected)] == ["bad_path"]


def test_a_slice_deep_inside_a_row_group(tmp_path: Path) -> None:
    count = 140_000
    put(tmp_path, "x", "")
    table = pa.table({"image": ["p/0.jpg"] * count, "caption": [f"caption {n}" for n in range(count)]})
    pq.write_table(table, tmp_path / "source" / "t.parquet", row_group_size=count)
    tree = FolderTree(tmp_path / "source")
    for start in (0, 65_530, 65_536, 131_072, 139_990):
        [read] = read_parquet(tree, "t.parquet", {"captions": "caption"}, Slice(start, start + 6))
        assert not isinstance(read, Rejected)
        assert read["captions"].to_pylist() == [[f"caption {n}"] for n in range(start, start + 6)]
