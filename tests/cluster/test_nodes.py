"""Three nodes on loopback: work is spread over all of them, sub-drivers share it, and the bytes are those of one machine,
whoever is killed on the way."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from omni_ray.pipeline.reach import require_reachable
from tests.faults.harness import leftovers, omni_ray, tree_digest
from tests.faults.nodes import NODES, PROJECT, Nodes

pytestmark = pytest.mark.slow

MEETING = f"""
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
BURNING = """
import os, signal
from contextlib import suppress
from pathlib import Path
from omni_ray.corpora import Corpus, Rejected, UnitDraft
from tests.pipeline.made_stages import siblings

class Burning(Corpus):
    name = "burning"; modality = "text"; title = licence = homepage = size = layout = "made up"; in_all = False

    def units(self, tree, options):
        for number in range(90):
            yield UnitDraft({"number": number, "place": str(Path(tree.location).parent)}, (), 3, 3)

    def read(self, tree, payload):
        place, number = Path(payload["place"]), payload["number"]
        if number > 20 and (place / "driver").exists() and (drivers := siblings("ray::_drive")):
            burn(place / "driver", drivers[0])
        if number > 20 and (place / "raylet").exists() and os.getppid() != int((place / "head").read_text()):
            burn(place / "raylet", os.getppid())
        for part in range(2):
            text = f"Line {part} of unit {number} was made by whoever was alive to make it."
            yield {"id": f"{number}-{part}", "where": "here", "text": text, "title": None, "url": None, "lang": None}
        yield Rejected(f"{number}-2", "here", "bad_encoding", "made to be lost", 1)

def burn(fuse, victim):
    with suppress(FileNotFoundError):
        fuse.unlink()  # by one of them alone
        os.kill(victim, signal.SIGKILL)
"""
PREPARE = """
import sys
from pathlib import Path
from omni_ray import api
from omni_ray.corpora.registry import add_file
from omni_ray.pipeline import drivers
place, out, address = sys.argv[1:]
drivers.CPUS_PER_DRIVER = 1
add_file(Path(place) / "corpus.py")
cluster = api.Cluster(address) if address else api.Cluster(num_cpus=1)
report = api.prepare(out, "text", dataset="burning", source=place + "/source", max_samples=None, cluster=cluster)
print(report.units_made)
"""


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with Nodes() as nodes:
        yield nodes


def test_a_cluster_that_is_there_answers(nodes: Nodes) -> None:
    require_reachable(nodes.address)


def test_work_is_spread_over_all_nodes(nodes: Nodes, tmp_path: Path) -> None:
    (tmp_path / "meeting.py").write_text(MEETING)
    source = tmp_path / "source"
    source.mkdir()
    (tmp_path / "nodes").mkdir()  # beside the source, whose files are counted
    command = ["prepare", "text", "--dataset", "meeting", "--corpus-file", str(tmp_path / "meeting.py")]
    command += ["--source", str(source), "--combine", "-q"]
    spread = ["--root", str(tmp_path / "spread"), "--address", nodes.address]
    done = omni_ray(*command, *spread, environment=nodes.environment)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "nodes").iterdir())) == NODES
    wrong = nodes.environment | {"RAY_AUTH_TOKEN": "0" * 64, "RAY_ADDRESS": nodes.address}
    refused = omni_ray("combine", "--root", str(tmp_path / "spread"), "--no-shuffle", environment=wrong)
    # Ray's own core repeats itself before; the last line is ours.
    assert refused.returncode == 2 and "RAY_AUTH_TOKEN" in refused.stderr.splitlines()[-1]
    assert omni_ray(*command, "--root", str(tmp_path / "alone"), "--cpus", "1").returncode == 0
    assert tree_digest(tmp_path / "spread") == tree_digest(tmp_path / "alone")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the corpus, and what one CPU makes of it in ``alone``."""
    place = tmp_path_factory.mktemp("burning")
    (place / "corpus.py").write_text(BURNING)
    (place / "source").mkdir()
    prepare(place, "alone")
    return place


def prepare(place: Path, out: str, nodes: Nodes | None = None) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PREPARE, str(place), str(place / out), nodes.address if nodes else ""],
        capture_output=True, text=True, check=False, cwd=PROJECT, env=nodes.environment if nodes else None,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["90"]


@pytest.mark.parametrize("victim", ["nobody", "driver", "raylet"])
def test_what_sub_drivers_make_is_what_one_cpu_makes(place: Path, nodes: Nodes, victim: str) -> None:
    before = set(nodes.raylets)
    (place / "head").write_text(str(nodes.raylets[0]))
    (place / victim).touch()
    prepare(place, f"by-drivers-{victim}", nodes)
    assert victim == "nobody" or not (place / victim).exists()
    if victim == "raylet":
        dead = next(raylet for raylet in before if "raylet" not in _command(raylet))
        nodes.replace(dead)
    assert tree_digest(place / f"by-drivers-{victim}") == tree_digest(place / "alone")
    assert leftovers(place / f"by-drivers-{victim}") == []


def _command(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_text()
    except OSError:
        return ""
