"""Sub-drivers: above some number of CPUs, one process cannot feed them all, so the list is shared out.

Each sub-driver is a Ray task that takes no CPU, runs the same pipeline on its share of the items and of the CPUs, and passes
acknowledgements on; the first driver only adds them up. One that dies costs what was under way: another gets the items
that nobody acknowledged, and does not make again what is there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from omni_ray.pipeline.actors import RunLayout
from omni_ray.pipeline.session import RETRIES, as_sub_driver

CPUS_PER_DRIVER = 500
"""Up to here one driver is enough; above, each sub-driver gets half as many: some 16 machines of 16."""
_LOOK_S = 1.0

Numbered = Sequence[tuple[int, bytes]]
Acknowledged = Iterator[list[tuple[int, Any]]]
Pipeline = Callable[[Any, Numbered, RunLayout], Acknowledged]
"""A function of a stage, its items and the shape of the run."""


def count(cpus: float) -> int:
    """How many sub-drivers feed so many CPUs; 0 where the driver does it alone."""
    return 0 if cpus <= CPUS_PER_DRIVER else math.ceil(cpus / (CPUS_PER_DRIVER / 2))


def shared(stage: object, items: Sequence[bytes], shape: RunLayout, pipeline: Pipeline) -> Acknowledged | None:
    """The work of a pipeline, by sub-drivers; None where there is no need for any."""
    import ray

    cpus: float = ray.cluster_resources().get("CPU", 1.0)  # type: ignore[no-untyped-call]
    drivers = min(count(cpus), len(items))
    # A pool of actors is small: what feeds it is the GPUs' machines.
    if drivers < 2 or shape.pool is not None:
        return None
    return _passed_on(stage, list(enumerate(items)), drivers, replace(shape, cpus=cpus / drivers), pipeline)


def _passed_on(stage: object, items: Numbered, drivers: int, shape: RunLayout, pipeline: Pipeline) -> Acknowledged:
    import ray
    from ray.exceptions import RayTaskError

    task: Any = ray.remote(num_cpus=0, max_retries=0, num_returns="streaming", scheduling_strategy="SPREAD")(_drive)
    stage_there = ray.put(stage)
    left = [dict(items[number::drivers]) for number in range(drivers)]
    deaths = [0] * drivers

    def start(number: int) -> Any:
        again = replace(shape, is_again=shape.is_again or deaths[number] > 0)
        return task.remote(stage_there, list(left[number].items()), again, pipeline)

    running: dict[Any, int] = {start(number): number for number in range(drivers)}
    while running:
        ready: list[Any]
        ready, _ = ray.wait(list(running), timeout=_LOOK_S, fetch_local=False)
        for said in ready:
            number = running[said]
            try:
                acknowledged = ray.get(next(said))
            except StopIteration:
                del running[said]
                continue
            except RayTaskError:
                raise
            except ray.exceptions.RayError:
                del running[said]
                deaths[number] += 1
                if deaths[number] > RETRIES:
                    raise
                running[start(number)] = number
                continue
            for item, _ in acknowledged:
                left[number].pop(item, None)
            yield acknowledged


def _drive(stage: object, items: Numbered, shape: RunLayout, pipeline: Pipeline) -> Acknowledged:
    """What a sub-driver does: the pipeline, acknowledgements passed on as they come."""
    with as_sub_driver():
        yield from pipeline(stage, items, shape)
