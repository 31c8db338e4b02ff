"""The shape of a run whose transform stands on a GPU: how many actors, and which share of the machines each has.

Each actor reads, decodes, encodes and commits on its own CPUs, with threads for files, while the GPU resizes: no picture
passes through Ray.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from omni_ray.errors import OmniError
from omni_ray.pipeline.engine import Worker

if TYPE_CHECKING:
    import pyarrow as pa

_CPUS_PER_ACTOR = 2
"""A process's Python, not its threads, is what an actor waits for: with 4, half as much was made on an H200."""


@dataclass(frozen=True)
class Pool:
    """A pool of actors.

    Attributes:
        actors: how many.
        cpus, gpus: what each reserves.
    """

    actors: int
    cpus: float
    gpus: float


def pool(gpus: int, cpus_beside: float) -> Pool:
    """The pool for a number of GPUs.

    Args:
        gpus: how many are used; 0 for actors that need none.
        cpus_beside: CPUs of the smallest machine with a GPU, divided by its GPUs.
    """
    per_gpu = max(1, int(cpus_beside // _CPUS_PER_ACTOR))
    cpus = max(1.0, float(int(cpus_beside // per_gpu))) if cpus_beside >= 1 else cpus_beside
    return Pool(per_gpu * max(1, gpus), cpus, 1 / per_gpu if gpus else 0.0)


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
    return pool(gpus, beside)


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


class ActorWorker:
    """A :class:`Worker` in a process that lives as long as the run, with threads of its own."""

    def __init__(self, worker: Worker) -> None:
        import ray

        has: dict[str, float] = ray.get_runtime_context().get_assigned_resources()  # type: ignore[no-untyped-call]
        worker.stage.use_threads(max(1, int(has.get("CPU", 1))))
        self._worker = worker

    def __call__(self, batch: pa.Table) -> Iterator[pa.Table]:
        yield from self._worker(batch)


def arguments(worker: Worker, size: Pool, retries: int) -> dict[str, Any]:
    """What ``map_batches`` is called with for a pool of actors."""
    import ray.data

    return {
        "fn": ActorWorker,
        "fn_constructor_args": (worker,),
        "compute": ray.data.ActorPoolStrategy(size=size.actors, max_tasks_in_flight_per_actor=2),
        "batch_size": 1,  # Ray Data demands a number where GPUs are asked for; every list is one row
        "batch_format": "pyarrow",
        "num_cpus": size.cpus,
        "num_gpus": size.gpus or None,
        "max_restarts": retries,
        "max_task_retries": retries,
    }
