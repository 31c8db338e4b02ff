"""Photographs on a GPU: ours with it, ours on every core of the same machine, and what the GPU could do at most.

    python -m benchmarks.gpu [--images FOLDER] [--count 49152] [--settings 12:2:128 8:2:256]
                             [--widths 500 1000 2000 3000 4500] [--device cuda] [--json]

From files to committed shards through one warm Ray: with the GPU decoding (nvJPEG, where torchvision is installed) and
resizing, as the product lays the work out and once for each setting (actors:threads:rows a batch), and without it. A GPU takes
seconds to get ready, however few the photographs; so the rate is that of the middle two thirds of the shards, by the times at
which they were written. Then the same for photographs of other widths; and the limits: nvJPEG alone, from bytes in memory to
pixels on the GPU, resizing alone, and a pool on all cores from memory. ``--device cpu`` runs the same code without a GPU, to
see that it runs.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Literal
from unittest.mock import patch

from PIL import Image

from benchmarks import photos
from benchmarks.rounds import Row, compare, run
from omni_ray import api
from omni_ray.modalities import pixels
from omni_ray.modalities.picture_engine import gpu_engine
from omni_ray.pipeline import prepare
from omni_ray.pipeline.actors import Pool, require_gpus
from omni_ray.pipeline.session import ray_session

SIZE = 224
QUALITY = 92
DISTINCT = 2048
"""Photographs that are files of their own; the others are further names of them."""
IN_MEMORY = 512
"""Photographs of a round of the limits."""
BUDGET = 2.6
PIXELS_OF_A_WIDTH = 10e9
"""Of all photographs of one width: some seconds of work."""


@dataclass(frozen=True)
class Setting:
    """How the work lies on one GPU: actors, threads beside each, and pictures that it gets at a time."""

    actors: int
    threads: int
    rows: int

    @classmethod
    def parsed(cls, text: str) -> Setting:
        """Of ``actors:threads:rows``."""
        return cls(*map(int, text.split(":")))

    @property
    def name(self) -> str:
        return f"{self.actors} actors, {self.threads} threads, {self.rows} a batch"

    def pool(self, gpus: int) -> Pool:
        cpus = len(os.sched_getaffinity(0)) / self.actors
        share = 1 / self.actors if gpus else 0.0
        return Pool(self.actors, float(int(cpus)) if cpus >= 1 else cpus, share, self.threads, self.rows)


@contextmanager
def laid_out(setting: Setting | None) -> Iterator[None]:
    """For the block, actors are as a setting has them; None for what the product would choose."""
    if setting is None:
        yield
        return
    with patch.object(prepare, "pool_here", setting.pool):
        yield


class Machine:
    """What makes shards of folders of photographs here, with a GPU and without."""

    def __init__(self, device: str) -> None:
        self.gpus = 1 if device == "cuda" else 0
        self._engine = gpu_engine() if self.gpus else "torch-cpu"
        self.cores = f"all {len(os.sched_getaffinity(0))} cores"

    def with_gpu(self, task: str, folder: Path, amount: int, setting: Setting | None = None) -> list[Row]:
        """All in, and once warm."""
        with laid_out(setting):
            return self._made(
                task, "ours" if setting is None else f"ours, {setting.name}", folder, amount, self._engine
            )

    def without(self, task: str, folder: Path, amount: int) -> list[Row]:
        """The same on all cores."""
        return self._made(task, self.cores, folder, amount, "cpu", budget=BUDGET)

    def _made(
        self, task: str, side: str, folder: Path, amount: int, engine: str, budget: float | None = None
    ) -> list[Row]:
        with tempfile.TemporaryDirectory(dir=folder.parent) as root:
            started = time.perf_counter()
            report = api.prepare(
                *(root, "images"),
                dataset="image_captions",
                source=str(folder),
                params={"images": {"engine": engine, "quality": QUALITY}},
                max_samples=None,
                cluster=api.Cluster(gpus=0 if engine == "cpu" else self.gpus),
            )
            seconds = time.perf_counter() - started
            rate = _warm_rate(Path(root), amount)
        if report.summaries[0].kept != amount:
            raise SystemExit(f"{report.summaries[0].kept} pictures came out of {amount}")
        rows = [
            Row(f"{task}, all in", side, amount, "images", [seconds]),
            Row(f"{task}, once warm", side, amount, "images", [amount / rate], budget=budget),
        ]
        for row in rows:
            print(f"{row.task}: {row.side}: {row.rate:,.0f} images/s", file=sys.stderr, flush=True)
        return rows


def _warm_rate(root: Path, amount: int) -> float:
    """Photographs a second, by when the middle two thirds of the shards were written."""
    times = sorted(shard.stat().st_mtime for shard in root.rglob("part-?????.parquet"))
    first, last = len(times) // 6, len(times) - 1 - len(times) // 6
    return amount / len(times) * (last - first) / max(times[last] - times[first], 1e-9)


def to_shards(machine: Machine, folder: Path, amount: int, settings: Sequence[Setting]) -> list[Row]:
    """From files to committed shards, with the GPU laid out in every way."""
    task = "photos to shards"
    found = machine.with_gpu(task, folder, amount)
    for setting in settings:
        found += machine.with_gpu(task, folder, amount, setting)
    return found + machine.without(task, folder, amount)


def by_width(
    machine: Machine, originals: list[Image.Image], widths: Sequence[int], most: int, where: Path
) -> list[Row]:
    """The same of photographs of other widths."""
    found = []
    for width in widths:
        amount = min(most, 32768, int(max(PIXELS_OF_A_WIDTH / (width * width * 2 / 3), 2048))) // 256 * 256
        folder = where / f"wide-{width}"
        files = photos.write(folder, photos.mosaics(originals[:16], width), min(amount, 64))
        size = sum(file.stat().st_size for file in files) / len(files) / 1000
        photos.write_again(files, amount)
        task = f"{width} wide, {size:,.0f} kB"
        found += machine.with_gpu(task, folder, amount) + machine.without(task, folder, amount)
        shutil.rmtree(folder)
    return found


def _from_memory(data: list[bytes]) -> int:
    return sum(
        len(pixels.encode(pixels.resize(pixels.decode(each, SIZE)[0], SIZE, "squash"), "jpeg", QUALITY))
        for each in data
    )


def limits(files: Sequence[Path], rounds: int, device: str) -> list[Row]:
    """From memory: in one process, and by a bare pool on all cores."""
    from omni_ray.modalities.torch_pixels import Resizer, nvjpeg_decoder

    data = [path.read_bytes() for path in files]
    decoded = [pixels.decode(each)[0] for each in data]
    resizer = Resizer(device)
    cores = len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(cores, get_context("spawn")) as workers:
        everything = {"all cores": lambda: list(workers.map(_from_memory, [data[:64]] * cores * 4))}
        found = compare("all of it from memory", 64 * cores * 4, "images", everything, rounds=rounds)
    sides = {
        "ours": lambda: resizer(decoded, SIZE, "squash"),
        "one core": lambda: [None for each in decoded if pixels.resize(each, SIZE, "squash") is None],
    }
    found += compare("resizing alone", len(data), "images", sides, rounds=rounds)
    if device == "cuda" and find_spec("torchvision"):
        import torch

        decoder = nvjpeg_decoder(device)

        def nvjpeg(at_once: int) -> None:
            for start in range(0, len(data), at_once):
                decoder(data[start : start + at_once])
            torch.cuda.synchronize()

        decoding = {
            f"nvJPEG, {at_once} a call": (lambda at_once=at_once: nvjpeg(at_once)) for at_once in (64, 128, 256)
        }
        found += compare("decoding alone", len(data), "images", decoding, rounds=rounds)
    return found


def rows(
    images: Path | None = None, count: int = 49152, rounds: int = 2, settings: Sequence[str] = (),
    widths: Sequence[int] = (), device: Literal["cuda", "cpu"] = "cuda",
) -> list[Row]:  # fmt: skip
    """Every comparison, on photographs of up to 700 pixels.

    Args:
        images: a folder of photographs; None makes some up.
        count: how many become shards.
        rounds: of the limits.
        settings: in which work is laid out on the GPU, beside the default: actors:threads:rows a batch.
        widths: of photographs that are compared, too.
        device: "cuda", or "cpu" to try the code.
    """
    if device == "cuda":
        require_gpus(1)
    with tempfile.TemporaryDirectory() as where:
        here = Path(where) / "photos"
        originals = photos.by_size(photos.originals(images), 700)["photos"]
        files = photos.write_again(photos.write(here, originals, min(count, DISTINCT)), count)
        machine = Machine(device)
        found = limits(files[:IN_MEMORY], rounds, device)
        with ray_session(num_gpus=machine.gpus):
            found += to_shards(machine, here, count, [*map(Setting.parsed, settings)])
            found += by_width(machine, originals, widths, count, Path(where))
        return found


if __name__ == "__main__":
    run(rows, __doc__)
