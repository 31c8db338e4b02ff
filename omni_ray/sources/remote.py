"""A folder or a file on an object store as a tree: S3, GCS, the Hugging Face hub and whatever else pyarrow knows.

Code that lists folders gets one recursive listing, made once; workers, which read files by name, ask for just those.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, BinaryIO

from omni_ray.errors import SourceError
from omni_ray.media_names import is_safe_name
from omni_ray.sources.furniture import is_furniture, is_hidden
from omni_ray.sources.tree import Entries, Tree
from omni_ray.storage import shown

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo, FileSystem

HUB = "hf://"
_BUFFER = 1 << 20
_AT_ONCE = 16
"""Requests in flight: each is a round trip of some tens of milliseconds."""


def is_remote(location: str) -> bool:
    """Whether a source is on an object store: ``s3://bucket/folder``."""
    return "://" in location and not location.startswith(("file://", HUB))


class RemoteTree(Tree):
    """A folder, or one file, on an object store.

    Args:
        uri: such as ``s3://bucket/folder``; pyarrow's options may follow a question mark.
        only: the name of the one file in that folder that is shown, "" for all of them; None where the place may be
            either, which is then checked.

    Raises:
        SourceError: it is not there, cannot be reached, or is not a valid address.
    """

    def __init__(self, uri: str, only: str | None = None) -> None:
        self._uri = uri
        self.location = shown(uri)
        self._hidden: dict[str, list[tuple[str, str]]] = {}
        self._only = self._look() if only is None else only

    def _look(self) -> str:
        try:
            if self._info(self._place[1]) is not None:
                return self._place[1].rpartition("/")[2]
            if self._listing:
                return ""
        except (OSError, ValueError) as error:
            why = " ".join(str(error).replace(self._uri, self.location).split())[:300]
            raise SourceError(f"{self.location}: cannot be read ({why})") from None
        raise SourceError(f"{self.location}: there is nothing; give --source an existing folder or file")

    @cached_property
    def _place(self) -> tuple[FileSystem, str]:
        from pyarrow import fs

        filesystem, root = fs.FileSystem.from_uri(self._uri)
        return filesystem, root.rstrip("/")

    @property
    def _filesystem(self) -> FileSystem:
        return self._place[0]

    @property
    def _root(self) -> str:
        return self._place[1].rpartition("/")[0] if self._only else self._place[1]

    @cached_property
    def _listing(self) -> dict[str, tuple[int, int]]:
        """Size and time of every file below, by name."""
        from pyarrow import fs

        root = self._place[1]
        start = len(root) + 1
        infos = self._filesystem.get_file_info(fs.FileSelector(root, allow_not_found=True, recursive=True))
        return {info.path[start:]: _size_and_time(info) for info in infos if info.type == fs.FileType.File}

    @cached_property
    def _folders(self) -> dict[str, tuple[list[str], list[str]]]:
        found: dict[str, tuple[set[str], set[str]]] = {"": (set(), set())}
        self._hidden = {}
        for name in [self._only] if self._only else self._listing:
            parts = name.split("/")
            if is_hidden(parts[-1]):
                self._hidden.setdefault("/".join(parts[:-1]), []).append((parts[-1], "hidden"))
            if any(not part or is_furniture(part) for part in parts) or not is_safe_name(name):
                continue
            for depth, part in enumerate(parts):
                folders, files = found.setdefault("/".join(parts[:depth]), (set(), set()))
                (files if depth == len(parts) - 1 else folders).add(part)
        return {folder: (sorted(folders), sorted(files)) for folder, (folders, files) in found.items()}

    def _path(self, name: str) -> str:
        if not is_safe_name(name):
            raise FileNotFoundError(2, "not a name in a source", name)
        return f"{self._root}/{name}"

    def _info(self, path: str) -> FileInfo | None:
        from pyarrow import fs

        info = self._filesystem.get_file_info(path)
        return info if info.type == fs.FileType.File else None

    def _find(self, name: str) -> tuple[int, int] | None:
        """Size and time of a file, or None where there is none."""
        if "_listing" in self.__dict__:
            return self._listing.get(name)
        info = self._info(self._path(name)) if is_safe_name(name) else None
        return None if info is None else _size_and_time(info)

    def spec(self) -> dict[str, Any]:
        return {"kind": "remote", "uri": self._uri, "only": self._only}

    def show_only(self, names: Iterable[str]) -> None:
        """Hide all other files from folder listings."""
        listing = self._listing
        self.__dict__["_listing"] = {name: listing[name] for name in names if name in listing}

    def look(self, folder: str) -> Entries:
        folders, files = self._folders.get(folder, ([], []))
        return Entries(list(folders), list(files), left_out=sorted(self._hidden.get(folder, ())))

    def exists(self, name: str) -> bool:
        return self._find(name) is not None

    @property
    def is_file(self) -> bool:
        return bool(self._only)

    def is_folder(self, name: str) -> bool:
        """Whether there is something below ``name``."""
        return name in self._folders

    def size(self, name: str) -> int:
        return self.size_and_time(name)[0]

    def size_and_time(self, name: str) -> tuple[int, int]:
        """Bytes, and when it was changed, in whole seconds. Raises FileNotFoundError."""
        found = self._find(name)
        if found is None:
            raise FileNotFoundError(2, "no such file", f"{self.location}/{name}")
        return found

    def open(self, name: str) -> BinaryIO:
        return io.BufferedReader(self.open_native(name), _BUFFER)

    def open_native(self, name: str) -> Any:
        """A file as pyarrow opens it, which any thread may read at any position. Raises OSError."""
        return self._filesystem.open_input_file(self._path(name))

    def stamp(self, names: Iterable[str]) -> str:
        digest = blake2b(digest_size=16)
        if self._uri.startswith(HUB):
            digest.update(self._uri.encode())  # files on the hub have no time, but their commit serves as well
        wanted = list(names)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for name, found in zip(wanted, pool.map(self._find, wanted), strict=True):
                digest.update(f"{name}\0{found or 'missing'}\n".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()


def _size_and_time(info: FileInfo) -> tuple[int, int]:
    """Bytes, and whole seconds: a listing has fractions of seconds, and the file itself does not."""
    return info.size, (info.mtime_ns or 0) // 1_000_000_000
