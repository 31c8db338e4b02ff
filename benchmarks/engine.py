"""What the engine costs: Ray and exactly-once commits against a bare process pool, and one, two and four nodes.

    python -m benchmarks.engine
    python -m benchmarks.engine --only start nothing empty --units 10000 --rounds 3

*Pool*: the same read, transform and commit functions on the same units, which keep a CPU busy for half a second
each; once as ``omni-ray prepare`` in a fresh process, Ray's start and end included, once in a pool of as many
processes without Ray. The difference is what a user pays, whatever the length of the job.
*Start*: a fresh process that connects, runs four items of which nothing is made, and ends: wall time, and the CPU
seconds of it and all that it started. *Nothing*: many such items, on two CPUs: how many a second, and how much of the
driver's CPU each takes. *Empty*: a tenth as many units of one line, prepared and committed, index and summary included; beside it,
how often a second this disk syncs a small new file, of which such a unit takes two.
*Nodes*: units that sleep, so that only the engine is measured, on raylets of one CPU each on this machine.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import omni_ray
from benchmarks import scale
from benchmarks.rounds import Row, apart, show

UNIT_SECONDS = 0.5
CORPUS = """
import hashlib, time
from omni_ray.corpora import Corpus, UnitDraft

class Working(Corpus):
    name = "working"; modality = "text"; title = licence = homepage = size = layout = "made up"; in_all = False

    def units(self, tree, options):
        count, seconds, how = tree.read("asked").decode().split()
        for number in range(int(count)):
            yield UnitDraft({"number": number, "seconds": float(seconds), "how": how}, (), 1, 1)

    def read(self, tree, payload):
        if payload["how"] == "sleep":
            time.sleep(payload["seconds"])
        else:
            end = time.process_time() + payload["seconds"]
            while time.process_time() < end:
                hashlib.sha256(bytes(100_000)).digest()
        yield {"id": str(payload["number"]), "where": "made up", "text": f"unit {payload['number']}", "records": 1,
               "title": None, "url": None, "lang": None}
"""

POOL = """
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from omni_ray.corpora.base import SourceOptions
from omni_ray.corpora.registry import add_file, select
from omni_ray.modalities.registry import modality
from omni_ray.pipeline.stages import Job, make_unit
from omni_ray.pipeline.units import number_units
from omni_ray.sources.tree import FolderTree
from omni_ray.storage import Storage

if __name__ == "__main__":
    here, out = sys.argv[1:]
    add_file(Path(here) / "corpus.py")
    (corpus,) = select("text", "working")
    kind = modality("text")
    tree = FolderTree(Path(here) / "source")
    units = number_units(corpus.units(tree, SourceOptions()), tree, {})
    job = Job("working", corpus, tree.spec(), kind, kind.params_type(), Storage(Path(out)))
    with ProcessPoolExecutor(int(CPUS), mp_context=get_context("fork")) as pool:
        assert len(list(pool.map(partial(make_unit, job), units))) == UNITS
"""


def overhead(seconds: float, rounds: int) -> list[Row]:
    """A job of about ``seconds`` on all CPUs, by ours and by a bare pool."""
    cpus = len(os.sched_getaffinity(0))
    units = max(cpus, round(seconds * cpus / UNIT_SECONDS))
    task = f"{units} units of {UNIT_SECONDS} s, {cpus} processes"
    rows = {side: Row(task, side, units, "units") for side in ("ours", "bare pool")}
    with tempfile.TemporaryDirectory() as folder:
        here = _corpus(Path(folder), units, UNIT_SECONDS, "work")
        for number in range(rounds):
            out = here / f"ours-{number}"
            rows["ours"].seconds.append(_prepared(here, ["--cpus", str(cpus)], out, units, dict(os.environ)))
            rows["bare pool"].seconds.append(_pooled(here, here / f"pool-{number}", units, cpus))
    for row in rows.values():
        row.cpu_seconds.extend([0.0] * rounds)
    return list(rows.values())


def nodes(counts: Sequence[int], seconds: float) -> list[Row]:
    """The same sleeping units on clusters of so many nodes; the amount is units a node, so that flat is ideal."""
    found = []
    units = round(seconds / UNIT_SECONDS) * max(counts)
    with tempfile.TemporaryDirectory() as folder:
        here = _corpus(Path(folder), units, UNIT_SECONDS, "sleep")
        one = None
        for count in counts:
            with _cluster(count) as (address, environment):
                # The second run is measured: by then every node has its workers.
                for number in range(2):
                    out = here / f"nodes-{count}-{number}"
                    took = _prepared(here, ["--address", address], out, units, environment)
            one = one or took * count
            side = f"{count} node{'s' * (count > 1)}, {one / took / count:.2f} of ideal"
            found.append(Row(f"{units} units that sleep {UNIT_SECONDS} s", side, units, "units", [took], [0.0]))
    return found


def _corpus(here: Path, units: int, seconds: float, how: str) -> Path:
    (here / "corpus.py").write_text(CORPUS)
    (here / "source").mkdir()
    (here / "source" / "asked").write_text(f"{units} {seconds} {how}")
    return here


def _prepared(here: Path, where: Sequence[str], out: Path, units: int, environment: dict[str, str]) -> float:
    """Seconds of ``omni-ray prepare``, which must make all units."""
    start = time.perf_counter()
    done = subprocess.run(
        [
            sys.executable, "-m", "omni_ray", "prepare", "text", "--root", str(out), "--corpus-file", str(here / "corpus.py"),
            "--dataset", "working", "--source", str(here / "source"), "--max-samples", "0", "--quiet", "--json", *where,
        ],
        check=True, env=environment, stdout=subprocess.PIPE,
    )  # fmt: skip
    took = time.perf_counter() - start
    assert json.loads(done.stdout)["units_made"] == units
    return took


def _pooled(here: Path, out: Path, units: int, cpus: int) -> float:
    """Seconds of the same in a pool."""
    # A file, so that the pool's processes can import it.
    (here / "run.py").write_text(f"CPUS, UNITS = {cpus}, {units}\n{POOL}")
    start = time.perf_counter()
    subprocess.run([sys.executable, str(here / "run.py"), str(here), str(out)], check=True)
    return time.perf_counter() - start


@contextmanager
def _cluster(count: int) -> Iterator[tuple[str, dict[str, str]]]:
    """So many raylets of one CPU on loopback, in a process of their own."""
    code = f"""
import sys
from ray.cluster_utils import Cluster
node = {{"num_cpus": 1, "object_store_memory": 100 << 20}}
cluster = Cluster(initialize_head=True, head_node_args={{**node, "include_dashboard": False}})
for _ in range({count} - 1):
    cluster.add_node(**node)
cluster.wait_for_nodes()
print("ADDRESS", cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""
    environment = {
        **os.environ,
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # every socket on loopback
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": os.urandom(16).hex(),
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    with subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        address = next(line.split()[1] for line in process.stdout if line.startswith("ADDRESS"))
        yield address, environment
        process.communicate()


NOTHING = """
import os, sys, time
from omni_ray.pipeline.engine import on_ray
from omni_ray.pipeline.session import ray_session
count = int(sys.argv[1])
with ray_session(num_cpus=2):
    if count > 4:
        list(on_ray(abs, range(4)))
    began, cpu = time.perf_counter(), time.process_time()
    assert list(on_ray(abs, range(count))) == list(range(count))
    print(time.perf_counter() - began, time.process_time() - cpu)
    # Some of the processes of a Ray are not this one's to wait for: what they took is read while they are there.
    tick = os.sysconf("SC_CLK_TCK")
    session, took = os.getsid(0), 0.0
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            fields = open(f"/proc/{name}/stat").read().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and int(name) != os.getpid():
            took += (int(fields[11]) + int(fields[12])) / tick
print(took + time.process_time())
"""


def nothing(count: int) -> tuple[float, float, float, float]:
    """Run ``count`` items of which nothing is made, in a fresh process.

    Returns:
        Seconds for the items, the driver's CPU seconds for them, seconds for all of it, and CPU seconds of all processes.
    """
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", NOTHING, str(count)],
        stdout=subprocess.PIPE, text=True, check=True, start_new_session=True,
    )  # fmt: skip
    whole = time.perf_counter() - start
    items, driver, everything = map(float, done.stdout.split())
    return items, driver, whole, everything


def syncs(count: int = 300) -> float:
    """Small new files that this disk syncs in a second, one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        for number in range(count):
            with open(Path(folder) / str(number), "xb") as file:
                file.write(bytes(2_000))
                file.flush()
                os.fsync(file.fileno())
        return count / (time.perf_counter() - began)


def _start(options: argparse.Namespace) -> str:
    runs = [nothing(4) for _ in range(options.rounds)]
    _, _, whole, everything = (statistics.median(each) for each in zip(*runs, strict=True))
    return f"start, first run and end: {whole:.1f} s, {everything:.1f} CPU seconds of all processes"


def _nothing(options: argparse.Namespace) -> str:
    runs = [nothing(options.units) for _ in range(options.rounds)]
    items, driver, _, _ = (statistics.median(each) for each in zip(*runs, strict=True))
    rate, cpu = options.units / items, 1000 * driver / options.units
    return f"{options.units:,} items of nothing: {rate:,.0f} a second, {cpu:.2f} ms of the driver's CPU each"


def _empty(options: argparse.Namespace) -> str:
    units = max(1, options.units // 10)
    before = syncs()
    runs = [apart(scale.measure, units, 1) for _ in range(options.rounds)]
    disk = statistics.median([before, syncs()])
    rate = 1e6 / statistics.median(run["prepare_us_per_sample"] for run in runs)
    cpu = statistics.median(run["prepare_driver_cpu_us_per_sample"] for run in runs) / 1000
    return (
        f"{units:,} units of one line: {rate:,.0f} a second, {cpu:.2f} ms of the driver's CPU each; "
        f"this disk syncs {disk:,.0f} files a second, one after the other"
    )


FIGURES = {"start": _start, "nothing": _nothing, "empty": _empty}
"""What is said in a line of its own, each by what measures it."""


def rows(seconds: float, rounds: int) -> list[Row]:
    """Both measurements."""
    return [*overhead(seconds, rounds), *nodes((1, 2, 4), min(seconds, 8))]


def main(argv: Sequence[str] | None = None) -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=["pool", *FIGURES, "nodes"], help="some of it; all by default")
    parser.add_argument("--seconds", type=float, default=20, help="length of the job")
    parser.add_argument("--nodes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--units", type=int, default=10_000, help="items of which nothing is made")
    options = parser.parse_args(argv)
    compileall.compile_dir(Path(omni_ray.__file__).parent, quiet=1)  # as pip does; a checkout may have no bytecode
    for name in FIGURES:
        if options.only is None or name in options.only:
            print(FIGURES[name](options), flush=True)
    found = [] if options.only and "pool" not in options.only else overhead(options.seconds, options.rounds)
    if found:
        ours, bare = (statistics.median(row.seconds) for row in found)
        print(f"{found[0].task}: {bare / ours:.2f} of a bare pool, {ours - bare:.1f} s longer")
    if options.only is None or "nodes" in options.only:
        found += nodes(options.nodes, min(options.seconds, 8))
    if found:
        show(found)


if __name__ == "__main__":
    main()
