"""The folder of a local Ray: its sockets, logs and spilled objects, where no other user of the machine can look or write.

Ray's own choice is ``/tmp/ray``, which everybody may write to. Here every run makes a folder that is its user's alone, in
a place where nobody else can put another one instead, and removes it when it ends. A run that is killed leaves it behind:
the lock on its mark is gone then, and the next run removes it.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from omni_ray.errors import OmniError

_PREFIX = "omni-ray-"
_MARK, _INSIDE = "driver", "r"
"""In the private folder: the mark, and the folder for Ray, which opens to everybody what it is told to use."""
_SOCKET_BYTES = 103 if sys.platform == "darwin" else 107
"""The longest path of a socket that the kernel takes."""
_BELOW = len(f"/{_INSIDE}/session_2026-01-31_12-00-00_123456_1234567/sockets/plasma_store")
"""What Ray puts between its folder and the longest of its sockets' names."""
_LONGEST_FOLDER = _SOCKET_BYTES - _BELOW
_UNMARKED_S = 3600.0
"""From this age on, a folder that was never marked is one whose maker was killed before it could."""
_MOST_OF_A_MARK = 1000
_TRIES = 20


@contextmanager
def private_folder(mark: str) -> Iterator[Path]:
    """A new folder within one that only its owner can enter, for the length of the block.

    Args:
        mark: text that :func:`mark_of` gives back to whoever asks about the folder.

    Raises:
        OmniError: there is no place for one.
    """
    _remove_abandoned()
    folder = _make()
    descriptor = os.open(folder / _MARK, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.write(descriptor, mark.encode())
        yield folder / _INSIDE
    finally:
        _remove(folder)
        os.close(descriptor)


def mark_of(folder: Path) -> str:
    """The mark of what :func:`private_folder` gave; empty where it has none, or is not ours."""
    return _read_mark(folder.parent)


def _read_mark(folder: Path) -> str:
    try:
        # Neither a link nor a pipe that somebody put there instead is followed or waited for.
        descriptor = os.open(folder / _MARK, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return ""
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
            return ""
        return os.read(descriptor, _MOST_OF_A_MARK).decode(errors="replace")
    finally:
        os.close(descriptor)


def _make() -> Path:
    for place in _places():
        if len(os.fsencode(place)) + 1 + len(_PREFIX) + 8 > _LONGEST_FOLDER or not _is_safe(place):
            continue
        with suppress(OSError):
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))  # 0700, and never one that was there
            _check(folder)
            return folder
    raise OmniError(
        "there is no safe place for Ray's sockets: set TMPDIR to a folder that only you can write to, with a path of at "
        f"most {_LONGEST_FOLDER - 9 - len(_PREFIX)} bytes"
    )


def _check(folder: Path) -> None:
    status = folder.lstat()
    if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) != 0o700 or not stat.S_ISDIR(status.st_mode):
        raise PermissionError(f"{folder} is not private")


def _places() -> list[Path]:
    """Where the folder may be, the best first; the temporary folder is a disk, which logs and spilled objects may fill."""
    named = [os.environ.get("RAY_TMPDIR"), tempfile.gettempdir(), "/tmp", "/var/tmp", os.environ.get("XDG_RUNTIME_DIR")]
    places = dict.fromkeys(Path(each).resolve() for each in named if each)
    return [place for place in places if place.is_dir()]


def _is_safe(place: Path) -> bool:
    """Whether nobody but root and us can put something else where a folder of ours in ``place`` is."""
    for each in (place, *place.parents):
        status = each.stat()
        is_open = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not status.st_mode & stat.S_ISVTX
        if is_open or status.st_uid not in {0, os.geteuid(), *_unmapped()}:
            return False
    return True


def _unmapped() -> set[int]:
    """Who owns the files of the machine's root in a container that has users of its own."""
    try:
        is_outside = Path("/proc/self/uid_map").read_text().split() == ["0", "0", "4294967295"]
        return set() if is_outside else {int(Path("/proc/sys/kernel/overflowuid").read_text())}
    except (OSError, ValueError):
        return set()


def _remove_abandoned() -> None:
    """Remove the folders of our own runs that were killed, wherever they ran: in another container, before a reboot."""
    for place in _places():
        for folder in place.glob(f"{_PREFIX}*"):
            with suppress(OSError):
                _check(folder)
                if _is_abandoned(folder):
                    shutil.rmtree(folder, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    if not _read_mark(folder):
        return time.time() - folder.lstat().st_mtime > _UNMARKED_S
    descriptor = os.open(folder / _MARK, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _remove(folder: Path) -> None:
    """Ray's last processes may still be writing their logs: what they add meanwhile is removed with the next try."""
    for _ in range(_TRIES):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.05)
