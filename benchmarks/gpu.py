"""Photographs on a GPU: ours with it, ours on every core of the same machine, and what the GPU could do at most.

    python -m benchmarks.gpu [--images FOLDER] [--count 49152] [--rounds 3] [--device cuda] [--json]

From files to committed shards through one warm Ray: with the GPU decoding (nvJPEG, where torchvision is installed) and
resizing, with it resizing alone, and without it. A GPU takes seconds to get ready, however few the photographs; so
each side makes a sixth of them and then all, and the difference is what it does once it is warm. Then the limits:
nvJPEG alone, from bytes in memory to pixels on the GPU; and resizing alone, on the GPU with both copies, and on one
core. ``--device cpu`` runs the same code without a GPU, to see that it runs.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from benchmarks import photos
from benchmarks.rounds import Row, compare, show
from omni_ray import api
from omni_ray.errors import OmniError
from omni_ray.modalities import pixels
from omni_ray.modalities.picture_engine import gpu_engine
from omni_ray.pipeline.actors import require_gpus
from omni_ray.pipeline.session import ray_session

SIZE = 224
IN_MEMORY = 512
"""Photographs of a round of the limits."""
BUDGET = 3.0


def to_shards(files: Sequence[Path], rounds: int, device: str) -> list[Row]:
    """From files to committed shards: all in, and once warm."""
    folder = files[0].parent
    few = folder.with_name("few")
    few.mkdir()
    for file in files[: len(files) // 6]:
        os.link(file, few / file.name)
        os.link(file.with_suffix(".txt"), few / file.with_suffix(".txt").name)
    gpus = 1 if device == "cuda" else 0
    best, resizing = (gpu_engine(), "cuda") if gpus else ("torch-cpu", "torch-cpu")
    cores = f"all {len(os.sched_getaffinity(0))} cores"
    engines = {"ours": (best, gpus), "GPU resizes only": (resizing, gpus), cores: ("cpu", 0)}
    if resizing == best:
        del engines["GPU resizes only"]
    all_in = {side: Row("photos to shards", side, len(files), "images") for side in engines}
    budgets = {cores: BUDGET}
    more = len(files) - len(files) // 6
    warm = {
        side: Row("photos to shards, once warm", side, more, "images", budget=budgets.get(side)) for side in engines
    }
    with ray_session(num_gpus=gpus):
        _prepare(few, len(files) // 6, "cpu", 0)  # starts Ray's workers
        for _ in range(rounds):
            for side, engine in engines.items():
                start = _prepare(few, len(files) // 6, *engine)
                whole = _prepare(folder, len(files), *engine)
                all_in[side].seconds.append(whole)
                warm[side].seconds.append(whole - start)
    return [*all_in.values(), *warm.values()]


def _prepare(folder: Path, amount: int, engine: str, gpus: int) -> float:
    """Seconds it takes to make shards of every photograph in a folder.

    Raises:
        SystemExit: there are fewer or more pictures in the shards.
    """
    with tempfile.TemporaryDirectory(dir=folder.parent) as root:
        started = time.perf_counter()
        report = api.prepare(
            *(root, "images"),
            dataset="image_captions",
            source=str(folder),
            params={"images": {"engine": engine}},
            max_samples=None,
            cluster=api.Cluster(gpus=gpus),
        )
        seconds = time.perf_counter() - started
    if report.summaries[0].kept != amount:
        raise SystemExit(f"{report.summaries[0].kept} pictures came out of {amount}")
    return seconds


def limits(files: Sequence[Path], rounds: int, device: str) -> list[Row]:
    """In one process, from memory."""
    from omni_ray.modalities.torch_pixels import Resizer, nvjpeg_decoder

    data = [path.read_bytes() for path in files]
    decoded = [pixels.decode(each)[0] for each in data]
    resizer = Resizer(device)
    found = compare(
        "resizing alone",
        len(data),
        "images",
        {
            "ours": lambda: resizer(decoded, SIZE, "squash"),
            "one core": lambda: [None for each in decoded if pixels.resize(each, SIZE, "squash") is None],
        },
        rounds=rounds,
    )
    if device == "cuda" and find_spec("torchvision"):
        import torch

        decoder = nvjpeg_decoder(device)

        def nvjpeg() -> None:
            for start in range(0, len(data), 64):
                decoder(data[start : start + 64])
            torch.cuda.synchronize()

        sides = {"nvJPEG": nvjpeg, "one core": lambda: [None for each in data if pixels.decode(each, SIZE) is None]}
        found += compare("decoding alone", len(data), "images", sides, rounds=rounds)
    return found


def rows(folder: Path | None, *, rounds: int = 3, amount: int = 49152, device: str = "cuda") -> list[Row]:
    """Every comparison, on photographs of up to 700 pixels.

    Args:
        folder: of photographs; None makes some up.
        amount: how many become shards.
        device: "cuda", or "cpu" to try the code.
    """
    if device == "cuda":
        require_gpus(1)
    with tempfile.TemporaryDirectory() as where:
        here = Path(where) / "photos"
        files = photos.write(here, photos.by_size(photos.originals(folder), 700)["photos"], amount)
        return to_shards(files, rounds, device) + limits(files[:IN_MEMORY], rounds, device)


def main(argv: Sequence[str] | None = None) -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--count", type=int, default=49152)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    try:
        show(rows(args.images, rounds=args.rounds, amount=args.count, device=args.device), as_json=args.json)
    except OmniError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
