"""Where the pictures are that a list names: lists name files, and people put them into folders of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from omni_ray.media_names import is_safe_name
from omni_ray.sources.rooted import RootedTree
from omni_ray.sources.tree import Tree

_PROBES = 32
"""Pictures of a list that are looked for in every folder, to find those that hold them."""
_MOST_FOLDERS = 8


@dataclass(frozen=True)
class PictureFolders:
    """Folders that hold a list's pictures, the likeliest first; "" is the top of the source."""

    folders: tuple[str, ...]

    def find(self, tree: Tree, file: str) -> str:
        """Where ``file`` is; where it should be, if it is nowhere."""
        forms = _forms(file)
        for name in (_joined(folder, form) for folder in self.folders for form in forms):
            if is_safe_name(name) and tree.exists(name):
                return name
        found = tree.find(file) if isinstance(tree, RootedTree) else None
        return found or _joined(self.folders[0], forms[-1] if self.folders[0] else forms[0])


def find_places(tree: Tree, folders: Sequence[str], split: str, files: Sequence[str]) -> PictureFolders | None:
    """The folders that hold ``files``, and no others of their names; None where no folder does.

    Args:
        folders: those that may hold pictures; they are searched by name, and never listed.
        split: the list's name for its pictures: a folder of that name comes before others, then those that hold most.
        files: names of pictures as the list gives them, with folders or without, with "/" or a Windows program's "\\".
    """
    probes = [files[i * len(files) // min(len(files), _PROBES)] for i in range(min(len(files), _PROBES))]
    candidates = [*folders, *(_joined(folder, folder.rpartition("/")[2]) for folder in folders if folder)]
    if isinstance(tree, RootedTree):
        candidates.append(split)  # the folder of that name beside the tree
    there: dict[str, dict[str, str]] = {}
    for folder in candidates:
        places = ((file, PictureFolders((folder,)).find(tree, file)) for file in probes)
        there[folder] = {file: place for file, place in places if tree.exists(place)}

    def rank(folder: str) -> tuple[bool, bool, int]:
        called = folder.rpartition("/")[2]
        return called != split, called.lower() != split.lower(), -len(there[folder])

    chosen: list[str] = []
    known: dict[str, str] = {}
    for folder in sorted((each for each in there if there[each]), key=rank):
        # A folder with other pictures of the same names is another split's: what is missing here must not be taken from there.
        if all(known.get(file, place) == place for file, place in there[folder].items()):
            known |= there[folder]
            chosen.append(folder)
    if not chosen and not probes:
        return PictureFolders(("",))
    return PictureFolders(tuple(chosen[:_MOST_FOLDERS])) if chosen else None


def _forms(file: str) -> tuple[str, ...]:
    """A file's name with the folders that the list gives it, and without."""
    name = file.replace("\\", "/").removeprefix("./")
    last = name.rpartition("/")[2]
    return (name, last) if last != name else (name,)


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
