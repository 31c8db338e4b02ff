"""What the page shows, gathered from shards: numbers, histograms, and a few real samples of each corpus.

Media are read only for the samples shown; everything else comes from manifests and the light columns, shard by shard.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from omni_ray.modalities.registry import modality as modality_of
from omni_ray.pipeline import combined
from omni_ray.pipeline.corpus_state import CorpusState, Summary
from omni_ray.pipeline.engine import Runner, inline
from omni_ray.pipeline.parts import training_parts
from omni_ray.pipeline.store import CorpusStore, Store
from omni_ray.quality.cleaned import CleanedCorpus, training_corpora
from omni_ray.report.count import ShardToCount, count
from omni_ray.report.samples import samples_of
from omni_ray.report.view import Counted
from omni_ray.storage import Storage
from omni_ray.trainers.files import all_modalities
from omni_ray.training.vocabulary import find_tokenizer

_MOST_CHARACTERS = 40


@dataclass
class CorpusPage:
    """One corpus's part of the page.

    Attributes:
        summary, state: its numbers, and how it came to be.
        counted: histograms, characters, rows, and examples of the quarantine; nothing where units are left to make.
        samples: to look at and listen to.
    """

    summary: Summary
    state: CorpusState
    counted: Counted = field(default_factory=Counted)
    samples: list[dict[str, Any]] = field(default_factory=list)

    @property
    def characters(self) -> list[tuple[str, int]]:
        """The commonest characters of labels or transcripts, most frequent first."""
        return sorted(self.counted.characters.items(), key=lambda item: (-item[1], item[0]))[:_MOST_CHARACTERS]


@dataclass(frozen=True)
class TrainingFile:
    """One file that trainers read: path relative to the root, records, bytes."""

    path: str
    records: int
    bytes: int


def collect(store: Store, run: Runner = inline) -> list[CorpusPage]:
    """Every prepared corpus, by modality and then name."""
    tokenizer = find_tokenizer(store.root)
    return [_page(corpus, run, tokenizer) for corpus in training_corpora(store)]


def _page(corpus: CorpusStore, run: Runner, tokenizer: bytes) -> CorpusPage:
    state = corpus.state()
    assert state is not None  # Store.corpora lists only those that have one
    page = CorpusPage(corpus.summary(), state)
    if page.summary.units_left:
        return page
    parts = {part.file: part for part in training_parts(corpus)}
    model = tokenizer if modality_of(corpus.modality).of_documents else b""
    shards = [
        ShardToCount(corpus.modality, parts.get(manifest.shard.file), losses, model)
        for (manifest, _), losses in zip(corpus.parts(), _losses(corpus), strict=True)
    ]
    for counted in run(count, shards):
        page.counted.add(counted)
    page.samples = samples_of(corpus.modality, list(parts.values()))
    return page


def _losses(corpus: CorpusStore) -> list[tuple[tuple[Storage, str], ...]]:
    """For each shard, the files that list its quarantined records and the samples that cleaning removed."""
    steps = [corpus.prepared, corpus] if isinstance(corpus, CleanedCorpus) else [corpus]
    return [
        tuple(
            (step.storage, manifest.quarantine.file)
            for step, (manifest, _) in zip(steps, manifests, strict=True)
            if manifest.quarantine is not None
        )
        for manifests in zip(*(step.parts() for step in steps), strict=True)
    ]


def training_files(store: Store) -> list[TrainingFile]:
    """The files that ``combine`` wrote, to train on and held out, and that are still there with the size they had."""
    found = []
    for modality in all_modalities():
        record = combined.load(store.state_folder, modality)
        for each in record.files if record is not None else ():
            path = store.root / each.path
            is_shown = each.is_production or each.is_held_out
            if is_shown and path.is_file() and path.stat().st_size == each.bytes:
                found.append(TrainingFile(each.path, each.records, each.bytes))
    return found
