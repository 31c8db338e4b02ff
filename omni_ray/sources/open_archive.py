"""An archive as the tree of its kind."""

from __future__ import annotations

from pathlib import Path

from omni_ray.sources.archives import ArchiveTree, archive_kind
from omni_ray.sources.tar_tree import TarTree
from omni_ray.sources.zip_tree import ZipTree


def open_archive(path: str | Path, cache: Path) -> ArchiveTree:
    """The archive at ``path`` as a tree; ``cache`` is the folder for listings.

    Raises:
        SourceError: it is missing, empty, cut short, encrypted, or not what its name says.
    """
    return ZipTree(path, cache) if archive_kind(path) == "zip" else TarTree(path, cache)
