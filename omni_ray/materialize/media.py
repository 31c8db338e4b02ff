"""Media files from shards: written once, found again, removed when they are nobody's any more."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from omni_ray.errors import OmniError
from omni_ray.sources.tree import is_safe_name
from omni_ray.storage import write_atomic


@dataclass(frozen=True)
class Marker:
    """What a shard's media were made from, and their sizes in bytes by path relative to the root.

    The marker is written after the files. It lets a later run skip them, and tells which files are ours.
    """

    shard: str
    taken: int
    sizes: dict[str, int]

    @classmethod
    def load(cls, path: Path) -> Marker | None:
        """The marker at ``path``, or None where there is no whole one."""
        try:
            return cls(**json.loads(path.read_bytes()))
        except (OSError, ValueError, TypeError):
            return None

    def save(self, path: Path) -> None:
        """Write it, atomically."""
        write_atomic(path, json.dumps(self.__dict__, ensure_ascii=False).encode("utf-8", "surrogatepass"))

    def holds(self, root: Path) -> bool:
        """Whether every file is there with its size. A file cut short by a power failure has another size."""
        for name, size in self.sizes.items():
            try:
                if os.stat(root / name).st_size != size:
                    return False
            except OSError:
                return False
        return True


def write_media(root: Path, files: Iterable[tuple[str, bytes]], scratch: Path) -> dict[str, int]:
    """Write files under ``root``, each whole or not at all; returns their sizes by name.

    Until they are whole they are in ``scratch``, a folder on the same file system, each writer in a folder of its own:
    many in one would wait for each other. What a killed writer left is found there, and not among millions of media.

    They are not synced one by one (a million fsyncs): the caller syncs once before it commits the file that
    names them, and :meth:`Marker.holds` catches what a power failure took.
    """
    sizes = {}
    made: set[Path] = set()
    own = scratch / uuid.uuid4().hex
    own.mkdir(parents=True)
    try:
        for name, data in files:
            if not is_safe_name(name):
                raise OmniError(
                    f"a shard holds the media path {name!r}, which leaves the project; it was not made by prepare"
                )
            path = root / name
            if path.parent not in made:
                path.parent.mkdir(parents=True, exist_ok=True)
                made.add(path.parent)
            (own / "file").write_bytes(data)
            os.replace(own / "file", path)
            sizes[name] = len(data)
    finally:
        shutil.rmtree(own, ignore_errors=True)
    return sizes


def remove_stale(root: Path, folder: Path, current: set[Path]) -> int:
    """Remove media that only markers outside ``current`` name, then those markers; returns how many files."""
    stale = [path for path in sorted(folder.glob("**/*.json")) if path not in current]
    # What is stale is little, what is current may be millions: it is read marker by marker.
    leaving = {name for path in stale if (marker := Marker.load(path)) for name in marker.sizes}
    for path in current if leaving else ():
        marker = Marker.load(path)
        leaving -= marker.sizes.keys() if marker else set()
    removed = 0
    for name in leaving:
        with suppress(FileNotFoundError):
            (root / name).unlink()
            removed += 1
    for path in stale:
        path.unlink(missing_ok=True)
    return removed
