"""From committed shards to the files that trainers read.

Three steps, each parallel, deterministic and atomic: every shard gives its media files and a fragment of
serialized records; every bucket of the shuffle is sorted from the fragments; the pieces are put together under a
temporary name and renamed. Running it again with nothing changed does nothing and starts no Ray.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import compress
from pathlib import Path

from omni_ray.errors import OmniError
from omni_ray.materialize import media, shuffle
from omni_ray.materialize import record as records_of
from omni_ray.materialize.formats import FORMATS, FlatFile
from omni_ray.materialize.options import DEFAULT_SEED, Options, Packing
from omni_ray.materialize.pieces import SIDES, Bucket, Piece, Tallies, Tally, sort_bucket, write_piece
from omni_ray.materialize.record import Combined, Record
from omni_ray.pipeline.cleaned import training_corpora
from omni_ray.pipeline.progress import Reporter
from omni_ray.pipeline.store import CorpusStore, Manifest, Store
from omni_ray.pipeline.tasks import Runner, in_session, on_ray
from omni_ray.storage import atomic_writer, remove_temporaries

__all__ = ["DEFAULT_SEED", "Combined", "Options", "combine"]

FORMAT_VERSION = 1
"""Raised when the same shards give other flat files; it makes every production file stale."""

Parts = dict[str, list[tuple[Manifest, int]]]
Source = tuple[str, int]
"""A scratch file, and how many records it has."""
_KEPT, _HELD = 0, 1
_BY = {
    "one speaker": "one speaker, held out by clip",
    "speakers unknown": "speakers unknown, held out by recording",
}
_GROUPS = {"text": "document", "audio": "speaker", "images": "picture", "ocr": "picture"}


def combine(
    store: Store,
    modality: str,
    options: Options = Options(),
    *,
    session: Callable[[], AbstractContextManager[None]] = nullcontext,
    run: Runner = on_ray,
    reporter: Reporter | None = None,
) -> list[Combined]:
    """Write the flat files of ``modality``.

    Args:
        store: the committed shards.
        modality: text, audio, images or ocr.
        options: how; packing goes to text only.
        session: connects to Ray; entered only when there is something to do.
        run: maps the steps over shards and buckets.
        reporter: told of each shard.

    Returns:
        The files, per-corpus ones first, then those of all corpora, then what is held out; those of an earlier run where
        nothing has changed.

    Raises:
        OmniError: nothing was prepared, or a needed unit is not committed.
    """
    corpora = training_corpora(store, modality)
    parts = {corpus.name: list(corpus.parts()) for corpus in corpora}
    if not corpora:
        raise OmniError(
            f"{modality}: nothing is prepared under {store.storage.shown}; run `omni-ray prepare {modality}` first"
        )
    options = options.for_modality(modality)
    reporter = reporter or Reporter(quiet=True)
    packing = None
    if options.pack:
        from omni_ray.materialize.packing import settle_packing

        train = in_session(session, run)
        packing = settle_packing(store, corpora, parts, options.holdout or 0.0, train, reporter.say)
    shards = _digest({name: [(m.shard.sha256, n) for m, n in each] for name, each in parts.items()})
    fingerprint = _fingerprint(shards, options, packing)
    old = records_of.load(store.state_folder, modality)
    if not options.production and old is not None and old.shards == shards and old.is_there(store.root):
        return [file for file in old.files if not file.is_production and not file.is_held_out]
    if not options.production:
        old = records_of.load(store.state_folder, modality, production=False)
    if old is not None and old.fingerprint == fingerprint and old.is_there(store.root):
        return list(old.files)
    work = store.state_folder / "combine" / modality / fingerprint[:16]
    _forget_other_work(work)
    with session():
        job = _Job(store, modality, corpora, parts, options, packing, work, run, reporter)
        files = job.write(old)
    packed = packing.as_json() if packing else {}
    records_of.save(store.state_folder, modality, store.root, (fingerprint, shards), files, packed, options)
    shutil.rmtree(work, ignore_errors=True)
    return files


def _fingerprint(shards: str, options: Options, packing: Packing | None) -> str:
    seed = options.seed if options.production else "corpora"
    return _digest([FORMAT_VERSION, seed, shards, packing and packing.as_json(), options.holdout])


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _forget_other_work(work: Path) -> None:
    if work.parent.is_dir():
        for other in work.parent.iterdir():
            if other != work:
                shutil.rmtree(other, ignore_errors=True)
    work.mkdir(parents=True, exist_ok=True)


@dataclass
class _Job:
    """One run for one modality."""

    store: Store
    modality: str
    corpora: Sequence[CorpusStore]
    parts: Parts
    options: Options
    packing: Packing | None
    work: Path
    run: Runner
    reporter: Reporter

    def write(self, old: Record | None) -> list[Combined]:
        """Write everything; ``old`` is what the run before wrote."""
        form = FORMATS[self.modality]
        root = self.store.root
        folder = root / form.folder
        folder.mkdir(parents=True, exist_ok=True)
        remove_temporaries(folder)
        shutil.rmtree(root / form.scratch, ignore_errors=True)
        marker_folder = self.store.state_folder / "media" / self.modality
        for corpus in self.corpora:
            remove_temporaries(marker_folder / corpus.name)
        pieces = self._pieces(marker_folder)
        tallies = self._write_pieces(pieces)
        shutil.rmtree(root / form.scratch, ignore_errors=True)
        if form.has_media:
            os.sync()
        combined = []
        for corpus in self.corpora:
            mine = [piece.corpus == corpus.name for piece in pieces]
            counts = [tally[_KEPT] for tally in compress(tallies, mine)]
            for file in form.files:
                if file.per_corpus is not None:
                    name = file.per_corpus.format(corpus=corpus.name)
                    sources = _piece_files(list(compress(pieces, mine)), counts, file, _KEPT)
                    combined.append(_join(root, f"{form.folder}/{name}", file, sources, _sum(counts)))
        if self.options.production:
            combined += self._write_production(old, pieces, tallies)
        current = {Path(piece.marker) for piece in pieces} if form.has_media else set()
        media.remove_stale(root, marker_folder, current)
        return combined

    def _write_production(
        self, old: Record | None, pieces: Sequence[Piece], tallies: Sequence[Tallies]
    ) -> list[Combined]:
        """The files of all corpora, to train on and held out."""
        root, form = self.store.root, FORMATS[self.modality]
        combined = []
        by_side = self._production_sources(form.files, pieces, tallies)
        note = self._remove_stale(old)
        for file, sources in zip(form.files, by_side[_KEPT], strict=True):
            total = _sum(tally[_KEPT] for tally in tallies)
            combined.append(replace(_join(root, f"{form.folder}/{file.production}", file, sources, total), note=note))
        if self.options.holdout:
            total = _sum(tally[_HELD] for tally in tallies)
            for file, sources in zip(form.files, by_side[_HELD], strict=True):
                made = _join(root, f"{form.folder}/{file.held_out}", file, sources, total)
                combined.append(replace(made, note=self._held_note(pieces, total)))
        return combined

    def _pieces(self, marker_folder: Path) -> list[Piece]:
        packing = self.packing
        if packing is not None:
            from omni_ray.materialize.packing import keep_a_copy

            packing = keep_a_copy(packing, self.work)
        total = sum(take for each in self.parts.values() for _, take in each)
        pieces = []
        row = 0
        for corpus in self.corpora:
            by_clip = self._groups.get(corpus.name) == "one speaker"
            for manifest, take in self.parts[corpus.name]:
                marker = marker_folder / corpus.name / f"{manifest.unit:05d}.json"
                pieces.append(
                    Piece(
                        str(self.store.root), self.modality, corpus.name, corpus.storage, manifest, take, row,
                        self.options.seed, shuffle.bucket_count(total), str(self.work), str(marker), packing,
                        self.options.holdout or 0.0, by_clip,
                    )
                )  # fmt: skip
                row += take
        return pieces

    def _write_pieces(self, pieces: Sequence[Piece]) -> list[Tallies]:
        self.reporter.begin(self.modality, len(pieces), stage="combine")
        tallies = []
        for piece, tally in zip(pieces, self.run(write_piece, pieces), strict=True):
            samples = sum(side.samples for side in tally)
            if samples != piece.take:
                raise OmniError(
                    f"{piece.corpus}: shard {piece.manifest.unit} gave {samples} samples, its manifest says {piece.take}; "
                    "the shard was changed: prepare this corpus again with --reset"
                )
            tallies.append(tally)
            self.reporter.advance(self.modality, kept=piece.take)
        self.reporter.end()
        return tallies

    def _production_sources(
        self, files: Sequence[FlatFile], pieces: Sequence[Piece], tallies: Sequence[Tallies]
    ) -> list[list[list[Source]]]:
        """For each side and each flat file, the pieces it is put together from, in order."""
        if self.options.seed is None or not pieces:
            return [
                [_piece_files(pieces, [tally[side] for tally in tallies], file, side) for file in files]
                for side in (_KEPT, _HELD)
            ]
        stems = tuple(piece.stem for piece in pieces)
        keys = tuple(file.key for file in files)
        separators = tuple(file.separator for file in files)
        buckets = [
            Bucket(stems, number, keys, separators, f"{self.work}/bucket-{number:05d}")
            for number in range(pieces[0].buckets)
        ]
        counts = list(self.run(sort_bucket, buckets))
        return [
            [
                [(f"{b.target}.{file.key}{ending}", count[side]) for b, count in zip(buckets, counts, strict=True)]
                for file in files
            ]
            for side, ending in enumerate(SIDES)
        ]

    def _remove_stale(self, old: Record | None) -> str:
        """Remove what an earlier run held out and this one does not; returns a sentence where it is not ours to remove.

        This comes before the new production files, which have those samples in them again.
        """
        if self.options.holdout:
            return ""
        root, form = self.store.root, FORMATS[self.modality]
        for file in old.files if old is not None else ():
            if file.is_held_out and old is not None and old.is_untouched(root, file):
                (root / file.path).unlink()
        left = [f.held_out for f in form.files if (root / form.folder / f.held_out).exists()]
        if not left:
            return ""
        return f"{left[0]} beside it is not of this run, and may hold samples that are in here: remove it"

    @cached_property
    def _groups(self) -> dict[str, str]:
        """How the clips of each corpus are held out; empty where none are."""
        if not self.options.holdout or self.modality != "audio":
            return {}
        from omni_ray.materialize.speakers import groups_of

        return {corpus.name: groups_of(corpus, self.parts[corpus.name]) for corpus in self.corpora}

    def _held_note(self, pieces: Sequence[Piece], total: Tally) -> str:
        """What a user should know of a held-out file."""
        notes = [f"{name}: {_BY[groups]}" for name, groups in self._groups.items() if groups in _BY]
        if not total.records and pieces:
            notes.append(f"no {_GROUPS[self.modality]} fell into this share; a larger one takes some")
        return "; ".join(notes)


def _sum(tallies: Iterable[Tally]) -> Tally:
    return sum(tallies, Tally())


def _piece_files(pieces: Sequence[Piece], tallies: Sequence[Tally], file: FlatFile, side: int) -> list[Source]:
    """The records of pieces in corpus order."""
    return [
        (f"{piece.stem}.{file.key}{SIDES[side]}", tally.records) for piece, tally in zip(pieces, tallies, strict=True)
    ]


def _join(root: Path, path: str, file: FlatFile, sources: Iterable[Source], total: Tally) -> Combined:
    """Put the pieces together under a temporary name, sync, rename."""
    with atomic_writer(root / path) as out:
        out.write(file.head)
        is_first = True
        for source, count in sources:
            if count == 0:
                continue
            if not is_first:
                out.write(file.separator)
            is_first = False
            with open(source, "rb") as piece:
                shutil.copyfileobj(piece, out, 1 << 20)
        out.write(file.tail)
        size = out.tell()
    return Combined(path, total.records, size, total.samples)
