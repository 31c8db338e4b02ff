"""The training files, their media and configs in another place, as they are in the project: for jobs that mount it.

The place is a folder or an object store. Media come first, a shard's at a time, then the files that name them; beside them is a
record of what was sent (``.omni``), so that the same command sends only what is new, and touches nothing that it did not send.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa

from omni_ray.errors import OmniError
from omni_ray.export.folder import SIGNATURE
from omni_ray.materialize.media import Marker
from omni_ray.ours import Identity, digest_of, digest_of_stream, is_regular
from omni_ray.pipeline import combined
from omni_ray.pipeline.engine import Runner
from omni_ray.pipeline.store import Store
from omni_ray.pipeline.whose import is_anothers, signature
from omni_ray.progress.reporter import Reporter
from omni_ray.quality.cleaned import training_corpora
from omni_ray.quality.outdated import all_outdated
from omni_ray.results import Report
from omni_ray.storage import Storage
from omni_ray.trainers.files import all_modalities
from omni_ray.visible import visible

_SENT, _FILES = ".omni/media", ".omni/files.json"
"""Where the place keeps what was sent: a marker for each shard's media, and the other files with their digests."""


@dataclass
class PublishReport(Report):
    """What is in the place now.

    Attributes:
        place: where.
        files: training files and configs.
        media: their media.
        sent: how many of all of them were sent by this call.
        removed: files and media of an earlier call that the project no longer has.
    """

    place: str
    files: int = 0
    media: int = 0
    sent: int = 0
    removed: int = 0

    def lines(self) -> list[str]:
        """What is in the place, and how much of it was sent now."""
        removed = f", {self.removed:,} old ones removed" if self.removed else ""
        text = f"{self.place}: {self.files:,} files and {self.media:,} media; {self.sent:,} sent{removed}"
        return [visible(text)]


def publish(
    store: Store,
    place: str,
    modalities: Sequence[str],
    run: Runner,
    reporter: Reporter,
) -> PublishReport:
    """Send what ``combine`` wrote to ``place``.

    Args:
        store: the project.
        place: a folder, or ``s3://bucket/prefix``.
        modalities: only these; none for all that were combined.
        run: maps the work over shards.
        reporter: told of each.

    Raises:
        OmniError: nothing is combined, a file is not as ``combine`` wrote it, the place holds something else, or cannot be
            written.
    """
    files, shards = _chosen(store, modalities)
    target = Storage(place)
    wanted = modalities or all_modalities()
    for sentence in all_outdated(store, (each for one in wanted for each in training_corpora(store, one))):
        reporter.say(sentence)
    before = _sent_before(target, signature(store.state_folder))
    report = PublishReport(target.shown, files=len(files))
    reporter.begin("media", len(shards), stage="export")
    sent, old = set[str](), set[str]()
    for marker, one in zip(shards, run(partial(_send, store.root, target), shards), strict=True):
        report.media += one.media
        report.sent += one.sent
        old.update(one.old)
        sent.add(marker)
        reporter.advance("media", kept=one.sent)
    for name in files:
        data = pa.memory_map(str(store.root / name)).read_buffer() if (store.root / name).stat().st_size else b""
        digest = digest_of(memoryview(data))
        folder, _, last = name.rpartition("/")
        if before.get(name) != digest or target.child(folder).files().get(last) != len(data):
            target.write(name, memoryview(data))
            report.sent += 1
            before[name] = digest
            _note(target, before)
    report.removed = _remove_lists(target, before, files, modalities, reporter.say)
    report.removed += _remove_media(store, target, sent, old, modalities)
    reporter.end()
    return report


def _chosen(store: Store, modalities: Sequence[str]) -> tuple[list[str], list[str]]:
    """The files, and the markers of media below the state folder, that there are."""
    files: list[str] = []
    shards: list[str] = []
    for modality in modalities or all_modalities():
        record = combined.load(store.state_folder, modality)
        if record is None:
            if modalities:
                raise OmniError(f"{modality}: there are no training files; run `omni-ray combine {modality}` first")
            continue
        for file in record.files:
            if not record.is_untouched(store.root, file):
                raise OmniError(f"{file.path} is not as it was written; run `omni-ray combine {modality}` first")
        files += [file.path for file in record.files]
        folder = store.state_folder / "media"
        shards += sorted(
            path.relative_to(folder).as_posix()
            for path in (folder / modality).glob("*/*.json")
            if path.stem.isdecimal()
        )
    if not files:
        raise OmniError(f"{store.root}: there are no training files; run `omni-ray combine` first")
    configs = store.root / "configs"
    return files + sorted(path.relative_to(store.root).as_posix() for path in configs.glob("*_tiny.json")), shards


def _sent_before(target: Storage, project: str) -> dict[str, str]:
    """Digests of the files that an earlier call sent; from now on the place is one of this project's.

    Raises:
        OmniError: it holds something that no such call sent, or what another project did.
    """
    try:
        known: dict[str, str] = json.loads(target.read(_FILES))
    except FileNotFoundError:
        there = [*target.files(), *target.folders()]
        if there:
            raise OmniError(
                f"{target.shown}: holds {sorted(there)[0]}, which `omni-ray export files` did not put there; choose an "
                "empty or a new place"
            ) from None
        known = {}
        _note(target, known)
    except ValueError as error:
        raise OmniError(f"{target.shown}/{_FILES} is not readable ({error}); choose another place") from None
    with suppress(FileNotFoundError):  # as an earlier version, or a killed call, left it
        if is_anothers(target.read(SIGNATURE).decode(), project):
            raise OmniError(
                f"{target.shown}: holds what another project, or a copy of this one, sent; choose another place, or remove "
                f"{SIGNATURE} there, if what is there is to be replaced"
            )
    target.write(SIGNATURE, project.encode())
    return known


def _note(target: Storage, files: dict[str, str]) -> None:
    target.write(_FILES, json.dumps(files, indent=1).encode())


def _remove_lists(
    target: Storage, sent: dict[str, str], wanted: Sequence[str], modalities: Sequence[str], say: Callable[[str], None]
) -> int:
    """Remove files that an earlier call ``sent``, by name and digest, and the project no longer has; returns how many.

    One that is not as it was sent is somebody's: it stays, and is reported.
    """
    folders = {*(f"data/{modality}" for modality in modalities or all_modalities()), "configs"}
    removed = 0
    for name in sorted(sent.keys() - set(wanted)):
        if name.rpartition("/")[0] not in folders:
            continue
        there = _digest_there(target, name)
        if there is not None and there != sent[name]:
            say(f"{target.shown}/{name} is no longer the project's, and not as it was sent: it is left there")
            continue
        if there is not None:
            target.delete(name)
            removed += 1
        del sent[name]
        _note(target, sent)
    return removed


def _digest_there(target: Storage, name: str) -> str | None:
    """The digest of a file of the place; None where there is none."""
    try:
        with target.open(name) as file:
            return digest_of_stream(file)
    except FileNotFoundError:
        return None


@dataclass(frozen=True)
class _Sent:
    """A shard's media: how many there are, how many were sent, and names that an earlier call sent instead."""

    media: int
    sent: int
    old: tuple[str, ...] = ()


def _send(root: Path, target: Storage, marker: str) -> _Sent:
    """Send the media of one shard, and last the record of them."""
    path = root / "data" / ".omni" / "media" / marker
    now, data = Marker.load(path), path.read_bytes()
    assert now is not None
    wanted = {**now.files, **now.found}
    try:
        there = target.read(f"{_SENT}/{marker}")
    except FileNotFoundError:
        there = b""
    if there == data and _holds(target, wanted):
        return _Sent(len(wanted), 0)
    for name, (size, digest) in wanted.items():
        media = (root / name).read_bytes()
        if len(media) != size or (digest and digest_of(media) != digest):
            raise OmniError(f"{name} is not as it was written; run `omni-ray combine` first")
        target.write(name, media)
    target.write(f"{_SENT}/{marker}", data)
    return _Sent(len(wanted), len(wanted), tuple(_names(there) - wanted.keys()))


def _holds(target: Storage, media: Mapping[str, Identity]) -> bool:
    """Whether a folder has these media, with their sizes. Of an object store nobody asks for each."""
    root = target.local_root
    return root is None or all(
        is_regular(root / name) and (root / name).stat().st_size == media[name][0] for name in media
    )


def _names(marker: bytes) -> set[str]:
    """The media that a marker of the place names."""
    if not marker:
        return set()
    value = json.loads(marker)
    return {*value.get("files", ()), *value.get("found", ())}


def _remove_media(store: Store, target: Storage, sent: set[str], old: set[str], modalities: Sequence[str]) -> int:
    """Remove media that earlier calls sent, and that nothing names any more."""
    gone = [name for name in _markers(target, modalities or all_modalities()) if name not in sent]
    for name in gone:
        old |= _names(target.read(f"{_SENT}/{name}"))
    for name in sent if old else ():
        old -= _names((store.state_folder / "media" / name).read_bytes())
    for name in sorted(old):
        target.delete(name)
    for name in gone:
        target.delete(f"{_SENT}/{name}")
    return len(old)


def _markers(target: Storage, modalities: Sequence[str]) -> Iterator[str]:
    sent = target.child(_SENT)
    for modality in modalities:
        for corpus in sent.child(modality).folders():
            yield from (f"{modality}/{corpus}/{name}" for name in sent.child(modality).child(corpus).files())
