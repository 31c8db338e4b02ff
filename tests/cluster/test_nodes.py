"""Three nodes on loopback: the work is spread over all of them, and the result is that of one machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.harness import omni_ray, tree_digest
from tests.faults.nodes import NODES, Nodes

pytestmark = [pytest.mark.slow, pytest.mark.alone]

CORPUS = f"""
import os, time
from pathlib import Path
from omni_ray.corpora import Corpus, UnitDraft

class Meeting(Corpus):
    name = "meeting"; modality = "text"; title = licence = homepage = size = layout = "made up"; in_all = False

    def units(self, tree, options):
        for number in range(12):
            yield UnitDraft({{"number": number, "place": str(Path(tree.location).parent)}}, (), 1, 1)

    def read(self, tree, payload):
        import ray

        nodes = Path(payload["place"]) / "nodes"
        (nodes / ray.get_runtime_context().get_node_id()).touch()
        # Stay until somebody is at work on every node, so that no node can do it all.
        patience = time.monotonic() + 60
        while len(os.listdir(nodes)) < {NODES} and time.monotonic() < patience:
            time.sleep(0.02)
        text = f"Line {{payload['number']}} was made on one of the nodes."
        yield {{"id": str(payload["number"]), "where": "here", "text": text, "title": None, "url": None, "lang": None}}
"""


def test_work_is_spread_over_all_nodes(tmp_path: Path) -> None:
    (tmp_path / "meeting.py").write_text(CORPUS)
    source = tmp_path / "source"
    source.mkdir()
    (tmp_path / "nodes").mkdir()  # beside the source, whose files are counted
    command = ["prepare", "text", "--dataset", "meeting", "--corpus-file", str(tmp_path / "meeting.py")]
    command += ["--source", str(source), "--combine", "-q"]
    with Nodes() as nodes:
        done = omni_ray(
            *command, "--root", str(tmp_path / "spread"), "--address", nodes.address, environment=nodes.environment
        )
        assert done.returncode == 0, done.stderr
        wrong = omni_ray(
            "combine", "--root", str(tmp_path / "spread"), "--no-shuffle",
            environment=nodes.environment | {"RAY_AUTH_TOKEN": "0" * 64, "RAY_ADDRESS": nodes.address},
        )  # fmt: skip
        # Ray's own core repeats itself before; the last line is ours.
        assert wrong.returncode == 2 and "RAY_AUTH_TOKEN" in wrong.stderr.splitlines()[-1]
    assert len(list((tmp_path / "nodes").iterdir())) == NODES
    assert omni_ray(*command, "--root", str(tmp_path / "alone"), "--cpus", "1").returncode == 0
    assert tree_digest(tmp_path / "spread") == tree_digest(tmp_path / "alone")
