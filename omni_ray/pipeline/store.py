"""The store of committed shards, and what it says about itself.

``data/shards/<modality>/<corpus>/`` holds, for unit N, ``part-N.parquet`` (the samples) and nothing else;
``data/shards/accounts/<modality>/<corpus>/`` holds ``part-N.quarantine.parquet`` (where there is anything in it) and
``part-N.json`` (the manifest). The manifest is written last: it is the commit. ``corpus.json`` beside it says which units
the corpus has and how many samples were asked for. Everything a later step needs (materialize, status, verify, plan) is
read from here, never from the source.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from omni_ray.errors import OmniError
from omni_ray.fence import FOLDER, Fence
from omni_ray.modalities.registry import modality as modality_of
from omni_ray.pipeline.corpus_folder import CorpusFolder, corpus_names
from omni_ray.pipeline.corpus_state import CORPUS_FILE, CorpusState, Summary, add_unit
from omni_ray.pipeline.lease import claim, lease, new_run
from omni_ray.pipeline.manifest import CommittedFile, Manifest, part_name, parts_of
from omni_ray.pipeline.share import Share
from omni_ray.pipeline.strangers import refuse_strangers
from omni_ray.storage import Storage, is_uri, local_folder, remove_temporaries, write_atomic
from omni_ray.trainers.files import all_modalities
from omni_ray.unread import Files

_PLACE = "store"
"""The working file that says where the shards are, if they are in another place."""
_WRITTEN_IN = ("index", "plan")
"""Folders of working files that a killed run may have left half a file in."""


class NotCommitted(OmniError):
    """A unit that is needed is not committed."""


class CorpusStore:
    """The shards of one corpus. Manifests are read once, and again where their files have another size.

    Attributes:
        share: how much of it counts where corpora are mixed; None for all of it.
    """

    share: Share | None = None

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
    def has_parts(self) -> bool:
        """Whether there are files of units, whole or not."""
        return next(iter(parts_of(self.storage.files())), None) is not None

    @property
    def sources(self) -> tuple[str, ...]:
        """What tells the sources from others, paths relative to the project where they are inside it."""
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
        units = [unit for unit, ending in parts_of(files) if ending == "json"]
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
        Raises OmniError where one of them is not omni-ray's.
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
        stale = {unit for unit, _ in parts_of(files)} - fresh.keys()
        refuse_strangers(self.storage, self.modality, files, stale)
        self._remove_units(stale)
        return fresh

    def _own_files(self) -> dict[str, int]:
        """All files, each in its folder. Raises OmniError where one is named like ours, and is not."""
        misplaced = {unit for unit, _ in parts_of(self.storage.misplaced())}
        refuse_strangers(self.storage, self.modality, self.storage.files() if misplaced else {}, misplaced)
        self.storage.part_accounts()
        return self.storage.files()

    def is_damaged(self, file: CommittedFile) -> bool:
        """Whether a small file is not as it was committed; object stores look after their bytes themselves."""
        if not self.storage.is_local:
            return False
        return hashlib.sha256(self.storage.read(file.file)).hexdigest() != file.sha256

    def parts(self) -> Iterator[tuple[Manifest, int]]:
        """The shards that count, in canonical order, each with the number of its samples to take.

        Raises NotCommitted where a needed unit is not, and OmniError where its share was settled for other shards.
        """
        parts = self._all_parts()
        return parts if self.share is None else self.share.cut(list(parts), self.state(), self.modality)

    def _all_parts(self) -> Iterator[tuple[Manifest, int]]:
        """The same, whatever its share in a mixture is."""
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
        total = self._whole_summary()
        if self.share is not None:
            with suppress(OmniError):  # whatever is not settled, or not there, is reported elsewhere
                whole = list(self._all_parts())
                self.share.take_from(total, whole, list(self.share.cut(whole, self.state(), self.modality)))
        return total

    def _whole_summary(self) -> Summary:
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
            add_unit(total, manifest, state.cut)
        if marks := list(_marks(state, committed)):
            from omni_ray.pipeline.repeats import repeats

            total.repeats = repeats(marks, has_media=bool(modality_of(self.modality).media))
        if state.unread_records is not None:
            total.records_in += state.unread_records
            total.beyond += state.unread_records
        return total

    def marks(self) -> Iterator[Mapping[str, Any]]:
        """The marks of the units that count, in canonical order."""
        state = self.state()
        if state is not None:
            yield from _marks(state, self.committed())

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
        units = {unit for unit, _ in parts_of(files)}
        refuse_strangers(self.storage, self.modality, files, units)
        self._remove_units(units)
        self.storage.delete(CORPUS_FILE)
        self.storage.remove_if_empty()


def _marks(state: CorpusState, committed: Mapping[int, Manifest]) -> Iterator[Mapping[str, Any]]:
    last = state.required - 1 if state.cut is None else state.cut.unit
    for unit, manifest in sorted(committed.items()):
        if unit <= last and manifest.marks:
            yield manifest.marks


class Store:
    """All shards under one root.

    Args:
        root: the project folder; shards are in its ``data/shards``.
        shards: another place for them, such as ``s3://bucket/prefix``; None for where the project last had them.

    Raises:
        OmniError: ``root`` is a URI.
    """

    def __init__(self, root: str | Path, shards: str | None = None) -> None:
        self.root = local_folder(root).absolute()
        self._corpora: dict[tuple[str, str], CorpusStore] = {}
        self._is_told = shards is not None
        place = Storage(shards or self._last_place() or self.root / "data" / "shards")
        self._fence = Fence(place)
        self.storage = Storage(place.uri, self._fence)

    @cached_property
    def state_folder(self) -> Path:
        """Local working files: locks, caches, fragments. Anything in it can be made again."""
        return self.root / "data" / ".omni"

    def _last_place(self) -> str | None:
        """Where the shards of the project are, if that is another place."""
        with suppress(OSError, UnicodeDecodeError):
            place = (self.state_folder / _PLACE).read_text("utf-8")
            return (place if is_uri(place) else str(self.root / place)) if place else None
        return None

    def _note_place(self) -> None:
        """Later commands find the shards here. A place that holds keys is not noted: it has to be named each time.

        One inside the project is noted as such: it moves with the project, and a copy has its own.
        """
        note, place = self.state_folder / _PLACE, self.storage
        if not self._is_told or place.has_keys:
            return
        if place.local_root == (self.root / "data" / "shards").absolute():
            note.unlink(missing_ok=True)
            return
        uri = place.uri
        if place.local_root is not None:
            inside = place.local_root.is_relative_to(self.root)
            uri = str(place.local_root.relative_to(self.root) if inside else place.local_root)
        with suppress(OSError, UnicodeDecodeError):
            if note.read_text("utf-8") == uri:
                return
        write_atomic(note, uri.encode())

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
            self._note_place()
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
        """Every corpus with a state, by modality and then name. Raises OmniError where one with shards has lost its own."""
        found = []
        for each in all_modalities() if modality is None else (modality,):
            for name in self.names(each):
                corpus = self.corpus(each, name)
                if corpus.state() is not None:
                    found.append(corpus)
                elif corpus.has_parts:
                    raise OmniError(
                        f"{corpus.storage.shown}: shards without their {CORPUS_FILE}: run the same `omni-ray prepare {each}` "
                        f"again, or remove this folder and {corpus.storage.accounts.shown} if the corpus is not wanted any more"
                    )
        return found
