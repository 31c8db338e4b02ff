"""Where bytes come from: folders, archives, tables, Hugging Face, downloads. Knows no corpus."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from omni_ray.errors import SourceError
from omni_ray.sources.tree import FileTree, FolderTree, Hidden, Tree


def open_tree(
    location: str | Path, cache: Path | None = None, *, follow_links: bool = False, hidden: Hidden | None = None
) -> Tree:
    """The tree at ``location``: a folder, a folder with archives in it, an archive, or a single file.

    Args:
        location: a local path, or a place on an object store. Of a dataset in the cache of ``huggingface_hub``, its newest
            snapshot is meant.
        cache: folder for listings of archives, and seek points and copies of packed files; a temporary one if None.
        follow_links: follow links that lead out of a folder, too.
        hidden: which files of a folder are not shown, and why, as :class:`FolderTree` takes it.

    Raises:
        SourceError: it is not there, cannot be read, or is not what its name says.
    """
    from omni_ray.sources.folder_with_archives import with_archives
    from omni_ray.sources.links import snapshot_of
    from omni_ray.sources.remote import RemoteTree, is_remote

    try:
        place: FolderTree | RemoteTree
        if is_remote(str(location)):
            place = RemoteTree(str(location))
        else:
            path = path_of(location)
            if not path.exists():
                raise SourceError(f"{location}: no such file or folder; give --source an existing one")
            is_file = path.is_file()
            place = FileTree(path, follow_links) if is_file else FolderTree(snapshot_of(path), follow_links, hidden)
        place.points = cache
        return with_archives(place)
    except PermissionError as error:
        raise SourceError(f"{error.filename or location}: no permission to read it") from error


def path_of(location: str | Path) -> Path:
    """The path that is meant by a source on this machine: ``~/corpora``, ``file:///corpora``."""
    return Path(str(location).removeprefix("file://")).expanduser()


def is_missing(location: str) -> bool:
    """Whether ``location`` is a path of this machine, and nothing is there: nobody needs to look further."""
    from omni_ray.sources.huggingface import looks_like_hub_id
    from omni_ray.sources.remote import is_remote

    if is_remote(location) or looks_like_hub_id(location):
        return False
    return not path_of(location).exists()


def with_media_root(tree: Tree, media_root: str, follow_links: bool = False) -> Tree:
    """``tree``, with media that its lists name looked for in ``media_root`` too. Raises SourceError: no such folder."""
    from omni_ray.sources.rooted import RootedTree

    return RootedTree(tree, FolderTree(media_root, follow_links))


def open_spec(spec: Mapping[str, Any]) -> Tree:
    """The tree that ``Tree.spec`` described; one for each process, so handles are opened once.

    ``points`` in it is the folder that the tree is to have as its own, ``run`` tells what it was opened for: workers may outlive
    a run, and what a tree knows of archives and links holds for one.
    """
    return _opened(json.dumps({"points": None, "run": None, **spec}, sort_keys=True))


@lru_cache(maxsize=16)
def _opened(spec: str) -> Tree:
    value = json.loads(spec)
    points, _ = value.pop("points"), value.pop("run")
    tree = _described(value)
    tree.points = tree.points if points is None else Path(points)
    return tree


def _described(value: Mapping[str, Any]) -> Tree:
    from omni_ray.sources.folder_with_archives import UnionTree, with_archives
    from omni_ray.sources.many import ManyTree
    from omni_ray.sources.remote import RemoteTree
    from omni_ray.sources.settling import Settled

    match value["kind"]:
        case "file":
            return FileTree(value["path"], value["follow_links"])
        case "archive":
            there = value.get("remote")
            place = FileTree(value["path"]) if there is None else RemoteTree(there["uri"], there["only"])
            place.points = Path(value["cache"])
            return with_archives(place)
        case "many":
            return ManyTree([_described(each) for each in value["trees"]])
        case "remote":
            return RemoteTree(value["uri"], value["only"])
        case "rooted":
            return with_media_root(_described(value["tree"]), value["media"]["root"], value["media"]["follow_links"])
        case "union":
            folder = _described(value["tree"])
            assert isinstance(folder, FolderTree | RemoteTree)
            folder.points = Path(value["cache"])
            return UnionTree(folder, value["names"], Settled(**value["settled"]))
        case _:
            return FolderTree(value["root"], value["follow_links"])
