"""One writer at a time: on a root, and on a store that several roots share.

On a file system it is an advisory lock (flock, which NFS carries to its server) that the kernel drops when its holder
dies, however it dies. An object store has no locks: there every root puts a claim of its own beside the shards, renews it
while it works, and then looks for claims of others. S3 and GCS list what was written before, so of two that come at the
same time at least one sees the other; where both do, both stop. A claim that was not renewed for some minutes, by the
store's own clock, is a dead holder's. A holder that could not renew it for so long, or finds it gone, stops.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from omni_ray.errors import FALLS_SHORT, OmniError
from omni_ray.storage import write_atomic

if TYPE_CHECKING:
    from omni_ray.storage import Storage

RENEW_S = 60.0
EXPIRES_S = 600.0
"""A claim's age, since it was last renewed, from which on its holder is taken for dead."""


@contextmanager
def lease(folder: Path, what: str, place: Path | None = None) -> Iterator[None]:
    """Hold ``folder/lock`` for the block.

    Args:
        folder: the project's state folder.
        what: what the holder does, for the message the other one gets.
        place: what is locked, as the message calls it; the project folder by default.

    Raises:
        OmniError: another run holds it, or the file system has no locks.
    """
    place = place or folder.parent.parent
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in {errno.EWOULDBLOCK, errno.EACCES}:
                raise OmniError(
                    f"{place}: its file system has no locks ({(error.strerror or '').lower()}), so that two runs at once "
                    "could not be told apart; mount it with locking, or choose another --root"
                ) from error
            file.seek(0)
            holder = file.read().strip() or "another run"
            raise OmniError(f"{place}: {holder} is at work here; wait for it, or choose another --root") from None
        file.seek(0)
        file.truncate()
        file.write(f"{_holder(what)}\n")
        file.flush()
        yield


@contextmanager
def claim(storage: Storage, state_folder: Path, what: str) -> Iterator[None]:
    """Hold an object store for the block, against other roots that keep their shards in it.

    Whoever holds the lease of the root may take over the root's own claim, so that a run that was killed can be
    repeated at once.

    Args:
        storage: the store.
        state_folder: of the root; its identity is kept there.
        what: as for :func:`lease`.

    Raises:
        OmniError: another root is at work there; or the claim was lost, which ends the block as Ctrl-C would where it
            runs in the main thread, and is said when it ends by itself where it does not.
    """
    claims = storage.child(".claims")
    mine = f"{_identity(state_folder)}.txt"
    text = f"{_holder(what)}\n".encode()
    claims.write(mine, text)
    times = claims.times()
    others = {name: seconds for name, seconds in times.items() if name != mine}
    alive = [name for name, seconds in others.items() if times[mine] - seconds < EXPIRES_S]
    if alive:
        claims.delete(mine)
        with suppress(FileNotFoundError):
            raise OmniError(
                f"{storage.shown}: {claims.read(alive[0]).decode().strip()} is at work here; wait for it, or choose "
                "another --store"
            )
        raise OmniError(f"{storage.shown}: another run was at work here a moment ago; run the same command again")
    for name in others:
        claims.delete(name)
    stop, lost = threading.Event(), threading.Event()
    holder = threading.current_thread()

    def renew() -> None:
        renewed = time.monotonic()
        while not stop.wait(RENEW_S):
            with suppress(OSError):  # the next one may come through; there are ten before it expires
                if mine not in claims.times():
                    break
                claims.write(mine, text)
                renewed = time.monotonic()
            if time.monotonic() - renewed > EXPIRES_S - RENEW_S:
                break
        if not stop.is_set():
            lost.set()
            if holder is threading.main_thread() and holder.ident is not None:
                signal.pthread_kill(holder.ident, signal.SIGINT)

    renewer = threading.Thread(target=renew, daemon=True)
    renewer.start()
    try:
        yield
    except KeyboardInterrupt:
        if not lost.is_set():
            raise
    finally:
        stop.set()
        renewer.join()
        if not lost.is_set():
            with suppress(OSError):
                claims.delete(mine)
    if lost.is_set():
        raise OmniError(
            f"{storage.shown}: could not be reached for too long to be sure that no other run is at work there; "
            "run the same command again to go on",
            exit_code=FALLS_SHORT,
        )


def _holder(what: str) -> str:
    return f"`{what}` (process {os.getpid()} on {socket.gethostname()})"


def _identity(folder: Path) -> str:
    """A name for the root that no other has, made once."""
    file = folder / "id"
    if not file.is_file():
        write_atomic(file, uuid.uuid4().hex.encode())
    return file.read_text("ascii")
