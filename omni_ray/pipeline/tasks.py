"""Mapping a plain function over items: in this process, or as Ray tasks with results in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

from omni_ray.pipeline.engine import as_one_line
from omni_ray.pipeline.session import RETRIES

Item = TypeVar("Item")
Result = TypeVar("Result")
_IN_FLIGHT, _PER_CPU = 64, 2
"""Submitted and not yet returned, at least, and for each CPU of the cluster; bounds what waits in the object store."""


class Runner(Protocol):
    """Maps a top-level function over items, results in the items' order."""

    def __call__(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]: ...


def inline(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """One after the other, in this process."""
    return map(function, items)


def in_session(session: Callable[[], AbstractContextManager[None]], run: Runner) -> Runner:
    """``run``, within a session that is entered when the first item is mapped, and left after the last."""

    def mapped(function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        with session():
            yield from run(function, items)

    return mapped


def _call(function: Callable[[Item], Result], item: Item) -> Result:
    """Ray makes tasks of functions only; this one carries whatever can be called."""
    return function(item)


def on_ray(function: Callable[[Item], Result], items: Iterable[Item], *, num_cpus: float = 1.0) -> Iterator[Result]:
    """As tasks of the connected Ray, a bounded number in flight. The first failure is raised as one sentence."""
    import ray

    task: Any = ray.remote(num_cpus=num_cpus, max_retries=RETRIES)(_call)
    name = getattr(function, "__name__", type(function).__name__)
    waiting: list[Any] = []
    with as_one_line():
        shared = ray.put(function)
        resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        most = max(_IN_FLIGHT, _PER_CPU * int(resources.get("CPU", 0)))
        for item in items:
            waiting.append(task.options(name=name).remote(shared, item))
            if len(waiting) >= most:
                yield ray.get(waiting.pop(0))
        while waiting:
            yield ray.get(waiting.pop(0))
