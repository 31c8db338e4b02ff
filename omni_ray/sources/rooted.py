"""A source whose lists name media in another folder, whichever corpus it is read as."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

from omni_ray.media_names import is_safe_name
from omni_ray.sources.delegating import DelegatingTree
from omni_ray.sources.kinds import AUDIO, PICTURES
from omni_ray.sources.tree import Entries, FolderTree, RefusedMembers, Tree

_ENDINGS = (*AUDIO, *PICTURES)
_MEDIA = "/media-root/"
"""The prefix of the names of files in that folder, which no name in a tree has."""


class RootedTree(DelegatingTree):
    """A tree, and beside it a folder that is not listed, in which media are looked for by the paths that lists give."""

    def __init__(self, tree: Tree, media: FolderTree) -> None:
        self.tree = tree
        self.media = media
        self.location, self.points = tree.location, tree.points

    @property
    def refused(self) -> RefusedMembers:
        return self.tree.refused

    @property
    def aside(self) -> dict[str, str]:
        return self.tree.aside

    def spec(self) -> dict[str, Any]:
        return {"kind": "rooted", "tree": self.tree.spec(), "media": self.media.spec()}

    def find(self, path: str) -> str | None:
        """The file that a path means: as it stands, or its last parts, from the folder; None where there is none.

        Of an absolute path at least the last folder must agree, or have this one's name, so that files of one name in
        several folders are never mistaken for each other.
        """
        parts = PurePosixPath(path.replace("\\", "/")).parts
        root = self.media.root.absolute()
        tries = [parts] if not path.startswith("/") else []
        tries += [parts[start:] for start in range(1, len(parts) - 1)]
        tries += [parts[start + 1 :] for start in range(len(parts) - 1) if parts[start] == root.name]
        for each in tries:
            name = "/".join(each)
            if is_safe_name(name) and self.media.exists(name):
                return _MEDIA + name
        return None

    def look(self, folder: str) -> Entries:
        return self.tree.look(folder)

    def folders_in(self, folder: str) -> list[str]:
        return self.tree.folders_in(folder)

    def canonical(self, name: str) -> str:
        tree, inner = self._of(name)
        return self.tree.canonical(inner) if tree is self.tree else name

    def _of(self, name: str) -> tuple[Tree, str]:
        """Media that are not in the tree are also looked for in the folder, by the names that they should have in the tree."""
        if not name.startswith(_MEDIA):
            if not name.lower().endswith(_ENDINGS) or self.tree.exists(name):
                return self.tree, name
            name = self.find(name) or name
        return (self.media, name.removeprefix(_MEDIA)) if name.startswith(_MEDIA) else (self.tree, name)

    def stamp(self, names: Iterable[str]) -> str:
        parts = [self._of(name) for name in names]
        each = ([inner for tree, inner in parts if tree is whose] for whose in (self.tree, self.media))
        return ";".join(tree.stamp(inner) for tree, inner in zip((self.tree, self.media), each, strict=True))
