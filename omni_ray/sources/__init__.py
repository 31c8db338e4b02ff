"""Where bytes come from: folders, archives, tables, Hugging Face, downloads. Knows no corpus."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omni_ray.errors import SourceError
from omni_ray.sources.tree import FileTree, FolderTree, Tree


def open_tree(location: str | Path, cache: Path | None = None) -> Tree:
    """The tree at ``location``: a folder or a single file.

    Raises:
        SourceError: it is not there, or cannot be read.
    """
    path = Path(location)
    if path.is_file():
        return FileTree(path)
    return FolderTree(path)


def open_spec(spec: Mapping[str, Any]) -> Tree:
    """The tree that ``Tree.spec`` described, in a worker."""
    return FileTree(spec["path"]) if spec["kind"] == "file" else FolderTree(spec["root"])
