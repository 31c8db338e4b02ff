"""To the size the trainers want, and back to bytes."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from picture_files import are_close, encoded
from PIL import Image

from omni_ray.errors import OmniError
from omni_ray.modalities import pixels
from omni_ray.modalities.params import PictureParams
from tests.examples import examples

SIZES = st.integers(1, 400)


def noise(height: int, width: int, seed: int = 0) -> pixels.Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def by_pillow(picture: pixels.Pixels, height: int, width: int) -> np.ndarray:
    """Pillow's bicubic filter, rows first."""
    rows = Image.fromarray(picture).resize((width, picture.shape[0]), Image.Resampling.BICUBIC)
    return np.asarray(rows.resize((width, height), Image.Resampling.BICUBIC)).astype(int)


def test_photographs_are_as_close_as_rounding_allows_to_pillow(photos: list[bytes]) -> None:
    for data in photos:
        picture = pixels.decode(data)[0]
        assert are_close(pixels.resize(picture, 224, "squash"), by_pillow(picture, 224, 224))


@settings(max_examples=examples(60))
@given(height=SIZES, width=SIZES, size=st.integers(1, 260), seed=st.integers(0, 9))
def test_noise_of_any_size_is_close_to_pillow(height: int, width: int, size: int, seed: int) -> None:
    picture = noise(height, width, seed)
    apart = np.abs(pixels.resize(picture, size, "squash") - by_pillow(picture, size, size))
    assert apart.max() <= 2 and (apart > 1).sum() <= max(3, apart.size // 5_000)


@pytest.mark.parametrize("shape", [(1, 5000), (5000, 1), (1, 1), (1, 40), (3, 2)])
@pytest.mark.parametrize("fit", ("squash", "crop", "pad"))
def test_extreme_shapes(shape: tuple[int, int], fit: str) -> None:
    made = pixels.resize(np.full((*shape, 3), 77, np.uint8), 224, fit)
    assert made.shape == (224, 224, 3) and made.dtype == np.uint8 and made.flags.c_contiguous
    assert set(np.unique(made)) <= {77, pixels.PAD_GREY}


@settings(max_examples=examples(60))
@given(height=SIZES, width=SIZES, size=st.integers(1, 260))
def test_padding_shows_the_whole_picture_in_its_own_shape(height: int, width: int, size: int) -> None:
    made = pixels.resize(np.zeros((height, width, 3), np.uint8), size, "pad")
    rows, columns = np.nonzero(made[..., 0] == 0)
    high, wide = np.ptp(rows) + 1, np.ptp(columns) + 1
    assert made.shape == (size, size, 3)
    assert max(high, wide) == size
    assert (high, wide) == pixels.inner_size(height, width, size, "pad")
    assert abs(rows.min() - (size - 1 - rows.max())) <= 1 and abs(columns.min() - (size - 1 - columns.max())) <= 1


@settings(max_examples=examples(40))
@given(height=SIZES, width=SIZES, size=st.integers(1, 260))
def test_cropping_takes_the_middle_square(height: int, width: int, size: int) -> None:
    picture = noise(height, width)
    edge = min(height, width)
    top, left = (height - edge) // 2, (width - edge) // 2
    middle = np.ascontiguousarray(picture[top : top + edge, left : left + edge])
    assert np.array_equal(pixels.resize(picture, size, "crop"), pixels.resize(middle, size, "squash"))


def test_a_picture_of_the_right_size_is_not_touched() -> None:
    picture = noise(224, 224)
    for fit in ("squash", "crop", "pad"):
        assert np.array_equal(pixels.resize(picture, 224, fit), picture)


def test_views_and_read_only_arrays_are_resized_like_any_other() -> None:
    picture = noise(90, 70)
    expected = pixels.resize(picture, 32, "squash")
    frozen = picture.copy()
    frozen.flags.writeable = False
    assert np.array_equal(pixels.resize(frozen, 32, "squash"), expected)
    turned = np.ascontiguousarray(picture[::-1, ::-1].transpose(1, 0, 2)).transpose(1, 0, 2)[::-1, ::-1]
    assert np.array_equal(pixels.resize(turned, 32, "squash"), expected)


def test_sharp_edges_saturate_and_do_not_wrap_around() -> None:
    picture = np.zeros((300, 300, 3), np.uint8)
    picture[:, 150:] = 255
    made = pixels.resize(picture, 224, "squash").astype(int)
    assert np.all(np.diff(made[100, :, 0]) >= -1) or made.max() == 255
    assert np.all(made[:, :100] == 0) and np.all(made[:, 124:] == 255)


@pytest.mark.parametrize("image_format", ("jpeg", "png"))
def test_the_same_pixels_give_the_same_bytes(image_format: str, photos: list[bytes]) -> None:
    made = pixels.resize(pixels.decode(photos[0])[0], 224, "squash")
    files = {pixels.encode(each, image_format, 92) for each in (made, made.copy(), np.asfortranarray(made)) * 3}
    assert len(files) == 1
    image = Image.open(io.BytesIO(files.pop()))
    assert (image.format, image.mode, image.size) == (image_format.upper(), "RGB", (224, 224))


def test_png_keeps_every_pixel_and_jpeg_the_picture(photos: list[bytes]) -> None:
    made = pixels.resize(pixels.decode(photos[0])[0], 224, "squash")
    assert np.array_equal(pixels.decode(pixels.encode(made, "png", 1))[0], made)
    jpeg = pixels.decode(pixels.encode(made, "jpeg", 92))[0].astype(int)
    pillow = pixels.decode(encoded(Image.fromarray(made), "JPEG", quality=92, subsampling="4:2:0"))[0].astype(int)
    assert abs(np.abs(jpeg - made).mean() - np.abs(pillow - made).mean()) < 0.1


def test_jpegs_are_baseline_with_half_the_colour_resolution() -> None:
    file = pixels.encode(noise(64, 64), "jpeg", 92)
    at = file.index(b"\xff\xc0")
    assert file[at + 11] == 0x22 and b"\xff\xc2" not in file  # two by two luma samples for one of chroma


def test_a_higher_quality_takes_more_bytes() -> None:
    picture = pixels.resize(noise(40, 40), 64, "squash")
    sizes = [len(pixels.encode(picture, "jpeg", quality)) for quality in (1, 40, 75, 92, 100)]
    assert sizes == sorted(set(sizes))


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": 0},
        {"size": 9000},
        {"fit": "zoom"},
        {"image_format": "bmp"},
        {"quality": 0},
        {"quality": 101},
        {"engine": "tpu"},
    ],
)
def test_wrong_parameters_are_one_sentence(wrong: dict[str, object]) -> None:
    with pytest.raises(OmniError, match=str(next(iter(wrong.values())))):
        PictureParams(**wrong)
