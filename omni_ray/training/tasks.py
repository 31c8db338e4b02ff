"""Where the plan's functions run: as Ray tasks, or in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Literal

from omni_ray.pipeline.engine import Runner, inline, on_ray
from omni_ray.pipeline.session import ray_session

Engine = Literal["ray", "inline"]


@contextmanager
def runner(
    engine: Engine, address: str | None = None, num_cpus: int | None = None, cpus_per_task: float = 1.0
) -> Iterator[Runner]:
    """What maps functions over items for the length of the block.

    Args:
        engine: "ray" for tasks, "inline" for this process.
        address: of a Ray cluster; None for ``RAY_ADDRESS``, else a private local Ray.
        num_cpus: CPUs of the local Ray; None for all.
        cpus_per_task: CPUs that a task reserves.

    Raises:
        OmniError: the cluster cannot be reached.
    """
    if engine == "inline":
        yield inline
        return
    with ray_session(address, num_cpus=num_cpus):
        yield partial(on_ray, num_cpus=cpus_per_task)
