"""Archives, lists, dumps and tables made to hurt: refused in one line, or a record each; memory stays bounded."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.hostile.conftest import Treat
from tests.hostile.test_media import captions, picture, wav

pytestmark = pytest.mark.slow

GIB = 1 << 30


def member(archive: tarfile.TarFile, name: str, data: bytes = b"", **fields: object) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    archive.addfile(info, io.BytesIO(data))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bad").mkdir()
    return tmp_path / "bad"


def test_members_that_lead_outside_are_left_out_and_the_rest_is_read(treat: Treat, folder: Path) -> None:
    with tarfile.open(folder / "speech.tar", "w") as archive:
        member(archive, "LJSpeech-1.1/metadata.csv", b"LJ001-0001|Silence.|Silence.\nLJ001-0002|A link.|A link.\n")
        member(archive, "LJSpeech-1.1/wavs/LJ001-0001.wav", wav(2.0))
        member(archive, "../../escape.wav", wav(2.0))
        member(archive, "/etc/cron.d/job", b"* * * * * root true\n")
        member(archive, "LJSpeech-1.1/wavs/LJ001-0002.wav", type=tarfile.SYMTYPE, linkname="/etc/passwd")
        member(archive, "LJSpeech-1.1/hard", type=tarfile.LNKTYPE, linkname="../../../etc/passwd")
        member(archive, "LJSpeech-1.1/device", type=tarfile.CHRTYPE)
        member(archive, "LJSpeech-1.1/pipe", type=tarfile.FIFOTYPE)
    outcome = treat("audio", "ljspeech", folder)
    assert outcome.records == {"in": 2, "kept": 1, "quarantined": 1}
    assert outcome.reasons == {"missing_media": 1}
    assert outcome.refused == 6
    assert not list(folder.parent.rglob("escape.wav"))


def test_a_member_of_ten_gigabytes_that_are_not_there(treat: Treat, folder: Path) -> None:
    with tarfile.open(folder / "speech.tar", "w") as archive:
        member(archive, "LJSpeech-1.1/metadata.csv", b"LJ001-0001|Silence.|Silence.\n")
        member(archive, "LJSpeech-1.1/wavs/LJ001-0001.wav", wav(2.0))
    data = bytearray((folder / "speech.tar").read_bytes())
    at = data.index(b"LJSpeech-1.1/wavs/LJ001-0001.wav")
    header = data[at : at + 512]
    header[124:136] = b"\x80" + (10 * GIB).to_bytes(11, "big")
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    data[at : at + 512] = header
    (folder / "speech.tar").write_bytes(data)
    outcome = treat("audio", "ljspeech", folder)
    assert "speech.tar" in outcome.error or outcome.records["kept"] == 0
    assert outcome.mib < 64


def test_a_zip_of_a_million_members(treat: Treat, folder: Path) -> None:
    """Written by hand: the zipfile module takes minutes and a gigabyte for it."""
    count = 1_000_000
    lists = b"LJ001-0001|Silence.|Silence.\n"
    files = [(b"LJSpeech-1.1/metadata.csv", lists), (b"LJSpeech-1.1/wavs/LJ001-0001.wav", wav(2.0))]
    local = struct.Struct("<IHHHHHIIIHH")
    central = struct.Struct("<IHHHHHHIIIHHHHHII")
    with open(folder / "many.zip", "wb") as out:
        entries = []
        for name, data in files:
            at, crc = out.tell(), zlib.crc32(data)
            out.write(local.pack(0x04034B50, 20, 0, 0, 0, 33, crc, len(data), len(data), len(name), 0) + name + data)
            entries.append(
                central.pack(0x02014B50, 20, 20, 0, 0, 0, 33, crc, len(data), len(data), len(name), 0, 0, 0, 0, 0, at)
                + name
            )
        empty = out.tell()
        out.write(local.pack(0x04034B50, 20, 0, 0, 0, 33, 0, 0, 0, 1, 0) + b"x")
        start = out.tell()
        out.write(b"".join(entries))
        for number in range(count):
            name = b"LJSpeech-1.1/more/%07d.txt" % number
            out.write(central.pack(0x02014B50, 20, 20, 0, 0, 0, 33, 0, 0, 0, len(name), 0, 0, 0, 0, 0, empty) + name)
        size, total = out.tell() - start, count + len(files)
        at = out.tell()
        out.write(struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, total, total, size, start))
        out.write(struct.pack("<IIQI", 0x07064B50, 0, at, 1))
        out.write(struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0))
    outcome = treat("audio", "ljspeech", folder)
    assert outcome.records == {"in": 1, "kept": 1, "quarantined": 0}
    assert outcome.mib < 400


DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("modality", "corpus", "name", "data"),
    [
        ("images", "coco", "annotations/captions_train2017.json", '{"images": ' + DEEP),
        (
            "images",
            "coco",
            "annotations/captions_train2017.json",
            '{"images": [], "annotations": ' + "9" * 5_000_000 + "}",
        ),
        ("ocr", "textocr", "TextOCR_0.1_train.json", '{"imgs": {}, "anns": ' + '{"a":' * 100_000),
        ("images", "image_captions", "list.json", "[" + DEEP),
    ],
    ids=["deep COCO", "a number of five million digits", "deep TextOCR", "deep list"],
)
def test_deep_json_is_one_sentence(
    treat: Treat, folder: Path, modality: str, corpus: str, name: str, data: str
) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(data)
    (folder / "train2017").mkdir()
    (folder / "train2017" / "000000000001.jpg").write_bytes(picture(kind="JPEG"))
    outcome = treat(modality, corpus, folder)
    assert name.rpartition("/")[2] in outcome.error or outcome.records["kept"] == 0
    assert outcome.mib < 128


def test_lines_of_json_made_to_hurt_cost_themselves_only(treat: Treat, folder: Path) -> None:
    good = [json.dumps({"text": f"A line of text, number {n}."}) for n in range(50)]
    bad = [
        '{"text": ' + DEEP,
        '{"text": "x", "n": ' + "9" * 200_000 + "}",
        '{"text": "' + "\\ud800" * 10 + '"}',
        '{"text": 1e999}',
    ]
    (folder / "lines.jsonl").write_text("\n".join([*good[:25], *bad, *good[25:]]) + "\n")
    outcome = treat("text", "text_files", folder)
    assert outcome.records["kept"] >= 50 and outcome.records["in"] == 54
    assert outcome.mib < 128


def test_one_line_of_a_gigabyte(treat: Treat, folder: Path) -> None:
    with open(folder / "lines.txt", "wb") as file:
        file.write(b"A line before it, that is a good one.\n")
        for _ in range(256):
            file.write(b"word " * (1 << 18))
        file.write(b"\nA line after it, that is a good one.\n")
    outcome = treat("text", "text_files", folder)
    assert outcome.records["in"] == outcome.records["kept"] + outcome.records["quarantined"] >= 2
    assert outcome.mib < 600


@pytest.mark.parametrize("ending", ["gz", "bz2"])
def test_a_packed_file_of_nothing_but_zeros(treat: Treat, folder: Path, ending: str) -> None:
    with (gzip.open if ending == "gz" else bz2.open)(folder / f"zeros.txt.{ending}", "wb") as file:
        for _ in range(512):
            file.write(bytes(1 << 20))
    outcome = treat("text", "text_files", folder)
    assert outcome.error or not outcome.records["kept"]
    assert outcome.mib < 256


def test_entities_in_a_dump(treat: Treat, folder: Path) -> None:
    bomb = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "lol"}">' for n in range(10))
    (folder / "xxwiki-pages-articles.xml").write_text(
        f'<!DOCTYPE x [{bomb}<!ENTITY f SYSTEM "file:///etc/passwd">]><mediawiki><page><title>&e9;&f;</title></page></mediawiki>'
    )
    outcome = treat("text", "wikipedia", folder)
    assert "document type" in outcome.error
    assert outcome.mib < 32


def test_tables_that_lie(treat: Treat, folder: Path) -> None:
    """Statistics that deny what the rows hold, a dictionary page of one giant value, a footer that is cut."""
    rows = pa.table({"text": [f"A line of text, number {n}." for n in range(1000)]})
    pq.write_table(rows, folder / "a.parquet", row_group_size=100)
    data = (folder / "a.parquet").read_bytes()
    least = b"A line of text, number 0."
    assert data.count(least) > 1
    tail = data.rindex(least)
    (folder / "a.parquet").write_bytes(data[:tail] + b"Z" * len(least) + data[tail + len(least) :])
    outcome = treat("text", "text_files", folder)
    assert outcome.records == {"in": 1000, "kept": 1000, "quarantined": 0}
    pq.write_table(pa.table({"text": ["x" * (16 << 20)] * 2 + ["A good line of text."]}), folder / "a.parquet")
    outcome = treat("text", "text_files", folder)
    assert outcome.records["in"] == 3 and outcome.records["kept"] >= 1
    (folder / "a.parquet").write_bytes(data[: len(data) // 2])
    assert "a.parquet" in treat("text", "text_files", folder).error


def test_a_matlab_file_that_unpacks_to_gigabytes(treat: Treat, folder: Path) -> None:
    header = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<HH", 0x0100, 0x4D49)
    inner = struct.pack("<II", 14, 2 * GIB - 1) + bytes(1 << 20)
    packed = zlib.compressobj(1)
    body = packed.compress(inner) + b"".join(packed.compress(bytes(1 << 20)) for _ in range(1024)) + packed.flush()
    (folder / "gt.mat").write_bytes(header + struct.pack("<II", 15, len(body)) + body)
    outcome = treat("ocr", "synthtext", folder)
    assert outcome.error
    assert outcome.mib < 256


def test_csv_with_nuls_and_an_open_quote(treat: Treat, folder: Path, tmp_path: Path) -> None:
    good = "".join(f"{n}.png,A caption of picture {n}.\n" for n in range(20))
    for n in range(21):
        (folder / f"{n}.png").write_bytes(picture())
    (folder / "list.csv").write_text(f'image,caption\n{good}20.png,"never ends\n' + "x.png,\0\0\n" * 1000)
    outcome = treat("images", "image_captions", folder, captions(tmp_path / "warm", {"good.png": picture()}))
    assert outcome.error or outcome.records["kept"] >= 20
    assert outcome.mib < 64


def test_names_that_lead_outside_in_a_list(treat: Treat, folder: Path) -> None:
    (folder / "in.png").write_bytes(picture())
    (folder.parent / "out.png").write_bytes(picture())
    (folder / "link.png").symlink_to(folder.parent / "out.png")
    names = ["in.png", "../out.png", str(folder.parent / "out.png"), "link.png", "a\\..\\..\\out.png", "C:out.png"]
    (folder / "list.csv").write_text("image,caption\n" + "".join(f"{name},A caption of it.\n" for name in names))
    outcome = treat("images", "image_captions", folder)
    assert outcome.records == {"in": 6, "kept": 1, "quarantined": 5}
    assert set(outcome.reasons) <= {"bad_path", "missing_media"}


def test_a_zip_in_which_members_share_their_bytes(treat: Treat, folder: Path) -> None:
    """Overlapping members: thousands of names for one stretch of the file (Fifield, "A better zip bomb", 2019)."""
    with zipfile.ZipFile(folder / "shared.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(200):
            archive.writestr(f"texts/{number:04d}.txt", b"")
        archive.writestr("texts/big.txt", np.zeros(256 << 20, np.uint8).tobytes())
        big = archive.getinfo("texts/big.txt")
        for info in archive.infolist():
            info.header_offset, info.compress_size = big.header_offset, big.compress_size
            info.file_size, info.CRC = big.file_size, big.CRC
    outcome = treat("text", "text_files", folder)
    assert outcome.error or not outcome.records["kept"]
    assert outcome.mib < 256
