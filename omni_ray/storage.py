"""Where shards and manifests live: a local folder, NFS, or an object store; every write whole or not at all.

Locally a file is written under a temporary name, synced, renamed, and its folder synced. On an object store an upload is atomic
in itself: the object appears when it is complete. Readers therefore never see half a file.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from io import BufferedWriter, FileIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol, TypeVar

from omni_ray.errors import OmniError, of_store

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo, FileSystem

TEMPORARY = ".tmp-"
"""How the names of files and folders begin that a killed run may leave, and the next one removes."""
_WRITTEN = re.compile(r"\.tmp-[0-9a-f]{12}-")
"""The beginning of the names of such files; whatever else begins with a dot is somebody's."""
_ROUND_TRIPS = 32
"""Reads from an object store under way at once."""
WRITE_BYTES = 256 << 10
"""What the kernel gets in one write. Linux caches a longer one in pages of up to 2 MiB, and free ones of that size are what the host of
a virtual machine has taken back (free page reporting): to get them again took ten times as long as to write."""

_KEYS = re.compile(r"//(?:[^/@]*:.*@|[^/@]*@)")
_NOT_LOCAL = re.compile(r"[a-z][a-z0-9+.-]+:/", re.IGNORECASE)

Item = TypeVar("Item")
Result = TypeVar("Result")


def shown(uri: str) -> str:
    """A location as people may see it: without keys (``s3://key:secret@bucket``), and without options."""
    return _KEYS.sub("//", uri.partition("?")[0])


def is_uri(place: str | Path) -> bool:
    """Whether ``place`` is on an object store or a server, not in a file system."""
    return _NOT_LOCAL.match(str(place)) is not None


def local_folder(root: str | Path) -> Path:
    """The project folder.

    Raises:
        OmniError: it is a URI: training files and their media are written to a file system; or its path is not UTF-8.
    """
    if is_uri(root):
        raise OmniError(
            f"--root {shown(str(root))}: the project is a folder of this machine, or one that all nodes mount; "
            "--store s3://bucket/prefix puts shards and manifests on an object store"
        )
    return written_in(Path(root))


def written_in(folder: Path) -> Path:
    """The same folder. Raises OmniError where its path is not UTF-8, as Arrow takes it."""
    try:
        str(folder.absolute()).encode()
    except UnicodeEncodeError as error:
        name = os.fsencode(folder.absolute()).decode("utf-8", "backslashreplace")
        raise OmniError(f"{name}: the path is not UTF-8; rename the folder, or choose another one") from error
    return folder


class _InPieces(FileIO):
    """A new file that takes at most :data:`WRITE_BYTES` at once; the buffer above it goes on with the rest."""

    def write(self, data: Any, /) -> int:
        return super().write(memoryview(data)[:WRITE_BYTES])


@contextmanager
def atomic_writer(
    path: str | Path, *, sync: bool = True, sync_name: bool = True, permit: Callable[[], None] | None = None
) -> Iterator[IO[bytes]]:
    """A binary file that appears at ``path`` when the block ends without an error, and not before.

    The data is on the disk (fsync) before the name is. On an error, or a kill, an older file stays as it was.

    Args:
        path: where the file is to be.
        sync: False for scratch files, which nobody reads again after a power failure.
        sync_name: False where the caller syncs the folder later, once for several files.
        permit: called last, before the file appears; what it raises keeps it from doing so.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{TEMPORARY}{uuid.uuid4().hex[:12]}-{path.name}"[:250])
    try:
        with BufferedWriter(_InPieces(temporary, "x")) as file:
            yield file
            if sync:
                file.flush()
                os.fsync(file.fileno())
        if permit is not None:
            permit()
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            temporary.unlink()
        raise
    if sync and sync_name:
        sync_path(path.parent)


def write_atomic(path: str | Path, data: bytes | memoryview, *, sync: bool = True) -> None:
    """Write ``data`` to ``path``, whole or not at all; ``sync`` as for :func:`atomic_writer`."""
    with atomic_writer(path, sync=sync) as file:
        file.write(data)


def _link(path: Path, new: Path) -> None:
    """Give the file ``path`` the name ``new``, too; whole or not at all."""
    new.parent.mkdir(parents=True, exist_ok=True)
    temporary = new.with_name(f"{TEMPORARY}{uuid.uuid4().hex[:12]}-{new.name}"[:250])
    try:
        os.link(path, temporary)
        os.replace(temporary, new)
    except OSError:  # a file system without links
        write_atomic(new, path.read_bytes())
    finally:
        temporary.unlink(missing_ok=True)  # renaming one name of a file to another one leaves both
    sync_path(new.parent)


def sync_path(path: Path) -> None:
    """Make sure that a file's bytes, or the names in a folder, are on the disk (fsync)."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_temporaries(folder: Path) -> int:
    """Remove what killed writers left in ``folder`` (not below it); returns how many files."""
    left = (
        [p for p in folder.glob(f"{TEMPORARY}*") if _WRITTEN.match(p.name) and p.is_file()] if folder.is_dir() else []
    )
    for path in left:
        path.unlink(missing_ok=True)
    return len(left)


class Guard(Protocol):
    """Knows whether this run may still write."""

    def check(self) -> None:
        """Raise OmniError where it may not."""
        ...


class Storage:
    """A folder of named blobs. Small and picklable: workers get it with their task.

    Args:
        uri: a local path, ``file://``, ``s3://bucket/prefix``, ``gs://`` or another URI pyarrow knows.
        fence: who may write here; None for everybody.
    """

    def __init__(self, uri: str | Path, fence: Guard | None = None) -> None:
        self.uri = str(uri)
        self.fence = fence
        self.is_local = "://" not in self.uri or self.uri.startswith("file://")
        self.local_root = Path(self.uri.removeprefix("file://")).absolute() if self.is_local else None
        self._remote: tuple[FileSystem, str] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_remote": None}

    @property
    def shown(self) -> str:
        """Where it is, for people."""
        return shown(self.uri)

    @property
    def has_keys(self) -> bool:
        """Whether the location holds a secret."""
        return _KEYS.search(self.uri) is not None

    def child(self, name: str) -> Storage:
        """The storage of a folder inside this one."""
        path, question, query = self.uri.partition("?") if not self.is_local else (self.uri, "", "")
        return Storage(f"{path.rstrip('/')}/{name}{question}{query}", self.fence)

    def _filesystem(self) -> tuple[FileSystem, str]:
        if self._remote is None:
            from pyarrow import fs

            try:
                self._remote = fs.FileSystem.from_uri(self.uri)
            except (OSError, ValueError) as error:
                why = str(error).replace(self.uri, self.shown)
                raise OmniError(f"{self.shown}: not a usable storage location ({why})") from None
        return self._remote

    def _local(self, name: str) -> Path:
        assert self.local_root is not None
        return self.local_root / name

    def _remote_path(self, name: str) -> tuple[FileSystem, str]:
        filesystem, root = self._filesystem()
        return filesystem, f"{root}/{name}" if name else root

    def write(self, name: str, data: bytes | memoryview, *, sync_name: bool = True) -> None:
        """Commit ``data`` under ``name``, whole or not at all. Raises OmniError where that is another run's right now.

        Without ``sync_name`` a power failure may cost the name, or leave what it was before, until :meth:`sync_names` is
        called.
        """
        if self.is_local:
            with atomic_writer(self._local(name), sync_name=sync_name, permit=self._permit) as file:
                file.write(data)
            return
        self._permit()
        with self._remotely():
            filesystem, path = self._remote_path(name)
            with filesystem.open_output_stream(path, compression=None) as stream:
                stream.write(data)

    def sync_names(self) -> None:
        """Make the names of all files directly in this folder survive a power failure."""
        if self.local_root is not None and self.local_root.is_dir():
            sync_path(self.local_root)

    def _permit(self) -> None:
        if self.fence is not None:
            self.fence.check()

    def copy_to(self, name: str, other: Storage, new: str) -> None:
        """Commit the bytes under ``name`` as ``new`` in another folder of the same store; on a disk that has links, as one."""
        self._permit()
        if self.is_local:
            _link(self._local(name), other._local(new))
            return
        with self._remotely():
            filesystem, path = self._remote_path(name)
            filesystem.copy_file(path, other._remote_path(new)[1])

    def read(self, name: str) -> bytes:
        """All bytes under ``name``. Raises FileNotFoundError."""
        if self.is_local:
            return self._local(name).read_bytes()
        with self._remotely():
            filesystem, path = self._remote_path(name)
            with filesystem.open_input_stream(path, compression=None) as stream:
                return bytes(stream.read())

    def open(self, name: str) -> Any:
        """A random-access Arrow file of ``name`` (memory-mapped locally). Raises FileNotFoundError."""
        import pyarrow as pa

        if self.is_local:
            path = self._local(name)
            return pa.memory_map(str(path), "rb") if path.stat().st_size else pa.BufferReader(b"")
        with self._remotely():
            filesystem, path_ = self._remote_path(name)
            return filesystem.open_input_file(path_)

    def files(self) -> dict[str, int]:
        """Committed files directly in this folder and their sizes in bytes; empty where it does not exist."""
        if self.is_local:
            assert self.local_root is not None
            try:
                entries = list(os.scandir(self.local_root))
            except (FileNotFoundError, NotADirectoryError):
                return {}
            found = {}
            for entry in entries:
                # What another process removes while it is looked at is not there; the rest still is.
                with suppress(FileNotFoundError):
                    if entry.is_file() and not entry.name.startswith("."):
                        found[entry.name] = entry.stat().st_size
            return found
        return {info.base_name: info.size for info in self._listed() if info.is_file}

    def times(self) -> dict[str, float]:
        """When the files directly in this folder were written, in seconds, by the clock of the store."""
        return {info.base_name: (info.mtime_ns or 0) / 1e9 for info in self._listed() if info.is_file}

    def _listed(self) -> list[FileInfo]:
        """What is directly in this folder of an object store: files and folders."""
        from pyarrow import fs

        with self._remotely():
            filesystem, root = self._filesystem()
            return list(filesystem.get_file_info(fs.FileSelector(root, allow_not_found=True)))

    @contextmanager
    def _remotely(self) -> Iterator[None]:
        """Turns what an object store says into one sentence, except for a file that is not there."""
        try:
            yield
        except (FileNotFoundError, OmniError):
            raise
        except OSError as error:
            raise of_store(self.shown, error) from error

    def map(self, read: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
        """``read`` of each item, in order; many at once where each is a round trip to an object store."""
        if self.is_local or len(items) < 2:
            yield from map(read, items)
            return
        self._filesystem()  # made once, not by every thread
        with ThreadPoolExecutor(_ROUND_TRIPS) as pool:
            yield from pool.map(read, items)

    def folders(self) -> list[str]:
        """Names of the folders directly in this one, sorted."""
        if self.is_local:
            assert self.local_root is not None
            if not self.local_root.is_dir():
                return []
            return sorted(e.name for e in os.scandir(self.local_root) if e.is_dir() and not e.name.startswith("."))
        return sorted(info.base_name for info in self._listed() if not info.is_file)

    def delete(self, name: str) -> None:
        """Remove ``name``; nothing happens where it does not exist. Raises OmniError as :meth:`write` does."""
        if self.is_local and not os.path.lexists(self._local(name)):
            return
        self._permit()
        if self.is_local:
            self._local(name).unlink(missing_ok=True)
            return
        with suppress(FileNotFoundError), self._remotely():
            filesystem, path = self._remote_path(name)
            filesystem.delete_file(path)

    def remove_temporaries(self) -> None:
        """Remove what killed writers left directly in this folder. On an object store there is no such thing."""
        if self.local_root is not None:
            remove_temporaries(self.local_root)

    def remove_if_empty(self) -> None:
        """Remove this folder where nothing is left in it."""
        if self.is_local and self.local_root is not None and self.local_root.is_dir():
            self.remove_temporaries()
            with suppress(OSError):
                self.local_root.rmdir()
