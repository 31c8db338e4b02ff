"""Units that may end their process: made in one that may die, whose last words say what it died over.

A decoder that crashes takes its worker along, and with it the run, however often it is tried again. Where a task comes back
because its worker died, the unit that it was at is made in a process of its own. If that dies too, the rows of the batch it was
at are tried one by one. Each suspect is tried once more on its own, until it is known which end any process that transforms them.
Those are quarantined by name, and the unit is made without them, in the usual batches, so that the shard does not depend on where
and when anything died.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import IO, Any

from omni_ray.errors import FALLS_SHORT, OmniError
from omni_ray.pipeline.failures import in_one_line
from omni_ray.pipeline.manifest import Manifest
from omni_ray.pipeline.stages import ROWS_AT_ONCE, Job, LeftOut, Making, read_unit
from omni_ray.pipeline.units import Unit


@dataclass(frozen=True)
class _Order:
    """What a process is to do: make a unit, or, with ``rows``, transform these rows of it one by one, and nothing else."""

    job: Job
    unit: Unit
    left_out: LeftOut
    rows_at_once: int = ROWS_AT_ONCE
    rows: tuple[int, int] | None = None


@dataclass(frozen=True)
class _At:
    """Where a process is: reading the corpus's item ``first``, or transforming the rows from ``first`` to ``stop``."""

    is_reading: bool
    first: int
    stop: int


def make_apart(job: Job, unit: Unit) -> Manifest:
    """Make a unit in processes of its own.

    Raises:
        OmniError: as making it does; or it kills whatever reads it, and nobody knows how many records that costs; or it
            takes more memory than there is.
    """
    order = _Order(job, unit, LeftOut())
    while True:
        end = _run(order)
        if isinstance(end, Manifest):
            return end
        left_out = order.left_out
        assert end is not None
        if end.is_reading and unit.records is not None and left_out.items is None and _run(order) == end:
            order = replace(order, left_out=replace(left_out, items=end.first))
            continue
        found = frozenset[int]() if end.is_reading else _harmful_rows(order, end)
        if found:
            order = replace(order, left_out=replace(left_out, rows=left_out.rows | found))
        elif order.rows_at_once > 1:
            order = replace(order, rows_at_once=1)  # each passes on its own: it may be memory
        else:
            raise OmniError(
                f"unit {unit.index} of {job.name} ({', '.join(unit.inputs[:3])}) ends every process that reads it, out of "
                "memory or in a library that crashes; run the same command again with a smaller --cpus, or leave that "
                "file out",
                exit_code=FALLS_SHORT,
            )


def _harmful_rows(order: _Order, end: _At) -> frozenset[int]:
    """The rows that each end a process on their own, of a batch over which one died."""
    found = set()
    at = end.first
    while at < end.stop:
        suspect = _run(replace(order, rows=(at, end.stop)))
        if not isinstance(suspect, _At) or suspect.is_reading:
            break
        if isinstance(_run(replace(order, rows=(suspect.first, suspect.first + 1))), _At):
            found.add(suspect.first)
        at = suspect.first + 1
    return frozenset(found)


def _run(order: _Order) -> Manifest | _At | None:
    """Carry out an order in a process of its own.

    Returns:
        What it made (None for rows); or, where it died, where it was.

    Raises:
        OmniError: what it raised, in one line.
    """
    from ray import cloudpickle

    with subprocess.Popen(
        [sys.executable, "-m", "omni_ray.pipeline.isolated"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        assert process.stdin is not None and process.stdout is not None
        place: _At | None = None
        with suppress(BrokenPipeError):
            process.stdin.write(pickle.dumps(sys.path) + cloudpickle.dumps(order))  # type: ignore[no-untyped-call]
            process.stdin.flush()
        # It lives no longer than the pipe is open.
        with suppress(EOFError, pickle.UnpicklingError):
            while True:
                said = pickle.load(process.stdout)
                if isinstance(said, OmniError):
                    raise said
                if not isinstance(said, _At):
                    return said[0]  # type: ignore[no-any-return]
                place = said
    if place is None:
        raise OmniError(
            f"a process to try unit {order.unit.index} of {order.job.name} in ended before it began; run the same command "
            "again with a smaller --cpus if memory is short",
            exit_code=FALLS_SHORT,
        )
    return place


def _obey() -> None:
    """The other process."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints

    def say(something: Any) -> None:
        pickle.dump(something, out)
        out.flush()

    sys.path = pickle.load(sys.stdin.buffer)  # before what is found by it
    order: _Order = pickle.load(sys.stdin.buffer)
    threading.Thread(target=_end_with, args=(sys.stdin.buffer,), daemon=True).start()

    try:
        say((_carry_out(order, say),))
    except Exception as error:
        say(in_one_line(error, f" at unit {order.unit.index} of {order.job.name}"))


def _end_with(pipe: IO[bytes]) -> None:
    """End this process as soon as the one that wants its result is gone."""
    pipe.read()
    os._exit(1)


def _carry_out(order: _Order, say: Callable[[_At], None]) -> Manifest | None:
    making = Making(order.job, order.unit, order.left_out)

    def tell(item: int) -> None:
        say(_At(True, item, item + 1))

    is_looking = order.rows is not None
    batches = read_unit(
        order.job, order.unit, order.rows_at_once, None if is_looking else tell, order.left_out.items
    )  # fmt: skip
    first = 0
    for batch in batches:
        count = batch.rows.num_rows if batch.rows is not None else 0
        if order.rows is None:
            say(_At(False, first, first + count))
            making.add(batch)
        else:
            for row in range(max(first, order.rows[0]), min(first + count, order.rows[1])):
                say(_At(False, row, row + 1))
                if row not in order.left_out.rows and batch.rows is not None:
                    rows = batch.rows.slice(row - first, 1)
                    order.job.modality.transform(rows, order.job.name, order.job.params)
        first += count
        if order.rows is not None and first >= order.rows[1]:
            return None
    return making.commit() if order.rows is None else None


if __name__ == "__main__":
    # By its name, not as __main__: what is sent is unpickled there.
    from omni_ray.pipeline.isolated import _obey as obey

    obey()
