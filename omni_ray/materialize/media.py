"""Media files from shards: written once, found again, removed when nothing needs them any more."""

from __future__ import annotations

import json
import os
import shutil
import stat
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from omni_ray.digests import number_of
from omni_ray.errors import OmniError
from omni_ray.media_names import is_safe_name
from omni_ray.ours import Identity, digest_of, identity_of, is_regular, is_remnant_of, put_aside, refuse_links
from omni_ray.storage import write_atomic

_WRITING = ".writing.json"
"""Ending of the marker of a piece that is being written: its files are ours, should the run be killed."""


@dataclass(frozen=True)
class Marker:
    """What a shard's media were made from, and what each file is, by path relative to the root.

    The marker is written after the files. It lets a later run skip them, and tells which files are ours.

    Attributes:
        shard: SHA-256 of the shard.
        taken: its samples that count.
        files: what we wrote.
        found: files that were there with just the bytes wanted, and that we have no record of: used, never removed.
    """

    shard: str
    taken: int
    files: Mapping[str, Identity]
    found: Mapping[str, Identity] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> Marker | None:
        """The marker at ``path``, or None where there is no whole one."""
        try:
            value = json.loads(path.read_bytes())
            # Earlier versions knew sizes alone.
            files = value["files"] if "files" in value else {n: (size, "") for n, size in value["sizes"].items()}
            return cls(value["shard"], value["taken"], _identities(files), _identities(value.get("found", {})))
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def save(self, path: Path) -> None:
        """Write it, atomically."""
        write_atomic(path, json.dumps(self.__dict__, ensure_ascii=False).encode("utf-8", "surrogatepass"))

    def lies_in(self, folder: str) -> bool:
        """Whether the files are in ``folder``: earlier versions called some by another name."""
        return all(name.startswith(f"{folder}/") for name in (*self.files, *self.found))

    def holds(self, root: Path, *, closely: bool = False) -> bool:
        """Whether every file is there with its size; ``closely``: and with its bytes.

        A file cut short by a power failure has another size; a link is somebody else's, whatever it leads to.
        """
        files = {**self.files, **self.found}
        one_of_each_folder = {name.rpartition("/")[0]: name for name in files}.values()
        if any(folder.is_symlink() for name in one_of_each_folder for folder in _parents(root, name)):
            return False
        base = os.fspath(root)
        try:
            if any(not _is_file_of(f"{base}/{name}", size) for name, (size, _) in files.items()):
                return False
        except (OSError, ValueError):
            return False
        return not closely or all(identity_of(root / name) == identity for name, identity in files.items())


def _is_file_of(path: str, size: int) -> bool:
    status = os.lstat(path)
    return status.st_size == size and stat.S_ISREG(status.st_mode)


def _identities(value: Mapping[str, tuple[Any, Any]]) -> dict[str, Identity]:
    return {name: (int(size), str(digest)) for name, (size, digest) in value.items()}


@dataclass
class Writer:
    """Writes the media of one shard, and its marker last.

    Until they are whole they are in ``scratch``, a folder on the same file system, each writer in a folder of its own:
    many in one would wait for each other. What a killed writer left is found there, and not among millions of media.

    They are not synced one by one (a million fsyncs): the caller syncs once before it commits the file that
    names them, and :meth:`Marker.holds` catches what a power failure took.

    Attributes:
        root: the project folder.
        scratch: where files are until they are whole.
        marker: where the marker goes.
        shard, taken: as in :class:`Marker`.
        run: names the run: what the markers said before it is read once for each process.
        replace: keep a file that is in the way under another name, instead of refusing.
        aside: the new names of such files, relative to the root.
    """

    root: Path
    scratch: Path
    marker: Path
    shard: str
    taken: int
    run: str
    replace: bool = False
    aside: list[str] = field(default_factory=list)
    _ours: dict[str, Identity] = field(default_factory=dict)
    _found: dict[str, Identity] = field(default_factory=dict)
    _folders: set[Path] = field(default_factory=set)

    def write(self, files: Iterable[tuple[str, bytes]]) -> None:
        """Write files, each whole or not at all.

        Raises:
            OmniError: a file that is not ours, or a link, is in the way of one. None of these files is written then.
        """
        todo = []
        for name, data in files:
            wanted = (len(data), digest_of(data))
            if self._is_there(name, data, wanted):
                continue
            todo.append((name, data))
            self._ours[name] = wanted
        if not todo:
            return
        Marker(self.shard, self.taken, self._ours).save(self._writing)
        own = self.scratch / uuid.uuid4().hex
        own.mkdir(parents=True)
        try:
            for name, data in todo:
                (own / "file").write_bytes(data)
                os.replace(own / "file", self.root / name)
        finally:
            shutil.rmtree(own, ignore_errors=True)

    @property
    def _writing(self) -> Path:
        return self.marker.with_suffix(_WRITING)

    def _is_there(self, name: str, data: bytes, wanted: Identity) -> bool:
        """Whether this very file is there already; makes sure that nobody else's is in its place."""
        if not is_safe_name(name):
            raise OmniError(
                f"a shard holds the media path {name!r}, which leaves the project; it was not made by prepare"
            )
        if name in self._ours:
            if self._ours[name] != wanted:
                raise OmniError(
                    f"{name}: two samples of a shard have this one file; prepare the corpus again with --reset"
                )
            return True
        path = self.root / name
        self._enter(path.parent)
        if not os.path.lexists(path):
            return False
        now = identity_of(path)
        if now is not None:
            is_ours = is_known(self.marker.parent, self.run, name, now)
            if now == wanted:
                (self._ours if is_ours else self._found)[name] = now
                return True
            if is_ours or is_remnant_of(path, data):
                return False
        if not self.replace:
            what = "is" if now is not None else "is a folder or a link, and"
            modality = Path(name).parts[1]
            raise OmniError(
                f"{name} {what} not as omni-ray wrote it, or not omni-ray's at all, and a sample of "
                f"{self.marker.parent.name} needs its place: move it away, or give this corpus another --name; "
                f"`omni-ray combine {modality} --replace` keeps it beside under another name"
            )
        self.aside.append(put_aside(path).relative_to(self.root).as_posix())
        return False

    def _enter(self, folder: Path) -> None:
        if folder not in self._folders:
            refuse_links(self.root, folder)
            folder.mkdir(parents=True, exist_ok=True)
            self._folders.add(folder)

    def close(self) -> None:
        """Commit: all files are written."""
        old = Marker.load(self.marker)
        if old is not None:
            # The files of the shard that was here before may have other names; remove_stale looks for them.
            os.replace(self.marker, self.marker.with_suffix(f".{old.shard[:12]}-{old.taken}.json"))
        Marker(self.shard, self.taken, self._ours, self._found).save(self.marker)
        self._writing.unlink(missing_ok=True)


def is_known(folder: Path, run: str, name: str, now: Identity) -> bool:
    """Whether a marker in ``folder``, as they were when ``run`` began, says that ``name`` is a file of ours, just so."""
    known = _known(folder, run)
    wanted = [_key(name, now), _key(name, (now[0], ""))]
    places = np.searchsorted(known, np.array(wanted, np.uint64))
    return any(int(known[p]) == key for p, key in zip(places.tolist(), wanted, strict=True) if p < len(known))


@lru_cache(maxsize=2)
def _known(folder: Path, run: str) -> npt.NDArray[np.uint64]:
    """Sorted digests of (name, size, digest) of every file that a marker in ``folder`` names as ours: 8 bytes a file."""
    keys = [
        np.fromiter((_key(*each) for each in marker.files.items()), np.uint64, len(marker.files))
        for path in sorted(folder.glob("*.json"))
        if (marker := Marker.load(path)) is not None
    ]
    return np.sort(np.concatenate([np.zeros(0, np.uint64), *keys]))


def _key(name: str, identity: Identity) -> int:
    text = f"{name}\0{identity[0]}\0{identity[1]}".encode("utf-8", "surrogatepass")
    return number_of(text)


def check_apart(root: Path, markers: Iterable[Path]) -> None:
    """Raise OmniError where samples of different bytes have one file: two shards name it, or the disk takes two names for one."""
    as_told = str.casefold if _folds_case(root) else str
    places, contents = [np.zeros(0, np.uint64)], [np.zeros(0, np.uint64)]
    for path in markers:
        marker = Marker.load(path)
        for files in (marker.files, marker.found) if marker else ():
            places.append(np.fromiter((_key(as_told(name), (0, "")) for name in files), np.uint64, len(files)))
            contents.append(np.fromiter((_key("", each) for each in files.values()), np.uint64, len(files)))
    place, content = np.concatenate(places), np.concatenate(contents)
    order = np.argsort(place, kind="stable")
    place, content = place[order], content[order]
    clash = place[1:][(place[1:] == place[:-1]) & (content[1:] != content[:-1])]
    if len(clash):
        raise OmniError(_names_of(int(clash[0]), markers, as_told))


def _folds_case(root: Path) -> bool:
    """Whether the disk of a project takes ``DATA`` for ``data``, as macOS and Windows do."""
    try:
        return (root / "DATA").samefile(root / "data")
    except OSError:
        return False


def _names_of(clash: int, markers: Iterable[Path], as_told: Callable[[str], str]) -> str:
    named = [
        (name, path.parent.name)
        for path in markers
        if (marker := Marker.load(path)) is not None
        for name in (*marker.files, *marker.found)
        if _key(as_told(name), (0, "")) == clash
    ]
    (name, corpus), *others = named
    if other := next((other for other, _ in others if other != name), None):
        return (
            f"{name} and {other} of {corpus} are one file to this disk, and only one of them is there: put the project on a "
            "disk that tells capitals from small letters"
        )
    return (
        f"{len(named)} shards of {corpus} have a sample each for one media file, {name}; prepare this corpus again with "
        "--reset"
    )


def remove_stale(root: Path, folder: Path, current: set[Path]) -> int:
    """Remove media that only markers outside ``current`` name, if they are as those say; then remove those markers.

    Returns how many files.
    """
    stale = [path for path in sorted(folder.glob("**/*.json")) if path not in current]
    # What is stale is little, what is current may be millions: it is read marker by marker.
    leaving: dict[str, list[Identity]] = {}
    for path in stale:
        marker = Marker.load(path)
        for name, identity in marker.files.items() if marker else ():
            leaving.setdefault(name, []).append(identity)
    for path in current if leaving else ():
        marker = Marker.load(path)
        for name in [*marker.files, *marker.found] if marker else ():
            leaving.pop(name, None)
    removed = 0
    for name, identities in leaving.items():
        if _is_still(root, name, identities):
            with suppress(FileNotFoundError):
                (root / name).unlink()
                removed += 1
    for path in stale:
        path.unlink(missing_ok=True)
    return removed


def _is_still(root: Path, name: str, identities: Iterable[Identity]) -> bool:
    path = root / name
    if not is_safe_name(name) or not is_regular(path) or any(parent.is_symlink() for parent in _parents(root, name)):
        return False
    now = identity_of(path)
    return now is not None and any(now == each or each == (now[0], "") for each in identities)


def _parents(root: Path, name: str) -> Iterator[Path]:
    """The folders of ``name`` below ``root/data``, the innermost first."""
    for parent in Path(name).parents[:-2]:
        yield root / parent
