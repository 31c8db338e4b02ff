"""The stage that makes shards: an item is a unit, what is made is a commit, what is acknowledged is its manifest."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import Full, Queue
from threading import Event
from typing import TypeVar

from omni_ray.pipeline.engine import Stage
from omni_ray.pipeline.isolated import make_apart
from omni_ray.pipeline.manifest import Manifest, part_name
from omni_ray.pipeline.stages import ROWS_AT_ONCE, Batch, Job, Making, make_unit, read_unit
from omni_ray.pipeline.units import Unit

Place = tuple[int, Unit]
"""The number of a job, and one of its units."""
_ROWS_ON_A_DEVICE = 256
_BATCHES_AHEAD = 4
_COMMITS, _BYTES_WAITING = 8, 16 << 20
"""Commits under way at once, and rows in them: of large units a task holds one at a time, an actor two."""
_LOOK_S = 0.1

Each = TypeVar("Each")


@dataclass(frozen=True)
class _Written:
    """A unit whose commit is under way.

    Attributes:
        item: which.
        commit: what becomes of it.
        size: bytes of its rows.
    """

    item: Place
    commit: Future[Manifest]
    size: int


class MakeUnits(Stage[Place, Manifest]):
    """Reads, transforms and commits whole units.

    Args:
        jobs: the corpora, of one modality, that the units are of.
    """

    name = "make_units"
    begun = 1 + _COMMITS

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._jobs = tuple(jobs)
        self._has_threads = False
        self._unkept: set[int] = set()

    def use_threads(self, threads: int, rows: int) -> None:
        """An actor reads and commits beside the transform, which may use so many threads itself."""
        self._has_threads = True
        for kind in {type(job.modality): job.modality for job in self._jobs}.values():
            kind.use_threads(threads, rows)

    def make(self, item: Place) -> Manifest:
        """In this process."""
        return self._note(item, make_unit(self._jobs[item[0]], item[1]))

    def _note(self, item: Place, manifest: Manifest) -> Manifest:
        """Of a job that this process committed to."""
        self._unkept.add(item[0])
        return manifest

    def keep(self) -> None:
        """Names are synced once for all commits since the last acknowledgement; what they name was synced by each commit."""
        while self._unkept:
            self._jobs[self._unkept.pop()].storage.sync_names()

    def made(self, item: Place) -> Manifest | None:
        """Its manifest, where that is of the same inputs and parameters."""
        job, unit = self._jobs[item[0]], item[1]
        try:
            manifest = Manifest.from_json(job.storage.read(f"{part_name(unit.index)}.json"))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None
        return manifest if manifest.fingerprint == unit.fingerprint else None

    def make_apart(self, item: Place) -> Manifest:
        """In processes that may die."""
        return self._note(item, make_apart(self._jobs[item[0]], item[1]))

    def where(self, item: Place) -> str:
        """The unit, and whose."""
        return f" at unit {item[1].index} of {self._jobs[item[0]].name}"

    def make_each(self, items: Sequence[Place]) -> Iterator[Manifest]:
        """The last units are written while one is transformed; with threads, the next ones are read meanwhile.

        A disk syncs several files at once in hardly more time than one.
        """
        written: deque[_Written] = deque()
        with ThreadPoolExecutor(_COMMITS) as writers:
            read = self._read(items)
            batches = ahead(read, _BATCHES_AHEAD) if self._has_threads else read
            for item in items:
                making = Making(self._jobs[item[0]], item[1])
                try:
                    for batch in iter(batches.__next__, None):
                        making.add(batch)
                except BaseException:  # where this one failed, those before it count
                    yield from map(self._kept, written)
                    raise
                size = sum(table.nbytes for table in making.kept)
                written.append(_Written(item, writers.submit(making.commit), size))
                while written and (written[0].commit.done() or self._is_much(written)):
                    yield self._kept(written.popleft())
            yield from map(self._kept, written)

    def _is_much(self, written: Collection[_Written]) -> bool:
        """Whether the first commit under way is to be waited for."""
        least = 1 if self._has_threads else 0
        return len(written) > _COMMITS or (len(written) > least and sum(each.size for each in written) > _BYTES_WAITING)

    def _kept(self, written: _Written) -> Manifest:
        return self._note(written.item, written.commit.result())

    def _read(self, items: Sequence[Place]) -> Iterator[Batch | None]:
        """The batches of all units, None after each."""
        for number, unit in items:
            yield from read_unit(self._jobs[number], unit, _ROWS_ON_A_DEVICE if self._has_threads else ROWS_AT_ONCE)
            yield None


def ahead(items: Iterable[Each], most: int) -> Iterator[Each]:
    """The same items, made in a thread, ``most`` of them before they are asked for. Raises what making them raises."""
    made: Queue[tuple[bool, Each | BaseException | None]] = Queue(most)
    is_over = Event()

    def put(each: tuple[bool, Each | BaseException | None]) -> None:
        while not is_over.is_set():
            try:
                made.put(each, timeout=_LOOK_S)
                return
            except Full:
                continue

    def make() -> None:
        try:
            for item in items:
                put((True, item))
                if is_over.is_set():
                    return
            put((False, None))
        except BaseException as error:
            put((False, error))

    with ThreadPoolExecutor(1) as pool:
        pool.submit(make)
        try:
            while True:
                is_item, value = made.get()
                if is_item:
                    yield value  # type: ignore[misc]
                elif value is None:
                    return
                else:
                    raise value  # type: ignore[misc]
        finally:
            is_over.set()
