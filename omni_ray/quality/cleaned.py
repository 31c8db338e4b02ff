"""Cleaned shards, beside the committed ones.

``<shards>/cleaned/<modality>/cleaning.json`` says how the modality is cleaned and which shards have been; below it each corpus
has, for unit N, ``part-N.parquet``: what is left once duplicates are gone too, a link to the rules' own file where no duplicate
was in it. ``<shards>/accounts/cleaned/<modality>/<corpus>/`` has ``part-N.rules.*`` (what the rules left) and ``part-N.json``,
the manifest. Committed shards are never touched, so that cleaning can be changed or taken back at any time.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Container, Iterator, Mapping
from dataclasses import asdict, replace
from functools import cached_property
from typing import Any

from omni_ray.digests import digest_of_json
from omni_ray.errors import OmniError
from omni_ray.pipeline.corpus_folder import CorpusFolder, corpus_names
from omni_ray.pipeline.corpus_state import CorpusState, Summary
from omni_ray.pipeline.manifest import Manifest
from omni_ray.pipeline.mixture import Mixture
from omni_ray.pipeline.share import as_json
from omni_ray.pipeline.store import CorpusStore, NotCommitted, Store
from omni_ray.quality.preset import Benchmark, RuleFile, Settings
from omni_ray.trainers.files import all_modalities

_FOLDER, _FILE = "cleaned", "cleaning.json"
_MADE_HERE = re.compile(r"part-(\d{5,})(\.rules)?(\.removed)?\.(parquet|json)")


class Cleaning:
    """The cleaned shards of one modality."""

    def __init__(self, store: Store, modality: str) -> None:
        self.store = store
        self.modality = modality
        self.storage = store.storage.child(_FOLDER).child(modality)

    @cached_property
    def _saved(self) -> dict[str, Any]:
        try:
            value = json.loads(self.storage.read(_FILE))
            return {**value, "settings": _settings(value["settings"])}
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError) as error:
            raise OmniError(
                f"{self.storage.shown}/{_FILE} is not readable ({error}); `omni-ray clean {self.modality} --preset default` (or another one) starts cleaning anew"
            ) from error

    def forget_unreadable(self) -> None:
        """Remove settings that cannot be read: others are about to be noted."""
        try:
            _ = self._saved
        except OmniError:
            self.storage.delete(_FILE)

    @property
    def settings(self) -> Settings | None:
        """How the modality is cleaned; None where it is not."""
        return self._saved.get("settings")

    @cached_property
    def is_fresh(self) -> bool:
        """Whether what is cleaned is what is committed. Raises NotCommitted where a needed unit of any corpus is not."""
        settings = self.settings
        if settings is None or self._saved.get("made_of") != self.made_of(settings):
            return False
        return all(corpus.is_whole for corpus in self.corpora())

    def made_of(self, settings: Settings) -> str:
        """Digest of all that the cleaned shards depend on."""
        parts = {corpus.name: as_json(corpus.parts()) for corpus in self.store.corpora(self.modality)}
        from omni_ray.quality.resolved import resolved  # imports every rule, and is wanted only where there is cleaning

        return digest_of_json([resolved(self.modality, settings), parts])

    def save(self, settings: Settings, made_of: str = "") -> None:
        """Note the settings, and, once all is cleaned, what it was made from."""
        value = {"settings": asdict(settings), "made_of": made_of}
        self.storage.write(_FILE, json.dumps(value, sort_keys=True, indent=1).encode() + b"\n")
        for name in ("_saved", "is_fresh"):
            self.__dict__.pop(name, None)

    def folder(self, name: str) -> CorpusFolder:
        """Where the cleaned shards of a corpus are."""
        return CorpusFolder(self.store.storage, (_FOLDER, self.modality, name))

    def corpora(self) -> list[CleanedCorpus]:
        """Every prepared corpus, cleaned."""
        return [CleanedCorpus(corpus, self) for corpus in self.store.corpora(self.modality)]

    def remove(self) -> None:
        """Remove every cleaned shard, and the settings: later steps read the committed shards again."""
        self.storage.delete(_FILE)
        self.remove_others(())
        CorpusFolder(self.store.storage, (_FOLDER, self.modality)).remove_if_empty()
        self.store.storage.child(_FOLDER).remove_if_empty()
        for name in ("_saved", "is_fresh"):
            self.__dict__.pop(name, None)

    def sweep(self, wanted: Container[tuple[str, int]]) -> None:
        """Remove what was made from units that are not ``wanted``, by corpus and number, and what killed writers left."""
        self.storage.remove_temporaries()
        for corpus in self.corpora():
            corpus.storage.remove_temporaries()
            corpus.storage.part_accounts()
            for file in corpus.storage.files():
                made = _MADE_HERE.fullmatch(file)
                if made and (corpus.name, int(made[1])) not in wanted:
                    corpus.storage.delete(file)

    def remove_others(self, names: tuple[str, ...]) -> None:
        """Remove what was cleaned of corpora that are not among ``names``."""
        for name in corpus_names(self.store.storage, (_FOLDER, self.modality)):
            if name not in names:
                folder = self.folder(name)
                for file in folder.files():
                    if _MADE_HERE.fullmatch(file):
                        folder.delete(file)
                folder.remove_if_empty()


class CleanedCorpus(CorpusStore):
    """The cleaned shards of one corpus; reads like committed ones. ``records`` of its manifests are samples."""

    def __init__(self, prepared: CorpusStore, cleaning: Cleaning) -> None:
        super().__init__(cleaning.folder(prepared.name), prepared.modality, prepared.name)
        self.prepared = prepared
        self._cleaning = cleaning

    def state(self) -> CorpusState | None:
        """That of the committed shards; what is beyond its limit is not among the cleaned ones."""
        state = self.prepared.state()
        if state is None:
            return None
        units = state.required if state.cut is None else state.cut.unit + 1
        return replace(state, units=units, required=units, cut=None, fingerprints="")

    def _all_parts(self) -> Iterator[tuple[Manifest, int]]:
        """The cleaned shards in canonical order, each with the number of its samples.

        Raises OmniError where they are not those of the committed shards.
        """
        required = self._units()
        if not self._cleaning.is_fresh or len(required) < self._required:
            raise OmniError(
                f"{self.modality}: shards or rules changed since they were cleaned; run `omni-ray clean {self.modality}`"
            )
        for manifest in required:
            yield manifest, manifest.samples

    @property
    def is_whole(self) -> bool:
        """Whether each cleaned shard is there, with its size."""
        units = self._units()
        lists = [manifest.quarantine for manifest in units if manifest.quarantine is not None]
        return len(units) == self._required and not any(map(self.is_damaged, lists))

    @property
    def _required(self) -> int:
        state = self.state()
        return state.required if state is not None else 0

    def _units(self) -> list[Manifest]:
        return [manifest for unit, manifest in sorted(self.committed().items()) if unit < self._required]

    def _whole_summary(self) -> Summary:
        """The corpus in numbers: records as committed, samples and sums as cleaned."""
        total = self.prepared.summary()
        try:
            is_cleaned = self._cleaning.is_fresh
        except NotCommitted:
            is_cleaned = False
        if not is_cleaned:
            return total
        cleaned: Counter[str] = Counter()
        units = self._units()
        for manifest in units:
            for key, value in manifest.stats.items():
                cleaned[key] += value  # type: ignore[assignment]
        total.samples = sum(manifest.samples for manifest in units)
        total.bytes = sum(manifest.shard.bytes for manifest in units)
        for key, value in cleaned.items():
            total.stats[key] = value
        return total

    def quarantine(self) -> Iterator[dict[str, Any]]:
        """Records that were not kept when the corpus was prepared."""
        return self.prepared.quarantine()

    def removed(self) -> Iterator[dict[str, Any]]:
        """What cleaning removed: id, where, reason, detail, samples."""
        import pyarrow.parquet as pq

        for manifest in self._units():
            if manifest.quarantine is not None:
                with self.storage.open(manifest.quarantine.file) as file:
                    yield from pq.read_table(file).to_pylist()


def training_corpora(store: Store, modality: str | None = None) -> list[CorpusStore]:
    """Every prepared corpus as training reads it: cleaned, where the modality is cleaned, and as much of it as belongs in the
    mixture, where corpora are mixed. By modality and then name."""
    found: list[CorpusStore] = []
    for each in all_modalities() if modality is None else (modality,):
        found += Mixture(store, each).applied(whole_corpora(store, each))
    return found


def whole_corpora(store: Store, modality: str) -> list[CorpusStore]:
    """Every prepared corpus, cleaned where the modality is cleaned, and all of it whether or not corpora are mixed."""
    cleaning = Cleaning(store, modality)
    return [*store.corpora(modality)] if cleaning.settings is None else [*cleaning.corpora()]


def _settings(value: Mapping[str, Any]) -> Settings:
    kinds = value["duplicates"]
    files = tuple(RuleFile(**file) for file in value.get("files", ()))
    benchmarks = tuple(Benchmark(**each) for each in value.get("benchmarks", ()))
    return Settings(value["preset"], dict(value["rules"]), None if kinds is None else tuple(kinds), files, benchmarks)
