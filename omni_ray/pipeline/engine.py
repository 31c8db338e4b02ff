"""Units through Ray Data: one read task, one block, one shard each.

The shape is chosen so that the result does not depend on how it was run. A unit is one ReadTask of our own
Datasource; ``target_max_block_size=None`` and ``batch_size=None`` keep it one block through every stage; our own
Datasink commits it under a name decided beforehand. Where a GPU does the transform, that stage is a pool of actors
(:mod:`omni_ray.pipeline.actors`), which may put small units into one block; the sink takes them apart again. Killed workers, nodes and drivers cost the units in flight.
"""

from __future__ import annotations

import errno
import re
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import pyarrow as pa

from omni_ray.errors import FALLS_SHORT, OmniError, missing_package
from omni_ray.pipeline import actors, blocks
from omni_ray.pipeline.session import RETRIES
from omni_ray.pipeline.stages import Job, TransformStage, commit_unit, job_of, read_unit
from omni_ray.pipeline.store import part_name
from omni_ray.pipeline.units import Unit

UNITS_PER_RUN = 4096
"""Ray Data holds a run's tasks in the driver's memory; longer lists are run piece by piece."""
_WAITING = 32
"""Tasks that wait in Ray's own queues; at least two for each CPU. Ray Data notices the end of a task up to two looks of
0.1 s late and would keep a CPU idle for as long; at a run's start, which knows no CPUs yet, it would keep all but one
idle. A cluster that starts from nothing grows by what waits."""
_POLL_SECONDS = 0.25
_POLL_SECONDS_REMOTE = 5.0
_POLL_SHARE = 20
"""How many times as long as a look at the commits takes the pause after it lasts."""

_LACKING = re.compile(r"No module named '([^']+)'")
_NAMED = re.compile(r"^([\w.]*(?:Error|Exception|Interrupt)): (.+)$", re.MULTILINE)
_DEAD = {"WorkerCrashedError", "NodeDiedError", "LocalRayletDiedError", "ObjectLostError", "OwnerDiedError"}
_AT_UNIT = "at unit "
_LIGHTER = "run the same command again to go on, with a smaller --cpus if memory is short"
_DISK_FULL = "the disk is full; free some space and run the same command again to go on"

Work = list[tuple[Job, list[Unit]]]


def run_units(
    work: Work,
    *,
    cpus_per_task: float = 1.0,
    gpus: int = 0,
    on_commit: Callable[[Job, list[int]], None] | None = None,
) -> None:
    """Make the shards of ``work`` on the Ray that is connected.

    Args:
        work: jobs of one modality, each with the units to make.
        cpus_per_task: CPUs that a task reserves.
        gpus: how many GPUs a transform that runs on one may use.
        on_commit: called in this process soon after commits, with their job and the units' numbers, each once.

    Raises:
        OmniError: a source vanished, the disk is full, or a worker failed; committed units stay committed.
    """
    flat = [(job, unit) for job, units in work for unit in units]
    for start in range(0, len(flat), UNITS_PER_RUN):
        piece = flat[start : start + UNITS_PER_RUN]
        with _watch(piece, on_commit), as_one_line(partial(_first_missing, piece)):
            _run(piece, cpus_per_task, gpus)


def _first_missing(piece: Sequence[tuple[Job, Unit]]) -> str:
    """The first unit that is not committed: where a unit kills every worker, it is the one."""
    there = {job.name: job.storage.files() for job in {job.name: job for job, _ in piece}.values()}
    for job, unit in piece:
        if f"{part_name(unit.index)}.json" not in there[job.name]:
            return f"; the first unit not done is {unit.index} of {job.name}"
    return ""


def _run(piece: Sequence[tuple[Job, Unit]], cpus_per_task: float, gpus: int) -> None:
    import ray.data
    from ray.data.block import BlockMetadata
    from ray.data.datasource import Datasink, Datasource, ReadTask

    jobs, numbered = _share_numbers(piece)
    units = {job.first_unit + unit.index: unit for job, unit in numbered}

    class UnitSource(Datasource):
        """One read task a unit."""

        def __init__(self) -> None:
            super().__init__()  # type: ignore[no-untyped-call]

        def estimate_inmemory_data_size(self) -> int | None:
            return None

        def get_read_tasks(self, parallelism: int, *args: Any, **kwargs: Any) -> list[Any]:
            unknown = BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None)
            return [
                ReadTask(_reader(job, unit, None if size else TransformStage([job])), unknown) for job, unit in numbered
            ]

    class ShardSink(Datasink[int]):
        """Commits every unit that reaches it; the commit is idempotent, so a retried task does no harm."""

        def write(self, written: Iterable[Any], ctx: Any) -> int:
            return _commit(jobs, units, written)

    context = ray.data.DataContext.get_current().copy()
    context.target_max_block_size = None
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    device = jobs[0].params.device
    size = actors.pool_here(gpus if device == "cuda" else 0, cpus_per_task) if device else None
    needs = {"num_cpus": size.task_cpus if size else cpus_per_task, "max_retries": RETRIES}
    with ray.data.DataContext.current(context), warnings.catch_warnings():
        # max_retries has no named parameter yet; and unless both stages say the same, they do not fuse. Nor has the
        # number of tasks that may wait: Ray runs no more than it has CPUs for, and Ray Data may think there are more.
        warnings.filterwarnings("ignore", "`ray_remote_args` is deprecated")
        warnings.filterwarnings("ignore", "`ExecutionOptions.exclude_resources` is deprecated")
        cpus = ray.cluster_resources().get("CPU", 1.0)  # type: ignore[no-untyped-call]
        context.execution_options.exclude_resources = ray.data.ExecutionResources(cpu=-max(_WAITING, 2 * cpus))
        dataset = ray.data.read_datasource(UnitSource(), override_num_blocks=len(numbered), ray_remote_args=needs)
        if size:
            dataset = dataset.map_batches(actors.ActorTransform, **actors.arguments(jobs, size, RETRIES))
        dataset.write_datasink(ShardSink(), ray_remote_args=needs)


def _share_numbers(piece: Sequence[tuple[Job, Unit]]) -> tuple[list[Job], list[tuple[Job, Unit]]]:
    """Jobs with number ranges of their own, so that units of several corpora can share one run."""
    highest: dict[str, int] = {}
    by_name: dict[str, Job] = {}
    for job, unit in piece:
        by_name[job.name] = job
        highest[job.name] = max(highest.get(job.name, 0), unit.index)
    first = 0
    for name, job in by_name.items():
        by_name[name] = replace(job, first_unit=first)
        first += highest[name] + 1
    return list(by_name.values()), [(by_name[job.name], unit) for job, unit in piece]


def _reader(job: Job, unit: Unit, stage: TransformStage | None) -> Callable[[], Iterator[pa.Table]]:
    """What a read task does: read the unit and, where no GPU waits for it, transform it as it comes.

    A stage of its own for the transform would get the unit as a whole, with all its media as they were in the source.
    """

    def read() -> Iterator[pa.Table]:
        read_blocks = read_unit(job, unit)
        try:
            # One table per unit: Ray Data would otherwise be free to put a unit's tables into several blocks.
            yield pa.concat_tables(map(stage, read_blocks) if stage else read_blocks)
        except MemoryError as error:
            raise MemoryError(f"{_AT_UNIT}{unit.index} of {job.name}") from error

    return read


def _commit(jobs: list[Job], units: dict[int, Unit], written: Iterable[Any]) -> int:
    from ray.data.block import BlockAccessor

    parts: dict[int, list[tuple[pa.Table, pa.Table]]] = {}
    for block in written:
        table = BlockAccessor.for_block(block).to_arrow()
        for number, part in blocks.split_block(table).items() if table.num_rows else ():
            parts.setdefault(number, []).append(part)
    for number, tables in parts.items():
        live, rest = (pa.concat_tables(side) for side in zip(*tables, strict=True))
        commit_unit(job_of(jobs, number), units[number], live, rest)
    return len(parts)


@contextmanager
def _watch(piece: Sequence[tuple[Job, Unit]], on_commit: Callable[[Job, list[int]], None] | None) -> Iterator[None]:
    """Report commits as their manifests appear: the store is the only channel, on one node or on many."""
    if on_commit is None:
        yield
        return
    waiting: dict[str, dict[str, int]] = {job.name: {} for job, _ in piece}
    for job, unit in piece:
        waiting[job.name][f"{part_name(unit.index)}.json"] = unit.index
    by_name = {job.name: job for job, _ in piece}
    stop = threading.Event()

    def look() -> None:
        for name, files in waiting.items():
            if there := sorted(files.keys() & by_name[name].storage.files().keys()):
                on_commit(by_name[name], [files.pop(file) for file in there])

    def keep_looking() -> None:
        least = _POLL_SECONDS if all(job.storage.is_local for job in by_name.values()) else _POLL_SECONDS_REMOTE
        pause = least
        while not stop.wait(pause):
            began = time.monotonic()
            look()
            # A listing grows with the corpus; looking must stay a small part of the work.
            pause = max(least, _POLL_SHARE * (time.monotonic() - began))

    watcher = threading.Thread(target=keep_looking, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()
        look()


@contextmanager
def as_one_line(where: Callable[[], str] = str) -> Iterator[None]:
    """Ray wraps what a worker raised several times over; the user gets the sentence inside.

    Args:
        where: says where a worker was when it died.
    """
    import ray.exceptions

    try:
        yield
    except OmniError:
        raise
    except (ray.exceptions.RayError, RuntimeError, OSError, MemoryError) as error:
        raise _sentence(error, where) from error


def _sentence(error: BaseException, where: Callable[[], str]) -> OmniError:
    chain: list[BaseException] = []
    todo: list[BaseException | None] = [error]
    while todo:
        each = todo.pop()
        if each is None or each in chain:
            continue
        chain.append(each)
        todo += [getattr(each, "cause", None), each.__cause__, each.__context__]
    for each in chain:
        if isinstance(each, OmniError):
            return each
    for each in chain:
        if isinstance(each, OSError) and each.errno == errno.ENOSPC:
            return OmniError(_DISK_FULL)
        if isinstance(each, PermissionError):
            return OmniError(f"{each.filename or 'the output folder'} cannot be written (permission denied)")
        if isinstance(each, OSError) and each.errno == errno.EROFS:
            return OmniError(f"{each.filename or 'the output folder'} is read-only; choose another --root")
    # What a worker raised has become text on its way through Ray Data; the first error named in it is the cause.
    named = [match.groups() for match in _NAMED.finditer(str(error))]
    for kind, text in named:
        if kind.startswith("omni_ray.errors."):
            return OmniError(text)
        if kind.endswith("ModuleNotFoundError") and (module := _LACKING.search(text)):
            return OmniError(missing_package(module[1]))
        if "No space left on device" in text:
            return OmniError(_DISK_FULL)
        if "Read-only file system" in text or "Permission denied" in text:
            return OmniError(f"a worker cannot write its output ({text}); mend its rights, or choose another --root")
    names = {kind.rpartition(".")[2] for kind, _ in named} | {type(each).__name__ for each in chain}
    if names & {"MemoryError", "OutOfMemoryError"}:
        place = next((f" {text}" for _, text in named if text.startswith(_AT_UNIT)), "") or where()
        return OmniError(f"a worker ran out of memory{place}; {_LIGHTER}", exit_code=FALLS_SHORT)
    if names & _DEAD:
        return OmniError(
            f"workers died {RETRIES + 1} times over the same task, out of memory or in a decoder that crashed, or Ray "
            f"itself was killed{where()}; {_LIGHTER}",
            exit_code=FALLS_SHORT,
        )
    kind, text = named[0] if named else (type(error).__name__, str(error).partition("\n")[0])
    return OmniError(
        f"a worker failed: {kind}: {text}; what is committed stays. Where the same command fails again, -v shows where it "
        "comes from",
        exit_code=FALLS_SHORT,
    )
