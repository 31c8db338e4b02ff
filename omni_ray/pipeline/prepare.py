"""From indexed corpora to committed shards: what is missing is made, what is stale is made again, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property

import pyarrow.parquet as pq

from omni_ray.errors import OmniError
from omni_ray.pipeline import metrics
from omni_ray.pipeline.actors import RunLayout, pool_here
from omni_ray.pipeline.corpus_state import FINGERPRINT, CorpusState, SampleLimit
from omni_ray.pipeline.engine import acknowledgements
from omni_ray.pipeline.manifest import Manifest
from omni_ray.pipeline.marks import enough_of
from omni_ray.pipeline.small_files import asked_of
from omni_ray.pipeline.stages import Job
from omni_ray.pipeline.store import CorpusStore
from omni_ray.pipeline.unit_stage import MakeUnits
from omni_ray.pipeline.units import Unit, prefixes
from omni_ray.pipeline.whole import opened
from omni_ray.progress.reporter import Reporter


@dataclass
class CorpusRequest:
    """One corpus to prepare: its indexed units, and where they go.

    Attributes:
        job: how a unit becomes a shard.
        units: all units of the corpus, in canonical order.
        store: where the shards are committed.
        state: what is noted of the corpus, before it is known how many units the limit needs.
        reset: start over.
    """

    job: Job
    units: Sequence[Unit]
    store: CorpusStore
    state: CorpusState
    reset: bool = False
    _prefixes: Iterator[int] = field(init=False)
    _fresh: dict[int, Manifest] = field(init=False)

    @cached_property
    def whole_job(self) -> Job:
        """The job, with what its units are to tell of their records."""
        return replace(self.job, marks=enough_of(len(self.units)), asked=asked_of(self.job, self.units))

    def begin(self) -> None:
        """Look at what is committed, and remove what is stale; with ``reset``, everything."""
        if self.reset:
            self.store.reset()
        self._prefixes = prefixes(self.units, self.state.max_samples)
        self._fresh = self.store.settle([unit.fingerprint for unit in self.units])

    def todo(self) -> list[Unit]:
        """The units to make next; none when the limit, or the end, is reached. Saves the state of the corpus."""
        for end in self._prefixes:
            missing = [unit for unit in self.units[:end] if unit.index not in self._fresh]
            if missing:
                self.store.save_state(self._state(end, None))
                return missing
            cut = self._cut(end)
            if cut is not None or end == len(self.units):
                self.store.save_state(self._state(end, cut))
                return []
        return []

    def finished(self, manifest: Manifest) -> None:
        """Take note that a unit is committed."""
        self._fresh[manifest.unit] = manifest
        self.store.note(manifest)

    def run_again(self, made: Sequence[Unit]) -> None:
        """Look at the same prefix again, after its missing units were made.

        Raises:
            OmniError: one of them is not there.
        """
        lost = next((unit.index for unit in made if unit.index not in self._fresh), None)
        if lost is not None:
            raise OmniError(f"{self.store.name}: the manifest of unit {lost} vanished while the run was under way")
        self._prefixes = prefixes(self.units, self.state.max_samples)

    def _cut(self, end: int) -> SampleLimit | None:
        left = self.state.max_samples
        if left is None:
            return None
        for index in range(end):
            samples = self._fresh[index].samples
            if samples > left or (samples == left and index + 1 < len(self.units)):
                return SampleLimit(index, left, self._records_of_first(index, left))
            left -= samples
        return None

    def _records_of_first(self, index: int, samples: int) -> int:
        """How many input records the first ``samples`` samples of a unit stand for."""
        modality = self.job.modality
        store, shard = self.store, self._fresh[index].shard
        with opened(store.storage, index, shard, store.name, store.modality) as file:
            rows = pq.read_table(file, columns=list(modality.counting_columns))
        records = 0
        for of_row, gives in zip(modality.records_per_row(rows), modality.samples_per_row(rows), strict=True):
            if samples <= 0:
                break
            records += min(of_row, samples) if gives > samples else of_row
            samples -= gives
        return records

    def _state(self, required: int, cut: SampleLimit | None) -> CorpusState:
        unread = [unit.records for unit in self.units[required:]]
        known = [records for records in unread if records is not None]
        return replace(
            self.state,
            required=required,
            unread_records=sum(known) if len(known) == len(unread) else None,
            cut=cut,
            fingerprints="".join(unit.fingerprint[:FINGERPRINT] for unit in self.units[:required]),
        )


def run_requests(
    requests: Sequence[CorpusRequest],
    session: Callable[[], AbstractContextManager[None]],
    reporter: Reporter,
    *,
    cpus_per_task: float = 1.0,
    gpus: int = 0,
) -> int:
    """Make every shard that the requests need and that is not committed yet.

    Args:
        requests: corpora of one modality, begun.
        session: connects to Ray; called only when there is something to do.
        reporter: told of every commit.
        cpus_per_task: CPUs that a task reserves.
        gpus: how many GPUs a transform that runs on one may use.

    Returns:
        How many units were made; 0 means that everything was there already, and that Ray was not started.
    """
    made = 0
    with ExitStack() as stack:
        while True:
            work = [(request, missing) for request in requests if (missing := request.todo())]
            if not work:
                reporter.end()
                return made
            if made == 0:
                stack.enter_context(session())
                for request in requests:
                    # Workers of a killed driver may have written until its Ray was ended, a moment ago.
                    request.store.storage.remove_temporaries()
            for request, missing in work:
                reporter.begin(_title(request.job), len(missing), stage="prepare")
            _make(work, reporter, cpus_per_task, gpus)
            for request, missing in work:
                request.run_again(missing)
            made += sum(len(missing) for _, missing in work)


def _make(
    work: Sequence[tuple[CorpusRequest, list[Unit]]], reporter: Reporter, cpus_per_task: float, gpus: int
) -> None:
    """Make units, and tell of each when it is committed."""
    device = work[0][0].job.params.device
    pool = pool_here(gpus if device == "cuda" else 0) if device else None
    places = [(number, unit) for number, (_, missing) in enumerate(work) for unit in missing]
    stage = MakeUnits([request.whole_job for request, _ in work])
    told = metrics.of_run()
    left = [len(missing) for _, missing in work]
    for place, manifest in acknowledgements(stage, places, RunLayout(cpus_per_task, pool)):
        number = places[place][0]
        request = work[number][0]
        request.finished(manifest)
        left[number] -= 1
        if told is not None:
            told.committed(request.job.modality.name, request.job.name, manifest, left[number])
        kept, lost = manifest.records["kept"], manifest.records["quarantined"]
        title = _title(request.job)
        reporter.advance(title, kept=kept, lost=lost)
        reporter.note(f"{title}: committed {manifest.shard.file}: {kept} kept, {lost} quarantined")


def _title(job: Job) -> str:
    return f"{job.modality.name}/{job.name}"
