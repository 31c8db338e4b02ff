"""One shape for every run: items go out to workers, acknowledgements come back.

A run is a list of items, each a few hundred bytes that say what is to be made. A Ray Data pipeline carries them, and nothing
else: ``lists of items -> map_batches(make) -> acknowledgements``. Whatever is large is read, made and written in the
worker, by plain tasks or, where a GPU does a part of it, by actors: the same code. A task gets a list of items, long ones
first, and acknowledges each when it is made, so that progress and errors are data like any other.
"""

from __future__ import annotations

import pickle
import time
import traceback
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import chain
from types import ModuleType
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from omni_ray.errors import FALLS_SHORT, OmniError
from omni_ray.pipeline import drivers, lean
from omni_ray.pipeline.actors import Pool, RunLayout
from omni_ray.pipeline.failures import InWorker, as_one_line, in_one_line
from omni_ray.pipeline.session import RETRIES

if TYPE_CHECKING:
    import pyarrow as pa


Item = TypeVar("Item")
Result = TypeVar("Result")

LONGEST_LIST = 64
_LISTS_LEFT = 3
"""A list is this part of what is left for each CPU: the last ones are single items, and no CPU idles for longer than one."""
_WAITING = 32
"""Lists that wait in Ray's own queues; at least two for each CPU. Ray Data notices the end of a task up to two
polls of 0.1 s late, and would keep a CPU idle for as long. A cluster that starts from nothing grows by what waits."""
_ITEMS_AT_ONCE, _BYTES_AT_ONCE = 100_000, 64 << 20
"""Limits on the items that one pipeline carries: they wait in the driver's object store. Longer lists are run piece by piece."""
_SAID_EVERY_S = 1.0
_SAID_BY_ALL = 128.0
"""About how many acknowledgements all tasks together send in a second: with many CPUs, each waits until it has several."""


class Stage(ABC, Generic[Item, Result]):
    """One kind of work: what an item is, how it is made, and what it acknowledges. Small and picklable."""

    name = ""
    """The name of the tasks, for whoever looks at them in Ray."""
    begun = 1
    """How many items may be begun and not made, at most: over one of them a worker died."""

    @abstractmethod
    def make(self, item: Item) -> Result:
        """Make one item. Doing it twice must leave what doing it once leaves."""

    def __call__(self, item: Item) -> Result:
        """A stage is a function of its item, for whoever needs no more."""
        made = self.make(item)
        self.keep()
        return made

    def make_each(self, items: Sequence[Item]) -> Iterator[Result]:
        """Make several, in order; an actor, which has threads, may begin one before the last is made."""
        return map(self.make, items)

    def made(self, item: Item) -> Result | None:
        """What an earlier attempt acknowledged, where its outcome is there; None where the item is to be made."""
        return None

    def make_apart(self, item: Item) -> Result:
        """Make an item over which a worker may have died."""
        return self.make(item)

    def keep(self) -> None:
        """Make what was made survive a power failure; called before it is acknowledged, once for several items."""

    def use_threads(self, threads: int, rows: int) -> None:
        """How many threads an actor has, and how many rows its device gets at a time; told before its first item. A task
        has one thread, and no device.
        """

    def where(self, item: Item) -> str:
        """The item in an error message, such as `` (unit 3 of books)``; empty where that would not help."""
        return ""


class Function(Stage[Item, Result]):
    """A stage that is a function of its item."""

    def __init__(self, function: Callable[[Item], Result]) -> None:
        self._function = function
        self.name = getattr(function, "__name__", type(function).__name__)

    def make(self, item: Item) -> Result:
        return self._function(item)


class Runner(Protocol):
    """Maps a function that can be pickled, or a :class:`Stage`, over items; results in the items' order."""

    def __call__(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]: ...


def inline(
    function: Callable[[Any], Any], items: Iterable[Any], *, at_once: Callable[[Any], Any] = lambda result: result
) -> Iterator[Any]:
    """One after the other, in this process; ``at_once`` as for :func:`on_ray`."""
    return map(at_once, map(_stage(function).make, items))


def in_session(
    session: Callable[[], AbstractContextManager[None]], run: Callable[..., Iterator[Any]]
) -> Callable[..., Iterator[Any]]:
    """``run``, within a session that is entered when the first item is mapped, and left after the last."""

    def mapped(function: Callable[[Any], Any], items: Iterable[Any], **more: Any) -> Iterator[Any]:
        with session():
            yield from run(function, items, **more)

    return mapped


def on_ray(
    function: Callable[[Any], Any],
    items: Iterable[Any],
    *,
    num_cpus: float = 1.0,
    at_once: Callable[[Any], Any] | None = None,
) -> Iterator[Any]:
    """On the connected Ray. The first failure is raised as one sentence.

    ``at_once`` gets each result as it comes, and returns the part of it that waits for those before it.
    """
    waiting: dict[int, Any] = {}
    due = 0
    for number, result in acknowledgements(_stage(function), items, RunLayout(num_cpus)):
        waiting[number] = at_once(result) if at_once is not None else result
        while due in waiting:
            yield waiting.pop(due)
            due += 1


def _stage(function: Callable[[Any], Any]) -> Stage[Any, Any]:
    return function if isinstance(function, Stage) else Function(function)


def acknowledgements(stage: Stage[Any, Any], items: Iterable[Any], shape: RunLayout) -> Iterator[tuple[int, Any]]:
    """Make every item; yields the number of each, from 0, and what its stage acknowledged, as soon as it is made.

    Raises:
        OmniError: an item failed, or nothing was ever heard of it. Those acknowledged, and some under way, stay made.
    """
    with as_one_line():
        for first, piece in _pieces(items):
            found = drivers.shared(stage, piece, shape, pipeline) or pipeline(stage, list(enumerate(piece)), shape)
            left = set(range(len(piece)))
            for said in found:
                for number, result in said:
                    if number in left:  # a task that comes back repeats what the one that died has said
                        left.remove(number)
                        yield first + number, result
            if left:
                raise OmniError(
                    f"{len(left)} of {len(piece)} pieces of work were lost on the way; run the same command again to go on",
                    exit_code=FALLS_SHORT,
                )


def _pieces(items: Iterable[Any]) -> Iterator[tuple[int, list[bytes]]]:
    """The items, pickled, in pieces that one pipeline can carry, each with the number of its first item."""
    piece: list[bytes] = []
    first, held = 0, 0
    for item in items:
        piece.append(_dumps(item))
        held += len(piece[-1])
        if len(piece) >= _ITEMS_AT_ONCE or held >= _BYTES_AT_ONCE:
            yield first, piece
            first, held, piece = first + len(piece), 0, []
    if piece:
        yield first, piece


def list_lengths(count: int, cpus: float) -> Iterator[int]:
    """How many items each task gets: ever fewer towards the end, so that the last ones end together."""
    while count > 0:
        length = min(LONGEST_LIST, max(1, int(count / (max(cpus, 1.0) * _LISTS_LEFT))))
        yield length
        count -= length


def expected(cpus: float) -> float:
    """How many CPUs lists are cut for, where so many are there: a cluster that starts from nothing grows by the lists that
    wait for it, so that they are as many as one driver feeds.
    """
    return cpus or drivers.CPUS_PER_DRIVER


def pipeline(
    stage: Stage[Any, Any], items: Sequence[tuple[int, bytes]], shape: RunLayout
) -> Iterator[list[tuple[int, Any]]]:
    """One Ray Data pipeline over numbered, pickled items; yields and raises as :func:`acknowledgements` does, but lists."""
    import pyarrow as pa
    import ray.data

    there: float = ray.cluster_resources().get("CPU", 0.0)  # type: ignore[no-untyped-call]
    cpus = there if shape.cpus is None else min(shape.cpus, there)
    workers = shape.pool.actors if shape.pool else expected(cpus) / max(shape.cpus_per_task, 0.01)
    blocks = []
    start = 0
    for length in list_lengths(len(items), workers):
        blocks.append(pa.table({"list": pa.array([pickle.dumps(items[start : start + length])], pa.large_binary())}))
        start += length
    worker = Worker(stage, shape.is_again, max(_SAID_EVERY_S, workers / _SAID_BY_ALL))
    context = ray.data.DataContext.get_current().copy()
    context.target_max_block_size = 1  # every acknowledgement is a block of its own, and comes at once
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.memory_usage_poll_interval_s = None  # else every task starts and ends a thread that looks once a second
    lean.without_detectors(context)
    waiting = max(_WAITING, 2 * cpus) if shape.pool is None else 0
    with ray.data.DataContext.current(context), warnings.catch_warnings():
        # Neither max_retries nor the number of tasks that may wait has a named parameter yet: Ray runs no more than it
        # has CPUs for, and Ray Data may think there are more.
        warnings.filterwarnings("ignore", "`ray_remote_args` is deprecated")
        warnings.filterwarnings("ignore", "`ExecutionOptions.exclude_resources` is deprecated")
        context.execution_options.exclude_resources = ray.data.ExecutionResources(cpu=there - cpus - waiting)
        lists = ray.data.from_blocks(blocks)
        if shape.pool is None:
            needs = {"num_cpus": shape.cpus_per_task, "max_retries": RETRIES}
            said_of = lists.map_batches(worker, batch_size=None, batch_format="pyarrow", **needs)
        else:
            said_of = lists.map_batches(**_for_actors(worker, shape.pool, RETRIES))
        bundles = said_of.iter_internal_ref_bundles()
    try:
        for bundle in bundles:
            for block in ray.get(list(bundle.block_refs)):
                for row in block["said"]:
                    said = pickle.loads(row.as_py())
                    failures = [result for _, result in said if isinstance(result, _Failure)]
                    yield [each for each in said if not isinstance(each[1], _Failure)]
                    if failures:
                        raise failures[0].error from InWorker(failures[0].trace)
    finally:
        # An error's traceback keeps this frame, and with it what is named here: the run has to end before its Ray does.
        del bundles, lists, said_of


@dataclass(frozen=True)
class _Failure:
    """What is reported about an item that failed: the sentence, and where it came from."""

    error: OmniError
    trace: str


class Worker:
    """What tasks and actors call with a list of items.

    Args:
        stage: what is done with each.
        is_again: as in :class:`RunLayout`.
        said_every_s: seconds between two acknowledgements, at least.
    """

    def __init__(self, stage: Stage[Any, Any], is_again: bool, said_every_s: float) -> None:
        self.stage = stage
        self._is_again = is_again
        self._said_every_s = said_every_s
        self.__name__ = stage.name

    def __call__(self, batch: pa.Table) -> Iterator[pa.Table]:
        for row in batch["list"]:
            items = [(number, pickle.loads(item)) for number, item in pickle.loads(row.as_py())]
            # When a task is run again, Ray drops as many acknowledgements as came from the one that died, whatever is in
            # them: as many empty ones go first. None says more than one for each item, and a last one.
            yield from (_table([]) for _ in range(_deaths() * (len(items) + 1)))
            yield from self._said(self._list(items))

    def _said(self, results: Iterator[tuple[int, Any]]) -> Iterator[pa.Table]:
        held: list[tuple[int, Any]] = []
        last = time.monotonic()
        for each in results:
            held.append(each)
            if time.monotonic() - last >= self._said_every_s:
                self.stage.keep()
                yield _table(held)
                held, last = [], time.monotonic()
        self.stage.keep()
        yield _table(held)

    def _list(self, items: list[tuple[int, Any]]) -> Iterator[tuple[int, Any]]:
        """Make a list. Where a task before this one died over it, what that made is not made again, and the first items that it
        did not make are made in isolation; after another death, all of them are.
        """
        deaths = _deaths()
        todo = []
        for number, item in items:
            made = self.stage.made(item) if deaths or self._is_again else None
            if made is None:
                todo.append((number, item))
            else:
                yield number, made
        doubtful = 0 if deaths == 0 else self.stage.begun if deaths == 1 else len(todo)
        make_apart = map(self.stage.make_apart, [item for _, item in todo[:doubtful]])
        yield from self._until_one_fails(todo, chain(make_apart, self._make_each([i for _, i in todo[doubtful:]])))

    def _make_each(self, items: list[Any]) -> Iterator[Any]:
        yield from self.stage.make_each(items)

    def _until_one_fails(self, todo: list[tuple[int, Any]], results: Iterator[Any]) -> Iterator[tuple[int, Any]]:
        for number, item in todo:
            try:
                result = next(results)
            except Exception as error:
                yield number, _Failure(in_one_line(error, self.stage.where(item)), traceback.format_exc())
                return
            yield number, result


class _ActorWorker:
    """A :class:`Worker` in a process that lives as long as the run, with threads of its own."""

    def __init__(self, worker: Worker, threads: int, rows: int) -> None:
        worker.stage.use_threads(threads, rows)
        self._worker = worker

    def __call__(self, batch: pa.Table) -> Iterator[pa.Table]:
        yield from self._worker(batch)


def _for_actors(worker: Worker, size: Pool, retries: int) -> dict[str, Any]:
    """What ``map_batches`` is called with for a pool of actors."""
    import ray.data

    return {
        "fn": _ActorWorker,
        "fn_constructor_args": (worker, size.threads, size.rows),
        "compute": ray.data.ActorPoolStrategy(size=size.actors, max_tasks_in_flight_per_actor=2),
        "batch_size": 1,  # Ray Data demands a number where GPUs are asked for; every list is one row
        "batch_format": "pyarrow",
        "num_cpus": size.cpus,
        "num_gpus": size.gpus or None,
        "max_restarts": retries,
        "max_task_retries": retries,
    }


def _table(held: list[tuple[int, Any]]) -> pa.Table:
    import pyarrow as pa

    return pa.table({"said": pa.array([_dumps(held)], pa.large_binary())})


def _dumps(value: Any) -> bytes:
    """Pickled, with what a user's own corpus brings along."""
    from ray import cloudpickle

    return bytes(cloudpickle.dumps(value))  # type: ignore[no-untyped-call]


def travel_by_value(modules: Iterable[ModuleType]) -> None:
    """Let Ray send ``modules`` along with its tasks."""
    from ray import cloudpickle

    for module in modules:
        cloudpickle.register_pickle_by_value(module)  # type: ignore[no-untyped-call]


def _deaths() -> int:
    """How many tasks before this one died over the same list."""
    from ray._private import worker

    this: Any = worker.global_worker
    return int(this.core_worker.get_current_task_attempt_number())
