"""Removing poor samples and duplicates from what later steps read."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from omni_ray.api.cluster import Once
from omni_ray.api.decontaminating import read_benchmark
from omni_ray.api.in_numbers import InNumbers, cleaned_line
from omni_ray.api.options import CleanOptions, verb
from omni_ray.errors import OmniError
from omni_ray.pipeline.corpus_state import Summary
from omni_ray.pipeline.store import Store
from omni_ray.quality.benchmarks import benchmarks_of, forget_others
from omni_ray.quality.clean_shards import clean_shards
from omni_ray.quality.cleaned import Cleaning, training_corpora
from omni_ray.quality.own import read
from omni_ray.quality.preset import Settings
from omni_ray.quality.settings import settings_of
from omni_ray.trainers.files import ModalityName, all_modalities
from omni_ray.visible import visible


@dataclass
class CleanReport(InNumbers):
    """What ``clean`` did.

    Attributes:
        summaries: each corpus in numbers: its samples, and in ``stats`` those ``removed.<reason>`` and ``mended.<change>``.
        changed: modalities in which something was done; the others were clean already.
        settings: how each modality is cleaned; None where it is not.
    """

    summaries: list[Summary] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    settings: dict[str, Settings | None] = field(default_factory=dict)

    @property
    def shortfalls(self) -> list[str]:
        """Sentences about corpora of which nothing is left; empty where there are none."""
        return [
            f"{each.modality}/{each.name}: none of {sum(each.removed.values()):,} samples is clean; `omni-ray status --removed` "
            "says why"
            for each in self.summaries
            if not each.samples + each.beyond_share and each.removed
        ]

    def lines(self) -> list[str]:
        """What became of each corpus, and what comes next."""
        found = [
            f"{each.modality}/{each.name}: not cleaned; {each.samples:,} samples as prepared"
            if self.settings[each.modality] is None
            else cleaned_line(each)
            for each in self.summaries
        ]
        done = "`omni-ray combine` writes the training files from it"
        return [*map(visible, found), done if self.changed else "nothing to do: all of it was already like this"]

    def as_dict(self) -> dict[str, Any]:
        return {
            "corpora": [summary.as_dict() for summary in self.summaries],
            "changed": self.changed,
            "shortfalls": self.shortfalls,
            "exit_code": self.exit_code,
            "settings": {each: asdict(value) if value else None for each, value in self.settings.items()},
        }


@verb(CleanOptions)
def clean(root: Path, asked: CleanOptions) -> CleanReport:
    """Clean what is committed: later steps read what is left. Committed shards are not touched.

    From then on ``combine`` cleans what is new. With nothing but modalities given, the earlier choices hold.

    Raises:
        OmniError: nothing is prepared, a run is not finished, or an unknown preset, rule or kind.

    Example:
        >>> report = api.clean("project", ["text"], preset="default", rules={"languages": False})
        >>> report.changed, report.exit_code
        (['text'], 0)
    """
    store = Store(root, asked.shards)
    sources = [read(str(file)) for file in asked.files]
    wanted: list[str] = [*prepared(store, asked.modalities)]
    report = CleanReport()
    cluster, reporter = asked.cluster, asked.told
    with store.lease("omni-ray clean"), reporter.together(), ExitStack() as stack:
        session = Once(stack, cluster)
        if asked.preset is not None:
            for each in wanted:
                Cleaning(store, each).forget_unreadable()
        before = {each: Cleaning(store, each).settings for each in wanted}
        known = [read_benchmark(store, each, reporter.say) for each in asked.decontaminate]
        for each, settings in settings_of(before, asked.preset, asked.chosen, asked.duplicates, sources, known).items():
            if clean_shards(store, each, settings, session=session, run=cluster.run, reporter=reporter):
                report.changed.append(each)
            report.settings[each] = None if settings.is_off else settings
        if asked.decontaminate or any(had is not None and had.benchmarks for had in before.values()):
            _forget_benchmarks(store)
    report.summaries = [corpus.summary() for each in wanted for corpus in training_corpora(store, each)]
    return report


def _forget_benchmarks(store: Store) -> None:
    """Remove what is stored of benchmarks that are no longer used for cleaning."""
    settings = [Cleaning(store, modality).settings for modality in all_modalities()]
    forget_others(benchmarks_of(store), [each for had in settings if had is not None for each in had.benchmarks])


def prepared(store: Store, modalities: Sequence[ModalityName]) -> list[ModalityName]:
    """The given modalities; where none is, those of which something is prepared. Raises OmniError where nothing is."""
    found = list(modalities) or [each for each in all_modalities() if store.corpora(each)]
    if not found:
        raise OmniError(f"{store.storage.shown}: nothing is prepared here; run `omni-ray prepare` first")
    return found
