"""Files that are read at any place, such as Parquet, where they are packed (``a.parquet.zst``): from an unpacked copy.

The copy has no name, in the folder for temporary files, and goes with the process. The last one stays, since a file is read
in many slices.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from omni_ray.errors import SourceError
from omni_ray.sources.packed import SUFFIXES, BrokenStream, is_packed, unpack

if TYPE_CHECKING:
    from omni_ray.sources.tree import Tree

_BUFFER_BYTES = 1 << 20


class _Copy(io.RawIOBase):
    """A reader of an unlinked file; others of the same file do not move its place."""

    def __init__(self, file: Any, size: int) -> None:
        self.file, self.size, self._at = file, size, 0

    def again(self) -> BinaryIO:
        """Another reader, at the beginning."""
        return io.BufferedReader(_Copy(self.file, self.size), _BUFFER_BYTES)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = max(0, {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence] + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        data = os.pread(self.file.fileno(), len(buffer), self._at)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


_kept: dict[tuple[str, str, str], _Copy] = {}


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
    return _kept[key].again(), _kept[key].size


def _unpacked(tree: Tree, name: str) -> _Copy:
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
    return _Copy(file, file.tell())
