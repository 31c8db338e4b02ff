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

import argparse
import io
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.util import find_spec
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from benchmarks import photos
from benchmarks.rounds import Row, compare, show
from omni_ray import api
from omni_ray.corpora.base import SourceOptions
from omni_ray.corpora.image_captions import ImageCaptions
from omni_ray.modalities import pixels
from omni_ray.modalities.images import Images
from omni_ray.modalities.params import PictureParams
from omni_ray.pipeline.session import ray_session
from omni_ray.pipeline.stages import Job, Making, make_unit, raw_table, read_unit
from omni_ray.pipeline.units import Unit, number_units
from omni_ray.sources.tree import FolderTree
from omni_ray.storage import Storage

SIZE = 224
QUALITY = 92
PROCESSES = 2
IN_FUNCTION = 128
"""Photographs of a round in one process."""
BUDGETS = {"photos": {"Pillow pool": 2.0, "limit": 0.85}, "mixed sizes": {"Pillow pool": 3.5, "limit": 0.85}}
UNITS = SourceOptions(unit_scale=0.5)
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


def in_function(name: str, files: Sequence[Path], rounds: int) -> list[Row]:
    """One process, CPU seconds: the function from bytes to rows, and its parts."""
    data = [path.read_bytes() for path in files]
    raw = raw_table(
        [
            {"id": path.stem, "where": path.name, "image": each, "path": path.name, "captions": ["x"], "category": None}
            for path, each in zip(files, data, strict=True)
        ],
        IMAGES.raw_schema,
    )
    sides: dict[str, Callable[[], Any]] = {
        "ours": lambda: _check(ours(raw).num_rows, len(files)),
        "Pillow": lambda: [pillow(each) for each in data],
        "limit": lambda: [limit(each) for each in data],
    }
    resizer = _img2dataset()
    if resizer is not None:
        sides["img2dataset's resizer"] = lambda: [_made(resizer(io.BytesIO(each))) for each in data]
    _compare_pictures([row["bytes"] for row in ours(raw)["image"].to_pylist()], [pillow(each) for each in data])
    found = compare(f"{name}, in the function", len(files), "images", sides, rounds=rounds, clock="cpu")
    return found + _stages(name, files, data, rounds)


def _stages(name: str, files: Sequence[Path], data: list[bytes], rounds: int) -> list[Row]:
    decoded = [pixels.decode(each, SIZE)[0] for each in data]
    resized = [pixels.resize(each, SIZE, "squash") for each in decoded]
    with tempfile.TemporaryDirectory() as folder:
        job, [unit] = _job(files[0].parent, Path(folder), len(files))
        made = Making(job, unit)
        for batch in read_unit(job, unit):
            made.add(batch)
        stages: dict[str, Callable[[], Any]] = {
            "read": lambda: list(read_unit(job, unit)),
            "decode": lambda: [None for each in data if pixels.decode(each, SIZE) is None],
            "resize": lambda: [None for each in decoded if pixels.resize(each, SIZE, "squash") is None],
            "encode": lambda: [pixels.encode(each, "jpeg", QUALITY) for each in resized],
            "write": made.commit,
        }
        rows = []
        for stage, run in stages.items():
            amount = made.rows if stage in {"read", "write"} else len(data)
            rows += compare(f"{name}, stage: {stage}", amount, "images", {"ours": run}, rounds=rounds, clock="cpu")
    return rows


def by_processes(name: str, folder: Path, files: Sequence[Path], rounds: int, clock: str) -> list[Row]:
    """Two warm processes, from files to files."""
    out = Path(tempfile.mkdtemp(dir=folder.parent))
    fresh = count()
    context = get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, context, _warm_up) as pool, ray_session(num_cpus=PROCESSES):

        def through_ray() -> None:
            root = out / f"ray-{next(fresh)}"
            report = api.prepare(
                *(root, "images"),
                dataset="image_captions",
                source=str(folder),
                options=UNITS,
                params={"images": {"quality": QUALITY}},
                max_samples=None,
            )
            _check(report.summaries[0].kept, len(files))
            _keep(root)

        def bare_pool() -> None:
            root = out / f"pool-{next(fresh)}"
            job, units = _job(folder, root, None)
            _check(sum(pool.map(partial(_make_unit, job), units)), len(files))
            _keep(root)

        def pooled(function: Callable[[bytes], bytes]) -> None:
            root = out / f"files-{next(fresh)}"
            root.mkdir()
            _check(sum(pool.map(partial(_to_file, function, root), files, chunksize=16)), len(files))
            _keep(root)

        sides: dict[str, Callable[[], Any]] = {
            "ours": through_ray,
            "bare pool, our functions": bare_pool,
            "Pillow pool": lambda: pooled(pillow),
            "limit": lambda: pooled(limit),
        }
        if find_spec("daft"):
            sides["Daft"] = lambda: _check(_daft(files, out / f"daft-{next(fresh)}"), len(files))
        if find_spec("datasets"):
            sides["datasets.map"] = lambda: _check(_datasets_map(files, out / f"hf-{next(fresh)}.arrow"), len(files))
        try:
            return compare(
                f"{name}, {PROCESSES} processes",
                len(files),
                "images",
                sides,
                rounds=rounds,
                clock=clock,
                budgets=BUDGETS[name],
            )
        finally:
            shutil.rmtree(out)


def _keep(root: Path) -> None:
    """Only the latest output stays on the disk."""
    for other in root.parent.glob(f"{root.name.rpartition('-')[0]}-*"):
        if other != root:
            shutil.rmtree(other)


def _job(source: Path, store: Path, only: int | None) -> tuple[Job, list[Unit]]:
    corpus, tree = ImageCaptions(), FolderTree(source)
    units = number_units(corpus.units(tree, UNITS), tree, {})
    return Job("photos", corpus, tree.spec(), IMAGES, PictureParams(quality=QUALITY), Storage(store)), units[
        :1
    ] if only else units


def _make_unit(job: Job, unit: Unit) -> int:
    return make_unit(job, unit).samples


def _to_file(function: Callable[[bytes], bytes], folder: Path, path: Path) -> int:
    return (folder / path.name).write_bytes(function(path.read_bytes())) > 0


def _datasets_map(files: Sequence[Path], folder: Path) -> int:
    import datasets

    datasets.disable_progress_bars()
    table = datasets.Dataset.from_dict({"file": [str(path) for path in files]})
    made = table.map(
        _hf_row, num_proc=PROCESSES, remove_columns="file", cache_file_name=str(folder), load_from_cache_file=False
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
    shutil.rmtree(folder)
    return sum(Image.open(io.BytesIO(each.as_py())).size == (SIZE, SIZE) for each in made)


def _warm_up() -> None:
    import torch

    torch.set_num_threads(1)


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


def _check(made: int, wanted: int) -> None:
    if made != wanted:
        raise SystemExit(f"{made} pictures came out of {wanted}")


def _compare_pictures(some: list[bytes], others: list[bytes]) -> None:
    """Other filters, the same picture: the mean difference is a few grey levels."""
    for one, other in zip(some[:32], others[:32], strict=True):
        first, second = (np.asarray(Image.open(io.BytesIO(each))).astype(int) for each in (one, other))
        if first.shape != (SIZE, SIZE, 3) or np.abs(first - second).mean() > 12:
            raise SystemExit("the sides do not make the same pictures")


def rows(folder: Path | None, *, rounds: int = 5, amount: int = 1024, clock: str = "wall") -> list[Row]:
    """Every comparison, on photographs of up to 700 pixels and on these and larger ones in turn.

    Args:
        folder: of photographs; None makes some up.
        amount: how many photographs the processes turn.
        clock: of the comparison of processes: "wall", or "cpu" where other work disturbs it.
    """
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as where:
        for name, some in photos.by_size(photos.originals(folder), 700).items():
            here = Path(where) / name.replace(" ", "-")
            files = photos.write(here, some, amount)
            found += in_function(name, files[:IN_FUNCTION], rounds)
            found += by_processes(name, here, files, rounds, clock)
            shutil.rmtree(here)
    return found


def main(argv: Sequence[str] | None = None) -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--count", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="cpu where other work disturbs")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    show(rows(args.images, rounds=args.rounds, amount=args.count, clock=args.clock), as_json=args.json)


if __name__ == "__main__":
    main()
