"""Sub-drivers on three nodes share one real prepare: its bytes are those of one CPU, whoever is killed on the way."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.harness import leftovers, tree_digest
from tests.faults.nodes import PROJECT, Nodes

pytestmark = [pytest.mark.slow, pytest.mark.alone]

CORPUS = """
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
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the corpus, and what one CPU makes of it in ``alone``."""
    place = tmp_path_factory.mktemp("burning")
    (place / "corpus.py").write_text(CORPUS)
    (place / "source").mkdir()
    prepare(place, "alone")
    return place


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with Nodes() as nodes:
        yield nodes


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
