"""Which files are ours: those that an earlier run wrote, as it wrote them. Nothing else is ever replaced or removed.

A file is known by its size and SHA-256, which are noted before the file gets its name: a run that is killed in between
leaves nothing that the next one does not know. Modification times are no proof (a copied project has others); where one
is still what it was, the file need not be read.
"""

from __future__ import annotations

import datetime
import hashlib
import itertools
import json
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from omni_ray.errors import OmniError
from omni_ray.storage import atomic_writer, write_atomic

_BLOCK = 1 << 20
_DIGITS = 32
"""Digits of a SHA-256 in hexadecimal: half of them tell apart whatever a project can hold."""

Identity = tuple[int, str]
"""Size in bytes, and digest."""


def digest_of(data: bytes | memoryview) -> str:
    """The digest of a file that holds ``data``."""
    return hashlib.sha256(data).hexdigest()[:_DIGITS]


def digest_of_stream(file: IO[bytes]) -> str:
    """The digest of a file from where it is read to its end."""
    return hashlib.file_digest(file, "sha256").hexdigest()[:_DIGITS]  # type: ignore[arg-type]  # typeshed asks for more


def identity_of(path: Path) -> Identity | None:
    """What the file at ``path`` is now; None where there is none, or a link, or no regular file."""
    if not is_regular(path):
        return None
    with open(path, "rb", buffering=0) as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return file.tell(), digest[:_DIGITS]


def is_regular(path: Path) -> bool:
    """Whether ``path`` is a file of its own, and not a link to one."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def refuse_links(root: Path, folder: Path) -> None:
    """Raise OmniError where ``folder``, or one it is in below ``root/data``, is a link: nothing is written through one.

    ``data`` itself may be one: it is the project's, as a whole.
    """
    inside = folder.relative_to(root).parts
    for depth in range(2, len(inside) + 1):
        path = root.joinpath(*inside[:depth])
        if path.is_symlink():
            raise OmniError(
                f"{path} is a link to {os.readlink(path)}, and nothing is written through a link inside data/: remove the "
                "link, or make `data` itself the link to another disk"
            )


def put_aside(path: Path) -> Path:
    """Rename what is at ``path`` to a name with today's date beside it, which is free; returns that."""
    today = f"{datetime.date.today():%Y-%m-%d}"
    number = 1
    while True:
        kept = path.with_name(f"{path.name}.{today}{f'-{number}' if number > 1 else ''}.bak")
        if not os.path.lexists(kept):
            os.rename(path, kept)
            return kept
        number += 1


def keep_copy(path: Path) -> Path:
    """Copy the file at ``path`` beside it, to ``NAME.bak`` or the first ``NAME.N.bak`` that is free; returns which.

    Where one of them has its bytes already, that is the copy.
    """
    data = path.read_bytes()
    for number in itertools.count(1):
        kept = path.with_name(f"{path.name}{f'.{number}' if number > 1 else ''}.bak")
        if not os.path.lexists(kept):
            write_atomic(kept, data)
        elif not is_regular(kept) or kept.read_bytes() != data:
            continue
        return kept
    raise AssertionError("there is always a free number")


def is_remnant_of(path: Path, data: bytes) -> bool:
    """As :func:`is_remnant`, of what is to hold ``data``."""
    if not is_regular(path) or path.stat().st_size > len(data):
        return False
    now = path.read_bytes()
    return data.startswith(now) or not now.strip(b"\0")


def is_remnant(path: Path, whole: Path) -> bool:
    """Whether the file at ``path`` holds nothing that is anybody's: only zeros, or the beginning of ``whole``."""
    if not is_regular(path):
        return False
    zeros = prefix = True
    with open(path, "rb") as left, open(whole, "rb") as right:
        while (zeros or prefix) and (block := left.read(_BLOCK)):
            zeros = zeros and not block.strip(b"\0")
            prefix = prefix and right.read(len(block)) == block
    return zeros or prefix


@dataclass
class Ledger:
    """The flat files of one modality that runs wrote, each with what it may be: as the last run, or one that was killed,
    wrote it.

    Attributes:
        path: where the ledger is kept.
        root: the project folder.
        known: by path relative to the root, what the file may be.
        times: by path, size and modification time in ns of files that need not be read to be known.
    """

    path: Path
    root: Path
    known: dict[str, list[Identity]] = field(default_factory=dict)
    times: dict[str, set[tuple[int, int]]] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path, root: Path) -> Ledger:
        """The ledger at ``path``; an empty one where there is none that is whole."""
        try:
            value = json.loads(path.read_bytes())
            known = {name: [(int(size), str(digest)) for size, digest in each] for name, each in value.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            known = {}
        return cls(path, root, known)

    def is_known(self, name: str) -> bool:
        """Whether a run ever wrote ``name``, whatever became of it."""
        return name in self.known or name in self.times

    def is_ours(self, name: str) -> bool:
        """Whether the file ``name`` is as a run wrote it. Reads it where its time has changed."""
        path = self.root / name
        if not is_regular(path):
            return False
        status = path.stat()
        if (status.st_size, status.st_mtime_ns) in self.times.get(name, ()):
            return True
        sizes = {size for size, _ in self.known.get(name, ())}
        return status.st_size in sizes and identity_of(path) in self.known[name]

    def expect(self, name: str, identity: Identity) -> None:
        """Note that ``name`` is about to become ``identity``; until then it is what it was."""
        self.known[name] = [each for each in self.known.get(name, ()) if each != identity] + [identity]
        self.save()

    def wrote(self, name: str) -> None:
        """Take note, for the next :meth:`save`, that ``name`` is what was last expected of it."""
        self.known[name] = self.known[name][-1:]

    def save(self) -> None:
        """Write the ledger, atomically."""
        write_atomic(self.path, json.dumps(self.known, indent=1, sort_keys=True).encode())


def refuse_strangers(ledger: Ledger, names: Iterable[str]) -> None:
    """Raise OmniError where a file that no run ever wrote, or a link, is at one of ``names``, relative to the root."""
    for name in names:
        refuse_links(ledger.root, (ledger.root / name).parent)
        if os.path.lexists(ledger.root / name) and not ledger.is_known(name):
            raise OmniError(_refusal(ledger, name))


@contextmanager
def own_writer(ledger: Ledger, name: str) -> Iterator[IO[bytes]]:
    """As :func:`atomic_writer`, of the file ``name`` relative to the root, which is then ours.

    Raises:
        OmniError: a file that is not ours, or that was changed since, is there.
    """
    place = ledger.root / name
    made: list[Path] = []

    def make_way() -> None:
        identity = identity_of(made[0])
        assert identity is not None
        if os.path.lexists(place) and not ledger.is_ours(name) and not is_remnant(place, made[0]):
            raise OmniError(_refusal(ledger, name))
        ledger.expect(name, identity)

    with atomic_writer(place, permit=make_way) as file:
        made.append(Path(file.name))
        yield file
    ledger.wrote(name)
    ledger.save()


def _refusal(ledger: Ledger, name: str) -> str:
    what = "was changed since omni-ray wrote it" if ledger.is_known(name) else "is there, and not omni-ray's"
    return f"{ledger.root / name} {what}; nothing is written over it: move it away, or choose another --root"
