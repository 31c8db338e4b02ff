"""The folder of an export: made beside its place, then put there whole; never mixed with other people's files."""

from __future__ import annotations

import glob
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from omni_ray.errors import OmniError
from omni_ray.ours import identity_of
from omni_ray.pipeline.whose import is_anothers
from omni_ray.storage import remove_temporaries, sync_path, write_atomic

MARK, SIGNATURE = "export.json", ".omni/project"
"""What an export says about itself, the same for the same samples; and by which project it was made."""
_CARD = "README.md"
FORMAT = 1
_MAKING = re.compile(r"\.making-[0-9a-f]{16}$")


@dataclass(frozen=True)
class Mark:
    """What an exported folder says about itself, in its ``export.json``.

    Attributes:
        form: "hf" or "webdataset".
        fingerprint: digest of everything the files depend on.
        files: sizes in bytes by relative path; the mark itself is not among them.
        card: digest of the card, which people edit; "" where an earlier version wrote none.
        datasets: what is in it, as the report of the export that wrote it says.
    """

    form: str
    fingerprint: str
    files: dict[str, int]
    card: str = ""
    datasets: list[dict[str, Any]] = field(default_factory=list)

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


def is_current(folder: Path, form: str, fingerprint: str, project: str) -> bool:
    """Whether ``folder`` holds this very export, every file with its size.

    Raises:
        OmniError: it holds something else, another project's export, or a card that was edited, which an export must not replace.
    """
    _settle(folder)
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
        raise OmniError(
            f"{folder}: contains {what}, which does not belong to an export; choose an empty or a new folder"
        )
    if mark.form != form:
        raise OmniError(f"{folder}: contains an export for {mark.form}; choose another folder, or remove it first")
    if mark.fingerprint == fingerprint and all(there.get(name) == size for name, size in mark.files.items()):
        return True
    if is_anothers(_signed(folder), project):
        names = ", ".join(sorted({each["name"] for each in mark.datasets}))
        raise OmniError(
            f"{folder}: contains what another project, or a copy of this one, exported ({names}); choose another folder, or "
            "remove it first"
        )
    card = folder / _CARD
    if mark.card and there.get(_CARD) and _card_of(folder) != mark.card:
        raise OmniError(f"{card} was changed since it was exported and would be replaced: move it away")
    return False


def _signed(folder: Path) -> str:
    """By which project an export was made; "" where an earlier version did not say."""
    try:
        return (folder / SIGNATURE).read_text()
    except FileNotFoundError:
        return ""


def _card_of(folder: Path) -> str:
    """Digest of the card in ``folder``; "" where there is none."""
    identity = identity_of(folder / _CARD)
    return identity[1] if identity else ""


@dataclass
class Work:
    """An export under way: the folder to write it into, and what is in it once it is whole."""

    folder: Path
    datasets: list[dict[str, Any]] = field(default_factory=list)


@contextmanager
def making(folder: Path, form: str, fingerprint: str, project: str) -> Iterator[Work]:
    """A place to write the export into; when the block ends without an error, it takes the place of ``folder``.

    After a kill it is found again, with the files that were complete. The older export stays until the new one is whole.
    """
    work = _beside(folder, f"making-{fingerprint[:16]}")
    for other in folder.parent.glob(f".{glob.escape(folder.name)}.making-*"):
        if other != work and _MAKING.search(other.name):
            shutil.rmtree(other, ignore_errors=True)
    work.mkdir(parents=True, exist_ok=True)
    for left in [work, *(place for place in work.rglob("*") if place.is_dir())]:
        remove_temporaries(left)
    (work / MARK).unlink(missing_ok=True)
    under_way = Work(work)
    yield under_way
    Mark(form, fingerprint, _files(work), _card_of(work), under_way.datasets).save(work)
    (work / SIGNATURE).parent.mkdir(exist_ok=True)
    write_atomic(work / SIGNATURE, project.encode())
    old = _beside(folder, "old")
    if folder.exists():
        folder.rename(old)
    work.rename(folder)
    sync_path(folder.parent)
    _remove_export(old)


def _beside(folder: Path, what: str) -> Path:
    return folder.with_name(f".{folder.name}.{what}")


def _settle(folder: Path) -> None:
    """Finish what a kill interrupted: put the older export back where the new one is not there yet, else remove it.

    Raises:
        OmniError: what is there instead of the older export is something else.
    """
    old = _beside(folder, "old")
    if not old.is_symlink() and not old.exists():
        return
    if not _is_export(old):
        raise OmniError(f"{old}: in the way of the export, and not made by an export; move it away")
    if not folder.exists():
        old.rename(folder)
    elif Mark.load(folder) is not None:
        _remove_export(old)


def _is_export(folder: Path) -> bool:
    """Whether all that is in a folder is of an export, or was, before its removal was interrupted."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    mark = Mark.load(folder)
    return not _files(folder).keys() - (mark.files.keys() | {MARK} if mark else set())


def _remove_export(folder: Path) -> None:
    """Remove the files that its mark names, the signature and the mark last, and the folders that are then empty; nothing else."""
    mark = Mark.load(folder)
    for name in [*mark.files, SIGNATURE, MARK] if mark else ():
        (folder / name).unlink(missing_ok=True)
    for place, _, _ in os.walk(folder, topdown=False):
        with suppress(OSError):
            os.rmdir(place)


def _files(folder: Path) -> dict[str, int]:
    """Sizes of everything that is no folder, nor the signature, by path relative to ``folder``, sorted."""
    found = {}
    for place, folders, names in os.walk(folder):
        for path in (Path(place, name) for name in (*names, *folders)):
            if path.is_symlink() or not path.is_dir():
                found[path.relative_to(folder).as_posix()] = path.lstat().st_size
    found.pop(SIGNATURE, None)
    return dict(sorted(found.items()))
