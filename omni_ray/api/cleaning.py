"""Removing poor samples and duplicates from what later steps read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from omni_ray.api.cluster import Cluster, Once
from omni_ray.api.decontaminating import read_benchmark
from omni_ray.api.notebook import InNumbers
from omni_ray.errors import OmniError
from omni_ray.pipeline.corpus_state import Summary
from omni_ray.pipeline.engine import Runner
from omni_ray.pipeline.store import Store
from omni_ray.progress.reporter import Reporter, usual
from omni_ray.quality.benchmarks import benchmarks_of, forget_others
from omni_ray.quality.clean_shards import clean_shards
from omni_ray.quality.cleaned import Cleaning, training_corpora
from omni_ray.quality.own import read
from omni_ray.quality.preset import Settings
from omni_ray.quality.settings import settings_of
from omni_ray.trainers.files import all_modalities


@dataclass
class CleanReport(InNumbers):
    """What ``clean`` did.

    Attributes:
        summaries: each corpus in numbers: its samples, and in ``stats`` those ``removed.<reason>`` and ``mended.<change>``.
        changed: modalities that something was done for; the others were clean already.
        settings: of each modality, how it is cleaned; None where it is not.
    """

    summaries: list[Summary] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    settings: dict[str, Settings | None] = field(default_factory=dict)

    @property
    def shortfalls(self) -> list[str]:
        """Sentences about corpora that nothing is left of; empty where there are none."""
        return [
            f"{each.modality}/{each.name}: none of {sum(each.removed.values()):,} samples is clean; `omni-ray status --removed` "
            "says why"
            for each in self.summaries
            if not each.samples + each.beyond_share and each.removed
        ]

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "corpora": [summary.as_dict() for summary in self.summaries],
            "changed": self.changed,
            "shortfalls": self.shortfalls,
            "exit_code": self.exit_code,
            "settings": {each: asdict(value) if value else None for each, value in self.settings.items()},
        }


def clean(
    root: str | Path,
    modalities: Sequence[str] = (),
    *,
    preset: str | None = None,
    rules: Mapping[str, Any] | None = None,
    duplicates: Sequence[str] | None = None,
    files: Sequence[str | Path] = (),
    decontaminate: Sequence[str] = (),
    cluster: Cluster | None = None,
    shards: str | None = None,
    reporter: Reporter | None = None,
) -> CleanReport:
    """Clean what is committed: later steps read what is left. Committed shards are not touched.

    From then on ``combine`` cleans what comes new. With nothing but modalities given, what was chosen before holds.

    Args:
        root: the project folder.
        modalities: which; none for all that are prepared.
        preset: "default", "strict", or "off", which takes cleaning back unless rules or duplicates are given.
        rules: rule name -> False, True, a limit or [low, high]; a rule goes to the modalities that have it.
        duplicates: kinds to look for; empty for none; None for those chosen before, or the usual ones. Without a preset,
            rules and kinds are added to what was chosen before, and modalities that none of them concerns stay as they were.
        decontaminate: benchmarks whose text training must not have seen: files, folders or datasets on the hub. Documents,
            clips and pictures go whose text shares a run of 13 words with one.
        files: Python files with rules of your own, or names of installed ones; see docs/quality.md.
        cluster, shards, reporter: as for :func:`prepare`.

    Raises:
        OmniError: nothing is prepared, a run is not finished, or an unknown preset, rule or kind.
    """
    store = Store(root, shards)
    sources = [read(str(file)) for file in files]
    wanted = list(modalities) or [m for m in all_modalities() if store.corpora(m)]
    if not wanted:
        raise OmniError(f"{store.storage.shown}: nothing is prepared here; run `omni-ray prepare` first")
    report = CleanReport()
    reporter = reporter or usual()
    with store.lease("omni-ray clean"), reporter.together(), ExitStack() as stack:
        cluster = cluster or Cluster()
        session = Once(stack, cluster)
        if preset is not None:
            for each in wanted:
                Cleaning(store, each).forget_unreadable()
        before = {each: Cleaning(store, each).settings for each in wanted}
        known = [read_benchmark(store, each, reporter.say) for each in decontaminate]
        for each, settings in settings_of(before, preset, rules, duplicates, sources, known).items():
            if clean_one(store, each, settings, session, cluster.run, reporter):
                report.changed.append(each)
            report.settings[each] = None if settings.is_off else settings
        if decontaminate or any(had is not None and had.benchmarks for had in before.values()):
            _forget_benchmarks(store)
    report.summaries = [corpus.summary() for each in wanted for corpus in training_corpora(store, each)]
    return report


def _forget_benchmarks(store: Store) -> None:
    """Remove what is kept of benchmarks that nothing is cleaned with any more."""
    settings = [Cleaning(store, modality).settings for modality in all_modalities()]
    forget_others(benchmarks_of(store), [each for had in settings if had is not None for each in had.benchmarks])


def clean_one(
    store: Store,
    modality: str,
    settings: Settings,
    session: Callable[[], AbstractContextManager[None]],
    run: Runner,
    reporter: Reporter | None,
) -> bool:
    """One modality, within a lease. Returns whether there was anything to do."""
    return clean_shards(store, modality, settings, session=session, run=run, reporter=reporter)
