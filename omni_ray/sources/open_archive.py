"""An archive as the tree of its kind."""

from __future__ import annotations

from pathlib import Path

from omni_ray.sources.archive_file import ArchiveFile, LocalFile
from omni_ray.sources.archives import ArchiveTree, archive_kind
from omni_ray.sources.tar_tree import TarTree
from omni_ray.sources.zip_tree import ZipTree


def open_archive(place: str | Path | ArchiveFile, cache: Path) -> ArchiveTree:
    """The archive at ``place`` as a tree; ``cache`` is the folder for listings.

    Raises:
        SourceError: it is missing, empty, cut short, encrypted, or not what its name says.
    """
    file = LocalFile(Path(place)) if isinstance(place, str | Path) else place
    return ZipTree(file, cache) if archive_kind(file.name) == "zip" else TarTree(file, cache)
