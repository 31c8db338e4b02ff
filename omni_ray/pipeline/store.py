"""The store of committed shards, and what it says about itself.

``data/shards/<modality>/<corpus>/`` holds, for unit N, ``part-N.parquet`` (the samples) and nothing else;
``data/shards/accounts/<modality>/<corpus>/`` holds ``part-N.quarantine.parquet`` (where there is anything in it) and
``part-N.json`` (the manifest). The manifest is written last: it is the commit. ``corpus.json`` beside it says which units
the corpus has and how many samples were asked for. Everything a later step needs (materialize, status, verify, plan) is
read from here, never from the source.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from omni_ray.errors import OmniError
from omni_ray.fence import FOLDER, Fence
from omni_ray.pipeline.corpus_folder import CorpusFolder, corpus_names
from omni_ray.pipeline.lease import claim, lease, new_run
from omni_ray.pipeline.strangers import refuse_strangers
from omni_ray.reasons import is_fault
from omni_ray.storage import Storage, local_folder, remove_temporaries
from omni_ray.unread import Files

FORMAT = 1
MODALITIES = ("text", "audio", "images", "ocr")
CORPUS_FILE = "corpus.json"
FINGERPRINT = 16
"""How many signs of a unit's fingerprint ``corpus.json`` repeats: enough to tell it from every other."""
_WRITTEN_IN = ("index", "plan")
"""Folders of working files that a killed run may have left half a file in."""


class NotCommitted(OmniError):
    """A unit that is needed is not committed."""


@dataclass(frozen=True)
class Written:
    """A committed file: its name, rows, size in bytes and SHA-256."""

    file: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What one shard holds and how it came to be.

    Attributes:
        unit: the unit's number in canonical order; it decides the file's name.
        fingerprint: digest of the unit's inputs, parameters and code version; another digest makes it stale.
        shard: the Parquet file of samples.
        quarantine: the Parquet file of quarantined records, or None where there are none.
        samples: training examples in the shard (its rows, but for images: their captions).
        records: input records by outcome: ``in`` = ``kept`` + ``quarantined``.
        reasons: quarantined records by reason code.
        stats: additive sums the modality reports (seconds of audio, say).
    """

    unit: int
    fingerprint: str
    shard: Written
    quarantine: Written | None
    samples: int
    records: Mapping[str, int]
    reasons: Mapping[str, int]
    stats: Mapping[str, float] = field(default_factory=dict)

    def as_json(self) -> bytes:
        """The manifest file's bytes; deterministic."""
        files = {"shard": vars(self.shard), "quarantine": vars(self.quarantine) if self.quarantine else None}
        value = {"format": FORMAT, **vars(self), **files}  # asdict copies, which takes longer than all the rest
        return json.dumps({**value, "digest": _digest(value)}, sort_keys=True, indent=1).encode() + b"\n"

    @classmethod
    def from_json(cls, data: bytes) -> Manifest:
        """Raises ValueError, KeyError or TypeError where ``data`` is not a manifest of this format, as it was written."""
        value = json.loads(data)
        if (digest := value.pop("digest", None)) is not None and digest != _digest(value):
            raise ValueError("not as it was written")
        if value.pop("format") != FORMAT:
            raise ValueError("another format")
        value["shard"] = Written(**value["shard"])
        value["quarantine"] = Written(**value["quarantine"]) if value["quarantine"] else None
        return cls(**value)


def _digest(value: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


_PART = re.compile(r"part-(\d{5,})(\.quarantine)?\.(parquet|json)")


def part_name(unit: int) -> str:
    """The name, without ending, of the files of unit ``unit``."""
    return f"part-{unit:05d}"


@dataclass
class Cut:
    """Where ``max_samples`` ends a corpus: the first ``samples`` of unit ``unit`` are the last ones taken.

    ``records`` counts the input records that those samples stand for.
    """

    unit: int
    samples: int
    records: int


@dataclass
class CorpusState:
    """What ``corpus.json`` holds: the outcome of the last ``prepare`` of this corpus.

    Attributes:
        corpus: the corpus's kind, as in ``omni-ray list``.
        name: the name its shards and files carry; the kind unless the user gave another.
        modality: text, audio, images or ocr.
        source: where the bytes came from, as the user wrote it.
        params: the modality's parameters.
        max_samples: the limit, or None.
        units: units the corpus has in all.
        required: units, from the first, that the limit needs; they are what later steps read.
        unread_records: input records in the units that were not needed, or None where nobody has counted them.
        cut: where the limit falls, or None where it does not.
        licence, homepage: for reports.
        fingerprints: the first :data:`FINGERPRINT` signs of the required units' fingerprints, joined: a manifest of
            another one is an earlier run's, written late. Empty where nobody noted them.
        files: the files of the source, read and not read; None where an earlier version prepared it.
        sources: what tells the sources from others; empty where an earlier version prepared it.
        chosen: the options that chose among the records of the source, with their values.
        held_from: the number of the first unit that is held out from training: it and all later ones are splits to measure
            on. None where none is.
        measured: the splits to measure on that were found in the source.
    """

    corpus: str
    name: str
    modality: str
    source: str
    params: dict[str, Any]
    max_samples: int | None
    units: int
    required: int
    unread_records: int | None
    cut: Cut | None
    licence: str
    homepage: str
    fingerprints: str = ""
    files: Files | None = None
    sources: tuple[str, ...] = ()
    held_from: int | None = None
    chosen: dict[str, list[str]] = field(default_factory=dict)
    measured: tuple[str, ...] = ()

    def is_held(self, unit: int) -> bool:
        """Whether a unit is held out from training."""
        return self.held_from is not None and unit >= self.held_from

    def wants(self, manifest: Manifest) -> bool:
        """Whether a manifest is of what the last ``prepare`` asked for; of units that it does not need, any is."""
        noted = self.fingerprints[manifest.unit * FINGERPRINT :][:FINGERPRINT]
        return manifest.fingerprint.startswith(noted)

    def as_json(self) -> bytes:
        """The file's bytes; deterministic."""
        return json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True, indent=1).encode() + b"\n"

    @classmethod
    def from_json(cls, data: bytes) -> CorpusState:
        """Raises ValueError, KeyError or TypeError where ``data`` is not of this format."""
        value = json.loads(data)
        if value.pop("format") != FORMAT:
            raise ValueError("another format")
        value["cut"] = Cut(**value["cut"]) if value["cut"] else None
        value["sources"] = tuple(value.get("sources", ()))
        value["measured"] = tuple(value.get("measured", ()))
        value["files"] = Files.from_dict(value["files"]) if value.get("files") else None
        return cls(**value)


@dataclass
class Summary:
    """A corpus in numbers. ``records_in == kept + quarantined + beyond``, always.

    Attributes:
        units_left: units that are needed but not committed (an interrupted run).
        unread_units: units nobody read because the limit was reached, and nobody has counted; their records are
            in none of the sums.
        samples: training examples that materialize will write.
        faults: the part of ``quarantined`` that should have been usable (``Reason.fault``).
        files: the files of the source, read and not read.
    """

    name: str
    modality: str
    records_in: int = 0
    kept: int = 0
    quarantined: int = 0
    beyond: int = 0
    samples: int = 0
    faults: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    stats: Counter[str] = field(default_factory=Counter)
    units_done: int = 0
    units_left: int = 0
    unread_units: int = 0
    bytes: int = 0
    files: Files = field(default_factory=Files)

    @property
    def removed(self) -> dict[str, int]:
        """Samples that cleaning removed, by reason; they are not among ``samples``."""
        return self._sums("removed.")

    @property
    def mended(self) -> dict[str, int]:
        """Samples that cleaning changed, by what it did."""
        return self._sums("mended.")

    def _sums(self, prefix: str) -> dict[str, int]:
        return {
            key.removeprefix(prefix): int(count)
            for key, count in sorted(self.stats.items())
            if key.startswith(prefix) and count
        }

    @property
    def fault_share(self) -> float:
        """Faults as a share of the records that were looked at."""
        looked_at = self.kept + self.quarantined
        return self.faults / looked_at if looked_at else 0.0

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        return {**asdict(self), "reasons": dict(self.reasons), "stats": dict(self.stats)}


class CorpusStore:
    """The shards of one corpus. Manifests are read once, and again where their files have another size."""

    def __init__(self, storage: CorpusFolder, modality: str, name: str) -> None:
        self.storage = storage
        self.modality = modality
        self.name = name
        self._read: dict[int, tuple[int | None, Manifest]] = {}

    def state(self) -> CorpusState | None:
        """The outcome of the last ``prepare``, or None before any."""
        try:
            return CorpusState.from_json(self.storage.read(CORPUS_FILE))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError) as error:
            raise OmniError(
                f"{self.storage.accounts.shown}/{CORPUS_FILE} is not readable ({error}); run the same `omni-ray prepare {self.modality}` again with --reset"
            ) from error

    @property
    def sources(self) -> tuple[str, ...]:
        """What tells the sources from others, paths relative to the project where they lie in it."""
        state = self.state()
        return state.sources if state is not None else ()

    def save_state(self, state: CorpusState) -> None:
        """Commit the outcome, unless it already says the same."""
        data = state.as_json()
        try:
            if self.storage.read(CORPUS_FILE) == data:
                return
        except FileNotFoundError:
            pass
        self.storage.write(CORPUS_FILE, data)

    def manifest(self, unit: int) -> Manifest | None:
        """The manifest of one unit, or None where it is not committed."""
        self._read.pop(unit, None)
        try:
            data = self.storage.read(f"{part_name(unit)}.json")
            manifest = Manifest.from_json(data)
            if manifest.unit != unit:
                raise ValueError("of another unit")
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None
        self._read[unit] = len(data), manifest
        return manifest

    def note(self, manifest: Manifest) -> None:
        """A unit was committed with this manifest, which need not be read to be known."""
        self._read[manifest.unit] = None, manifest  # the next listing says how long it is

    def committed(self) -> dict[int, Manifest]:
        """Every committed unit: its manifest is whole and wanted, and its files are there with the size it states."""
        state = self.state()
        found = self._committed(self.storage.files())
        return {unit: manifest for unit, manifest in found.items() if state is None or state.wants(manifest)}

    def _committed(self, files: Mapping[str, int]) -> dict[int, Manifest]:
        units = [unit for unit, ending in _parts(files) if ending == "json"]
        new = [unit for unit in units if self._read.get(unit, (-1,))[0] not in (None, files[f"{part_name(unit)}.json"])]
        for _ in self.storage.map(self.manifest, new):
            pass
        for unit in [unit for unit in units if unit in self._read]:
            self._read[unit] = files[f"{part_name(unit)}.json"], self._read[unit][1]
        found: dict[int, Manifest] = {}
        for _, manifest in (self._read[unit] for unit in units if unit in self._read):
            wanted = [w for w in (manifest.shard, manifest.quarantine) if w is not None]
            if all(files.get(w.file) == w.bytes for w in wanted):
                found[manifest.unit] = manifest
        return found

    def settle(self, fingerprints: Sequence[str]) -> dict[int, Manifest]:
        """Remove every unit that is not committed with its fingerprint, and what killed writers left; returns the others.

        That includes files without a manifest, of whatever unit: their writer, or their removal, was killed.
        Raises OmniError where one of them is not of omni-ray.
        """
        self.storage.remove_temporaries()
        files = self._own_files()
        committed = self._committed(files)
        fresh = {
            unit: manifest
            for unit, manifest in committed.items()
            if unit < len(fingerprints) and manifest.fingerprint == fingerprints[unit]
        }
        for unit, manifest in list(fresh.items()):
            # What nobody reads before a person does is small enough to be looked at here.
            if manifest.quarantine is not None and self.is_damaged(manifest.quarantine):
                del fresh[unit]
        stale = {unit for unit, _ in _parts(files)} - fresh.keys()
        refuse_strangers(self.storage, self.modality, files, stale)
        self._remove_units(stale)
        return fresh

    def _own_files(self) -> dict[str, int]:
        """All files, each in its folder. Raises OmniError where one is called like ours, and is not."""
        misplaced = {unit for unit, _ in _parts(self.storage.misplaced())}
        refuse_strangers(self.storage, self.modality, self.storage.files() if misplaced else {}, misplaced)
        self.storage.part_accounts()
        return self.storage.files()

    def is_damaged(self, file: Written) -> bool:
        """Whether a small file is not as it was committed; object stores look after their bytes themselves."""
        if not self.storage.is_local:
            return False
        return hashlib.sha256(self.storage.read(file.file)).hexdigest() != file.sha256

    def parts(self) -> Iterator[tuple[Manifest, int]]:
        """The shards that count, in canonical order, each with the number of its samples to take.

        Raises NotCommitted where a needed unit is not.
        """
        state = self.state()
        if state is None:
            return
        committed = self.committed()
        for unit in range(state.required):
            manifest = committed.get(unit)
            if manifest is None:
                gone = f", or remove {self.storage.accounts.shown} if the corpus is not wanted any more"
                raise NotCommitted(
                    f"{self.name}: unit {unit} of {state.required} is not committed; "
                    f"run the same `omni-ray prepare {self.modality}` again to finish it{'' if committed else gone}"
                )
            if state.cut is not None and unit > state.cut.unit:
                return
            yield manifest, state.cut.samples if state.cut and unit == state.cut.unit else manifest.samples

    def summary(self) -> Summary:
        """The corpus in numbers, from manifests alone."""
        total = Summary(self.name, self.modality)
        state = self.state()
        if state is None:
            return total
        total.files = state.files or Files()
        committed = self.committed()
        for unit in range(state.units):
            manifest = committed.get(unit)
            if unit >= state.required:
                # Not needed under this limit, whether or not an earlier, higher limit had it made.
                if state.unread_records is None:
                    total.unread_units += 1
                continue
            if manifest is None:
                total.units_left += 1
                continue
            total.units_done += 1
            total.bytes += manifest.shard.bytes
            _add(total, manifest, state.cut)
        if state.unread_records is not None:
            total.records_in += state.unread_records
            total.beyond += state.unread_records
        return total

    def quarantine(self) -> Iterator[dict[str, Any]]:
        """Quarantined records of the units that count: id, where, reason, detail, records."""
        import pyarrow.parquet as pq

        state = self.state()
        for unit, manifest in sorted(self.committed().items()):
            if manifest.quarantine is None or state is None or unit >= state.required:
                continue
            if state.cut is not None and unit > state.cut.unit:
                return
            with self.storage.open(manifest.quarantine.file) as file:
                yield from pq.read_table(file).to_pylist()

    def remove_unit(self, unit: int) -> None:
        """Remove one unit: its manifest first, so that it is never committed without its files."""
        self._read.pop(unit, None)
        part = part_name(unit)
        for ending in (".json", ".parquet", ".quarantine.parquet"):
            self.storage.delete(part + ending)

    def _remove_units(self, units: Set[int]) -> None:
        """Remove units for good: no power failure may bring an old shard back beside a new manifest of the same size."""
        for unit in sorted(units):
            self.remove_unit(unit)
        if units:
            self.storage.sync_names()

    def reset(self) -> None:
        """Remove everything the manifests list, and nothing else. Raises OmniError as :meth:`settle` does."""
        # Also a shard whose manifest was never written, because the writer was killed between the two.
        files = self._own_files()
        units = {unit for unit, _ in _parts(files)}
        refuse_strangers(self.storage, self.modality, files, units)
        self._remove_units(units)
        self.storage.delete(CORPUS_FILE)
        self.storage.remove_if_empty()


def _parts(files: Iterable[str]) -> list[tuple[int, str]]:
    """Unit and ending of the files that prepare names, in order; whatever else is there is somebody else's."""
    found = [_PART.fullmatch(name) for name in sorted(files)]
    return [(int(match[1]), match[3]) for match in found if match and part_name(int(match[1])) in match[0]]


def _add(total: Summary, manifest: Manifest, cut: Cut | None) -> None:
    records = manifest.records
    total.records_in += records["in"]
    if cut is not None and manifest.unit > cut.unit:
        total.beyond += records["in"]
        return
    is_cut = cut is not None and manifest.unit == cut.unit
    kept = cut.records if cut is not None and is_cut else records["kept"]
    total.kept += kept
    total.beyond += records["kept"] - kept
    total.samples += cut.samples if cut is not None and is_cut else manifest.samples
    total.quarantined += records["quarantined"]
    total.reasons.update(manifest.reasons)
    total.faults += sum(count for code, count in manifest.reasons.items() if is_fault(code))
    # Of the unit that the limit cuts, sums are known of all of it: as much of them counts as of its samples.
    share = cut.samples / manifest.samples if cut is not None and is_cut and manifest.samples else 1.0
    for key, value in manifest.stats.items():
        part = value * share
        total.stats[key] += int(part) if isinstance(value, int) else part  # type: ignore[assignment]


class Store:
    """All shards under one root.

    Args:
        root: the project folder; shards are in its ``data/shards``.
        shards: another place for them, such as ``s3://bucket/prefix``.

    Raises:
        OmniError: ``root`` is a URI.
    """

    def __init__(self, root: str | Path, shards: str | None = None) -> None:
        self.root = local_folder(root)
        self._corpora: dict[tuple[str, str], CorpusStore] = {}
        place = Storage(shards or self.root / "data" / "shards")
        self._fence = Fence(place)
        self.storage = Storage(place.uri, self._fence)

    @cached_property
    def state_folder(self) -> Path:
        """Local working files: locks, caches, fragments. Anything in it can be made again."""
        return self.root / "data" / ".omni"

    @contextmanager
    def lease(self, what: str) -> Iterator[None]:
        """Be the only one to write, to this root and to its shards, for the block.

        Raises:
            OmniError: another run is at work.
        """
        run = new_run()
        with ExitStack() as stack:
            stack.enter_context(lease(self.state_folder, what))
            place = self.storage.local_root
            if place is None:
                stack.enter_context(claim(self.storage, self.state_folder, what, run))
            elif place != (self.root / "data" / "shards").absolute():
                stack.enter_context(lease(place / FOLDER, what, place))
            stack.enter_context(self._fence.held(run))
            for folder in (".", *_WRITTEN_IN):
                remove_temporaries(self.state_folder / folder)
            yield

    def corpus(self, modality: str, name: str) -> CorpusStore:
        """The shards of one corpus, whether or not there are any yet; the same object every time."""
        if (modality, name) not in self._corpora:
            self._corpora[modality, name] = CorpusStore(CorpusFolder(self.storage, (modality, name)), modality, name)
        return self._corpora[modality, name]

    def names(self, modality: str) -> list[str]:
        """Of every corpus of which there is anything, sorted."""
        return corpus_names(self.storage, (modality,))

    def corpora(self, modality: str | None = None) -> list[CorpusStore]:
        """Every corpus with a state, by modality and then name."""
        found = []
        for each in MODALITIES if modality is None else (modality,):
            for name in self.names(each):
                corpus = self.corpus(each, name)
                if corpus.state() is not None:
                    found.append(corpus)
        return found
