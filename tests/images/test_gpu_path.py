"""The GPU's code, on the processor, and on a GPU where there is one: the same pictures, the same accounts."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from picture_files import are_close, encoded, far_apart, raw_rows
from PIL import Image

from omni_ray import api
from omni_ray.corpora.base import SourceOptions
from omni_ray.errors import OmniError
from omni_ray.modalities import picture_engine, pixels
from omni_ray.modalities.images import Images
from omni_ray.modalities.params import ENGINES, PictureParams
from omni_ray.pipeline.actors import pool, require_gpus
from tests.examples import examples
from tests.images.test_resize import noise


def gpus_here() -> int:
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def need_gpu(engine: str) -> None:
    if engine.startswith("cuda") and not gpus_here():
        pytest.skip("this machine has no GPU")


@pytest.fixture(scope="module", params=["cpu", "cuda"])
def resizer(request: pytest.FixtureRequest) -> Any:
    from omni_ray.modalities.torch_pixels import Resizer

    need_gpu(request.param)
    return Resizer(request.param)


@pytest.mark.slow
@pytest.mark.parametrize("fit", ("squash", "crop", "pad"))
def test_photographs_are_as_close_as_rounding_allows_to_the_processors(
    resizer: Any, photos: list[bytes], fit: str
) -> None:
    pictures = [pixels.decode(photo)[0] for photo in photos]
    for made, picture in zip(resizer(pictures, 224, fit), pictures, strict=True):
        assert are_close(made, pixels.resize(picture, 224, fit))


@settings(max_examples=examples(30))
@given(
    st.lists(st.tuples(st.integers(1, 90), st.integers(1, 90)), max_size=9), st.sampled_from(("squash", "crop", "pad"))
)
def test_order_and_neighbours_do_not_matter(shapes: list[tuple[int, int]], fit: str) -> None:
    from omni_ray.modalities.torch_pixels import Resizer

    pictures = [noise(*shape, seed) for seed, shape in enumerate(shapes)]
    together = Resizer("cpu")(pictures, 40, fit)
    assert len(together) == len(pictures)
    for made, picture in zip(together, pictures, strict=True):
        assert np.array_equal(made, Resizer("cpu")([picture], 40, fit)[0])
        assert far_apart(made, pixels.resize(picture, 40, fit)) <= 2  # noise that is enlarged


def test_more_than_fits_at_once_is_done_in_parts(resizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from omni_ray.modalities import torch_pixels

    monkeypatch.setattr(torch_pixels, "_BYTES_AT_ONCE", 20_000)
    pictures = [noise(60, 50, n) for n in range(9)] + [noise(200, 300)]
    for made, picture in zip(torch_pixels.Resizer("cpu")(pictures, 32, "squash"), pictures, strict=True):
        assert np.array_equal(made, resizer([picture], 32, "squash")[0])


@pytest.mark.slow
def test_threads_give_the_same_rows_and_rejects_in_the_same_order(photos: list[bytes]) -> None:
    bad = [{"image": data, "captions": ["x", ""]} for data in (b"", b"junk", photos[0][:999])]
    good = [{"image": photo, "captions": ["a", "b"]} for photo in photos]
    rows = raw_rows(*good, *bad, *good, {"image": photos[0], "captions": []}, *good[:5])
    alone, together = (
        Images().transform(rows, "coco", PictureParams(size=64, image_format="png", engine=engine))
        for engine in ("cpu", "torch-cpu")
    )
    assert alone.rejected == together.rejected
    assert alone.kept.drop_columns("image").equals(together.kept.drop_columns("image"))
    for one, other in zip(alone.kept["image"].to_pylist(), together.kept["image"].to_pylist(), strict=True):
        assert one["path"] == other["path"]
        assert are_close(pixels.decode(one["bytes"])[0], pixels.decode(other["bytes"])[0])


def test_nvjpeg_gets_plain_jpegs_and_everything_else_is_decoded_here(
    photos: list[bytes], scene: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from omni_ray.modalities import torch_pixels

    asked: list[int] = []

    def decode_jpeg(files: list[Any], mode: str, device: str) -> list[Any]:
        asked.append(len(files))
        if any(file.numel() == len(photos[1]) for file in files):
            raise RuntimeError("nvjpegDecode failed")
        made = [np.array(Image.open(io.BytesIO(file.numpy().tobytes())).convert(mode)) for file in files]
        return [torch.from_numpy(array).permute(2, 0, 1) for array in made]

    stand_in = SimpleNamespace(decode_jpeg=decode_jpeg, ImageReadMode=SimpleNamespace(RGB="RGB"))
    monkeypatch.setitem(sys.modules, "torchvision", SimpleNamespace(io=stand_in))
    monkeypatch.setitem(sys.modules, "torchvision.io", stand_in)
    predecode = torch_pixels.nvjpeg_decoder("cpu")
    exif = Image.Exif()
    exif[0x0112] = 6
    others = [encoded(scene, "JPEG", exif=exif), encoded(scene.convert("CMYK"), "JPEG"), encoded(scene, "PNG"), b""]
    files = [photos[0], *others, photos[1], photos[2], photos[3][:-2]]
    assert [tensor is not None for tensor in predecode(files)] == [True, *[False] * 5, True, False]
    assert asked == [3, 1, 1, 1]  # one bad file: each is tried by itself

    engine = picture_engine.Batched(torch_pixels.Resizer("cpu"), 2, 128, predecode)
    monkeypatch.setattr("omni_ray.modalities.images.engine", lambda name: engine)
    done = Images().transform(raw_rows(*({"image": file} for file in files)), "x", PictureParams(image_format="png"))
    assert done.kept.num_rows == 6 and len(done.rejected) == 2
    for row in done.kept.to_pylist():
        file = files[int(row["id"])]
        expected = pixels.resize(pixels.decode(file)[0], 224, "squash")
        assert far_apart(pixels.decode(row["image"]["bytes"])[0], expected) <= 2  # the scene is enlarged
        assert (row["source_width"], row["source_height"]) == pixels.decode(file)[1]


def test_nvjpeg_without_torchvision_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    from omni_ray.modalities import torch_pixels

    monkeypatch.setitem(sys.modules, "torchvision.io", None)
    with pytest.raises(OmniError, match=r"omni-ray\[gpu\]"):
        torch_pixels.nvjpeg_decoder("cuda")


@given(st.integers(0, 8), st.integers(1, 64), st.integers(1, 200))
def test_actors_share_the_cpus_and_the_memory_of_their_gpu(gpus: int, beside: int, gigabytes: int) -> None:
    made = pool(gpus, beside, gigabytes << 30)
    if gpus:
        assert made.actors // gpus <= max(1, gigabytes // 2)
    assert made.actors >= max(1, gpus) and made.cpus >= 1
    assert made.actors * made.cpus <= beside * max(1, gpus)
    assert made.gpus * made.actors == pytest.approx(gpus)


@pytest.mark.slow
def test_gpus_on_a_machine_without_one_is_one_clear_line(tmp_path: Path) -> None:
    if gpus_here():
        pytest.skip("this machine has a GPU")
    with pytest.raises(OmniError, match=r"^--gpus 2: this machine has no GPU that torch .* leave --gpus out"):
        require_gpus(2)
    command = [sys.executable, "-m", "omni_ray", "prepare", "images", "--gpus", "1", "--root", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "--gpus 1: this machine has no GPU" in done.stderr


def test_gpus_for_what_uses_none_is_a_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omni_ray.pipeline.actors.require_gpus", lambda count: None)
    with pytest.raises(OmniError, match="--gpus is for images and ocr"):
        api.prepare(tmp_path, "text", cluster=api.Cluster(gpus=1))


@pytest.fixture
def many_photos(tmp_path: Path, photos: list[bytes]) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, photo in enumerate(photos[:8] * 5):
        (folder / f"{number:03d}.jpg").write_bytes(photo if number % 13 else photo[:500])
        (folder / f"{number:03d}.txt").write_text(f"picture {number}")
    return folder


@pytest.fixture(scope="module")
def ray_here() -> Iterator[None]:
    from omni_ray.pipeline.session import ray_session

    with ray_session(num_cpus=2, num_gpus=gpus_here()):
        yield


@pytest.mark.slow
@pytest.mark.usefixtures("ray_here")
@pytest.mark.parametrize("gpu_engine", ENGINES[1:])
def test_through_ray_units_come_out_whole_and_the_numbers_add_up(
    gpu_engine: str, many_photos: Path, tmp_path: Path
) -> None:
    need_gpu(gpu_engine)
    made = {}
    size = 224 if gpu_engine == "cuda-nvjpeg" else 64  # nvJPEG decodes in full, the processor no larger than need be
    for engine in ("cpu", gpu_engine):
        report = api.prepare(
            tmp_path / engine,
            "images",
            dataset="image_captions",
            source=str(many_photos),
            params={"images": {"size": size, "image_format": "png", "engine": engine}},
            options=SourceOptions(unit_scale=0.004),
            max_quarantine=1.0,
            cluster=api.Cluster(gpus=int(engine.startswith("cuda"))),
        )
        [summary] = report.summaries
        assert (summary.records_in, summary.kept, summary.quarantined) == (40, 36, 4)
        assert report.units_made > 3
        shards = sorted((tmp_path / engine / "data/shards/images/image_captions").glob("part-?????.parquet"))
        made[engine] = [row for shard in shards for row in pq.read_table(shard).to_pylist()]
    for one, other in zip(made["cpu"], made[gpu_engine], strict=True):
        assert (one["id"], one["captions"]) == (other["id"], other["captions"])
        pictures = [pixels.decode(row["image"]["bytes"])[0] for row in (one, other)]
        if gpu_engine == "cuda-nvjpeg":  # which has a chroma upsampling of its own
            assert np.abs(pictures[0].astype(int) - pictures[1]).mean() < 1
        else:
            assert are_close(*pictures)
