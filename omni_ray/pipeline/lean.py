"""What a local Ray is started without: helpers that one machine with one driver has no use for.

``include_dashboard=False`` still starts the dashboard's process, and Ray waits for it when it starts and when it ends; the
cluster's autoscaler, the log monitor and two agents come beside it, each a Python process that takes half a CPU second to
start. Ray Data adds two actors, one for a dashboard's numbers and one that asks for more machines. None of them
has a switch, so private functions are replaced, in versions of Ray for which this was tried and nowhere else; in all
others everything starts as Ray would have it.

Ray also waits for its control store and its raylet while holding Python's lock, for half a minute or two if they have died
or hang: meanwhile, nothing else could run. Here it waits in short pieces.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch
from uuid import uuid4

from omni_ray.pipeline.reach import answers

TRIED = "2.60."
"""What the versions begin with whose private functions these are."""
_AGENTS = ("--dashboard_agent_command", "--runtime_env_agent_command")
_UNUSED = -1
"""The port of an agent that offers nothing."""
_LOOK_S = 0.01
STAND_IN = "omni-ray-stand-in"
"""The last word of the command that stands in for an agent."""


def is_tried() -> bool:
    """Whether the Ray that is installed is one whose helpers are known."""
    import ray

    return ray.__version__.startswith(TRIED)


@contextmanager
def without_helpers(with_logs: bool) -> Iterator[None]:
    """Within the block, ``ray.init`` starts the control store, the raylet and its workers, and nothing else.

    Args:
        with_logs: whether what workers print is to be shown, which takes the log monitor.
    """
    if not is_tried():
        yield
        return
    import ray._private.node
    from ray._private import services, utils, worker

    nodes: Any = ray._private.node

    start: Callable[..., Any] = services.start_ray_process

    def start_process(command: list[str], process_type: str, **more: Any) -> Any:
        if process_type == "raylet":
            command = _without_agents(command)
        return start(command, process_type, **more)

    def no_api_server(node: Any, **more: Any) -> None:
        node._webui_url = ""

    def nothing(node: Any) -> None:
        pass

    with ExitStack() as stack:
        stack.enter_context(patch.object(services, "start_ray_process", start_process))
        stack.enter_context(patch.object(nodes, "wait_for_persisted_port", _in_pieces(nodes.wait_for_persisted_port)))
        stack.enter_context(patch.object(worker, "connect", _once_raylet_answers(worker.connect)))
        # It is asked what agents are able to do, and imports half of them to find out.
        stack.enter_context(patch.object(utils, "get_dashboard_dependency_error", ImportError))
        stack.enter_context(patch.object(nodes.Node, "start_api_server", no_api_server))
        stack.enter_context(patch.object(nodes.Node, "start_monitor", nothing))
        if not with_logs:
            stack.enter_context(patch.object(nodes.Node, "start_log_monitor", nothing))
        yield


def _in_pieces(wait: Callable[..., int]) -> Callable[..., int]:
    """A wait for a port, as Ray calls it, during which other threads go on."""

    def waiting(*given: Any, timeout_ms: int) -> int:
        end = time.monotonic() + timeout_ms / 1000
        while True:
            try:
                return wait(*given, timeout_ms=1, poll_interval_ms=1)
            except RuntimeError:
                if time.monotonic() >= end:
                    raise
            time.sleep(_LOOK_S)

    return waiting


def _once_raylet_answers(connect: Callable[..., None]) -> Callable[..., None]:
    """A connection of this process to its node, as Ray calls it."""

    def connecting(node: Any, *given: Any, **more: Any) -> None:
        while not answers(node.node_ip_address, node.node_manager_port):
            time.sleep(_LOOK_S)
        connect(node, *given, **more)

    return connecting


def _without_agents(command: list[str]) -> list[str]:
    """The raylet's command with agents that do nothing.

    The raylet insists on agents, waits for the files with their ports, and ends when one of them does. An agent's standard
    input is a pipe that the raylet holds: who reads from it lives exactly as long as the raylet, however that ends.
    """
    import ray._raylet

    names: Any = ray._raylet
    given = dict(part.partition("=")[::2] for part in command)
    for port in (
        names.METRICS_AGENT_PORT_NAME,
        names.METRICS_EXPORT_PORT_NAME,
        names.DASHBOARD_AGENT_LISTEN_PORT_NAME,
        names.RUNTIME_ENV_AGENT_PORT_NAME,
    ):
        names.persist_port(given["--session_dir"], given["--node_id"], port, _UNUSED)
    waits = f'/bin/sh -c "read end" {STAND_IN}'
    return [f"{name}={waits}" if (name := part.partition("=")[0]) in _AGENTS else part for part in command]


def import_rest() -> None:
    """Import what Ray Data imports with its first run, while there is time."""
    if is_tried():
        import ray.data._internal.cluster_autoscaler
        import ray.data._internal.execution.streaming_executor
        import ray.data._internal.logical.optimizers
        import ray.data._internal.planner.planner  # noqa: F401


@contextmanager
def without_actors() -> Iterator[None]:
    """Within the block, Ray Data runs on the machine that is there, and keeps no numbers for a dashboard."""
    if not is_tried():
        yield
        return
    from ray.data._internal.execution import streaming_executor
    from ray.data._internal.stats import _StatsManager

    def nothing(*args: Any, **more: Any) -> None:
        pass

    with ExitStack() as stack:
        for name in ("register_dataset_to_stats_actor", "update_execution_metrics", "update_iteration_metrics"):
            stack.enter_context(patch.object(_StatsManager, name, staticmethod(nothing)))
        name_of_set = staticmethod(lambda: uuid4().hex)
        stack.enter_context(patch.object(_StatsManager, "gen_dataset_id_from_stats_actor", name_of_set))
        stack.enter_context(patch.object(streaming_executor, "create_cluster_autoscaler", _fixed_size))
        yield


def without_detectors(context: Any) -> None:
    """Take what looks for runs that hang or need much memory out of a ``DataContext``.

    Every worker would import the client of a dashboard for it, with its first list.
    """
    if is_tried():
        context.issue_detectors_config = SimpleNamespace(detectors=[])


def without_models() -> None:
    """In a worker: leave pydantic out of what Ray can serialize.

    Ray would import all of it, a tenth of a second, with the first thing that it serializes; workers send tables.
    """
    if is_tried():
        from ray._private import arrow_serialization
        from ray.util import serialization_addons

        serialization_addons.apply = arrow_serialization._register_custom_datasets_serializers


def _fixed_size(*args: Any, **more: Any) -> Any:
    """An autoscaler for a machine that neither grows nor shrinks."""
    import ray
    from ray.data import ExecutionResources
    from ray.data._internal.cluster_autoscaler import ClusterAutoscaler

    there: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    total = ExecutionResources(
        cpu=there.get("CPU", 0),
        gpu=there.get("GPU", 0),
        memory=there.get("memory", 0),
        object_store_memory=there.get("object_store_memory", 0),
    )

    class OneMachine(ClusterAutoscaler):
        """Never asks for more than there is."""

        def try_trigger_scaling(self) -> None:
            """Nothing to do."""

        def on_executor_shutdown(self) -> None:
            """Nothing to do."""

        def get_total_resources(self) -> ExecutionResources:
            """All of the machine."""
            return total

    return OneMachine()
