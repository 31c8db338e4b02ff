"""Cleaning committed shards: rules shard by shard, then duplicates across shards and corpora.

Both steps are resumable and depend on nothing but shards and settings: every rule's outcome is committed with a
manifest of its own, and a shard is written a second time only where a duplicate was found in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from omni_ray.digests import digest_of_json
from omni_ray.errors import OmniError
from omni_ray.modalities.registry import modality as modality_of
from omni_ray.pipeline.corpus_folder import CorpusFolder
from omni_ray.pipeline.engine import Runner, on_ray
from omni_ray.pipeline.manifest import Manifest, part_name
from omni_ray.pipeline.parts import Part, read_rows, training_parts
from omni_ray.pipeline.stages import write_shard
from omni_ray.pipeline.store import Store
from omni_ray.pipeline.whole import check_whole, is_whole
from omni_ray.progress.reporter import Reporter, usual
from omni_ray.quality.account import Account, Cleaned
from omni_ray.quality.benchmarks import benchmarks_of, overlap_rule
from omni_ray.quality.clean import clean_table, rules_of
from omni_ray.quality.clean_images import with_captions
from omni_ray.quality.cleaned import Cleaning
from omni_ray.quality.duplicate_kinds import KINDS, kinds_of
from omni_ray.quality.duplicate_results import Duplicate, Duplicates, ShardFile
from omni_ray.quality.duplicates import find_duplicates
from omni_ray.quality.image_rules import Pictures
from omni_ray.quality.own import RuleSource, again, judged, own_rules
from omni_ray.quality.preset import PRESETS, Settings
from omni_ray.quality.resolved import kinds_wanted, resolved_rules
from omni_ray.quality.rules import Mask
from omni_ray.storage import Storage

_LAYOUT = 2
"""Raised where the files of cleaned shards get other names or places: they are then made again from what the rules left."""


def clean_shards(
    store: Store,
    modality: str,
    settings: Settings,
    *,
    session: Callable[[], AbstractContextManager[None]] = nullcontext,
    run: Runner = on_ray,
    reporter: Reporter | None = None,
) -> bool:
    """Clean every corpus of ``modality``; later steps then read what is left.

    Args:
        session: connects to Ray; entered only when there is something to do.

    Returns:
        Whether anything was done; False where all was clean already.

    Raises:
        OmniError: unknown rules or kinds, nothing is prepared, or a needed unit is not committed.
    """
    check(modality, settings)
    sources = again(settings.files, modality)
    cleaning = Cleaning(store, modality)
    if settings.is_off:
        was_on = cleaning.settings is not None
        cleaning.remove()
        return was_on
    if not store.corpora(modality):
        raise OmniError(f"{modality}: nothing is prepared; run `omni-ray prepare {modality}` first")
    made_of = cleaning.made_of(settings)
    if cleaning.settings == settings and cleaning.is_fresh:
        return False
    cleaning.save(settings)
    reporter = reporter or usual()
    shards = list(_shards(cleaning, settings, sources))
    with session():
        cleaning.sweep({(shard.corpus, shard.unit) for shard in shards})
        ruled = _apply_rules(shards, run, reporter)
        _drop_duplicates(shards, ruled, settings, store, modality, run, reporter)
    cleaning.remove_others(tuple(corpus.name for corpus in cleaning.corpora()))
    cleaning.save(settings, made_of)
    return True


def check(modality: str, settings: Settings) -> None:
    """Raise OmniError for an unknown modality, preset, rule or kind of duplicates, a limit a rule cannot have, or a rule file
    that is not what it was."""
    if settings.preset not in PRESETS:
        raise OmniError(f"{settings.preset}: no such preset; choose one of {', '.join(PRESETS)}")
    rules_of(modality)
    empty = modality_of(modality).schema.empty_table()
    _, ours = own_rules(again(settings.files, modality), modality, settings.rules)
    clean_table(empty, modality, settings.preset, ours)
    kinds_of(modality, settings.duplicates)


@dataclass(frozen=True)
class _ShardInWork:
    """One shard on its way."""

    corpus: str
    modality: str
    unit: int
    part: Part | None
    storage: CorpusFolder
    settings: Settings
    sources: tuple[RuleSource, ...]
    known: Storage
    fingerprint: str

    @property
    def title(self) -> str:
        return f"{self.corpus}/{part_name(self.unit)}"

    @property
    def rules_file(self) -> str:
        return f"{part_name(self.unit)}.rules"


def _shards(cleaning: Cleaning, settings: Settings, sources: tuple[RuleSource, ...]) -> Iterator[_ShardInWork]:
    rules = resolved_rules(cleaning.modality, settings)
    for corpus in cleaning.corpora():
        parts = {part.file: part for part in training_parts(corpus.prepared)}
        for manifest, take in corpus.prepared.parts():
            fingerprint = digest_of_json([rules, manifest.shard.sha256, take])
            part = parts.get(manifest.shard.file)
            yield _ShardInWork(
                corpus.name, cleaning.modality, manifest.unit, part, corpus.storage, settings, sources,
                benchmarks_of(cleaning.store), fingerprint
            )  # fmt: skip


def _apply_rules(shards: list[_ShardInWork], run: Runner, reporter: Reporter) -> list[Manifest]:
    """What the rules leave of each shard."""
    made = _Made(shards)
    done = [made.manifest(shard, shard.rules_file, shard.fingerprint) for shard in shards]
    todo = [n for n, manifest in enumerate(done) if manifest is None]
    counts = Counter(_line(shards[n]) for n in todo)
    for line, count in counts.items():
        reporter.begin(line, count, stage="clean")
    for n, manifest in zip(todo, run(_rule_shard, [shards[n] for n in todo]), strict=True):
        done[n] = manifest
        reporter.advance(_line(shards[n]), kept=manifest.samples, lost=manifest.records["quarantined"])
    reporter.end()
    return [manifest for manifest in done if manifest is not None]


def _line(shard: _ShardInWork) -> str:
    return f"{shard.modality}/{shard.corpus}"


class _Made:
    """What an earlier run made from shards; folders are listed once."""

    def __init__(self, shards: list[_ShardInWork]) -> None:
        self._files = {corpus: storage.files() for corpus, storage in {s.corpus: s.storage for s in shards}.items()}

    def manifest(self, shard: _ShardInWork, stem: str, fingerprint: str) -> Manifest | None:
        """The manifest of what was made from a shard, where it still holds and its files are there."""
        files = self._files[shard.corpus]
        if f"{stem}.json" not in files:
            return None
        try:
            manifest = Manifest.from_json(shard.storage.read(f"{stem}.json"))
        except (ValueError, KeyError, TypeError):
            return None
        wanted = [each for each in (manifest.shard, manifest.quarantine) if each is not None]
        is_there = all(files.get(each.file) == each.bytes for each in wanted)
        if not is_there or manifest.fingerprint != fingerprint or manifest.unit != shard.unit:
            return None
        # What was removed is read only by people, and is small enough to be checked here.
        is_damaged = manifest.quarantine is not None and not is_whole(shard.storage, manifest.quarantine)
        return None if is_damaged else manifest


def _rule_shard(shard: _ShardInWork) -> Manifest:
    schema = modality_of(shard.modality).schema
    part = shard.part
    if part is not None:
        part.check()
    tables = list(read_rows(part)) if part is not None else []
    rows = pa.concat_tables(tables) if tables else schema.empty_table()
    own, ours = own_rules(shard.sources, shard.modality, shard.settings.rules)
    known = [overlap_rule(shard.known, benchmark, shard.modality) for benchmark in shard.settings.benchmarks]
    cleaned = clean_table(rows, shard.modality, shard.settings.preset, ours, shard.title)
    cleaned = judged(cleaned, [*own, *known], shard.modality, shard.title)
    return _commit(shard, shard.rules_file, cleaned, shard.fingerprint)


def _commit(shard: _ShardInWork, stem: str, cleaned: Cleaned, fingerprint: str) -> Manifest:
    """Write what was removed, then what is left, then the manifest."""
    removed = None
    if cleaned.removed.num_rows:
        removed = write_shard(shard.storage, f"{stem}.removed.parquet", cleaned.removed)
    else:
        shard.storage.delete(f"{stem}.removed.parquet")  # of other settings
    manifest = Manifest(
        unit=shard.unit,
        fingerprint=fingerprint,
        shard=write_shard(shard.storage, f"{stem}.parquet", cleaned.kept),
        quarantine=removed,
        samples=cleaned.stats["samples_kept"],
        records={
            "in": cleaned.stats["samples_in"],
            "kept": cleaned.stats["samples_kept"],
            "quarantined": cleaned.stats["samples_in"] - cleaned.stats["samples_kept"],
        },
        reasons={
            key.removeprefix("removed."): value for key, value in cleaned.stats.items() if key.startswith("removed.")
        },
        stats={key: value for key, value in cleaned.stats.items() if not key.startswith("samples_")}
        | modality_of(shard.modality).sums(cleaned.kept),
    )
    shard.storage.write(f"{stem}.json", manifest.as_json())
    return manifest


def _drop_duplicates(
    shards: list[_ShardInWork],
    ruled: list[Manifest],
    settings: Settings,
    store: Store,
    modality: str,
    run: Runner,
    reporter: Reporter,
) -> None:
    """Commit the final manifest of every shard, without the rows that repeat an earlier one."""
    kinds = kinds_wanted(modality, settings)
    found: Duplicates | None = None
    scratch = Storage(store.state_folder / "duplicates" / modality)
    if kinds:
        reporter.say(f"{modality}: looking for duplicates ({', '.join(kinds)}) in {len(shards):,} shards")
        _empty(scratch)
        places = [ShardFile(each.storage, f"{each.rules_file}.parquet", each.title) for each in shards]
        found = find_duplicates(places, modality, scratch, kinds, run, reporter=reporter)
    made = _Made(shards)
    todo = []
    for number, (shard, manifest) in enumerate(zip(shards, ruled, strict=True)):
        mark = found.marks[number] if found else ""
        fingerprint = digest_of_json([manifest.shard.sha256, manifest.fingerprint, mark, _LAYOUT])
        stem = part_name(shard.unit)
        if made.manifest(shard, stem, fingerprint) is not None:
            continue
        if mark:
            todo.append(_Unique(shard, number, manifest, fingerprint))
            continue
        _link_ruled(shard, manifest, fingerprint)
    if todo and found:
        title = f"{modality}: without duplicates"
        reporter.begin(title, len(todo), stage="clean")
        for left, lost in run(partial(_write_unique, found), todo):
            reporter.advance(title, kept=left, lost=lost)
    reporter.end()
    _empty(scratch)


def _link_ruled(shard: _ShardInWork, ruled: Manifest, fingerprint: str) -> None:
    """Commit a shard without duplicates: it is what the rules left."""
    stem = part_name(shard.unit)
    shard.storage.link(ruled.shard.file, f"{stem}.parquet")
    shard.storage.delete(f"{stem}.removed.parquet")
    manifest = replace(ruled, shard=replace(ruled.shard, file=f"{stem}.parquet"), fingerprint=fingerprint)
    shard.storage.write(f"{stem}.json", manifest.as_json())


def _empty(scratch: Storage) -> None:
    """Remove what an interrupted search left."""
    for kind in scratch.folders():
        folder = scratch.child(kind)
        for name in folder.files():
            folder.delete(name)
        folder.remove_if_empty()
    scratch.remove_if_empty()


@dataclass(frozen=True)
class _Unique:
    """A shard with duplicates in it, and its number among those that were searched."""

    shard: _ShardInWork
    number: int
    ruled: Manifest
    fingerprint: str


def _write_unique(found: Duplicates, work: _Unique) -> tuple[int, int]:
    """Commit a shard without its duplicates; returns how many samples are left, and how many went now."""
    shard, storage = work.shard, work.shard.storage
    check_whole(storage, shard.unit, work.ruled.shard, shard.corpus, shard.modality)
    with storage.open(work.ruled.shard.file) as file:
        rows = pq.read_table(file)
    unique = without_duplicates(rows, shard.modality, found.of_shard(work.number), shard.title)
    removed = unique.removed
    if work.ruled.quarantine is not None:
        with storage.open(work.ruled.quarantine.file) as file:
            removed = pa.concat_tables([pq.read_table(file), removed])
    stats: Counter[str] = Counter(
        {key: int(value) for key, value in work.ruled.stats.items() if key.startswith(("removed.", "mended."))}
    )
    stats.update({key: value for key, value in unique.stats.items() if key.startswith("removed.")})
    stats.update(samples_in=work.ruled.records["in"], samples_kept=unique.stats["samples_kept"])
    cleaned = Cleaned(unique.kept, removed, dict(sorted(stats.items())))
    manifest = _commit(shard, part_name(shard.unit), cleaned, work.fingerprint)
    return manifest.samples, work.ruled.samples - manifest.samples


def without_duplicates(rows: pa.Table, modality: str, found: Sequence[Duplicate], where: str) -> Cleaned:
    """Shard rows without those that were found to be duplicates.

    For text, whole documents go with their first line; a picture that is left without captions goes with the last of them.

    Args:
        found: what :meth:`omni_ray.quality.duplicate_results.Duplicates.of_shard` says about this shard.
    """
    samples = modality_of(modality).samples_per_row(rows)
    account = Account(where)
    stays = np.ones(rows.num_rows, bool)
    starts = modality_of(modality).starts(rows)
    ends = dict(zip(starts.tolist(), [*starts[1:].tolist(), rows.num_rows], strict=True))
    ids = rows["id"]
    captions = [each for each in found if KINDS[each.kind].unit == "caption"]
    for each in found:
        if KINDS[each.kind].unit == "caption":
            continue
        last = ends[each.row] if KINDS[each.kind].unit == "document" else each.row + 1
        for row in range(each.row, last):
            if stays[row]:
                stays[row] = False
                account.remove(ids[row].as_py(), each.reason, each.detail, samples[row])
    kept = _without_captions(rows, stays, captions, account) if captions else rows.filter(pa.array(stays))
    return account.close(rows, kept, modality)


def _without_captions(rows: pa.Table, stays: Mask, found: Sequence[Duplicate], account: Account) -> pa.Table:
    """The rows that stay, without the captions found, which are numbered over all rows."""
    texts, owner = Pictures(rows).captions
    is_left = np.ones(len(texts), bool)
    for each in found:
        is_left[each.row] = False
        text = texts[each.row].as_py()[:80]
        account.remove(rows["id"][int(owner[each.row])].as_py(), each.reason, f"{each.detail}: {text}")
    return with_captions(rows, is_left, stays)
