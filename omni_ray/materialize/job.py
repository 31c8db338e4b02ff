"""What is to be combined for one modality: from which shards, into which files, and what is held out of them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from omni_ray.materialize import shuffle
from omni_ray.materialize.formats import Format, format_of
from omni_ray.materialize.options import Packing, TrainingFileOptions
from omni_ray.materialize.packing import keep_a_copy
from omni_ray.materialize.pieces import Plan, ShardPiece
from omni_ray.materialize.places import FlatFilePlaces
from omni_ray.materialize.speakers import groups_of
from omni_ray.modalities.registry import modality as modality_of
from omni_ray.pipeline.corpus_state import CorpusState
from omni_ray.pipeline.manifest import Manifest
from omni_ray.pipeline.share import is_left_out
from omni_ray.pipeline.store import CorpusStore, Store

Parts = dict[str, list[tuple[Manifest, int]]]
"""The shards of each corpus that count, with the number of their samples to take."""
_BY = {
    "one speaker": "one speaker, held out by clip",
    "speakers unknown": "speakers unknown, held out by recording",
}


@dataclass
class CombineJob:
    """One modality to combine.

    Attributes:
        corpora, parts: whose shards, and which of them.
        packing: how lines are packed; None where they are not.
        work: a folder for scratch.
    """

    store: Store
    modality: str
    corpora: Sequence[CorpusStore]
    parts: Parts
    options: TrainingFileOptions
    packing: Packing | None
    work: Path

    @cached_property
    def form(self) -> Format:
        """How samples are written down."""
        return format_of(self.modality)

    @cached_property
    def parts_sides(self) -> bool:
        """Whether anything is held out: a share, or the splits to measure on of a corpus."""
        held = (is_held(corpus.state(), m.unit) for corpus in self.corpora for m, _ in self.parts[corpus.name])
        return bool(self.options.holdout) or any(held)

    @cached_property
    def places(self) -> FlatFilePlaces:
        """Where the flat files go."""
        return FlatFilePlaces.of(self.store, self.modality, self.options.replace)

    def targets(self) -> Iterator[str]:
        """The flat files that this run writes, relative to the root."""
        form = self.form
        for file in form.files:
            for corpus in self.corpora if file.per_corpus is not None else ():
                yield f"{form.folder}/{file.of(corpus.name)}"
            if self.options.production:
                yield f"{form.folder}/{file.production}"
            if self.parts_sides:
                yield f"{form.folder}/{file.held_out}"

    def plan(self) -> Plan:
        """What all workers are told."""
        packing = self.packing
        if packing is not None:
            packing = keep_a_copy(packing, self.work)
        files = self.form.files
        seed = self.options.seed if self.options.production else None
        size = len(files) * sum(_serialized(self.modality, m, take) for each in self.parts.values() for m, take in each)
        bits = shuffle.range_bits(size)
        root, work = str(self.store.root), str(self.work)
        return Plan(
            root,
            self.modality,
            work,
            seed,
            bits,
            self.options.holdout or 0.0,
            packing,
            uuid.uuid4().hex,
            self.options.replace,
            self.parts_sides,
        )

    def pieces(self) -> list[ShardPiece]:
        """The shards, in canonical order, each with its place in it."""
        pieces = []
        row = 0
        for corpus in self.corpora:
            by_clip = self._groups.get(corpus.name) == "one speaker"
            state = corpus.state()
            for manifest, take in self.parts[corpus.name]:
                marker = marker_of(self.store, self.modality, corpus.name, manifest.unit)
                held = is_held(state, manifest.unit)
                if not is_left_out(manifest, take):
                    pieces.append(
                        ShardPiece(corpus.name, corpus.storage, manifest, take, row, str(marker), by_clip, held)
                    )
                row += take
        return pieces

    @cached_property
    def _groups(self) -> dict[str, str]:
        """How the clips of each corpus are held out; empty where none are."""
        if not self.options.holdout or not modality_of(self.modality).has_speakers:
            return {}
        return {corpus.name: groups_of(corpus, self.parts[corpus.name]) for corpus in self.corpora}

    def held_note(self, is_empty: bool) -> str:
        """What a user should know about a held-out file, which may be empty."""
        notes = [f"{name}: {_BY[groups]}" for name, groups in self._groups.items() if groups in _BY]
        if is_empty:
            notes.append(f"no {modality_of(self.modality).held_together} fell into this share; a larger one takes some")
        return "; ".join(notes)


def _serialized(modality: str, manifest: Manifest, take: int) -> int:
    """About how many bytes a shard's records take; the result does not depend on it."""
    return 128 * take if modality_of(modality).media else 4 * manifest.shard.bytes


def marker_of(store: Store, modality: str, corpus: str, unit: int) -> Path:
    """The file that says which media of a shard are written."""
    return store.state_folder / "media" / modality / corpus / f"{unit:05d}.json"


def is_held(state: CorpusState | None, unit: int) -> bool:
    """Whether a unit is of a split to measure on."""
    return state is not None and state.is_held(unit)
