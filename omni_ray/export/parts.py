"""What an export takes: the corpora that were asked for, with the shards that count, and the two sides of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from omni_ray.errors import OmniError
from omni_ray.export.names import sample_key
from omni_ray.export.sides import SPLITS, Side, Split, is_by_clip, sides_of
from omni_ray.modalities.registry import modality as modality_of
from omni_ray.pipeline.combined import last_share
from omni_ray.pipeline.corpus_state import CorpusState, Summary
from omni_ray.pipeline.engine import Runner
from omni_ray.pipeline.parts import Part, training_parts
from omni_ray.pipeline.store import CorpusStore, Store
from omni_ray.quality.cleaned import training_corpora


@dataclass(frozen=True)
class CorpusParts:
    """One corpus to export: its state, its numbers, and its parts in canonical order.

    Attributes:
        holdout: the share that ``combine`` held out of it; 0 for nothing.
        by_clip: whether that is a share of clips, rather than of speakers.
    """

    state: CorpusState
    summary: Summary
    parts: tuple[Part, ...]
    holdout: float = 0.0
    by_clip: bool = False

    @property
    def name(self) -> str:
        """What it is called in an export: modality and name, in characters that every file system and reader takes."""
        return f"{self.state.modality}-{sample_key(self.state.name)}"

    @property
    def identity(self) -> list[Any]:
        """The rows of all sides, as a JSON value."""
        return [side.identity for part in self.parts for side in self.sides_of(part)]

    def sides_of(self, part: Part) -> list[Side]:
        """The sides of one of its shards."""
        return sides_of(part, self.holdout, self.by_clip)


@dataclass(frozen=True)
class CountedRows:
    """One side of a shard, with its rows and the samples that those give."""

    side: Side
    rows: int
    samples: int

    @property
    def is_whole(self) -> bool:
        """Whether it is all of the shard."""
        return self.side.part.is_whole and self.rows == self.side.part.shard_rows


@dataclass(frozen=True)
class CorpusSide:
    """One side of a corpus, of which there is something: its shards in canonical order."""

    corpus: CorpusParts
    split: Split
    parts: tuple[CountedRows, ...]

    @property
    def name(self) -> str:
        """What its files are called where each side is a dataset of its own."""
        return self.corpus.name if self.split == "train" else f"{self.split}-{self.corpus.name}"

    @property
    def modality(self) -> str:
        """text, audio, images or ocr."""
        return self.corpus.state.modality

    @property
    def rows(self) -> int:
        """Rows on this side."""
        return sum(part.rows for part in self.parts)

    @property
    def samples(self) -> int:
        """Samples on this side."""
        return sum(part.samples for part in self.parts)


def in_sides(corpora: Sequence[CorpusParts], run: Runner) -> list[CorpusSide]:
    """The sides of the corpora, of each what is to be trained on first.

    Args:
        corpora: what is exported.
        run: maps over the shards of which a share is held out: only the rows themselves show how many these are.
    """
    parted = [
        corpus.sides_of(part)[0] for corpus in corpora if corpus.holdout for part in corpus.parts if not part.is_held
    ]
    kept = iter(run(count, parted) if parted else ())
    found = []
    for corpus in corpora:
        parts = [each for part in corpus.parts for each in _counted(corpus, part, kept)]
        for split in SPLITS:
            mine = tuple(each for each in parts if each.side.split == split and each.rows)
            if mine:
                found.append(CorpusSide(corpus, split, mine))
    return found


def count(side: Side) -> tuple[int, int]:
    """The rows of a side, and the samples that they give."""
    samples_of = modality_of(side.part.modality).samples_per_row
    rows = samples = 0
    for table in side.tables():
        rows += table.num_rows
        samples += sum(samples_of(table))
    return rows, samples


def _counted(corpus: CorpusParts, part: Part, kept: Iterator[tuple[int, int]]) -> list[CountedRows]:
    """The sides of one shard; ``kept`` gives what is to be trained on of the next one that has two."""
    sides = corpus.sides_of(part)
    if len(sides) == 1:
        return [CountedRows(sides[0], part.rows, part.samples)]
    rows, samples = next(kept)
    if rows in (0, part.rows):
        return [CountedRows(Side(part, SPLITS[rows == 0]), part.rows, part.samples)]
    return [CountedRows(sides[0], rows, samples), CountedRows(sides[1], part.rows - rows, part.samples - samples)]


def chosen_corpora(store: Store, modalities: Sequence[str] = (), names: Sequence[str] = ()) -> list[CorpusParts]:
    """The prepared corpora to export, by modality and then name; those without samples are left out.

    Args:
        store: the committed shards.
        modalities: only these; none for all.
        names: only corpora of these names; none for all.

    Raises:
        OmniError: an unknown modality or corpus, nothing to export, or a run that is not finished.
    """
    for modality in modalities:
        modality_of(modality)
    stores = [each for each in training_corpora(store) if not modalities or each.modality in modalities]
    if not stores:
        what = f"{' or '.join(modalities)}: " if modalities else ""
        raise OmniError(f"{store.storage.shown}: {what}nothing is prepared here; run `omni-ray prepare` first")
    known = [each.name for each in stores]
    for name in names:
        if name not in known:
            raise OmniError(f"{name} is not prepared here; there are: {', '.join(dict.fromkeys(known))}")
    wanted = [each for each in stores if not names or each.name in names]
    shares = {modality: last_share(store.state_folder, modality) for modality in {each.modality for each in wanted}}
    found = [_corpus(each, shares[each.modality]) for each in wanted]
    found = [corpus for corpus in found if corpus.parts]
    if not found:
        raise OmniError(f"{store.storage.shown}: not a single sample was kept, so there is nothing to export")
    return found


def _corpus(corpus: CorpusStore, holdout: float) -> CorpusParts:
    state = corpus.state()
    assert state is not None  # Store.corpora lists only those that have one
    parts = tuple(training_parts(corpus))
    return CorpusParts(state, corpus.summary(), parts, holdout, is_by_clip(corpus, holdout))
