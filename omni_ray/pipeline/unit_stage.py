"""The stage that makes shards: an item is a unit, made is a commit, acknowledged is its manifest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import Full, Queue
from threading import Event
from typing import TypeVar

from omni_ray.pipeline.engine import Stage
from omni_ray.pipeline.isolated import make_apart
from omni_ray.pipeline.manifest import Manifest, part_name
from omni_ray.pipeline.stages import Batch, Job, Making, make_unit, read_unit
from omni_ray.pipeline.units import Unit

Place = tuple[int, Unit]
"""The number of a job, and one of its units."""
_ROWS_ON_A_DEVICE = 256
_BATCHES_AHEAD = 4
_LOOK_S = 0.1

Each = TypeVar("Each")


class MakeUnits(Stage[Place, Manifest]):
    """Reads, transforms and commits whole units.

    Args:
        jobs: the corpora, of one modality, that the units are of.
    """

    name = "make_units"

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
        """Names are on the disk once for all commits since the last acknowledgement; what they name is since each."""
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
        """With threads, the next units are read and the last one is written while one is transformed."""
        if not self._has_threads:
            yield from map(self.make, items)
            return
        with ThreadPoolExecutor(1) as writer:
            written: tuple[Place, Future[Manifest]] | None = None
            batches = ahead(self._read(items), _BATCHES_AHEAD)
            for item in items:
                making = Making(self._jobs[item[0]], item[1])
                try:
                    for batch in iter(batches.__next__, None):
                        making.add(batch)
                finally:  # also where this one failed, the one before it counts
                    if written is not None:
                        yield self._note(written[0], written[1].result())
                written = item, writer.submit(making.commit)
            if written is not None:
                yield self._note(written[0], written[1].result())

    def _read(self, items: Sequence[Place]) -> Iterator[Batch | None]:
        """The batches of all units, None after each."""
        for number, unit in items:
            yield from read_unit(self._jobs[number], unit, _ROWS_ON_A_DEVICE)
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
