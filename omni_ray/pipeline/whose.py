"""Which project made something outside of it, so that no other one replaces it."""

from __future__ import annotations

import hashlib
import socket
import uuid
from pathlib import Path

from omni_ray.storage import write_atomic


def root_identity(state_folder: Path) -> str:
    """A name for a root that no other has, made once; of a copy, the file is another one."""
    file = state_folder / "id"
    if not file.is_file():
        write_atomic(file, uuid.uuid4().hex.encode())
    return f"{file.read_text('ascii')}:{file.stat().st_ino}"


def signature(state_folder: Path) -> str:
    """What a project signs with: its identity, which it keeps when it is moved, and a digest of its place, which it keeps when
    it is made anew there."""
    place = hashlib.sha256(f"{socket.gethostname()}:{state_folder.resolve()}".encode(errors="surrogateescape"))
    return f"{root_identity(state_folder)} {place.hexdigest()[:32]}"


def is_anothers(signed: str, ours: str) -> bool:
    """Whether something ``signed`` is another project's, or that of a copy of it; not where nobody signed it."""
    return bool(signed) and not set(signed.split()) & set(ours.split())
