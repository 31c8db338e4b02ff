"""Where and with what the work runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from omni_ray.modalities.picture_engine import gpu_engine
from omni_ray.pipeline import engine
from omni_ray.pipeline.actors import require_gpus
from omni_ray.pipeline.session import Connection, is_connected, is_remote, ray_session


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

    def session(self, begun: Connection | None = None) -> AbstractContextManager[None]:
        """Connect to Ray for the length of a ``with`` block."""
        return ray_session(self.address, num_cpus=self.num_cpus, num_gpus=self.gpus, begun=begun)

    def run(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        """Map ``function`` over ``items`` as tasks of the connected Ray, results in order."""
        return engine.on_ray(function, items, num_cpus=self.cpus_per_task)

    def picture_engine(self) -> str:
        """Who makes pictures here: a parameter of their shards.

        Raises:
            OmniError: GPUs are asked of this machine, and it has too few.
        """
        if not self.gpus:
            return "cpu"
        if not is_remote(self.address):
            require_gpus(self.gpus)
        return gpu_engine()


class Once:
    """A session that connects on first use and stays for the whole command.

    Args:
        stack: what ends with the command.
        cluster: where to connect to.
    """

    def __init__(self, stack: ExitStack, cluster: Cluster) -> None:
        self._stack = stack
        self._cluster = cluster
        self._begun: Connection | None = None
        self._is_entered = False

    def begin(self) -> None:
        """Start a Ray of its own now, beside what the command does next; for those who will certainly need it.

        Somebody's cluster is there already, and is connected to when it is needed.
        """
        if not self._is_entered and not is_remote(self._cluster.address) and not is_connected():
            self._begun = Connection(self._cluster.address, self._cluster.num_cpus, self._cluster.gpus)
            self._stack.callback(self._give_up)

    def _give_up(self) -> None:
        if self._begun is not None:
            self._begun.close()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        if not self._is_entered:
            begun, self._begun = self._begun, None
            self._is_entered = True
            self._stack.enter_context(self._cluster.session(begun))
        yield
