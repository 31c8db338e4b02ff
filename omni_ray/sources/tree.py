"""A read-only tree of named files: a folder, an archive, or a folder whose archives are opened in place.

Corpora are written against this one view, so a corpus reads the same whether it was unpacked or not.
Names are relative, with forward slashes. Nothing here leaves the tree.
"""

from __future__ import annotations

import errno
import os
import posixpath
import stat
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from omni_ray.errors import SourceError
from omni_ray.sources.furniture import is_furniture, is_hidden
from omni_ray.sources.links import Links, as_text

MAX_FILE_BYTES = 1 << 30
"""No member is ever read into memory whole beyond this size (1 GiB)."""
_MAX_EXAMPLES = 20


class MemberTooLarge(SourceError, ValueError):
    """A file's size, declared or real, is over the limit for reading it.

    A corpus that was reading one record turns this into a rejected record; for a list that the whole corpus
    depends on, it is an error of the source.
    """


class MemberDamaged(SourceError, ValueError):
    """A file of an archive does not decompress to what the archive says. It costs a record, or the source, as above."""


@dataclass
class RefusedMembers:
    """Members that an archive has and its tree does not: names that lead outside, links, devices, sparse files, and those
    that later members of the same name replace.

    Attributes:
        counts: how many, by reason: a code of :data:`omni_ray.unread.REASONS`.
        examples: some of each: (reason, name, why).
    """

    counts: dict[str, int] = field(default_factory=dict)
    examples: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def count(self) -> int:
        return sum(self.counts.values())

    def __bool__(self) -> bool:
        return self.count > 0

    def add(self, name: str, why: str, reason: str = "not_a_file") -> None:
        """Count one."""
        self.counts[reason] = self.counts.get(reason, 0) + 1
        if self.counts[reason] <= _MAX_EXAMPLES:
            self.examples.append((reason, name.encode("utf-8", "backslashreplace").decode()[:200], why))

    def __add__(self, other: RefusedMembers) -> RefusedMembers:
        reasons = self.counts.keys() | other.counts.keys()
        counts = {reason: self.counts.get(reason, 0) + other.counts.get(reason, 0) for reason in reasons}
        both = self.examples + other.examples
        return RefusedMembers(counts, [each for reason in sorted(reasons) for each in _some(both, reason)])


def _some(examples: list[tuple[str, str, str]], reason: str) -> list[tuple[str, str, str]]:
    return [each for each in examples if each[0] == reason][:_MAX_EXAMPLES]


@dataclass
class Entries:
    """What is directly in a folder.

    Attributes:
        folders, files: names, sorted; what systems leave behind is not among them.
        linked: names of ``folders`` that are links to folders that are shown under their own names.
        left_out: what is there and cannot be read through the tree: (name, reason), the reason being a code of
            :data:`omni_ray.unread.REASONS`.
    """

    folders: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    linked: list[str] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)


Hidden = Callable[[str], str | None]


class Tree(ABC):
    """A read-only set of named files.

    Attributes:
        location: where it is, as the user wrote it; used in messages only.
        unfetched: files of a remote source that were left there.
        points: the folder in which seek points and copies of packed files are kept; None for a temporary one.
        say: called with what takes long.
    """

    location: str
    unfetched: Sequence[str] = ()
    points: Path | None = None
    say: Callable[[str], None] = staticmethod(lambda text: None)

    @property
    def refused(self) -> RefusedMembers:
        """What is there but is not shown, for safety."""
        return RefusedMembers()

    @abstractmethod
    def spec(self) -> dict[str, Any]:
        """A small JSON value from which :func:`omni_ray.sources.open_spec` rebuilds this tree in a worker."""

    @abstractmethod
    def look(self, folder: str) -> Entries:
        """What is directly in ``folder`` ("" for the top)."""

    def children(self, folder: str) -> tuple[list[str], list[str]]:
        """The names of the folders and of the files directly in ``folder``, each sorted."""
        there = self.look(folder)
        return there.folders, there.files

    def walk(self) -> Iterator[tuple[str, list[str], list[str]]]:
        """Folders from the top down, in sorted order: (folder, subfolders, files), like :func:`os.walk`.

        ``folder`` is "" for the top. Removing a name from ``subfolders`` keeps the walk out of it, so that a
        folder of millions of files need not be listed to find the one list that names them. Folders that are links to
        others of the tree are among ``subfolders``, and are not walked.
        """
        for folder, there in self.survey():
            yield folder, there.folders, there.files

    def survey(self) -> Iterator[tuple[str, Entries]]:
        """The same walk, including what is left out."""
        waiting = [""]
        while waiting:
            folder = waiting.pop()
            there = self.look(folder)
            yield folder, there
            below = [name for name in reversed(there.folders) if name not in there.linked]
            waiting += [f"{folder}/{name}" if folder else name for name in below]

    @abstractmethod
    def exists(self, name: str) -> bool:
        """Whether ``name`` is a regular file of the tree."""

    @abstractmethod
    def size(self, name: str) -> int:
        """Bytes of ``name``. Raises FileNotFoundError."""

    @abstractmethod
    def open(self, name: str) -> BinaryIO:
        """A seekable binary reader of ``name``. Raises FileNotFoundError."""

    @abstractmethod
    def stamp(self, names: Iterable[str]) -> str:
        """A digest that changes when any of these files changes (size and modification time), or vanishes."""

    def read(self, name: str, limit: int = MAX_FILE_BYTES) -> bytes:
        """All bytes of ``name``. Raises FileNotFoundError, or MemberTooLarge beyond ``limit`` bytes."""
        with self.open(name) as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            raise MemberTooLarge(f"{name}: larger than {limit:,} bytes")
        return data

    def names(self) -> Iterator[str]:
        """Every file, folders in sorted order, files of a folder sorted."""
        for folder, _, files in self.walk():
            for file in files:
                yield f"{folder}/{file}" if folder else file

    def local_path(self, name: str) -> Path | None:
        """The path of ``name`` on the local disk, or None where it is inside an archive."""
        return None

    @property
    def is_file(self) -> bool:
        """Whether one file alone is shown."""
        return False

    def is_seekable(self, name: str) -> bool:
        """Whether a reader of ``name`` reaches any position without reading everything before it."""
        return True

    def canonical(self, name: str) -> str:
        """The name under which :meth:`walk` shows ``name``, which a list may have named by another path."""
        return name

    @cached_property
    def aside(self) -> dict[str, str]:
        """Files that readers of the tree leave out on purpose: name -> a code of :data:`omni_ray.unread.REASONS`."""
        return {}

    def set_aside(self, name: str, reason: str) -> None:
        """Note that a file is left out on purpose, and why."""
        self.aside[name] = reason

    def folders_in(self, folder: str) -> list[str]:
        """Names of the folders in ``folder``, also where the tree shows one file alone."""
        return self.children(folder)[0]


class FolderTree(Tree):
    """A folder on the local disk. :mod:`omni_ray.sources.links` says which links are followed.

    Args:
        follow_links: follow links that lead out of it, too.
        hidden: why a file is not shown, as a code of :data:`omni_ray.unread.REASONS`, or "" where nobody needs to know; None for one
            that is shown.
    """

    def __init__(self, root: str | Path, follow_links: bool = False, hidden: Hidden | None = None) -> None:
        self.root = Path(root)
        self.location = str(root)
        self._follow_links = follow_links
        self.hidden = hidden
        self._links = Links(self.root, follow_links)
        self._check()

    def _check(self) -> None:
        """Raises SourceError where it cannot be read."""
        try:
            with os.scandir(self.root) as entries:
                next(entries, None)
        except FileNotFoundError:
            raise SourceError(f"{self.root}: no such folder; give --source an existing one") from None
        except NotADirectoryError:
            raise SourceError(f"{self.root}: not a folder") from None
        except PermissionError:
            raise SourceError(f"{self.root}: no permission to read this folder") from None

    def spec(self) -> dict[str, Any]:
        return {"kind": "folder", "root": str(self.root.absolute()), "follow_links": self._follow_links}

    def look(self, folder: str) -> Entries:
        found = Entries()
        try:
            with os.scandir(self._links.folder(folder)) as entries:
                for entry in entries:
                    if not is_furniture(entry.name):
                        self._sort(folder, entry, found)
                    elif is_hidden(entry.name) and entry.is_file(follow_symlinks=False):
                        found.left_out.append((as_text(entry.name), "hidden"))
        except OSError as error:
            raise SourceError(f"{error.filename}: {(error.strerror or 'unreadable').lower()}") from error
        if self.hidden is not None:
            whys = [(name, self.hidden(f"{folder}/{name}" if folder else name)) for name in found.files]
            found.files = [name for name, why in whys if why is None]
            found.left_out += [(name, why) for name, why in whys if why]
        for names in (found.folders, found.files, found.left_out):
            names.sort()
        return found

    def _sort(self, folder: str, entry: os.DirEntry[str], found: Entries) -> None:
        name = as_text(entry.name)
        reason, is_folder = "", entry.is_dir()
        if entry.is_symlink():
            reason, is_folder = self._links.look(folder, entry.name)
        elif not is_folder and not entry.is_file():  # a pipe, once opened, would be waited on forever
            reason = "not_a_file"
        if name != entry.name and os.path.lexists(f"{self._links.folder(folder)}/{name}"):
            reason = "name"
        if reason:
            found.left_out.append((name, reason))
        if is_folder and reason in {"", "copy"}:
            found.folders.append(name)
            found.linked += [name] if reason else []
        elif not reason:
            found.files.append(name)

    def _unlinked(self, name: str) -> str:
        """The path of a name of the tree; the file may be a link, and no folder above it is."""
        if not name or "\0" in name or name[0] == "/" or ".." in PurePosixPath(name).parts:
            raise FileNotFoundError(2, "not a name in a source", name)
        return self._links.unlinked(name)

    def is_folder(self, name: str) -> bool:
        """Whether ``name`` is a folder of the tree."""
        try:
            return os.path.isdir(self._links.folder(name))
        except (OSError, ValueError):
            return False

    def _status(self, name: str) -> os.stat_result:
        """The status of a regular file. Raises FileNotFoundError where there is none."""
        status = os.lstat(self._unlinked(name))
        if stat.S_ISLNK(status.st_mode):
            status = os.lstat(self._links.place(name))
        if not stat.S_ISREG(status.st_mode):
            raise FileNotFoundError(2, "not a file", str(self.root / name))
        return status

    def exists(self, name: str) -> bool:
        try:
            self._status(name)
        except (OSError, ValueError):
            return False
        return True

    def size(self, name: str) -> int:
        return self._status(name).st_size

    def size_and_time(self, name: str) -> tuple[int, int]:
        """Bytes, and when it was changed, in ns. Raises FileNotFoundError."""
        status = self._status(name)
        return status.st_size, status.st_mtime_ns

    def open(self, name: str) -> BinaryIO:
        return os.fdopen(self._descriptor(name), "rb")

    def read(self, name: str, limit: int = MAX_FILE_BYTES) -> bytes:
        # Asked for as much as the limit, Python would first allocate that much: half a millisecond per file.
        with os.fdopen(self._descriptor(name), "rb", buffering=0) as file:
            if os.fstat(file.fileno()).st_size > limit:
                raise MemberTooLarge(f"{self.root / name}: larger than {limit:,} bytes")
            return file.read()

    def _descriptor(self, name: str) -> int:
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            descriptor = os.open(self._unlinked(name), flags)
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
            descriptor = os.open(self._links.place(name), flags)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise FileNotFoundError(2, "not a file", str(self.root / name))
        return descriptor

    def stamp(self, names: Iterable[str]) -> str:
        digest = blake2b(digest_size=16)
        for name in names:
            try:
                size, time = self.size_and_time(name)
                digest.update(f"{name}\0{size}\0{time}\n".encode("utf-8", "surrogateescape"))
            except (OSError, ValueError):
                digest.update(f"{name}\0missing\n".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

    def local_path(self, name: str) -> Path | None:
        return Path(self._links.place(name))

    def canonical(self, name: str) -> str:
        return self._links.canonical(posixpath.normpath(name) if "//" in name or "./" in name else name)


class FileTree(FolderTree):
    """One file on the local disk, listed alone; what it names beside it can still be opened."""

    def __init__(self, path: str | Path, follow_links: bool = False) -> None:
        # A link that the user points at is meant, unlike one that is found inside a source.
        self._path = Path(path).resolve() if Path(path).is_symlink() else Path(path)
        super().__init__(self._path.parent, follow_links)
        self.name = as_text(self._path.name)
        self.location = str(path)

    def _check(self) -> None:
        if not os.access(self._path, os.R_OK):
            raise SourceError(f"{self._path}: no permission to read this file")

    @property
    def is_file(self) -> bool:
        return True

    def spec(self) -> dict[str, Any]:
        return {"kind": "file", "path": str(self._path.absolute()), "follow_links": self._follow_links}

    def look(self, folder: str) -> Entries:
        return Entries([], [self.name])

    def folders_in(self, folder: str) -> list[str]:
        return super().look(folder).folders
