"""Words cut out of photographs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from omni_ray.modalities import pixels
from omni_ray.modalities.ocr import straighten
from omni_ray.records import Unusable
from tests.examples import examples


@pytest.fixture(scope="module")
def photo() -> pixels.Pixels:
    """200 by 120 pixels, red grows to the right and green downwards."""
    y, x = np.mgrid[0:120, 0:200]
    return np.dstack([x, y * 2, np.full_like(x, 50)]).astype(np.uint8)


def corners(left: float, top: float, right: float, bottom: float) -> list[float]:
    return [left, top, right, top, right, bottom, left, bottom]


def test_an_upright_word_is_cut_out_as_it_is(photo: pixels.Pixels) -> None:
    assert np.array_equal(straighten(photo, corners(30, 20, 90, 50)), photo[20:50, 30:90])


@pytest.mark.parametrize("turns", range(4))
def test_the_first_corner_is_the_readers_top_left(photo: pixels.Pixels, turns: int) -> None:
    points = np.array(corners(30, 20, 90, 50)).reshape(4, 2)
    made = straighten(photo, np.roll(points, -turns, axis=0).reshape(-1).tolist())
    assert np.array_equal(made, np.rot90(photo[20:50, 30:90], turns))


def test_corners_that_run_the_other_way_give_the_same_word(photo: pixels.Pixels) -> None:
    points = np.array(corners(30, 20, 90, 50)).reshape(4, 2)[[0, 3, 2, 1]]
    assert np.array_equal(straighten(photo, points.reshape(-1).tolist()), photo[20:50, 30:90])


@pytest.mark.parametrize("degrees", [-40, -7, 12, 33, 90, 180])
def test_a_word_at_an_angle_comes_out_level(degrees: float) -> None:
    sign = Image.new("RGB", (300, 300), "white")
    word = Image.new("RGB", (100, 40), "black")
    word.paste((255, 0, 0), (0, 0, 50, 40))  # red on the left
    mask = Image.new("L", word.size, 255)
    word, mask = (im.rotate(-degrees, Image.Resampling.BICUBIC, expand=True) for im in (word, mask))
    sign.paste(word, (150 - word.width // 2, 150 - word.height // 2), mask)
    turn = math.radians(degrees)
    quad: list[float] = []
    for x, y in ((-50, -20), (50, -20), (50, 20), (-50, 20)):
        quad += [150 + x * math.cos(turn) - y * math.sin(turn), 150 + x * math.sin(turn) + y * math.cos(turn)]
    made = straighten(np.asarray(sign), quad).astype(int)
    assert abs(made.shape[0] - 40) <= 1 and abs(made.shape[1] - 100) <= 1
    assert np.abs(made[5:-5, 5:45] - (255, 0, 0)).mean() < 3
    assert made[5:-5, 55:95].mean() < 3


def test_a_word_in_perspective_fills_its_rectangle() -> None:
    trapezium = [20.0, 10.0, 180.0, 40.0, 180.0, 80.0, 20.0, 110.0]
    photo = np.zeros((120, 200, 3), np.uint8)
    y, x = np.mgrid[0:120, 0:200]
    inside = (x >= 20) & (x < 180) & (y >= 10 + (x - 20) * 30 / 160) & (y < 110 - (x - 20) * 30 / 160)
    photo[inside] = 255
    made = straighten(photo, trapezium)
    assert made.shape[:2] == (70, round((math.hypot(160, 30) * 2) / 2))
    assert made[2:-2, 2:-2].min() > 100 and made.mean() > 245


def test_what_lies_off_the_image_is_black(photo: pixels.Pixels) -> None:
    made = straighten(photo, corners(-20, 10, 40, 40))
    assert made.shape == (30, 60, 3)
    assert np.array_equal(made[:, 20:], photo[10:40, :40]) and made[:, :19].max() == 0


def test_crossing_or_dented_corners_fall_back_to_their_box(photo: pixels.Pixels) -> None:
    crossing = [30.0, 20.0, 90.0, 50.0, 90.0, 20.0, 30.0, 50.0]
    dented = [30.0, 20.0, 90.0, 20.0, 45.0, 30.0, 30.0, 50.0]
    for quad in (crossing, dented):
        made = straighten(photo, quad)
        assert made.ndim == 3 and min(made.shape[:2]) >= 1


@pytest.mark.parametrize(
    "quad",
    [
        corners(10, 10, 10, 40),
        corners(10, 10, 40, 10),
        corners(10, 10, 11, 11),
        corners(5, 5, 5, 5),
        corners(300, 10, 400, 40),
        corners(10, -90, 40, -10),
        corners(-1e9, -1e9, 1e9, 1e9),
        corners(0, 0, 1e30, 1e30),
        [0.0, 0, 50, 50, 100, 100, 20, 20],
        [math.nan, 0, 50, 0, 50, 20, 0, 20],
        [math.inf, 0, 50, 0, 50, 20, 0, 20],
        [],
        [1.0, 2.0, 3.0],
        [*corners(10, 10, 40, 40), 1.0, 2.0],
    ],
)
def test_what_cannot_be_a_word_is_bad_geometry(photo: pixels.Pixels, quad: list[float]) -> None:
    with pytest.raises(Unusable) as caught:
        straighten(photo, quad)
    assert caught.value.reason == "bad_geometry"


@settings(max_examples=examples(300))
@given(st.lists(st.floats(-400, 600, width=32), min_size=8, max_size=8))
def test_any_four_corners_give_a_word_or_a_reason(quad: list[float]) -> None:
    picture = np.full((120, 200, 3), 9, np.uint8)
    try:
        made = straighten(picture, quad)
    except Unusable as error:
        assert error.reason == "bad_geometry"
    else:
        assert made.dtype == np.uint8 and made.shape[2] == 3 and min(made.shape) >= 1
        assert made.shape[0] * made.shape[1] <= 4 * 120 * 200 + 1000
