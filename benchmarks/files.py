"""Files turned into shards: ours, function by function and through Ray, and others' functions in a warm pool of processes."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.rounds import Row, compare
from omni_ray import api
from omni_ray.corpora.base import Corpus, SourceOptions
from omni_ray.modalities.registry import modality
from omni_ray.pipeline.session import ray_session
from omni_ray.pipeline.stages import Job, Making, make_unit, read_unit
from omni_ray.pipeline.units import Unit, number_units
from omni_ray.sources.tree import FolderTree
from omni_ray.storage import Storage

PROCESSES = 2

ToFile = Callable[[Path, Path], bool]
"""Makes of a file another one in a folder; returns whether it did."""


@dataclass(frozen=True)
class Files:
    """Files of one kind, in a folder of their own.

    Attributes:
        name: of the kind, for the task.
        unit: what each is, such as "clips".
        paths: of the files.
        corpus: reads them.
        params: of their modality, where they differ from the usual ones.
        unit_scale: of their units.
    """

    name: str
    unit: str
    paths: Sequence[Path]
    corpus: Corpus
    params: Mapping[str, Any] = field(default_factory=dict)
    unit_scale: float = 1.0

    def check(self, made: int) -> None:
        """End where a side did not make something of every file."""
        if made != len(self.paths):
            raise SystemExit(f"{made} {self.unit} came out of {len(self.paths)}")

    @property
    def options(self) -> SourceOptions:
        """How they are read."""
        return SourceOptions(unit_scale=self.unit_scale)

    def job(self, store: Path) -> tuple[Job, list[Unit]]:
        """What makes shards of them in ``store``, without Ray."""
        kind, tree = modality(self.corpus.modality), FolderTree(self.paths[0].parent)
        units = number_units(self.corpus.units(tree, self.options), tree, {})
        params = kind.params_type(**self.params)
        return Job(self.corpus.name, self.corpus, tree.spec(), kind, params, Storage(store)), units

    def stages(self, steps: Mapping[str, Callable[[], Any]], amount: int, rounds: int) -> list[Row]:
        """One process, CPU seconds: reading and writing a unit, and between them ``steps``, each of ``amount`` files."""
        with tempfile.TemporaryDirectory() as folder:
            job, [unit, *_] = self.job(Path(folder))
            made = Making(job, unit)
            for batch in read_unit(job, unit):
                made.add(batch)
            stages = {"read": lambda: list(read_unit(job, unit)), **steps, "write": made.commit}
            found = []
            for stage, run in stages.items():
                of = amount if stage in steps else made.rows
                task = f"{self.name}, stage: {stage}"
                found += compare(task, of, self.unit, {"ours": run}, rounds=rounds, clock="cpu")
            return found

    def by_processes(
        self,
        others: Mapping[str, ToFile],
        more: Mapping[str, Callable[[Path], int]],
        budgets: Mapping[str, float],
        rounds: int,
        clock: str,
    ) -> list[Row]:
        """Two warm processes, from files to files: through Ray, a bare pool, ``others`` in the same, and ``more``, which are given
        a place that is free, and return how many they made.
        """
        kind, source = self.corpus.modality, self.paths[0].parent
        out = Path(tempfile.mkdtemp(dir=source.parent))
        fresh = count()
        with ProcessPoolExecutor(PROCESSES, get_context("spawn"), warm_up) as pool, ray_session(num_cpus=PROCESSES):

            def through_ray(root: Path) -> int:
                report = api.prepare(
                    *(root, kind),
                    dataset=self.corpus.name,
                    source=str(source),
                    options=self.options,
                    params={kind: self.params},
                    max_samples=None,
                )
                return report.summaries[0].kept

            def bare_pool(root: Path) -> int:
                job, units = self.job(root)
                return sum(pool.map(partial(_make_unit, job), units))

            def pooled(work: ToFile, root: Path) -> int:
                root.mkdir()
                return sum(pool.map(partial(work, root), self.paths, chunksize=16))

            def checked(work: Callable[[Path], int]) -> None:
                root = out / str(next(fresh))
                self.check(work(root))
                shutil.rmtree(root, ignore_errors=True)

            works = {
                "ours": through_ray,
                "bare pool, our functions": bare_pool,
                **{name: partial(pooled, work) for name, work in others.items()},
                **more,
            }
            sides = {name: partial(checked, work) for name, work in works.items()}
            task = f"{self.name}, {PROCESSES} processes"
            try:
                return compare(task, len(self.paths), self.unit, sides, rounds=rounds, clock=clock, budgets=budgets)
            finally:
                shutil.rmtree(out)


def _make_unit(job: Job, unit: Unit) -> int:
    return make_unit(job, unit).samples


def to_file(function: Callable[[bytes], bytes], ending: str, folder: Path, path: Path) -> bool:
    """What a function of bytes makes of a file, in another one."""
    return (folder / f"{path.stem}{ending}").write_bytes(function(path.read_bytes())) > 0


def warm_up() -> None:
    """What a process does before anything is measured."""
    import torch

    torch.set_num_threads(1)
