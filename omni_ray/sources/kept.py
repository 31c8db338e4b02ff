"""What is kept of a file, so that it need not be read from its beginning again: listings, seek points, unpacked copies.

All of it is in the folder for listings of archives, and made by one process at a time. It can be removed at any time: whoever
needs what is not there, or was damaged, makes it again.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any

from omni_ray.errors import OmniError, said_by
from omni_ray.sources.tree import Tree
from omni_ray.storage import sync_path, write_atomic

_VERSION = 6
"""Increased when something else is kept of the same file."""
_HASHED = 256 << 20
"""Of a larger file the size alone is compared."""
_UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}


class Kept:
    """What is kept of one version of a file, or of several, and a note about it.

    Args:
        what: tells apart the things that may be kept of a file.
        endings: of the files that are kept of it, and are to be as they were when the note was written.
        version: changes with what else the kept files depend on.
    """

    def __init__(
        self, tree: Tree, names: Sequence[str], what: str, endings: tuple[str, ...] = (), version: str = ""
    ) -> None:
        self.folder = folder_of(tree)
        self._name, self._endings = names[0], endings
        paths = [path for name in names if (path := tree.local_path(name)) is not None]
        place = [tree.spec(), *names] if len(paths) < len(names) else [os.fspath(path.absolute()) for path in paths]
        self._place = self.folder / _digest(f"{what} {json.dumps(place, sort_keys=True)}")
        self._version = _digest(f"{_VERSION} {tree.stamp(names)} {version}")

    def path(self, ending: str) -> Path:
        """A file that is kept."""
        return self._place / f"{self._version}{ending}"

    def made(
        self, make: Callable[[], dict[str, Any]], is_there: Callable[[dict[str, Any]], bool] = lambda note: True
    ) -> dict[str, Any]:
        """The note; where there is none, or what it is about is not there or was damaged, that is made first.

        Args:
            make: makes what is to be kept, and returns the note.
            is_there: whether what cannot be told by the files' endings is there.

        Raises:
            OmniError: the folder cannot be written to.
        """
        found = self.noted()
        if found is not None and is_there(found):
            return found
        with self._alone():
            found = self.noted()
            if found is None or not is_there(found):
                found = make()
                self._note(found)
        return found

    def noted(self) -> dict[str, Any] | None:
        """What was noted; None where there is nothing, or it was damaged."""
        try:
            found: dict[str, Any] = json.loads(self.path(".json").read_bytes())
            is_so = all(self._seal(ending) == seal for ending, seal in found.pop("files").items())
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return None
        return found if is_so else None

    def _note(self, found: dict[str, Any]) -> None:
        """Write the note, and remove what is kept of other versions of the file."""
        there = [ending for ending in self._endings if self.path(ending).exists()]
        for ending in there:
            if self.path(ending).stat().st_size > _HASHED:  # the digests of others tell what a power failure took
                sync_path(self.path(ending))
        files = {ending: self._seal(ending) for ending in there}
        write_atomic(self.path(".json"), json.dumps({**found, "files": files}).encode(), sync=False)
        for old in self._place.iterdir():
            if not old.name.startswith(self._version):
                with suppress(OSError):
                    old.unlink()

    def _seal(self, ending: str) -> list[Any]:
        path = self.path(ending)
        size = path.stat().st_size
        return [size, hashlib.sha256(path.read_bytes()).hexdigest() if size <= _HASHED else ""]

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """While no other process makes the same."""
        try:
            self._place.mkdir(parents=True, exist_ok=True)
            with locked(self.path(".lock")):
                yield
        except OSError as error:
            is_source = error.filename is not None and not str(error.filename).startswith(str(self.folder))
            if error.errno not in _UNWRITABLE or is_source:
                raise
            said = f"what {self._name} is read with cannot be kept here ({said_by(error)}); make room, or choose another --root"
            raise OmniError(f"{self.folder}: {said}") from error


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """While no other process is in the same block; the kernel drops the lock with its holder."""
    file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def folder_of(tree: Tree) -> Path:
    """The folder for what is kept of a tree's files."""
    return tree.points or Path(tempfile.gettempdir()) / "omni_ray-index"


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()
