"""How a run is laid out on machines: as tasks, or as actors where a GPU takes part; how many, and the share of each.

Each actor reads, decodes, encodes and commits on its own CPUs, with threads for files, while the GPU resizes: no picture
passes through Ray.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass

from omni_ray.errors import OmniError

_ACTOR_BYTES = 2 << 30
"""GPU memory for each actor: CUDA's own, and a batch of photographs decoded twice."""
_USUAL_BYTES = 24 << 30
"""Memory of a GPU that cannot be asked, since it is in another machine."""


@dataclass(frozen=True)
class Pool:
    """A pool of actors.

    Attributes:
        actors: how many.
        cpus, gpus: what each reserves.
        threads: how many each has besides its own.
        rows: how many each gives its device at a time: enough to be worth a call, few enough to be held decoded twice.
    """

    actors: int
    cpus: float
    gpus: float
    threads: int = 1
    rows: int = 128


@dataclass(frozen=True)
class RunLayout:
    """How a run is laid out on the machines.

    Attributes:
        cpus_per_task: CPUs that a task reserves.
        pool: the actors that do the work instead of tasks; None for tasks.
        cpus: how many CPUs this driver feeds; None for all that are there.
        is_again: whether an earlier driver of the same items died: what it made is not made again.
    """

    cpus_per_task: float = 1.0
    pool: Pool | None = None
    cpus: float | None = None
    is_again: bool = False


def pool(gpus: int, cpus_beside: float, memory: int) -> Pool:
    """The pool for a number of GPUs: an actor for each CPU, as far as the memory goes.

    An actor waits for its own Python, not for its threads: beside an H200 with 16 CPUs, actors with two CPUs each made three
    quarters as much, and with three, six tenths.

    Args:
        gpus: how many are used; 0 for actors that need none.
        cpus_beside: CPUs of the smallest machine with a GPU, divided by its GPUs.
        memory: bytes of each GPU.
    """
    per_gpu = max(1, min(int(cpus_beside), memory // _ACTOR_BYTES) if gpus else int(cpus_beside) // 2)
    cpus = max(1.0, float(int(cpus_beside // per_gpu))) if cpus_beside >= 1 else cpus_beside
    return Pool(per_gpu * max(1, gpus), cpus, 1 / per_gpu if gpus else 0.0, max(1, int(cpus)))


def _memory_of_gpu() -> int:
    """Bytes of the smallest GPU of this machine, without starting CUDA."""
    ask = ("nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits")
    try:
        said = subprocess.run(ask, capture_output=True, text=True, timeout=10, check=True).stdout
        return min(int(line) for line in said.split()) << 20
    except (OSError, subprocess.SubprocessError, ValueError):
        return _USUAL_BYTES


def pool_here(gpus: int) -> Pool:
    """The pool for the Ray that is connected.

    Raises:
        OmniError: it has fewer GPUs.
    """
    import ray

    there: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    if there.get("GPU", 0) < gpus:
        raise OmniError(
            f"--gpus {gpus}: the Ray cluster has {int(there.get('GPU', 0))} GPUs now; start workers that have some, or "
            "leave --gpus out"
        )
    alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    with_gpu = [node for node in alive if node.get("GPU", 0) >= 1] if gpus else alive
    beside = min(node.get("CPU", 1.0) / max(1.0, node.get("GPU", 1.0) if gpus else 1.0) for node in with_gpu)
    return pool(gpus, beside, _memory_of_gpu() if gpus else 0)


def require_gpus(count: int) -> None:
    """Whether this machine has ``count`` GPUs that torch can use.

    Raises:
        OmniError: it has fewer.
    """
    import torch

    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if found < count:
        raise OmniError(
            f"--gpus {count}: this machine has {found or 'no'} GPU{'s' if found > 1 else ''} that torch "
            f"{torch.__version__} can use; leave --gpus out to run on CPUs"
        )
