"""A folder for what verifying spreads over files on the way."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def scratch_folder(state: Path) -> Iterator[Path]:
    """A folder for the length of the block, which all workers reach; what killed runs left of theirs is removed.

    Args:
        state: where the project keeps working files; where nobody may write there, the folder is one of this machine.
    """
    base = state / "verify"
    try:
        own = base / uuid.uuid4().hex
        own.mkdir(parents=True)
    except OSError:
        own = Path(tempfile.mkdtemp(prefix="omni-ray-"))
        base = own
    held = _locked(own)
    try:
        for left in [each for each in base.iterdir() if base != own and each != own]:
            lock = _locked(left)
            if lock is not None:  # whoever holds it is alive
                shutil.rmtree(left, ignore_errors=True)
                os.close(lock)
        yield own
    finally:
        shutil.rmtree(own, ignore_errors=True)
        if held is not None:
            os.close(held)
        with suppress(OSError):
            base.rmdir()


def _locked(folder: Path) -> int | None:
    """A descriptor that holds the folder's lock; None where somebody else does."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
