"""WET files: every page once, in whatever slices, and what damage costs."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from omni_ray.corpora.locate import locate
from omni_ray.corpora.wet import Wet
from omni_ray.errors import SourceError
from omni_ray.records import SourceOptions
from omni_ray.sources import warc
from tests.list_sources import Source, kept, lost

COUNT = 60


def record(kind: str, body: bytes, number: int = 0, **more: str) -> bytes:
    fields = {
        "WARC-Type": kind,
        "WARC-Target-URI": f"http://page{number}.example/",
        "WARC-Date": "2026-01-02T03:04:05Z",
        "WARC-Record-ID": f"<urn:uuid:{number:08}-0000>",
        "Content-Length": str(len(body)),
        **{key.replace("_", "-"): value for key, value in more.items()},
    }
    return b"WARC/1.0\r\n" + "".join(f"{k}: {v}\r\n" for k, v in fields.items()).encode() + b"\r\n" + body + b"\r\n\r\n"


def page(number: int) -> bytes:
    return f"Seite {number} über WARC/1.0\r\n\r\nWARC/1.0\r\nist Text. ".encode() * (number % 7 + 1)


INFO = record("warcinfo", b"Software-Info: x\r\n")
RECORDS = [INFO, *(record("conversion", page(n), n) for n in range(COUNT))]
MEMBERS = [gzip.compress(each) for each in RECORDS]
FORMS: dict[str, bytes] = {
    "a.warc.wet.gz": b"".join(MEMBERS),
    "whole.warc.wet.gz": gzip.compress(b"".join(RECORDS)),
    "a.warc.wet": b"".join(RECORDS),
    "a.wet.xz": lzma.compress(b"".join(RECORDS)),
    "a.wet.bz2": bz2.compress(b"".join(RECORDS)),
    "a.warc.wet.zst": bytes(pa.Codec("zstd").compress(b"".join(RECORDS), asbytes=True)),
}


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path)


def numbers(rows: list[Any]) -> list[int]:
    return [int(row["id"].partition("-")[0]) for row in kept(rows)]


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("scale", [1.0, 1e-4, 1e-7])
def test_every_page_once_in_any_slices(source: Source, name: str, scale: float) -> None:
    source.put(name, FORMS[name])
    rows = source.rows(Wet(), unit_scale=scale if scale > 1e-6 or len(FORMS[name]) < 12_000 else 1e-5)
    assert numbers(rows) == list(range(COUNT)) and not lost(rows)
    assert [row["text"].encode() for row in kept(rows)] == [page(n) for n in range(COUNT)]
    assert kept(rows)[3]["url"] == "http://page3.example/"


@pytest.mark.parametrize("name", FORMS)
def test_large_files_are_read_in_units_however_they_are_packed(tmp_path: Path, name: str) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / name).write_bytes(FORMS[name])
    for scale, least, most in ((1.0, 1, 1), (5e-5, 5, COUNT)):
        options = SourceOptions(unit_scale=scale)
        found = locate(Wet(), tmp_path, str(tmp_path / "source"), options, cache=tmp_path / "index")
        assert least <= len(list(found.drafts)) <= most


def damaged(members: list[bytes]) -> list[bytes]:
    bad = bytearray(members[20])
    bad[40:60] = bytes(20)
    return [*members[:20], bytes(bad), *members[21:]]


@pytest.mark.parametrize("scale", [1.0, 1e-4])
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (damaged, "decode_error"),
        (lambda members: [*members[:20], members[20][:-30], *members[21:]], "decode_error"),
        (lambda members: [*members[:20], b"rubbish" * 9, *members[21:]], "decode_error"),
        (lambda members: [*members[:20], members[20].replace(b"\x1f\x8b", b"\0\0"), *members[21:]], "decode_error"),
    ],
    ids=["damaged", "cut", "no stream", "no magic"],
)
def test_damage_costs_a_page(
    source: Source, scale: float, change: Callable[[list[bytes]], list[bytes]], reason: str
) -> None:
    source.put("a.warc.wet.gz", b"".join(change(MEMBERS)))
    rows = source.rows(Wet(), unit_scale=scale)
    assert numbers(rows) == [n for n in range(COUNT) if n != 19]
    assert [why for _, why in lost(rows)] == [reason]


@pytest.mark.parametrize("scale", [1.0, 1e-4])
@pytest.mark.parametrize("name", ["a.warc.wet.gz", "whole.warc.wet.gz", "a.warc.wet", "a.wet.xz"])
def test_a_file_that_was_cut_says_so(source: Source, name: str, scale: float) -> None:
    source.put(name, FORMS[name][: len(FORMS[name]) * 9 // 10 + 3])
    rows = source.rows(Wet(), unit_scale=scale)
    assert numbers(rows) == list(range(len(kept(rows)))) and len(kept(rows)) > 30
    assert [reason for _, reason in lost(rows)] == ["truncated"]


def test_pages_under_a_checksum_that_does_not_fit_are_not_kept(source: Source) -> None:
    damaged = bytearray(gzip.compress(b"".join(RECORDS) * 20, 0))  # stored, so that it unpacks to the end
    damaged[len(damaged) // 2] ^= 1
    source.put("a.warc.wet.gz", MEMBERS[1] + bytes(damaged) + MEMBERS[2])
    rows = source.rows(Wet())
    assert numbers(rows) == [0, 1] and [reason for _, reason in lost(rows)] == ["decode_error"]


def test_pages_of_a_stream_that_is_damaged_are_not_kept(source: Source) -> None:
    data = bytearray(lzma.compress(b"".join(RECORDS) * 200))
    data[len(data) * 9 // 10] ^= 1
    source.put("a.wet.xz", FORMS["a.wet.xz"] + bytes(data))
    rows = source.rows(Wet())
    assert numbers(rows) == list(range(COUNT)) and [reason for _, reason in lost(rows)] == ["decode_error"]


def test_headers_that_are_none_and_records_of_other_kinds(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warc, "MAX_RECORD_BYTES", 1 << 10)
    records = [
        INFO,
        record("conversion", b"\xff\xfe", 1),
        record("metadata", b"fetchTimeMs: 3", 2),
        record("conversion", b"one", 3, Content_Length="many"),
        record("conversion", b"x" * 2000, 4),
        record("conversion", b"vier", 5, WARC_Identified_Content_Language="deu,eng"),
    ]
    source.put("a.warc.wet", b"".join(records))
    rows = source.rows(Wet(), keep_columns=True)
    assert [reason for _, reason in lost(rows)] == ["bad_encoding", "bad_row", "bad_row", "too_large"]
    [row] = kept(rows)
    assert (row["text"], row["lang"]) == ("vier", "deu")
    assert row["extra"] == '{"warc-date":"2026-01-02T03:04:05Z","warc-identified-content-language":"deu,eng"}'


def test_archives_of_what_servers_sent_are_not_read(source: Source) -> None:
    sent = [INFO, record("request", b"GET /"), record("response", b"HTTP/1.1 200 OK\r\n\r\n<html>")]
    source.put("a.warc.gz", b"".join(map(gzip.compress, sent)))
    with pytest.raises(SourceError, match=r"wet: .*a web archive"):
        source.rows(Wet())
