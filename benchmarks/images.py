"""Photographs to square JPEGs of 224 pixels: ours, the peers and the limit, in turn, on the same files.

    python -m benchmarks.images [--images FOLDER] [--count 1024] [--rounds 5] [--clock cpu] [--json]

First in one process: the function alone, from bytes to rows, in CPU seconds, and where its time goes. Then by two
processes, warm, from files to files: ours through Ray to committed shards, the same functions in a bare pool, a Pillow
pool as people write it, ``datasets.map``, Daft, and the limit: a pool that reads, decodes at the lowest scale that will do,
and encodes, nothing else. Every side's pictures are counted, and a sample is compared with ours.

``FOLDER`` holds photographs; they are repeated with distinct crops. Without it, some are made up. img2dataset's resizer
and Daft join where they are installed: `make bench` brings them.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from benchmarks import photos
from benchmarks.files import PROCESSES, Files, to_file
from benchmarks.rounds import Row, compare, run
from omni_ray.corpora.image_captions import ImageCaptions
from omni_ray.modalities import pixels
from omni_ray.modalities.images import Images
from omni_ray.modalities.params import PictureParams
from omni_ray.pipeline.stages import raw_table

SIZE = 224
QUALITY = 92
IN_FUNCTION = 128
"""Photographs of a round in one process."""
BUDGETS = {"photos": {"Pillow pool": 2.0, "limit": 0.85}, "mixed sizes": {"Pillow pool": 3.5, "limit": 0.85}}
UNIT_SCALE = 0.5
"""128 photographs a unit, so that two processes have equal parts of a few hundred."""
IMAGES = Images()


def pillow(data: bytes) -> bytes:
    """As people write it."""
    buffer = io.BytesIO()
    picture = Image.open(io.BytesIO(data)).convert("RGB").resize((SIZE, SIZE), Image.Resampling.LANCZOS)
    picture.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def limit(data: bytes) -> bytes:
    """What nobody can leave out: decoding at the lowest scale that is enough, and encoding as many pixels as asked."""
    decoded, _ = pixels.decode(data, SIZE)
    corner = np.zeros((SIZE, SIZE, 3), np.uint8)
    part = decoded[:SIZE, :SIZE]
    corner[: part.shape[0], : part.shape[1]] = part
    return pixels.encode(corner, "jpeg", QUALITY)


def ours(raw: pa.Table) -> pa.Table:
    return IMAGES.transform(raw, "photos", PictureParams(SIZE, quality=QUALITY)).kept


def in_function(files: Files, rounds: int) -> list[Row]:
    """One process, CPU seconds: the function from bytes to rows, and its parts."""
    paths = files.paths[:IN_FUNCTION]
    data = [path.read_bytes() for path in paths]
    raw = raw_table(
        [
            {"id": path.stem, "where": path.name, "image": each, "path": path.name, "captions": ["x"], "category": None}
            for path, each in zip(paths, data, strict=True)
        ],
        IMAGES.raw_schema,
    )
    sides: dict[str, Callable[[], Any]] = {
        "ours": lambda: ours(raw),
        "Pillow": lambda: [pillow(each) for each in data],
        "limit": lambda: [limit(each) for each in data],
    }
    resizer = _img2dataset()
    if resizer is not None:
        sides["img2dataset's resizer"] = lambda: [_made(resizer(io.BytesIO(each))) for each in data]
    made = [row["bytes"] for row in ours(raw)["image"].to_pylist()]
    _compare_pictures(made, [pillow(each) for each in data])
    task = f"{files.name}, in the function"
    return compare(task, len(data), "images", sides, rounds=rounds, clock="cpu") + _steps(files, data, rounds)


def _steps(files: Files, data: list[bytes], rounds: int) -> list[Row]:
    decoded = [pixels.decode(each, SIZE)[0] for each in data]
    resized = [pixels.resize(each, SIZE, "squash") for each in decoded]
    steps: dict[str, Callable[[], Any]] = {
        "decode": lambda: [None for each in data if pixels.decode(each, SIZE) is None],
        "resize": lambda: [None for each in decoded if pixels.resize(each, SIZE, "squash") is None],
        "encode": lambda: [pixels.encode(each, "jpeg", QUALITY) for each in resized],
    }
    return files.stages(steps, len(data), rounds)


def by_processes(files: Files, rounds: int, clock: str) -> list[Row]:
    """Two warm processes, from files to files."""
    others = {"Pillow pool": partial(to_file, pillow, ".jpg"), "limit": partial(to_file, limit, ".jpg")}
    more: dict[str, Callable[[Path], int]] = {}
    if find_spec("daft"):
        more["Daft"] = partial(_daft, files.paths)
    if find_spec("datasets"):
        more["datasets.map"] = partial(_datasets_map, files.paths)
    return files.by_processes(others, more, BUDGETS[files.name], rounds, clock)


def _datasets_map(files: Sequence[Path], folder: Path) -> int:
    import datasets

    datasets.disable_progress_bars()
    folder.mkdir()
    table = datasets.Dataset.from_dict({"file": [str(path) for path in files]})
    made = table.map(
        _hf_row,
        num_proc=PROCESSES,
        remove_columns="file",
        cache_file_name=str(folder / "made.arrow"),
        load_from_cache_file=False,
    )
    return int(made.num_rows)


def _hf_row(row: dict[str, str]) -> dict[str, bytes]:
    return {"image": pillow(Path(row["file"]).read_bytes())}


def _daft(files: Sequence[Path], folder: Path) -> int:
    """In threads of this process, on as many cores. Its filter and its quality are its own: sizes alone are checked."""
    os.environ |= {"DAFT_PROGRESS_BAR": "0", "DAFT_RUNNER": "native"}  # else it takes the Ray that ours runs on
    import daft

    picture = daft.col("file").download().decode_image(mode="RGB").resize(SIZE, SIZE).encode_image("jpeg")
    daft.from_pydict({"file": [str(path) for path in files]}).select(picture.alias("image")).write_parquet(str(folder))
    made = pq.read_table(folder, columns=["image"])["image"].drop_null()
    return sum(Image.open(io.BytesIO(each.as_py())).size == (SIZE, SIZE) for each in made)


def _img2dataset() -> Any:
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
    try:
        from img2dataset.resizer import Resizer
    except ImportError as error:
        print(f"img2dataset's resizer is left out: {error}", file=sys.stderr)
        return None
    import cv2

    cv2.setNumThreads(1)
    return Resizer(SIZE, "center_crop", False, encode_quality=QUALITY)


def _made(result: tuple[Any, ...]) -> bytes:
    data, *_, error = result
    if error is not None:
        raise SystemExit(f"img2dataset: {error}")
    return bytes(data)


def _compare_pictures(some: list[bytes], others: list[bytes]) -> None:
    """Other filters, the same picture: the mean difference is a few grey levels."""
    for one, other in zip(some[:32], others[:32], strict=True):
        first, second = (np.asarray(Image.open(io.BytesIO(each))).astype(int) for each in (one, other))
        if first.shape != (SIZE, SIZE, 3) or np.abs(first - second).mean() > 12:
            raise SystemExit("the sides do not make the same pictures")


def rows(
    images: Path | None = None, count: int = 1024, rounds: int = 5, clock: Literal["wall", "cpu"] = "wall"
) -> list[Row]:
    """Every comparison, on photographs of up to 700 pixels and on these and larger ones in turn.

    Args:
        images: a folder of photographs; None makes some up.
        count: how many photographs the processes turn.
        clock: of the comparison of processes: "wall", or "cpu" where other work disturbs it.
    """
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as where:
        for name, some in photos.by_size(photos.originals(images), 700).items():
            here = Path(where) / name.replace(" ", "-")
            paths = photos.write(here, some, count)
            files = Files(name, "images", paths, ImageCaptions(), {"quality": QUALITY}, UNIT_SCALE)
            found += in_function(files, rounds) + by_processes(files, rounds, clock)
            shutil.rmtree(here)
    return found


if __name__ == "__main__":
    run(rows, __doc__)
