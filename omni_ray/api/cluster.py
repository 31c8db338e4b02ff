"""Where and with what the work runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from omni_ray.errors import OmniError
from omni_ray.option import WHERE, Option, what_is_wrong
from omni_ray.pipeline import engine
from omni_ray.pipeline.session import Connection, is_connected, is_remote, ray_session


@dataclass(frozen=True)
class Cluster:
    """Where and with what the work runs."""

    address: Annotated[
        str | None, Option("A Ray cluster. Default: RAY_ADDRESS if set, else a private local Ray.", WHERE)
    ] = None
    num_cpus: Annotated[int | None, Option("CPUs of the local Ray. Default: all.", WHERE, "--cpus", low=1)] = None
    cpus_per_task: Annotated[float, Option("CPUs that a task reserves.", WHERE, low=0.01)] = 1.0
    gpus: Annotated[int, Option("images, ocr: GPUs that resize, and decode with nvJPEG.", WHERE, low=0)] = 0

    def __post_init__(self) -> None:
        if sentence := what_is_wrong(self):
            raise OmniError(sentence)

    def session(self, begun: Connection | None = None) -> AbstractContextManager[None]:
        """Connect to Ray for the length of a ``with`` block."""
        return ray_session(self.address, num_cpus=self.num_cpus, num_gpus=self.gpus, begun=begun)

    def run(
        self, function: Callable[[Any], Any], items: Iterable[Any], *, at_once: Callable[[Any], Any] | None = None
    ) -> Iterator[Any]:
        """Map ``function`` over ``items`` as tasks of the connected Ray, as :func:`~omni_ray.pipeline.engine.on_ray` does."""
        return engine.on_ray(function, items, num_cpus=self.cpus_per_task, at_once=at_once)

    def runner(self, stack: ExitStack) -> Callable[..., Iterator[Any]]:
        """:meth:`run` on a Ray that is connected to when there is something to map, and until ``stack`` ends."""
        return engine.in_session(Once(stack, self), self.run)


class Once:
    """A session that connects on first use and stays for the whole command.

    Args:
        stack: everything that ends with the command.
        cluster: where to connect to.
    """

    def __init__(self, stack: ExitStack, cluster: Cluster) -> None:
        self._stack = stack
        self._cluster = cluster
        self._begun: Connection | None = None
        self._is_entered = False

    def begin(self) -> None:
        """Start a private Ray now, beside what the command does next; for commands that will certainly need it.

        A cluster is there already, and is connected to when it is needed.
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
