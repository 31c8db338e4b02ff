"""The shape of a run whose transform stands on a GPU: how many actors, and which share of the machines each has.

Read and commit stay plain tasks beside the actors, so CPUs are kept free for them: a pipeline whose actors hold every CPU
waits for ever. Each actor decodes and encodes on its own CPUs while the GPU resizes; what travels between the stages is
encoded pictures both ways.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from omni_ray.errors import OmniError
from omni_ray.pipeline.stages import Job, TransformStage

BATCH_ROWS = 256
"""Ray Data demands a number where GPUs are asked for. It merges units that are smaller, which copies their media, and
cuts larger ones within a task; a unit of photographs has this many."""
_CPUS_PER_ACTOR = 2
"""A process's Python, not its threads, is what an actor waits for: with 4, half as much was made on an H200."""
_TASKS_SHARE = 0.25
"""Of the CPUs: what reading and committing take, where decoding and encoding take the rest."""


@dataclass(frozen=True)
class Pool:
    """A pool of actors.

    Attributes:
        actors: how many.
        cpus, gpus: what each reserves.
        task_cpus: what a read or commit task reserves.
    """

    actors: int
    cpus: float
    gpus: float
    task_cpus: float


def pool(gpus: int, cpus_beside: float, all_cpus: float, cpus_per_task: float) -> Pool:
    """The pool for a number of GPUs.

    Args:
        gpus: how many are used; 0 for actors that need none.
        cpus_beside: CPUs of the smallest machine with a GPU, divided by its GPUs.
        all_cpus: CPUs altogether.
        cpus_per_task: what the user wants a task to reserve.
    """
    usable = cpus_beside * (1 - _TASKS_SHARE)
    per_gpu = max(1, int(usable // _CPUS_PER_ACTOR))
    cpus = max(1.0, float(int(usable // per_gpu))) if cpus_beside >= 2 else cpus_beside / 2
    actors = per_gpu * max(1, gpus)
    left = all_cpus - actors * cpus
    return Pool(actors, cpus, 1 / per_gpu if gpus else 0.0, min(cpus_per_task, max(left, 0.01)))


def pool_here(gpus: int, cpus_per_task: float) -> Pool:
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
    return pool(gpus, beside, there.get("CPU", 1.0), cpus_per_task)


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


class ActorTransform:
    """:class:`TransformStage` in a process that lives as long as the run, with threads of its own."""

    def __init__(self, jobs: list[Job]) -> None:
        import ray

        has: dict[str, float] = ray.get_runtime_context().get_assigned_resources()  # type: ignore[no-untyped-call]
        for kind in {type(job.modality): job.modality for job in jobs}.values():
            kind.use_threads(max(1, int(has.get("CPU", 1))))
        self._stage = TransformStage(jobs)

    def __call__(self, block: pa.Table) -> pa.Table:
        return self._stage(block)


def arguments(jobs: list[Job], size: Pool, retries: int) -> dict[str, Any]:
    """What ``map_batches`` is called with, beside :class:`ActorTransform`."""
    import ray.data

    return {
        "fn_constructor_args": (jobs,),
        "compute": ray.data.ActorPoolStrategy(size=size.actors, max_tasks_in_flight_per_actor=2),
        "batch_size": BATCH_ROWS,
        "batch_format": "pyarrow",
        "num_cpus": size.cpus,
        "num_gpus": size.gpus or None,
        "max_restarts": retries,
        "max_task_retries": retries,
    }
