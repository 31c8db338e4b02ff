"""Where and with what the work runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from omni_ray.pipeline.session import is_remote, ray_session


@dataclass(frozen=True)
class Cluster:
    """Where and with what the work runs.

    Attributes:
        address: of a Ray cluster; None for ``RAY_ADDRESS``, else a private local Ray.
        num_cpus: CPUs of the local Ray; None for all.
        cpus_per_task: CPUs a task reserves.
        gpus: how many GPUs resize pictures, and decode them where torchvision is installed; the other modalities use none.
    """

    address: str | None = None
    num_cpus: int | None = None
    cpus_per_task: float = 1.0
    gpus: int = 0

    def session(self) -> AbstractContextManager[None]:
        """Connect to Ray for the length of a ``with`` block."""
        return ray_session(self.address, num_cpus=self.num_cpus, num_gpus=self.gpus)

    def run(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        """Map ``function`` over ``items`` as tasks of the connected Ray, results in order."""
        from omni_ray.pipeline.tasks import on_ray

        return on_ray(function, items, num_cpus=self.cpus_per_task)

    def picture_engine(self) -> str:
        """Who makes pictures here: a parameter of their shards.

        Raises:
            OmniError: GPUs are asked of this machine, and it has too few.
        """
        from omni_ray.modalities.picture_engine import gpu_engine
        from omni_ray.pipeline.actors import require_gpus

        if not self.gpus:
            return "cpu"
        if not is_remote(self.address):
            require_gpus(self.gpus)
        return gpu_engine()


def once(stack: ExitStack, cluster: Cluster) -> Callable[[], AbstractContextManager[None]]:
    """A session that connects on first use and stays for the whole command."""
    entered: list[bool] = []

    @contextmanager
    def session() -> Iterator[None]:
        if not entered:
            stack.enter_context(cluster.session())
            entered.append(True)
        yield

    return session
