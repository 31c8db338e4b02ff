"""From committed shards to the files that trainers read.

Two steps, each parallel, deterministic and atomic. Groups of shards give their media files, their records in corpus order,
and fragments of records by the keys of the shuffle. Then the size of everything is known, and workers put the flat files
together, each writing its part at its place, under a temporary name; at the end they are renamed. Running it again with
nothing changed does nothing and starts no Ray.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

from omni_ray.digests import digest_of_json
from omni_ray.errors import OmniError
from omni_ray.materialize import media
from omni_ray.materialize.assembly import Assembly
from omni_ray.materialize.formats import format_of
from omni_ray.materialize.job import CombineJob, Parts, is_held, marker_of
from omni_ray.materialize.mixing import settle_mixture
from omni_ray.materialize.options import DEFAULT_SEED, Packing, TrainingFileOptions
from omni_ray.materialize.packing import settle_packing
from omni_ray.materialize.pieces import ShardGroup, Tallies, Tally, in_groups, write_group
from omni_ray.materialize.places import FlatFilePlaces
from omni_ray.materialize.twice import said_twice
from omni_ray.modalities.hold_out import HOLD_VERSION
from omni_ray.modalities.registry import modality as modality_of
from omni_ray.ours import identity_of, refuse_links
from omni_ray.pipeline import combined as records_of
from omni_ray.pipeline.combined import Combined, Record
from omni_ray.pipeline.engine import Runner, in_session, on_ray
from omni_ray.pipeline.mixture import Mixture
from omni_ray.pipeline.share import is_left_out
from omni_ray.pipeline.store import CorpusStore, Store
from omni_ray.progress.reporter import Reporter, usual
from omni_ray.quality.cleaned import whole_corpora
from omni_ray.storage import remove_temporaries

__all__ = ["DEFAULT_SEED", "Combined", "TrainingFileOptions", "combine"]

FORMAT_VERSION = 2
"""Raised when the same shards give other flat files; it makes them all stale."""
MEASURED_VERSION = 2
"""Raised when splits to measure on give other sides; it makes the files of corpora with such splits stale."""

_LOOKS = 8
"""Shards whose media are looked for at once: most of it is the file system's work."""

_KEPT, _HELD = 0, 1


def combine(
    store: Store,
    modality: str,
    options: TrainingFileOptions = TrainingFileOptions(),
    *,
    session: Callable[[], AbstractContextManager[None]] = nullcontext,
    run: Runner = on_ray,
    reporter: Reporter | None = None,
) -> list[Combined]:
    """Write the flat files of ``modality``.

    Args:
        store: the committed shards.
        modality: text, audio, images or ocr.
        options: how; packing concerns text only.
        session: connects to Ray; entered only when there is something to do.
        run: maps the steps over shards and buckets.
        reporter: told of each shard.

    Returns:
        The files, per-corpus ones first, then those of all corpora, then what is held out; those of an earlier run where
        nothing has changed.

    Raises:
        OmniError: nothing was prepared, a needed unit is not committed, or a file that is not ours is in the way.
    """
    corpora = whole_corpora(store, modality)
    parts = {corpus.name: list(corpus.parts()) for corpus in corpora}
    if not corpora:
        raise OmniError(
            f"{modality}: nothing is prepared under {store.storage.shown}; run `omni-ray prepare {modality}` first"
        )
    states = {corpus.name: corpus.state() for corpus in corpora}
    options = options.for_modality(modality)
    reporter = reporter or usual()
    has_tokens = modality_of(modality).of_documents
    mixing = options.mixing.of(parts, has_tokens=has_tokens)
    train = in_session(session, run)
    tokens = None
    if options.pack or (mixing and has_tokens):
        tokens = _tokenizer(store, corpora, parts, options.holdout or 0.0, train, reporter)
    packing = tokens if options.pack else None
    mixed = ""
    if options.production:
        mixed = settle_mixture(store, modality, corpora, parts, mixing, tokens, train)
        corpora = Mixture(store, modality).applied(corpora)
        parts = {corpus.name: list(corpus.parts()) for corpus in corpora}
    shards = records_of.digest_of(parts)
    measured = {name: state.held_from for name, state in states.items() if state and state.held_from is not None}
    fingerprint = _fingerprint(shards, options, packing, measured)
    old = records_of.load(store.state_folder, modality)
    sources = [name for corpus in corpora for name in corpus.sources]
    others = FlatFilePlaces.of(store, modality).others(sources)
    media_there = not options.replace and _has_all_media(store, modality, parts)
    if media_there and not options.production and old is not None and old.shards == shards and old.is_there(store.root):
        return _with(others, [file for file in old.files if not file.is_production and not file.is_held_out])
    if not options.production:
        old = records_of.load(store.state_folder, modality, production=False)
    notes = "; ".join(filter(None, (mixed, _trained_again(old, options), others)))
    if media_there and old is not None and old.fingerprint == fingerprint and old.is_there(store.root):
        return _with(notes, list(old.files))
    work = store.state_folder / "combine" / modality / fingerprint[:16]
    job = CombineJob(store, modality, corpora, parts, options, packing, work)
    with session():
        files = _written(job, (fingerprint, shards), tokens, old, run, reporter)
    return _with(notes, files)


def _written(
    job: CombineJob,
    digests: tuple[str, str],
    tokens: Packing | None,
    old: Record | None,
    run: Runner,
    reporter: Reporter,
) -> list[Combined]:
    """Write the files of a job and note that they are there; the first of ``digests`` is of all that they depend on, the second
    of the shards."""
    _start_over(job.work)
    twice = said_twice(job.store, job.modality) if job.options.production else ""
    written = _Writing(job, run, reporter).write(old)
    first = next((file.path for file in written if file.is_production), "")
    files = [_noted(each, twice if each.path == first else "") for each in written]
    packed, how = tokens.as_json() if tokens else {}, job.options
    folder, root = job.store.state_folder, job.store.root
    records_of.save(folder, job.modality, root, digests, files, packed, how.holdout, how.production)
    job.places.ledger.save()
    shutil.rmtree(job.work, ignore_errors=True)
    return files


def _tokenizer(
    store: Store, corpora: Sequence[CorpusStore], parts: Parts, holdout: float, run: Runner, reporter: Reporter
) -> Packing:
    """The tokenizer to count with, trained where there is none on what is not held out."""
    states = {corpus.name: corpus.state() for corpus in corpora}
    learn = {name: [(m, n) for m, n in each if not is_held(states[name], m.unit)] for name, each in parts.items()}
    return settle_packing(store, corpora, learn, holdout, run, reporter.say)


def _trained_again(old: Record | None, options: TrainingFileOptions) -> str:
    """A sentence where the run before held out a share, and this one holds out none."""
    if old is None or not old.holdout or options.holdout or not options.production:
        return ""
    return f"the share that an earlier run held out ({old.holdout:g}) is in it again; --holdout {old.holdout:g} holds it out"


def _with(note: str, files: list[Combined]) -> list[Combined]:
    return [*files[:-1], _noted(files[-1], note)] if files else files


def _has_all_media(store: Store, modality: str, parts: Parts) -> bool:
    """Whether every media file is there with its size."""
    if not format_of(modality).has_media:
        return True

    def holds(marker: Path) -> bool:
        found = media.Marker.load(marker)
        return found is not None and found.holds(store.root)

    markers = [
        marker_of(store, modality, corpus, manifest.unit)
        for corpus, each in parts.items()
        for manifest, take in each
        if not is_left_out(manifest, take)
    ]
    with ThreadPoolExecutor(_LOOKS) as pool:
        try:
            return all(pool.map(holds, markers))
        finally:
            pool.shutdown(cancel_futures=True)


def _fingerprint(
    shards: str, options: TrainingFileOptions, packing: Packing | None, measured: Mapping[str, int]
) -> str:
    seed = options.seed if options.production else "corpora"
    share = [HOLD_VERSION, options.holdout] if options.holdout else None
    held = [share, measured, MEASURED_VERSION] if measured else [share]
    return digest_of_json([FORMAT_VERSION, seed, shards, packing and packing.as_json(), *held])


def _start_over(work: Path) -> None:
    """An empty folder for scratch; what a killed run left there was not synced, and is not used."""
    shutil.rmtree(work.parent, ignore_errors=True)
    work.mkdir(parents=True)


@dataclass
class _Writing:
    """One run of a job."""

    job: CombineJob
    run: Runner
    reporter: Reporter
    _aside: list[str] = field(default_factory=list)

    def write(self, old: Record | None) -> list[Combined]:
        """Write everything; ``old`` is what the run before wrote."""
        form = self.job.form
        root = self.job.store.root
        folder = root / form.folder
        refuse_links(root, root / form.scratch)
        self.job.places.check(self.job.targets())
        folder.mkdir(parents=True, exist_ok=True)
        remove_temporaries(folder)
        shutil.rmtree(root / form.scratch, ignore_errors=True)
        marker_folder = self.job.store.state_folder / "media" / self.job.modality
        for corpus in self.job.corpora:
            remove_temporaries(marker_folder / corpus.name)
        plan = self.job.plan()
        groups = in_groups(plan, self.job.pieces())
        files = Assembly(plan, self.run)
        tallies = self._write_groups(groups, files)
        shutil.rmtree(root / form.scratch, ignore_errors=True)
        if form.has_media:
            os.sync()
        current = {Path(piece.marker) for group in groups for piece in group.pieces} if form.has_media else set()
        media.check_apart(root, sorted(current))
        combined = self._assemble(files, old, groups, tallies)
        self.job.places.remove_left(self.job.targets())
        media.remove_stale(root, marker_folder, current)
        return [_noted(combined[0], self._aside_note()), *combined[1:]]

    def _aside_note(self) -> str:
        """What was in the way of media, in a sentence; "" where nothing was."""
        kept, some = len(self._aside), ", ".join(self._aside[:3])
        return f"{kept} files that were in the way of media are kept as {some}" if kept else ""

    def _write_groups(self, groups: Sequence[ShardGroup], files: Assembly) -> list[Tallies]:
        self.reporter.begin(self.job.modality, sum(len(group.pieces) for group in groups), stage="combine")
        totals = []
        for group, made in zip(groups, self.run(write_group, groups), strict=True):
            for piece, tally in zip(group.pieces, made.tallies, strict=True):
                samples = sum(side.samples for side in tally)
                if samples != piece.take:
                    raise OmniError(
                        f"{piece.corpus}: shard {piece.manifest.unit} gave {samples} samples, its manifest says "
                        f"{piece.take}; the shard was changed: run `omni-ray prepare {self.job.modality}` again with --reset"
                    )
                self.reporter.advance(self.job.modality, kept=piece.take)
            totals.append(_sums(made.tallies))
            files.add(made)
            self._aside += made.aside
        self.reporter.end()
        return totals

    def _assemble(
        self, files: Assembly, old: Record | None, groups: Sequence[ShardGroup], tallies: Sequence[Tallies]
    ) -> list[Combined]:
        """Put the files together: each corpus's own, then those of all corpora, then what is held out."""
        root, form = self.job.store.root, self.job.form
        combined = []
        for corpus in self.job.corpora:
            mine = [place for place, group in enumerate(groups) if group.pieces[0].corpus == corpus.name]
            for number, file in enumerate(form.files):
                if file.per_corpus is not None:
                    path = f"{form.folder}/{file.of(corpus.name)}"
                    size = files.in_order(root / path, mine, number, _KEPT)
                    combined.append(_combined(path, size, [tallies[place] for place in mine], _KEPT))
        if self.job.options.production:
            for side in (_KEPT, _HELD) if self.job.parts_sides else (_KEPT,):
                for number, file in enumerate(form.files):
                    path = f"{form.folder}/{file.held_out if side else file.production}"
                    if self.job.options.seed is None:
                        size = files.in_order(root / path, range(len(groups)), number, side)
                    else:
                        size = files.shuffled(root / path, number, side)
                    combined.append(_combined(path, size, tallies, side))
        note = ""
        kept: dict[str, str] = {}

        def before_they_appear(made: Mapping[Path, Path]) -> None:
            nonlocal note
            identities = list(self.run(identity_of, list(made.values())))
            for (path, temporary), identity in zip(made.items(), identities, strict=True):
                name = path.relative_to(root).as_posix()
                kept[name] = self.job.places.make_way(name, temporary, identity)
            note = self._remove_stale(old) if self.job.options.production else ""

        files.write(before_they_appear)
        for name in kept:
            self.job.places.ledger.wrote(name)
        notes = {True: self.job.held_note(bool(groups) and not _sums(tallies)[_HELD].records), False: note}
        return [
            _noted(each, kept[each.path], notes[each.is_held_out] if each.is_production or each.is_held_out else "")
            for each in combined
        ]

    def _remove_stale(self, old: Record | None) -> str:
        """Remove what an earlier run held out and this one does not; returns a sentence where it is not ours to remove.

        This comes before the new training files, which have those samples in them again.
        """
        if self.job.parts_sides:
            return ""
        root, form = self.job.store.root, self.job.form
        for file in old.files if old is not None else ():
            if file.is_held_out and self.job.places.ledger.is_ours(file.path):
                (root / file.path).unlink()
        left = [f.held_out for f in form.files if (root / form.folder / f.held_out).exists()]
        if not left:
            return ""
        return f"{left[0]} beside it is not of this run, and may hold samples that are in here: remove it"


def _noted(file: Combined, *notes: str) -> Combined:
    return replace(file, note="; ".join(filter(None, (file.note, *notes))))


def _sums(tallies: Iterable[Tallies]) -> Tallies:
    """Samples and records of both sides, added up."""
    kept, held = Tally(), Tally()
    for each in tallies:
        kept, held = kept + each[_KEPT], held + each[_HELD]
    return kept, held


def _combined(path: str, size: int, tallies: Iterable[Tallies], side: int) -> Combined:
    total = _sums(tallies)[side]
    return Combined(path, total.records, size, total.samples)
