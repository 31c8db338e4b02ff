"""Copies of files that cannot be entered in the middle: unpacked, in UTF-8, made once for all processes of a machine.

Together they take no more of the disk than they leave free: the least recently used ones make way, and are made again where they
are needed. When a corpus is made, they are removed.
"""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from omni_ray.errors import OmniError, SourceError
from omni_ray.sources.archive_file import FileBytes, Span
from omni_ray.sources.encoding import recoded
from omni_ray.sources.kept import Kept
from omni_ray.sources.packed import SUFFIXES, BrokenStream, first, packing, packing_of, unpack
from omni_ray.sources.tree import MemberDamaged, Tree
from omni_ray.storage import TEMPORARY, atomic_writer

_COPY = ".plain"
_BUFFER_BYTES = 1 << 20
_LEFT_FREE = 1 << 30
"""Bytes of the disk that copies leave free."""
_LOOK_BYTES = 64 << 20
"""The free room is checked each time this much of a copy is written."""


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
    kept = Kept(tree, [name], codec)
    return kept.made(lambda: _write(tree, name, codec, kept)).get("size")


def open_copy(tree: Tree, name: str, codec: str = "utf-8") -> BinaryIO:
    """A reader of a file, unpacked and in UTF-8, that raises BrokenStream after all that could be unpacked, as unpacking does.

    Raises:
        MemberDamaged: nothing could be unpacked.
    """
    content, found = _opened(tree, name, codec, tree.stamp([name]))
    span = Span(content, name, 0, found["size"])
    fault = _fault(found)
    return io.BufferedReader(span, _BUFFER_BYTES) if fault is None else _CutCopy(span, fault)


def whole_copy(tree: Tree, name: str) -> tuple[FileBytes, int]:
    """What a file unpacks to, and its bytes.

    Raises:
        BrokenStream: it cannot be unpacked to its end.
        MemberDamaged: nothing could be unpacked.
    """
    content, found = _opened(tree, name, "utf-8", tree.stamp([name]))
    fault = _fault(found)
    if fault is not None:
        raise fault
    return content, found["size"]


def _fault(found: dict[str, Any]) -> BrokenStream | None:
    return BrokenStream(found["reason"], found["is_whole"], found["proven"]) if "reason" in found else None


@lru_cache(maxsize=2)  # a worker reads several ranges of one file
def _opened(tree: Tree, name: str, codec: str, stamp: str) -> tuple[FileBytes, dict[str, Any]]:
    """A copy, and the note on it."""
    kept = Kept(tree, [name], codec)
    while True:
        found = kept.made(
            lambda: _write(tree, name, codec, kept), lambda note: not note or _there(kept, note) is not None
        )
        if not found:
            raise MemberDamaged(f"{name}: it holds nothing that can be read; fetch it again")
        if (there := _there(kept, found)) is not None:  # it may just have made way
            return there, found


def _there(kept: Kept, found: dict[str, Any]) -> FileBytes | None:
    """The copy, if it is there unchanged; one that was removed a moment ago can be read as long as it is open."""
    try:
        file = open(kept.path(_COPY), "rb", buffering=0)  # noqa: SIM115 - open as long as its readers
        os.utime(kept.path(_COPY))
    except FileNotFoundError:
        return None
    content = FileBytes(file)  # which closes it
    return content if os.fstat(file.fileno()).st_size == found["size"] else None


def _write(tree: Tree, name: str, codec: str, kept: Kept, most: int | None = None) -> dict[str, Any]:
    """Write a copy, of the first ``most`` plain bytes or all, and return what to note: its size, and what ended it too early."""
    tree.say(f"{name}: unpacking its {tree.size(name) / 1e6:,.1f} MB, to read it in units")
    size, looked = 0, -tree.size(name)
    fault: BrokenStream | None = None
    with tree.open(name) as file, atomic_writer(kept.path(_COPY)) as out:
        chunks = unpack(file, name) if most is None else first(unpack(file, name), most)
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
            fault = error
    if fault is None:
        return {"size": size} if size else {}
    if fault.proven is not None and most is None:  # what is damaged is among what was written
        found = _write(tree, name, codec, kept, fault.proven)
    else:
        found = {"size": size} if size else {}
    return found and {**found, "reason": fault.reason, "is_whole": fault.is_whole, "proven": fault.proven}


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
        _opened.cache_clear()  # an open file keeps its room
        with suppress(OSError):
            others.pop(0)[2].unlink()


def _copies(folder: Path) -> Iterator[tuple[float, int, Path]]:
    """When each was last used, its bytes, and where it is."""
    for path in folder.rglob(f"*{_COPY}"):
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
    if (path is None and not name.lower().endswith(SUFFIXES)) or not packing_of(tree, name):
        return path or tree.open(name), tree.size(name)
    try:
        content, size = whole_copy(tree, name)
    except BrokenStream as error:
        raise SourceError(f"{name}: {error.detail} ({error.reason}); fetch it again") from None
    return io.BufferedReader(Span(content, name, 0, size), _BUFFER_BYTES), size
