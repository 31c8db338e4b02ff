"""Compressed files: whole, joined, cut and damaged."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
from collections.abc import Callable

import pyarrow as pa
import pytest

from omni_ray.sources import packed
from omni_ray.sources.packed import CHUNK_BYTES, BrokenStream, packing, unpack, unpack_proven


def zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


FORMATS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lambda data: lzma.compress(data, preset=1),
    ".zst": zstd,
}
GENERATOR = random.Random(1)
DATA = b"".join(str(GENERATOR.random()).encode() for _ in range(120_000)) + bytes(3_000_000)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", FORMATS)
def test_streams_behind_each_other_are_one_file(suffix: str) -> None:
    whole = FORMATS[suffix](DATA)
    chunks = list(unpack(io.BytesIO(whole + whole), "x" + suffix))
    assert b"".join(chunks) == DATA + DATA
    assert max(map(len, chunks)) <= CHUNK_BYTES


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_cut_file_gives_what_it_holds_and_then_says_so(suffix: str) -> None:
    whole = FORMATS[suffix](DATA)
    stream = unpack(io.BytesIO(whole[: len(whole) * 2 // 3]), "x" + suffix)
    read = b""
    with pytest.raises(BrokenStream, match="truncated"):
        for chunk in stream:
            read += chunk
    assert DATA.startswith(read) and len(read) > 100_000


@pytest.mark.slow
@pytest.mark.parametrize("place", [0.4, 0.6, 0.8])
def test_a_damaged_bzip2_file_gives_its_sound_blocks_and_nothing_else(place: float) -> None:
    plain = b"".join(b"line %d of a text, %d\n" % (n, n * n % 9973) for n in range(100_000))
    lines, whole = set(plain.split(b"\n")), bytearray(bz2.compress(plain))
    whole[int(place * len(whole))] ^= 1
    read = b""
    with pytest.raises(BrokenStream, match="decode_error"):
        for chunk in unpack(io.BytesIO(bytes(whole)), "x.bz2"):
            read += chunk
    assert plain.startswith(read) and set(read.split(b"\n")[:-1]) <= lines
    assert len(read) >= int(place * len(plain)) - 900_000


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_is_what_its_first_bytes_say(suffix: str) -> None:
    plain = b"plain text, whatever the name says" * 10
    assert b"".join(unpack(io.BytesIO(plain), "x" + suffix)) == plain
    for name in ("x.txt", "x", "x.gz", "x.jsonl.bz2"):
        assert b"".join(unpack(io.BytesIO(FORMATS[suffix](plain)), name)) == plain
    file = io.BytesIO(b"BZh is how a bzip2 file begins, and this is none")
    assert packing(file, "x.txt") == "" and file.tell() == 0


@pytest.mark.slow
@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("behind", [b"\n", b"garbage at the end", b"\0\0garbage"])
def test_what_stands_behind_the_compressed_data_costs_only_itself(suffix: str, behind: bytes) -> None:
    stream = unpack(io.BytesIO(FORMATS[suffix](DATA) + behind), "x" + suffix)
    read = b""
    with pytest.raises(BrokenStream, match="decode_error") as broken:
        for chunk in stream:
            read += chunk
    assert read == DATA and broken.value.is_whole


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz"])
def test_damaged_data_is_a_decode_error(suffix: str) -> None:
    whole = bytearray(FORMATS[suffix](DATA))
    whole[len(whole) // 2 : len(whole) // 2 + 64] = bytes(range(64))
    with pytest.raises(BrokenStream) as broken:
        list(unpack(io.BytesIO(bytes(whole)), "x" + suffix))
    assert not broken.value.is_whole


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".gz", ".xz", ".zst"])
@pytest.mark.parametrize("held", [1 << 20, 1 << 26])
def test_what_a_checksum_does_not_fit_is_not_given(suffix: str, held: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "_HELD_BYTES", held)
    whole = FORMATS[suffix](DATA)
    damaged = bytearray(whole)
    damaged[len(whole) // 2 : len(whole) // 2 + 64] = bytes(range(64))
    damaged[6] |= 6 if suffix == ".zst" else 0  # the kind of its first block: these frames have no checksum
    for data, is_given in ((whole + damaged + whole, DATA), (damaged, b"")):
        given = b""
        with pytest.raises(BrokenStream) as broken:
            for chunk in unpack_proven(io.BytesIO(bytes(data)), "x"):
                given += chunk
        assert given == is_given and "checksum" in broken.value.detail
    cut = b""
    with pytest.raises(BrokenStream, match="truncated"):
        for chunk in unpack_proven(io.BytesIO(whole[: len(whole) * 2 // 3]), "x"):
            cut += chunk
    assert DATA.startswith(cut) and len(cut) > 100_000


def test_empty_and_plain_files() -> None:
    assert b"".join(unpack(io.BytesIO(b""), "x.gz")) == b""
    assert b"".join(unpack(io.BytesIO(b"abc"), "x.txt")) == b"abc"


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_bomb_is_not_unpacked(suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "_FREE_BYTES", 1 << 20)
    stream = unpack(io.BytesIO(FORMATS[suffix](bytes(1 << 25)) * 4), "x" + suffix)
    with pytest.raises(BrokenStream, match="too_large"):
        for _ in stream:
            pass
