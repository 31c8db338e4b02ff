"""Large gzip and bzip2 files read in ranges of what they hold, as plain files are in ranges of what they are.

Their seek points are found once (:mod:`omni_ray.sources.seek_points`), and kept in the folder for listings of archives, by the
file's path, size and time; a worker that does not find them there finds them anew. A file that is damaged, cut, or has
something behind its compressed data is read from its beginning to its end instead, so that what is lost is told.
"""

from __future__ import annotations

import hashlib
import io
import json
import secrets
import tempfile
from contextlib import suppress
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from omni_ray.errors import OmniError
from omni_ray.sources.archive_file import BrokenArchive, ByteSource, LocalFile, Span
from omni_ray.sources.packed import packing
from omni_ray.sources.seek_points import SEEKABLE, find_points, open_packed
from omni_ray.storage import write_atomic

if TYPE_CHECKING:
    from omni_ray.records import SourceOptions
    from omni_ray.sources.tree import Tree

_LARGE_BYTES = 16 << 20
"""Packed; smaller files are read whole. Text packs three to five times."""
_VERSION = 1
_BUFFER_BYTES = 1 << 20


def plain_size(tree: Tree, name: str, options: SourceOptions) -> int | None:
    """Bytes of a file unpacked, where ranges of them can be read with :func:`open_range`; None for a packed one that is small,
    cannot be entered in its middle, or is not sound."""
    size = tree.size(name)
    with tree.open(name) as file:
        suffix = packing(file, name)
    if not suffix:
        return size
    path = tree.local_path(name)
    if path is None or f"tar{suffix}" not in SEEKABLE or size <= options.scaled(_LARGE_BYTES):
        return None
    content = _content(path, f"tar{suffix}", tree.points)
    return None if content is None else content[1]


def open_range(tree: Tree, name: str, start: int, end: int | None) -> BinaryIO:
    """A reader of a file, for its bytes from ``start`` to ``end``: of a packed one that is not read whole, of what it holds."""
    file = tree.open(name)
    path, suffix = tree.local_path(name), packing(file, name) if start or end is not None else ""
    if not suffix:
        return file
    file.close()
    content = None if path is None else _content(path, f"tar{suffix}", tree.points)
    if content is None:
        raise FileNotFoundError(2, "changed while it was read", name)
    return io.BufferedReader(Span(content[0], name, 0, content[1]), _BUFFER_BYTES)


def _content(path: Path, kind: str, cache: Path | None) -> tuple[ByteSource, int] | None:
    """What a packed file holds, and how many bytes; None where it is not sound."""
    file = LocalFile(path)
    return _opened(file, kind, file.size_and_time(), cache or Path(tempfile.gettempdir()) / "omni_ray-index")


@lru_cache(maxsize=2)  # a worker reads several ranges of one file
def _opened(file: LocalFile, kind: str, stamp: tuple[int, int], cache: Path) -> tuple[ByteSource, int] | None:
    place = f"{blake2b(file.identity.encode('utf-8', 'surrogateescape'), digest_size=8).hexdigest()}-"
    key = f"{place}{blake2b(str((_VERSION, *stamp)).encode(), digest_size=8).hexdigest()}"
    note = cache / f"{key}.points.json"
    found = _noted(note)
    if found is None:
        try:
            cache.mkdir(parents=True, exist_ok=True)
            # Of two workers that find the same at once, each notes its own.
            found = _find(file, kind, cache / f"{key}-{secrets.token_hex(4)}.points")
            write_atomic(note, json.dumps(found).encode())
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            said = f"the seek points of {file.name} cannot be kept here ({why}); make room, or choose another --root"
            raise OmniError(f"{cache}: {said}") from error
        for old in cache.glob(f"{place}*"):  # of an earlier version of the file
            if not old.name.startswith(key):
                with suppress(OSError):
                    old.unlink()
    return (open_packed(file, kind, cache / found["points"]), found["size"]) if found else None


def _find(file: LocalFile, kind: str, points: Path) -> dict[str, Any]:
    """What is noted of a file: where its seek points are, their digest, and how much it holds; nothing where it is not sound."""
    try:
        size = find_points(file, kind, points)
        with io.BufferedReader(Span(open_packed(file, kind, points), file.name, 0, size)) as content:
            is_plain = packing(content, "") == ""
    except BrokenArchive:
        return {}
    digest = hashlib.sha256(points.read_bytes()).hexdigest()
    return {"points": points.name, "digest": digest, "size": size} if is_plain and size else {}


def _noted(note: Path) -> dict[str, Any] | None:
    """What was found before; None where there is nothing, or a disk, or a user, has damaged it."""
    try:
        found = json.loads(note.read_bytes())
        if found == {}:
            return {}
        points = note.with_name(found["points"]).read_bytes()
        return found if hashlib.sha256(points).hexdigest() == found["digest"] and found["size"] > 0 else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
