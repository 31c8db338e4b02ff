"""Three raylets on loopback, in a process of their own, so that they can be killed without hurting anybody else."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

NODES = 3
PROJECT = Path(__file__).parents[2]
_STORE = 100 << 20


class Nodes:
    """A cluster of three one-CPU nodes for the length of a ``with`` block.

    Attributes:
        address: what ``--address`` takes.
        environment: for whoever connects: the token above all.
        raylets: process ids; the first is the head's.
    """

    def __init__(self) -> None:
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")} | {
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # every socket on loopback
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_USAGE_STATS_ENABLED": "0",
            # A dead node is noticed after one second and a half, not half a minute.
            "RAY_health_check_initial_delay_ms": "0",
            "RAY_health_check_period_ms": "500",
            "RAY_health_check_failure_threshold": "3",
        }

    def __enter__(self) -> Nodes:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.nodes"], env=self.environment, text=True, cwd=PROJECT,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._hear()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate("end\n")

    def replace(self, raylet: int) -> None:
        """Put a new node in the place of the one whose raylet was killed."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{raylet}\n")
        self._process.stdin.flush()
        self._hear()

    def _hear(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("NODES "):
                said: dict[str, Any] = json.loads(line[6:])
                self.address: str = said["address"]
                self.raylets: list[int] = said["raylets"]
                return
        raise AssertionError("the cluster did not start")


def _serve() -> None:
    from ray._private import ray_constants
    from ray.cluster_utils import Cluster

    def raylet(node: Any) -> subprocess.Popen[bytes]:
        process: subprocess.Popen[bytes] = node.all_processes[ray_constants.PROCESS_TYPE_RAYLET][0].process
        return process

    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "include_dashboard": False, "object_store_memory": _STORE},
    )
    nodes = [cluster.head_node]
    try:
        while True:
            while len(nodes) < NODES:
                nodes.append(cluster.add_node(num_cpus=1, object_store_memory=_STORE))
            cluster.wait_for_nodes()
            said = {"address": cluster.address, "raylets": [raylet(node).pid for node in nodes]}
            print("NODES " + json.dumps(said), flush=True)
            killed = sys.stdin.readline().strip()
            if not killed.isdigit():
                return
            for node in [n for n in nodes if raylet(n).pid == int(killed)]:
                raylet(node).wait()
                cluster.remove_node(node, allow_graceful=False)
                nodes.remove(node)
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    _serve()
