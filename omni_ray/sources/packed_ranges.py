"""Large packed or recoded files, read in ranges of their plain bytes, as plain files are.

gzip and bzip2 are entered at seek points, which are found once (:mod:`omni_ray.sources.seek_points`). Other files that cannot be entered in
the middle are read from an unpacked copy (:mod:`omni_ray.sources.unpacked`): xz, zstd, other encodings than UTF-8, large members of
zips that are not just stored. Of a file that is damaged, cut, or has something after its compressed data, the copy is what could be unpacked, and
reading it ends as unpacking did, so what is lost is reported once.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from omni_ray.records import SourceOptions
from omni_ray.sources.archive_file import BrokenArchive, ByteSource, Span, TreeFile
from omni_ray.sources.form import Form
from omni_ray.sources.kept import Kept
from omni_ray.sources.packed import packing, packing_of
from omni_ray.sources.seek_points import SEEKABLE, find_points, open_packed
from omni_ray.sources.tree import Tree
from omni_ray.sources.unpacked import copy_size, open_copy

_LARGE_BYTES = 16 << 20
"""Packed bytes; smaller files are read whole. Text packs three to five times."""
_POINTS = ".points"
_BUFFER_BYTES = 1 << 20


def plain_size(tree: Tree, name: str, options: SourceOptions, form: Form = Form()) -> int | None:
    """Bytes of a file, unpacked and in UTF-8, whose ranges :func:`open_range` can read. None for a small file that is packed or
    in another encoding, and for one that holds nothing readable."""
    size = tree.size(name)
    suffix = packing_of(tree, name)
    if form.is_utf8 and not suffix:
        return size
    if size <= options.scaled(_LARGE_BYTES):
        return None
    content = _entered(tree, name, suffix, form)
    return copy_size(tree, name, form.codec) if content is None else content[1]


@contextmanager
def open_range(
    tree: Tree, name: str, start: int, end: int | None, form: Form = Form()
) -> Iterator[tuple[BinaryIO, Form]]:
    """A reader of a file of some form, for its bytes from ``start`` to ``end``, and the form in which they are there: for one that
    is not read whole, those of :func:`plain_size`. It raises BrokenStream where unpacking does."""
    is_whole = not start and end is None
    suffix = "" if is_whole else packing_of(tree, name)
    if is_whole or (form.is_utf8 and not suffix and tree.is_seekable(name)):
        with tree.open(name) as file:
            yield file, form
    elif content := _entered(tree, name, suffix, form):
        with io.BufferedReader(Span(content[0], name, 0, content[1]), _BUFFER_BYTES) as file:
            yield file, form
    else:
        with open_copy(tree, name, form.codec) as file:
            yield file, replace(form, is_recoded=True)


def _entered(tree: Tree, name: str, suffix: str, form: Form) -> tuple[ByteSource, int] | None:
    """The content of a sound file that can be entered at seek points, and its bytes; None for any other."""
    kind = f"tar{suffix}"
    is_so = form.is_utf8 and kind in SEEKABLE and tree.is_seekable(name)
    return _content(tree, name, kind, tree.stamp([name])) if is_so else None


@lru_cache(maxsize=2)  # a worker reads several ranges of one file
def _content(tree: Tree, name: str, kind: str, stamp: str) -> tuple[ByteSource, int] | None:
    """What a gzip or bzip2 file holds, and how many bytes; None where it is not sound."""
    kept = Kept(tree, [name], kind, (_POINTS,))
    file, points = TreeFile(tree, name), kept.path(_POINTS)
    found = kept.made(lambda: _find(file, kind, points))
    return (open_packed(file, kind, points), found["size"]) if found else None


def _find(file: TreeFile, kind: str, points: Path) -> dict[str, Any]:
    """Find the seek points of a file. The note on it: how much it holds; empty if it is not sound."""
    megabytes = file.tree.size(file.path) / 1e6
    file.tree.say(f"{file.path}: looking through its {megabytes:,.1f} MB once, to read it in units")
    try:
        size = find_points(file, kind, points)
        with io.BufferedReader(Span(open_packed(file, kind, points), file.name, 0, size)) as content:
            is_plain = packing(content, "") == ""
    except BrokenArchive:
        return {}
    return {"size": size} if is_plain and size else {}
