"""The small files of a source, read before the run: every unit is asked about their records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate

from omni_ray.pipeline.asked import Asked
from omni_ray.pipeline.marks import file_of, marks_of_texts
from omni_ray.pipeline.stages import Job, read_unit
from omni_ray.pipeline.units import Unit
from omni_ray.sources import open_spec

_SMALL_BYTES = 1 << 20
_MOST_BYTES, _MOST_RECORDS = 1 << 26, 1 << 17
"""How much of small files is asked about: a second of reading, and 3 MB that travel with a task."""


def asked_of(job: Job, units: Sequence[Unit]) -> Asked | None:
    """What the units of a corpus of texts are to be asked about; None where there is nothing to ask, or nobody else."""
    if job.modality.media or len(units) < 2:
        return None
    files: dict[str, dict[int, int]] = {}
    records = 0
    for unit in _of_small_files(job, units):
        for name, quick, mark in _records(job, unit):
            files.setdefault(name, {})[mark] = quick
            records += 1
            if records > _MOST_RECORDS:
                del files[name]  # not all of it is known
                return Asked.about(files)
    return Asked.about(files) if files else None


def _of_small_files(job: Job, units: Sequence[Unit]) -> list[Unit]:
    """The units that hold small files alone, those with the fewest bytes first, as far as they are to be read."""
    tree = open_spec(job.tree)
    bytes_of: dict[tuple[str, ...], int | None] = {}
    for inputs in {unit.inputs: None for unit in units}:
        try:
            sizes = [tree.size(name) for name in inputs]
        except OSError:
            sizes = []
        bytes_of[inputs] = sum(sizes) if sizes and max(sizes) <= _SMALL_BYTES else None
    small = sorted((size, unit.index) for unit in units if (size := bytes_of[unit.inputs]) is not None)
    read = accumulate(size for size, _ in small)
    return [units[index] for (_, index), so_far in zip(small, read, strict=True) if so_far <= _MOST_BYTES]


def _records(job: Job, unit: Unit) -> Iterator[tuple[str, int, int]]:
    """File, number that its mark begins with, and mark of each record of a unit; what cannot be read is the run's to tell."""
    try:
        for batch in read_unit(job, unit):
            for where, quick, mark in marks_of_texts(batch.rows, job.modality.raw_said) if batch.rows else ():
                name, is_whole = file_of(where)
                if is_whole:
                    return  # such files are compared by their folders
                yield name, quick, mark
    except Exception:  # whatever it is, the run meets it as well, and tells
        return
