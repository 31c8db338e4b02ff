"""Files with a record a line, in ranges."""

from __future__ import annotations

import gzip
import io
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from omni_ray.corpora.base import Rejected, SourceOptions
from omni_ray.sources import line_blocks as module
from omni_ray.sources import packed
from omni_ray.sources.line_blocks import byte_ranges, line_blocks, read_lines
from omni_ray.sources.tree import FolderTree


def lines_of(data: bytes, start: int, end: int | None) -> list[tuple[int, bytes]]:
    found = []
    for block in line_blocks(io.BytesIO(data), "x.txt", start, end):
        assert not isinstance(block, Rejected)
        place = block[0]
        for line in block[1].split(b"\n")[: -1 if block[1].endswith(b"\n") else None]:
            found.append((place, line))
            place += len(line) + 1
    return found


@given(
    st.lists(st.binary(max_size=12).map(lambda b: b.replace(b"\n", b"")), max_size=12),
    st.booleans(),
    st.lists(st.integers(1, 80), max_size=6),
    st.integers(1, 20),
)
def test_any_cutting_gives_every_line_once(lines: list[bytes], ends: bool, cuts: list[int], chunk: int) -> None:
    data = b"\n".join(lines) + (b"\n" if ends else b"")
    data = data.removeprefix(b"\xef\xbb\xbf")
    assume(not packed.packing(io.BytesIO(data), ""))
    edges = [0, *sorted({cut for cut in cuts if cut < len(data)}), None]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packed, "CHUNK_BYTES", chunk)
        found = [line for a, b in pairwise(edges) for line in lines_of(data, a or 0, b)]
    expected = data.split(b"\n")
    if expected[-1] == b"":
        expected.pop()
    assert [line for _, line in found] == expected
    assert all(data[place : place + len(line)] == line for place, line in found)


@given(st.integers(0, 100), st.integers(1, 40), st.integers(0, 20))
def test_ranges_cover_a_file(size: int, step: int, first: int) -> None:
    scale = step / module.RANGE_BYTES
    ranges = list(byte_ranges(size, SourceOptions(unit_scale=scale * 1.0000001), first))
    assert [a for a, _ in ranges] == list(range(first, size, step))
    assert [b for _, b in ranges] == [*(a for a, _ in ranges[1:]), None][: len(ranges)]


def test_lines_become_rows_with_their_place(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfone\r\n\n  \t\ntwo \xff\nthr\xc3\xa9e")
    tables, rejected = [], []
    for item in read_lines(FolderTree(tmp_path), {"file": "a.txt", "start": 0, "end": None}):
        (rejected if isinstance(item, Rejected) else tables).append(item)
    assert [row for table in tables for row in table.to_pylist()] == [
        {"id": "a.txt:3", "where": "a.txt, byte 3", "text": "one\n"},
        {"id": "a.txt:19", "where": "a.txt, byte 19", "text": "thrée"},
    ]
    assert [(r.id, r.reason) for r in rejected] == [("a.txt:13", "bad_encoding")]


def test_a_broken_archive_gives_its_whole_lines(tmp_path: Path) -> None:
    lines = "".join(f"line {n * n * 7919 % 100_003}\n" for n in range(50_000)).encode()
    whole = gzip.compress(lines)
    (tmp_path / "a.txt.gz").write_bytes(whole[: len(whole) // 2])
    texts, rejected = [], []
    for item in read_lines(FolderTree(tmp_path), {"file": "a.txt.gz", "start": 0, "end": None}):
        if isinstance(item, Rejected):
            rejected.append(item)
        else:
            texts += item["text"].to_pylist()
    assert len(texts) > 10_000 and lines.decode().startswith("".join(texts))
    assert [r.reason for r in rejected] == ["truncated"]


def test_an_enormous_line_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LINE_BYTES", 100)
    monkeypatch.setattr(packed, "CHUNK_BYTES", 16)
    found = list(line_blocks(io.BytesIO(b"one\n" + b"x" * 500 + b"\ntwo\n"), "x"))
    assert [f.reason for f in found if isinstance(f, Rejected)] == ["too_large"]
    assert b"".join(f[1] for f in found if not isinstance(f, Rejected)) == b"one\ntwo\n"
