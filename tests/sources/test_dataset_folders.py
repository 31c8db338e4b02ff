"""Datasets of the hub that were fetched by other means, and those that are texts and archives."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from omni_ray.corpora import table_repeats
from omni_ray.corpora.base import Corpus, Rejected, SourceOptions
from omni_ray.corpora.image_captions import ImageCaptions
from omni_ray.corpora.locate import LocatedCorpus, locate
from omni_ray.corpora.text_files import TextFiles
from omni_ray.errors import SourceError
from omni_ray.sources import open_spec
from tests.end_to_end.native_forms import tarred
from tests.list_sources import Source
from tests.made_store import picture
from tests.sources.test_huggingface import CARD, SET, Hub, parquet, serving


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    with serving(monkeypatch) as (kind, _):
        yield kind


def rows(corpus: Corpus, root: Path, source: str, **options: Any) -> tuple[list[Any], LocatedCorpus]:
    """What a worker reads."""
    found = locate(corpus, root, source, SourceOptions(**options), cache=root / "cache")
    read: list[Any] = []
    for draft in found.drafts:
        payload = json.loads(json.dumps(draft.payload))
        for item in found.reader.read(open_spec(found.tree.spec()), payload):
            read += item.to_pylist() if isinstance(item, pa.Table) else [item]
    assert [row for row in read if isinstance(row, Rejected)] == []
    return read, found


def texts(root: Path, source: str, **options: Any) -> list[str]:
    return sorted(row["text"].strip() for row in rows(TextFiles(), root, source, **options)[0])


@pytest.fixture
def folder(tmp_path: Path) -> Source:
    """The files of a dataset with a card, as ``snapshot_download`` or git leaves them."""
    source = Source(tmp_path)
    for name in SET:
        source.put(name, parquet([name]))
    source.put("README.md", CARD)
    return source


def test_the_card_of_a_folder_is_followed(folder: Source, tmp_path: Path) -> None:
    place = str(folder.folder)
    assert texts(tmp_path, place) == sorted(SET)
    assert texts(tmp_path, place, configuration="clean", splits=("train.100",)) == SET[:2]
    assert texts(tmp_path, place, configuration="clean") == sorted([*SET[:2], *SET[3:5]])
    assert texts(tmp_path, place, splits=("validation",)) == sorted(SET[3:5])
    with pytest.raises(SourceError, match=r"no configuration dirty; there are: clean, other"):
        texts(tmp_path, place, configuration="dirty")


def test_what_the_card_leaves_out_is_counted(folder: Source, tmp_path: Path) -> None:
    folder.put("README.md", CARD.replace(b"- config_name: other", b"- config_name: other\n  default: true"))
    read, found = rows(TextFiles(), tmp_path, str(folder.folder))
    assert sorted(row["text"] for row in read) == sorted(SET[5:7])
    files = found.files()
    assert files.read == 2 and {(group.reason, group.count) for group in files.unread} == {
        ("split", 6),
        ("documentation", 1),
    }


def test_a_folder_without_a_card_has_its_folders_for_configurations(folder: Source, tmp_path: Path) -> None:
    (folder.folder / "README.md").unlink()
    assert texts(tmp_path, str(folder.folder), configuration="other") == sorted(SET[5:7])
    folder.put("README.md", "# Only words\n")
    assert texts(tmp_path, str(folder.folder)) == sorted(SET)
    with pytest.raises(SourceError, match="neither a dataset on the hub nor a folder of one"):
        texts(tmp_path, str(folder.folder / "stray.parquet"), configuration="other")


def archive(kind: str, number: int) -> bytes:
    members = {f"{number}.jpg": picture(number), f"{number}.txt": f"picture {number}".encode()}
    if kind == "tar":
        return tarred(members)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for name, data in members.items():
            packed.writestr(name, data)
    return out.getvalue()


ARCHIVES = b"---\nconfigs:\n- config_name: default\n  data_files:\n  - {split: train, path: '*-train.*'}\n  - {split: test, path: '*-test.*'}\n---\n"


@pytest.mark.parametrize("kind", ["tar", "zip"])
@pytest.mark.parametrize("is_here", [True, False])
def test_archives_that_a_card_names(hub: type[Hub], tmp_path: Path, kind: str, is_here: bool) -> None:
    files = {f"{n}-{split}.{kind}": archive(kind, n) for n, split in enumerate(("train", "train", "test"))}
    files["README.md"] = ARCHIVES
    source = Source(tmp_path)
    for name, data in files.items():
        source.put(name, data)
    hub.files |= files
    place = str(source.folder) if is_here else "org/set"
    for splits, wanted in ((("train",), [0, 1]), (("test",), [2]), ((), [0, 1, 2])):
        read, found = rows(ImageCaptions(), tmp_path, place, splits=splits)
        assert sorted(row["captions"][0] for row in read) == [f"picture {n}" for n in wanted]
        assert not any(group.fault for group in found.files().unread)


@pytest.mark.parametrize("name", ["a.txt", "data/a.txt.gz", "a.zip"])
def test_texts_of_the_hub(hub: type[Hub], tmp_path: Path, name: str) -> None:
    import gzip

    data = b"one\ntwo\n"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as out:
        out.writestr("inside.txt", data)
    hub.files |= {name: {"gz": gzip.compress(data), "ip": packed.getvalue()}.get(name[-2:], data)}
    hub.files |= {"LICENSE.txt": b"none", "README.md": b"# Texts\n", "load.py": b"raise"}
    assert texts(tmp_path, "org/set") == ["one", "two"]


def test_files_are_fetched_side_by_side(hub: type[Hub], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight requests for files wait for each other: were they fetched one by one, the barrier would break."""
    together = threading.Barrier(8, timeout=20)
    answer = Hub._answer

    def waiting(self: Hub, *, head: bool) -> None:
        if not head and "/resolve/" in self.path and "parquet" in self.path:
            together.wait()
        answer(self, head=head)

    monkeypatch.setattr(hub, "_answer", waiting)
    hub.files |= {f"data/{n}.parquet": parquet([str(n)]) for n in range(16)}
    assert len(texts(tmp_path, "org/set")) == 16


def test_shards_of_one_size_are_not_compared_two_by_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source(tmp_path)
    compared: list[Any] = []
    for n in range(40):
        source.put(f"{n:02}.parquet", parquet([f"text {n:02}"]))
    source.put("again.parquet", parquet(["text 07"]))
    equal = table_repeats.are_equal
    monkeypatch.setattr(table_repeats, "are_equal", lambda *pair: compared.append(pair) or equal(*pair))
    assert len(texts(tmp_path, str(source.folder))) == 40 and len(compared) == 1
