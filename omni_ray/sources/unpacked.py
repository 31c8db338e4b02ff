"""Files that are read at any place, such as Parquet, where they are packed (``a.parquet.zst``): from an unpacked copy.

The copy has no name, in the folder for temporary files, and goes with the process. The last one stays, since a file is read
in many slices.
"""

from __future__ import annotations

import io
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from omni_ray.errors import SourceError
from omni_ray.sources.archive_file import FileBytes, Span
from omni_ray.sources.packed import SUFFIXES, BrokenStream, is_packed, unpack

if TYPE_CHECKING:
    from omni_ray.sources.tree import Tree

_BUFFER_BYTES = 1 << 20


_kept: dict[tuple[str, str, str], tuple[FileBytes, int]] = {}
"""A copy, and its bytes. Each reader of it has a place of its own."""


def at_any_place(tree: Tree, name: str) -> tuple[Path | BinaryIO, int]:
    """A path or a seekable reader of a file, unpacked where it is packed; and its bytes.

    Raises:
        SourceError: it cannot be unpacked to its end.
    """
    path = tree.local_path(name)
    # In a store far away a look at the first bytes costs as much as one at the footer.
    if (path is None and not name.lower().endswith(SUFFIXES)) or not is_packed(tree, name):
        return path or tree.open(name), tree.size(name)
    key = json.dumps(tree.spec(), sort_keys=True), name, tree.stamp([name])
    if key not in _kept:
        copy = _unpacked(tree, name)
        _kept.clear()
        _kept[key] = copy
    source, size = _kept[key]
    return io.BufferedReader(Span(source, name, 0, size), _BUFFER_BYTES), size


def _unpacked(tree: Tree, name: str) -> tuple[FileBytes, int]:
    # It lives as long as its readers.
    file = tempfile.TemporaryFile()  # noqa: SIM115
    try:
        with tree.open(name) as packed:
            for chunk in unpack(packed, name):
                file.write(chunk)
        file.flush()
    except BrokenStream as error:
        file.close()
        raise SourceError(f"{name}: {error.detail} ({error.reason}); fetch it again") from None
    return FileBytes(file), file.tell()
