"""Whether training files and media are still what ``combine`` wrote: it noted the digest of each.

A flipped bit, a line in another's place, or a picture that was saved again is as good a sample as any to a trainer. Files that no
run noted are judged by what they hold alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from omni_ray.materialize.job import marker_of
from omni_ray.materialize.media import Marker
from omni_ray.materialize.places import FlatFilePlaces
from omni_ray.ours import Identity, identity_of
from omni_ray.pipeline.store import Store
from omni_ray.trainers.files import FILES, all_modalities
from omni_ray.verify.pieces import FileCheck, Piece, PieceFindings
from omni_ray.verify.report import Notes
from omni_ray.verify.shards import CorpusCheck

_HASHED_AT_ONCE = 21
"""Hashing 2 MB takes about as long as decoding one image."""


@dataclass(frozen=True)
class FlatFileHash(Piece):
    """A training file, and what it may be: size and digest."""

    key: str
    kind: str
    path: Path
    noted: tuple[Identity, ...]

    @property
    def weight(self) -> int:
        """By its size."""
        return 1 + (max(size for size, _ in self.noted) >> _HASHED_AT_ONCE)

    def check(self) -> PieceFindings:
        part = PieceFindings(self.key, Notes(self.kind))
        if identity_of(self.path) not in self.noted:
            part.notes.add("changed_file")
        return part


@dataclass(frozen=True)
class MediaHashes(Piece):
    """The media of one shard, as its marker has them; one that is not there is a finding of the row that names it."""

    key: str
    root: Path
    marker: Path
    progress: float
    weight = 16

    def check(self) -> PieceFindings:
        part = PieceFindings(self.key, Notes("shards"), progress=self.progress)
        marker = Marker.load(self.marker)
        for name, noted in {**marker.files, **marker.found}.items() if marker is not None else ():
            now = identity_of(self.root / name)
            if now is not None and now != (noted[0], noted[1] or now[1]):  # earlier versions noted sizes alone
                part.notes.add("changed_media", name)
        return part


def hashes(store: Store, checks: Sequence[FileCheck]) -> Iterator[Piece]:
    """What is to be hashed of files and of the media of corpora, for the checks of these."""
    noted = {each: FlatFilePlaces.of(store, each).ledger.known for each in all_modalities()}
    for each in checks:
        if isinstance(each, CorpusCheck):
            for number, unit in enumerate(each.units, 1):
                marker = marker_of(store, each.modality, each.name, unit)
                yield MediaHashes(each.key, store.root, marker, number / len(each.units))
            continue
        kind = each.report.kind
        known = noted[FILES[kind].modality].get(each.key)
        if known and (store.root / each.key).is_file():
            yield FlatFileHash(each.key, kind, store.root / each.key, tuple(known))
