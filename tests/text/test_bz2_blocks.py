"""Blocks of bzip2 files, found without an index, against the standard library's decompressor."""

from __future__ import annotations

import bz2
import io
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omni_ray.sources import bz2_blocks
from omni_ray.sources.bz2_blocks import read_blocks
from tests.examples import examples


def noise(seed: int, size: int, symbols: int = 256) -> bytes:
    generator = random.Random(seed)
    return bytes(generator.choices(range(symbols), k=size))


def in_ranges(data: bytes, step: int) -> list[bytes]:
    """The blocks of each byte range of ``data``, as units of work would read them."""
    parts = []
    for start in range(0, len(data), step):
        own = b""
        for block in read_blocks(io.BytesIO(data), start):
            if block.start >= start + step:
                break
            assert block.data is not None
            own += block.data
        parts.append(own)
    return parts


@pytest.mark.slow
@settings(max_examples=examples(25))
@given(
    streams=st.lists(st.tuples(st.integers(0, 99), st.integers(0, 250_000), st.sampled_from([2, 17, 256])), max_size=4),
    level=st.integers(1, 9),
    step=st.integers(1_000, 300_000),
)
def test_ranges_together_hold_everything_once(streams: list[tuple[int, int, int]], level: int, step: int) -> None:
    plain = [noise(*stream) for stream in streams]
    packed = b"".join(bz2.compress(data, level) for data in plain)
    assert b"".join(in_ranges(packed, step)) == b"".join(plain)


@pytest.mark.slow
@pytest.mark.parametrize("level", range(1, 10))
def test_every_level_and_read_size(level: int, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = noise(level, 1_200_000, 4) + bytes(3_000_000) + noise(level, 1_000)
    packed = bz2.compress(plain, level)
    for size in (1 << 12, 1 << 20):
        monkeypatch.setattr(bz2_blocks, "_READ_BYTES", size)
        blocks = list(read_blocks(io.BytesIO(packed)))
        assert b"".join(block.data or b"" for block in blocks) == plain


def test_a_magic_number_at_every_bit_of_a_read_border_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = noise(1, 150_000, 3)
    packed = bz2.compress(plain, 1)
    second = [block.start for block in read_blocks(io.BytesIO(packed))][1]
    for size in range(second - 8, second + 8):
        monkeypatch.setattr(bz2_blocks, "_READ_BYTES", size)
        assert b"".join(block.data or b"" for block in read_blocks(io.BytesIO(packed))) == plain


def test_a_corrupt_block_costs_that_block() -> None:
    plain = noise(5, 500_000, 60)
    packed = bytearray(bz2.compress(plain, 1))
    whole = list(read_blocks(io.BytesIO(bytes(packed))))
    assert len(whole) == 6
    packed[(whole[2].start + whole[3].start) // 2] ^= 0x10
    broken = list(read_blocks(io.BytesIO(bytes(packed))))
    assert [block.fault for block in broken] == ["", "", "decode_error", "", "", ""]
    assert [block.data for block in broken if block.data] == [b.data for n, b in enumerate(whole) if n != 2]


def test_a_truncated_file_ends_with_a_truncated_block() -> None:
    packed = bz2.compress(noise(6, 300_000, 60), 1)
    blocks = list(read_blocks(io.BytesIO(packed[: len(packed) // 2])))
    assert [block.fault for block in blocks] == ["", "truncated"]
    assert blocks[0].data == noise(6, 300_000, 60)[: len(blocks[0].data or b"")]


def test_a_long_stretch_of_rubbish_is_passed_over_in_bounded_memory() -> None:
    first, second = noise(7, 50_000), noise(8, 50_000)
    packed = bz2.compress(first)[:-10] + bytes(6 << 20) + bz2.compress(second)
    blocks = list(read_blocks(io.BytesIO(packed)))
    assert [block.fault for block in blocks] == ["decode_error", ""]
    assert blocks[1].data == second


@given(st.binary(max_size=3000))
def test_anything_that_is_not_bzip2_has_no_readable_block(data: bytes) -> None:
    assert all(block.data is None for block in read_blocks(io.BytesIO(data)))
