"""One writer at a time: on a root, and on a store that several roots share.

On a file system it is an advisory lock (flock, which NFS carries to its server) that the kernel drops when its holder
dies, however it dies. An object store has no locks: there every run puts a claim of its own beside the shards, renews it
while it works, and then looks for claims of others. S3 and GCS list what was written before, so of two that come at the
same time at least one sees the other; where both do, both stop. A claim that was not renewed for some minutes, by the
store's own clock, is a dead holder's. A holder that could not renew it for so long, or finds that another run took the store
over (:mod:`omni_ray.fence`), stops.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from omni_ray.errors import FALLS_SHORT, OmniError
from omni_ray.pipeline.processes import identity, is_dead, place_of
from omni_ray.pipeline.whose import root_identity

if TYPE_CHECKING:
    from omni_ray.storage import Storage

_CLAIMS = ".claims"
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
            raise OmniError(f"{place}: {holder} is working here; wait for it, or choose another --root") from None
        file.seek(0)
        file.truncate()
        file.write(f"{_holder(what)}\n")
        file.flush()
        yield


def new_run() -> str:
    """A number for a run that no other has."""
    return uuid.uuid4().hex


@contextmanager
def claim(storage: Storage, state_folder: Path, what: str, run: str) -> Iterator[None]:
    """Hold an object store for the block, against other runs that keep their shards in it.

    A run that was killed can be repeated at once: on its own machine, where it is seen to be dead, and on another one by
    whoever holds the lease of its root. A copy of a root is another root.

    Args:
        storage: the store, fenced.
        state_folder: of the root; its identity is kept there.
        what: as for :func:`lease`.
        run: the run's own number.

    Raises:
        OmniError: another run is at work there; or the claim was lost, which ends the block as Ctrl-C would where it
            runs in the main thread, and otherwise is raised when the block ends.
    """
    claims = storage.child(_CLAIMS)
    mine = f"{run}.json"
    ours = _Claim(_holder(what), root_identity(state_folder), identity(os.getpid()))
    claims.write(mine, ours.as_json())
    times = claims.times()
    for name in times.keys() - {mine}:
        other = _Claim.read(claims, name)
        if other is None:
            continue  # given back a moment ago
        if times[mine] - times[name] < EXPIRES_S and not other.is_dead(ours):
            claims.delete(mine)
            raise OmniError(
                f"{storage.shown}: {other.holder} is working here; wait for it, or choose another --store"
            ) from None
        claims.delete(name)
    keeper = _Keeper(storage, mine, ours.as_json())
    try:
        yield
    except KeyboardInterrupt:
        if keeper.loss is None:
            raise
    finally:
        keeper.stop()
    if keeper.loss is not None:
        raise keeper.loss


@dataclass(frozen=True)
class _Claim:
    """What a claim says: the holder for people, its root's identity, and its process's."""

    holder: str
    root: str
    process: str

    def as_json(self) -> bytes:
        return json.dumps(vars(self)).encode()

    @classmethod
    def read(cls, claims: Storage, name: str) -> _Claim | None:
        """The claim of that name; None where there is none any more."""
        try:
            data = claims.read(name)
        except FileNotFoundError:
            return None
        try:
            return cls(**json.loads(data))
        except (ValueError, TypeError):
            return cls("another run", "", "")

    def is_dead(self, ours: _Claim) -> bool:
        """Whether its holder is known not to live any more."""
        place = place_of(ours.process)
        if place and place_of(self.process) == place:
            return is_dead(self.process)
        return self.root == ours.root


class _Keeper:
    """Renews a claim until it is stopped, in a thread; interrupts the main thread where the claim is lost."""

    def __init__(self, storage: Storage, name: str, text: bytes) -> None:
        self._storage, self._claims = storage, storage.child(_CLAIMS)
        self._name, self._text = name, text
        self.loss: OmniError | None = None
        """Why another run may be at work by now; None as long as none can be."""
        self._stop = threading.Event()
        self._holder = threading.current_thread()
        self._thread = threading.Thread(target=self._renew, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Give the claim back, where it still is ours."""
        self._stop.set()
        self._thread.join()
        if self.loss is None:
            with suppress(OSError):
                self._claims.delete(self._name)

    def _renew(self) -> None:
        renewed = time.monotonic()
        loss = None
        while loss is None and not self._stop.wait(RENEW_S):
            try:
                self._claims.write(self._name, self._text)
                renewed = time.monotonic()
            except OSError:  # the next one may come through; there are ten before it expires
                if time.monotonic() - renewed > EXPIRES_S - RENEW_S:
                    loss = _out_of_reach(self._storage)
            except OmniError as error:  # the fence's
                loss = error
        if not self._stop.is_set():
            self.loss = loss
            if self._holder is threading.main_thread() and self._holder.ident is not None:
                signal.pthread_kill(self._holder.ident, signal.SIGINT)


def _out_of_reach(storage: Storage) -> OmniError:
    return OmniError(
        f"{storage.shown}: could not be reached for too long to be sure that no other run is working there; "
        "run the same command again to go on",
        exit_code=FALLS_SHORT,
    )


def _holder(what: str) -> str:
    return f"`{what}` (process {os.getpid()} on {socket.gethostname()})"
