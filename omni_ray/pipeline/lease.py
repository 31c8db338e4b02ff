"""One writer at a time on a root: an advisory lock that the kernel drops when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from omni_ray.errors import OmniError


@contextmanager
def lease(folder: Path, what: str) -> Iterator[None]:
    """Hold ``folder/lock`` for the block.

    Args:
        folder: the project's state folder.
        what: what the holder does, for the message the other one gets.

    Raises:
        OmniError: another run holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            holder = file.read().strip() or "another run"
            raise OmniError(
                f"{folder.parent.parent}: {holder} is at work here; wait for it, or choose another --root"
            ) from None
        file.seek(0)
        file.truncate()
        file.write(f"`{what}` (process {os.getpid()} on {socket.gethostname()})\n")
        file.flush()
        yield
