"""Copies of files that cannot be entered in the middle: unpacked, in UTF-8, made once for all processes of a machine.

They are in the folder for listings of archives. Together they take no more of the disk than they leave free: the least
recently used ones make way, and are made again where they are needed. When a corpus is made, they are removed.
"""

from __future__ import annotations

import errno
import fcntl
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from omni_ray.errors import OmniError, SourceError
from omni_ray.sources.archive_file import FileBytes, Span
from omni_ray.sources.encoding import recoded
from omni_ray.sources.packed import SUFFIXES, BrokenStream, is_packed, packing, unpack
from omni_ray.storage import TEMPORARY, atomic_writer, write_atomic

if TYPE_CHECKING:
    from omni_ray.sources.tree import Tree

_VERSION = 2
_COPY = ".plain"
_BUFFER_BYTES = 1 << 20
_LEFT_FREE = 1 << 30
"""Bytes of the disk that copies leave free."""
_LOOK_BYTES = 64 << 20
"""The free room is checked each time this much of a copy is written."""
_UNWRITABLE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}


class Kept:
    """What the folder for listings keeps of one version of a file, and a note about it.

    Args:
        tree: the source.
        name: the file.
        what: tells apart the things that may be kept of a file, only one of them at a time.
    """

    def __init__(self, tree: Tree, name: str, what: str) -> None:
        self.folder = tree.points or Path(tempfile.gettempdir()) / "omni_ray-index"
        path = tree.local_path(name)
        place = json.dumps([tree.spec(), name], sort_keys=True) if path is None else os.fspath(path.absolute())
        self._place = f"{_digest(place)}-"
        self._key = self._place + _digest(f"{_VERSION} {what} {tree.stamp([name])}")

    def path(self, ending: str) -> Path:
        """A file that is kept."""
        return self.folder / f"{self._key}{ending}"

    def noted(self) -> dict[str, Any] | None:
        """What was noted; None where there is no note, or it was damaged."""
        try:
            found = json.loads(self.path(".json").read_bytes())
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def note(self, found: dict[str, Any]) -> None:
        """Write the note, and remove what is kept of other versions of the file."""
        write_atomic(self.path(".json"), json.dumps(found).encode())
        for old in self.folder.glob(f"{self._place}*"):
            if not old.name.startswith(self._key):
                with suppress(OSError):
                    old.unlink()

    @contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """Make what is to be kept of ``name`` while no other process does.

        Raises:
            OmniError: the folder cannot be written to.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.path(".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
            finally:
                os.close(lock)
        except OSError as error:
            if error.errno not in _UNWRITABLE:
                raise
            why = (error.strerror or "").lower()
            said = f"what {name} is read with cannot be kept here ({why}); make room, or choose another --root"
            raise OmniError(f"{self.folder}: {said}") from error


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()


class _CutCopy(io.BufferedReader):
    """A reader of what could be unpacked of a file; at the end it raises what ended the unpacking."""

    def __init__(self, content: Span, fault: BrokenStream) -> None:
        super().__init__(content, _BUFFER_BYTES)
        self.fault = fault

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if not data and size:
            raise self.fault
        return data


def copy_size(tree: Tree, name: str, codec: str = "utf-8") -> int | None:
    """Bytes of a file unpacked and in UTF-8, as far as it can be read; None where there are none, or they are packed again."""
    kept = Kept(tree, name, codec)
    found = kept.noted()
    return (_made(tree, name, codec, kept) if found is None else found).get("size")


def open_copy(tree: Tree, name: str, codec: str = "utf-8") -> BinaryIO:
    """A reader of a file, unpacked and in UTF-8, that raises BrokenStream after all that could be unpacked, as unpacking does.

    Raises:
        SourceError: nothing could be unpacked.
    """
    content, found = _opened(tree, name, codec, tree.stamp([name]))
    span = Span(content, name, 0, found["size"])
    fault = _fault(found)
    return io.BufferedReader(span, _BUFFER_BYTES) if fault is None else _CutCopy(span, fault)


def _fault(found: dict[str, Any]) -> BrokenStream | None:
    return BrokenStream(found["reason"], found["is_whole"]) if "reason" in found else None


@lru_cache(maxsize=2)  # a worker reads several ranges of one file
def _opened(tree: Tree, name: str, codec: str, stamp: str) -> tuple[FileBytes, dict[str, Any]]:
    """A copy, and the note on it."""
    kept = Kept(tree, name, codec)
    found = kept.noted()
    while True:
        if found is not None and "size" not in found:
            raise SourceError(f"{name}: it holds nothing that can be read; fetch it again")
        if found is not None and (there := _there(kept, found)) is not None:
            return there, found
        found = _made(tree, name, codec, kept)


def _there(kept: Kept, found: dict[str, Any]) -> FileBytes | None:
    """The copy, if it is there unchanged; one that was removed a moment ago can be read as long as it is open."""
    try:
        file = open(kept.path(_COPY), "rb", buffering=0)  # noqa: SIM115 - open as long as its readers
        os.utime(kept.path(_COPY))
    except FileNotFoundError:
        return None
    content = FileBytes(file)  # which closes it
    return content if os.fstat(file.fileno()).st_size == found["size"] else None


def _made(tree: Tree, name: str, codec: str, kept: Kept) -> dict[str, Any]:
    """Make a copy, unless another process has, and return the note on it."""
    with kept.alone(name):
        found = kept.noted()
        if found is None or ("size" in found and _there(kept, found) is None):
            tree.say(f"{name}: unpacking its {tree.size(name) / 1e6:,.1f} MB, to read it in units")
            found = _write(tree, name, codec, kept)
            kept.note(found)
    return found


def _write(tree: Tree, name: str, codec: str, kept: Kept) -> dict[str, Any]:
    """Write a copy, and return what to note: its size, and what ended it too early."""
    size, looked = 0, -tree.size(name)
    found: dict[str, Any] = {}
    with tree.open(name) as file, atomic_writer(kept.path(_COPY)) as out:
        chunks = unpack(file, name)
        try:
            for chunk in chunks if codec == "utf-8" else recoded(chunks, codec):
                if not size and packing(io.BytesIO(chunk), ""):
                    return {}
                if size >= looked:
                    _make_room(kept.folder, name, size, size - looked)
                    looked = size + _LOOK_BYTES
                out.write(chunk)
                size += len(chunk)
        except BrokenStream as error:
            found = {"reason": error.reason, "is_whole": error.is_whole}
    return {"size": size, **found} if size else {}


def _make_room(folder: Path, name: str, size: int, wanted: int) -> None:
    """Remove other copies until those that are left, and ``size`` bytes of this one, are no more than what is free.

    Raises:
        OmniError: the disk has no room for ``wanted`` bytes.
    """
    others = sorted(_copies(folder))
    while True:
        free = shutil.disk_usage(folder).free
        if free - wanted >= _LEFT_FREE and (not others or free >= size + sum(each[1] for each in others)):
            return
        if not others:
            said = f"{name}: it is unpacked into {folder} to be read in units, and there is no room for that"
            raise OmniError(
                f"{said} ({size / 1e9:,.1f} GB of it, and {free / 1e9:,.1f} GB free); make room, or choose another --root"
            )
        with suppress(OSError):
            others.pop(0)[2].unlink()


def _copies(folder: Path) -> Iterator[tuple[float, int, Path]]:
    """When each was last used, its bytes, and where it is."""
    for path in folder.glob(f"*{_COPY}"):
        if path.name.startswith(TEMPORARY):
            continue  # one that is being written
        with suppress(OSError):
            status = path.stat()
            yield status.st_mtime, status.st_size, path


def remove_copies(folder: Path) -> None:
    """Remove all copies; those being read stay readable."""
    for _, _, path in _copies(folder):
        path.unlink(missing_ok=True)


def at_any_place(tree: Tree, name: str) -> tuple[Path | BinaryIO, int]:
    """A path or a seekable reader of a file, unpacked where it is packed; and its bytes.

    Raises:
        SourceError: it cannot be unpacked to its end.
    """
    path = tree.local_path(name)
    # On a remote store, reading the first bytes costs as much as reading the footer.
    if (path is None and not name.lower().endswith(SUFFIXES)) or not is_packed(tree, name):
        return path or tree.open(name), tree.size(name)
    copy = open_copy(tree, name)
    if isinstance(copy, _CutCopy):
        raise SourceError(f"{name}: {copy.fault.detail} ({copy.fault.reason}); fetch it again")
    return copy, copy_size(tree, name) or 0
