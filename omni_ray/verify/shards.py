"""The shards that the training files were made from: how many samples they promise, and whether they are as committed.

Reads manifests and bytes only; nothing here depends on how the training files are written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from omni_ray.errors import OmniError
from omni_ray.pipeline.corpus_state import CORPUS_FILE, CorpusState
from omni_ray.pipeline.manifest import Manifest, part_name
from omni_ray.pipeline.mixture import Mixture
from omni_ray.pipeline.store import CorpusStore, Store
from omni_ray.quality.cleaned import CleanedCorpus, Cleaning
from omni_ray.storage import Storage
from omni_ray.verify.pieces import FileCheck, Piece, PieceFindings
from omni_ray.verify.report import Notes


@dataclass
class Promised:
    """What the training files must hold according to the shards of a modality.

    Attributes:
        samples: by corpus; None for a corpus whose shards are not all there to say.
        sizes: by corpus, the edge in pixels of its images.
    """

    samples: dict[str, int | None] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int | None:
        """Samples of all corpora; None where there are none, or one cannot say."""
        numbers = [n for n in self.samples.values() if n is not None]
        return sum(numbers) if numbers and len(numbers) == len(self.samples) else None


class CorpusCheck(FileCheck):
    """The shards of one corpus.

    Args:
        corpus: where they are.
        hashes: whether to read every shard and compare its SHA-256.

    Attributes:
        modality, name: of the corpus.
        units: the numbers of those whose manifests are there.
        samples: what its manifests promise, or None where they cannot say.
        size: the edge of its images in pixels, or None.
    """

    def __init__(self, corpus: CorpusStore, *, hashes: bool = True) -> None:
        cleaned = "cleaned/" if isinstance(corpus, CleanedCorpus) else ""
        super().__init__(f"data/shards/{cleaned}{corpus.modality}/{corpus.name}", "shards")
        self._corpus = corpus
        self._hashes = hashes
        self.modality, self.name = corpus.modality, corpus.name
        self.units: list[int] = []
        self.samples: int | None = None
        self.size: int | None = None
        self._manifests = self._read()

    def _read(self) -> list[Manifest]:
        try:
            state = self._corpus.state()
        except OmniError as error:
            self.notes.add("bad_manifest", f"{CORPUS_FILE}: {error}")
            return []
        if state is None:
            self.notes.add("bad_manifest", f"{CORPUS_FILE} is not there, and shards are")
            return []
        self._size_of(state)
        there = self._corpus.storage.files()
        manifests = []
        for unit in range(state.required):
            manifest = self._corpus.manifest(unit)
            if manifest is not None and not state.wants(manifest):
                self.notes.add("bad_manifest", f"{part_name(unit)}.json is of an earlier run, which wrote it late")
            elif manifest is not None:
                manifests.append(manifest)
            elif f"{part_name(unit)}.json" in there:
                self.notes.add("bad_manifest", f"{part_name(unit)}.json")
            else:
                is_prepared = (
                    isinstance(self._corpus, CleanedCorpus) and self._corpus.prepared.manifest(unit) is not None
                )
                self.notes.add("uncleaned_unit" if is_prepared else "missing_unit", f"unit {unit} of {state.required}")
        self.report.rows = len(manifests)
        self.units = [manifest.unit for manifest in manifests]
        if len(manifests) == state.required:
            samples = sum(manifest.samples for manifest in manifests)
            self.samples = samples if state.max_samples is None else min(samples, state.max_samples)
            if self._corpus.share is not None:
                self.samples -= self._corpus.summary().beyond_share
        return [manifest for manifest in manifests if self._is_there(manifest, there)]

    def _size_of(self, state: CorpusState) -> None:
        size = state.params.get("size")
        self.size = size if isinstance(size, int) else None

    def _is_there(self, manifest: Manifest, there: dict[str, int]) -> bool:
        shard = manifest.shard
        if there.get(shard.file) == shard.bytes:
            return True
        found = "is not there" if shard.file not in there else f"has {there[shard.file]:,} bytes, not {shard.bytes:,}"
        self.notes.add("missing_shard", f"{shard.file} {found}")
        self.report.lost += 1
        return False

    def pieces(self) -> Iterator[Piece]:
        total = sum(manifest.shard.bytes for manifest in self._manifests)
        done = 0
        for manifest in self._manifests if self._hashes else ():
            shard = manifest.shard
            done += shard.bytes
            yield ShardHash(self.key, self._corpus.storage, shard.file, shard.sha256, shard.bytes, done / max(total, 1))


@dataclass(frozen=True)
class ShardHash(Piece):
    """One shard to be hashed."""

    key: str
    storage: Storage
    file: str
    sha256: str
    bytes: int
    progress: float

    @property
    def weight(self) -> int:
        """Hashing 2 MB takes about as long as decoding one image."""
        return 1 + (self.bytes >> 21)

    def check(self) -> PieceFindings:
        part = PieceFindings(self.key, Notes("shards"), progress=self.progress)
        try:
            with self.storage.open(self.file) as file:
                digest = hashlib.file_digest(file, "sha256")
        except OSError as error:
            part.notes.add("missing_shard", f"{self.file}: {error}")
            part.lost = 1
            return part
        if digest.hexdigest() != self.sha256:
            part.notes.add("changed_shard", self.file)
            part.lost = 1
        return part


def corpora_of(store: Store, modality: str) -> list[CorpusStore]:
    """Every corpus of ``modality`` with shards or a corpus.json, readable or not, by name; cleaned and mixed, where the modality
    is."""
    corpora = [store.corpus(modality, name) for name in store.names(modality)]
    prepared = [corpus for corpus in corpora if corpus.has_parts or CORPUS_FILE in corpus.storage.files()]
    cleaning = Cleaning(store, modality)
    found = prepared if cleaning.settings is None else [CleanedCorpus(corpus, cleaning) for corpus in prepared]
    return Mixture(store, modality).applied(found)
