"""Pairs of bytes are found wherever they are."""

from __future__ import annotations

import pytest

from omni_ray.sources.byte_pairs import count_of, places_of


@pytest.mark.parametrize("length", [1, 2, 3, 4095, 4096, 4097, 10001])
@pytest.mark.parametrize("data", [b'":', b':"', b'a":', b'":":::""', b'" :', b' :"a', b"xy"])
def test_pairs_of_bytes(data: bytes, length: int) -> None:
    data = (data * (1 + length // len(data)))[:length]
    places = [place for place in range(length) if data[place : place + 2] == b'":']
    assert sorted(places_of(data, b'":')) == places and count_of(data, b'":') == len(places)
    assert count_of(data, b'" :') == data.count(b'" :')
