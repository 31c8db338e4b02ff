"""The folder of an export: made beside its place, then put there whole; never mixed with what is somebody else's."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from omni_ray.errors import OmniError
from omni_ray.storage import write_atomic

MARK = "export.json"
FORMAT = 1


@dataclass(frozen=True)
class Mark:
    """What an exported folder says about itself, in its ``export.json``.

    Attributes:
        form: "hf" or "webdataset".
        fingerprint: digest of everything the files depend on.
        files: sizes in bytes by relative path; the mark itself is not among them.
    """

    form: str
    fingerprint: str
    files: dict[str, int]

    @classmethod
    def load(cls, folder: Path) -> Mark | None:
        """The mark in ``folder``, or None where there is none that can be read."""
        try:
            value = json.loads((folder / MARK).read_bytes())
            if value.pop("format") != FORMAT:
                return None
            return cls(**value)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    def save(self, folder: Path) -> None:
        """Write it; deterministic."""
        write_atomic(folder / MARK, json.dumps({"format": FORMAT, **asdict(self)}, indent=1).encode() + b"\n")


def is_current(folder: Path, form: str, fingerprint: str) -> bool:
    """Whether ``folder`` holds this very export, every file with its size.

    Raises:
        OmniError: it holds something else, which an export must not replace.
    """
    _take_back(folder)
    if not folder.exists():
        return False
    if not folder.is_dir():
        raise OmniError(f"{folder}: not a folder; choose another place for the export")
    there = _files(folder)
    if not there:
        return False
    mark = Mark.load(folder)
    foreign = sorted(there.keys() - (mark.files.keys() if mark else ()) - {MARK})
    if foreign or mark is None:
        what = foreign[0] if foreign else MARK
        raise OmniError(f"{folder}: holds {what}, which is not of an export; choose an empty or a new folder")
    if mark.form != form:
        raise OmniError(f"{folder}: holds an export for {mark.form}; choose another folder, or remove it first")
    return mark.fingerprint == fingerprint and all(there.get(name) == size for name, size in mark.files.items())


@contextmanager
def making(folder: Path, form: str, fingerprint: str) -> Iterator[Path]:
    """A folder to write the export into; when the block ends without an error, it takes its place.

    After a kill it is found again, with the files that were complete. The older export stays until the new one is whole.
    """
    work = _beside(folder, f"making-{fingerprint[:16]}")
    for other in folder.parent.glob(f".{folder.name}.making-*"):
        if other != work:
            shutil.rmtree(other, ignore_errors=True)
    work.mkdir(parents=True, exist_ok=True)
    yield work
    Mark(form, fingerprint, _files(work)).save(work)
    old = _beside(folder, "old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    work.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
    descriptor = os.open(folder.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _beside(folder: Path, what: str) -> Path:
    return folder.with_name(f".{folder.name}.{what}")


def _take_back(folder: Path) -> None:
    """Put the older export back where a kill came between taking it away and putting the new one in its place."""
    old = _beside(folder, "old")
    if old.is_dir() and not folder.exists():
        old.rename(folder)


def _files(folder: Path) -> dict[str, int]:
    """Sizes of everything that is no folder, by path relative to ``folder``, sorted."""
    found = {}
    for place, folders, names in os.walk(folder):
        for path in (Path(place, name) for name in (*names, *folders)):
            if path.is_symlink() or not path.is_dir():
                found[path.relative_to(folder).as_posix()] = path.lstat().st_size
    return dict(sorted(found.items()))
