"""LMDB files of word images, written by liblmdb itself; and those that a broken copy, or a stranger, left."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import lmdb
import pytest

from omni_ray.corpora.ocr_images import OcrImages
from omni_ray.errors import SourceError
from omni_ray.sources.lmdb_pages import BadLmdb, Lmdb
from tests.list_sources import Source, kept, lost
from tests.made_store import picture
from tests.ocr.test_label_lists import labels

WORDS = ["hello", "简单 字", "Straße", "مرحبا", 'say "so", #1']
_COUNT = b"num-samples"


def written(folder: Path, values: Mapping[bytes, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    environment = lmdb.open(str(folder), map_size=1 << 24)
    with environment.begin(write=True) as transaction:
        for key, value in values.items():
            transaction.put(key, value)
    environment.close()


def samples(words: list[str], **more: bytes) -> dict[bytes, bytes]:
    found = {b"image-%09d" % n: picture(n) for n in range(1, len(words) + 1)}
    found |= {b"label-%09d" % n: word.encode() for n, word in enumerate(words, 1)}
    return {**found, _COUNT: str(len(words)).encode(), **{key.encode(): value for key, value in more.items()}}


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path)


@pytest.mark.parametrize("scale", [1.0, 1 / 2048])
def test_every_sample_in_its_order(source: Source, scale: float) -> None:
    written(source.folder / "training/MJ", samples(WORDS))
    written(source.folder / "training/ST", samples(["one"]))
    rows = source.rows(OcrImages(), unit_scale=scale)
    mine = [(f"training/MJ/{n:09d}", word) for n, word in enumerate(WORDS, 1)]
    assert labels(rows) == [*mine, ("training/ST/000000001", "one")] and not lost(rows)
    assert [bytes(row["image"]) for row in kept(rows)][:5] == [picture(n) for n in range(1, 6)]
    assert len(source.rows(OcrImages(), splits=("ST",))) == 1


def test_an_archive_is_read_in_place(source: Source, tmp_path: Path) -> None:
    written(tmp_path / "made", samples(WORDS))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as out:
        out.write(tmp_path / "made/data.mdb", "train/data.mdb")
    source.put("train.zip", packed.getvalue())
    assert [text for _, text in labels(source.rows(OcrImages()))] == WORDS


def test_what_is_missing_or_more_is_counted(source: Source) -> None:
    values = samples([*WORDS, "beyond", "beyond too"], **{_COUNT.decode(): b"5"})
    values[b"label-000000002"] = b"\xff\xfe\xfd\x00\x01"
    del values[b"image-000000003"], values[b"label-000000004"]
    written(source.folder, values)
    rows = source.rows(OcrImages())
    assert [text for _, text in labels(rows)] == [WORDS[0], WORDS[4]]
    assert [reason for _, reason in lost(rows)] == [
        *("bad_encoding", "missing_media", "missing_text"),
        *("bad_row", "bad_row"),
    ]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({b"image-000000001": b"x"}, "has no num-samples"),
        ({_COUNT: b"many"}, "has no num-samples"),
        ({_COUNT: b"1000000000000"}, "says that it has 1,000,000,000,000 samples, and has 1 keys"),
        ({}, "has no num-samples"),
    ],
)
def test_other_databases_are_refused_in_a_sentence(source: Source, values: dict[bytes, bytes], said: str) -> None:
    written(source.folder, values)
    with pytest.raises(SourceError, match=f"data.mdb {said}"):
        source.rows(OcrImages())


def test_a_copy_that_was_cut_is_refused(source: Source) -> None:
    written(source.folder, samples(WORDS))
    path = source.folder / "data.mdb"
    path.write_bytes(path.read_bytes()[:-4096])
    with pytest.raises(SourceError, match=r"data\.mdb is cut: it has .* copy it once more"):
        source.rows(OcrImages())


@pytest.mark.parametrize("count", [3, 400])
def test_every_key_is_found_and_no_other(tmp_path: Path, count: int) -> None:
    values = {b"%d" % (n * n): bytes([n % 256]) * (n * 13) for n in range(count)}
    written(tmp_path, values)
    path = tmp_path / "data.mdb"
    with path.open("rb") as file:
        found = Lmdb(file, path.stat().st_size)
        assert {key: found.get(key) for key in values} == values
        assert not any(found.get(key) for key in (b"", b"2", b"zz", b"00", b"1000000"))


def test_any_byte_may_be_wrong(tmp_path: Path) -> None:
    """Every answer is a value, none, or a BadLmdb; never another error, nor one without end."""
    written(tmp_path, samples([str(n) for n in range(60)]))
    good = (tmp_path / "data.mdb").read_bytes()
    for place in range(0, len(good), 61):
        bad = bytearray(good)
        bad[place : place + 3] = bytes(255 - each for each in bad[place : place + 3])
        try:
            found = Lmdb(io.BytesIO(bad), len(bad))
            for key in (b"image-000000001", b"label-000000059", _COUNT):
                found.get(key)
        except BadLmdb:
            continue
