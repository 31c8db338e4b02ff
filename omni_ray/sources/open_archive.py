"""An archive as the tree of its kind."""

from __future__ import annotations

from omni_ray.sources.archives import ArchiveTree, archive_kind
from omni_ray.sources.remote import RemoteTree
from omni_ray.sources.tar_tree import TarTree
from omni_ray.sources.tree import FolderTree
from omni_ray.sources.zip_tree import ZipTree


def open_archive(folder: FolderTree | RemoteTree, name: str) -> ArchiveTree:
    """The archive ``name`` of a folder as a tree. Raises SourceError, as :class:`ArchiveTree` does."""
    location = folder.location if folder.is_file else name
    return (ZipTree if archive_kind(location) == "zip" else TarTree)(folder, name)
