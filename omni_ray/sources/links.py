"""Which links in a folder are followed.

A link is followed where it ends inside the source, whatever it passes through, or in the content store of the very
repository that it belongs to: the cache of ``huggingface_hub``, git-annex, DVC. All others lead out, and are followed only for
people who trust the source.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import unicodedata
from pathlib import Path

from omni_ray.sources.furniture import is_furniture

_ANNEX = re.compile(
    r"(?P<repository>.*)/\.git/(?:modules/.+/)?annex/objects/(?:[^/]+/){1,3}(?P<key>[A-Z0-9_]+-[^/]+)/(?P=key)$"
)
_DVC = re.compile(r"(?P<repository>.*)/\.dvc/cache/(?:files/md5/)?[0-9a-f]{2}/[0-9a-f]{30}$")
_DVC_SHARED = re.compile(r".*/files/md5/[0-9a-f]{2}/[0-9a-f]{30}$")
_HUB = re.compile(r"(?P<repository>.*)/blobs/[0-9a-f]+$")
_BYTE = re.compile("%([89A-F][0-9A-F])")
_MOST_FOLDERS = 1 << 16
_MOST_CHARS = 4096
"""No system has longer paths."""


class Links:
    """The real paths of the files of a folder.

    Args:
        root: the folder; if it is a link itself, its target is meant.
        follow: follow links that lead out of it, too.
    """

    def __init__(self, root: Path, follow: bool) -> None:
        self.root = os.path.realpath(root)
        self._inside = self.root.rstrip("/") + "/"
        self._follow = follow
        self._folders: dict[str, str] = {"": self.root}

    def place(self, name: str) -> str:
        """The real path of a file or folder. It is no link, and no folder above it is.

        Raises:
            FileNotFoundError: there is none, or it may not be followed.
        """
        if len(name) > _MOST_CHARS:
            raise FileNotFoundError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), name[:100])
        path = self.unlinked(name)
        return self._end(path) if os.path.islink(path) else path

    def unlinked(self, name: str) -> str:
        """The path of ``name``, whose last part may be a link: this does not touch the disk once its folder is known."""
        folder, _, base = name.rpartition("/")
        return self._entry(self.folder(folder), base)

    def folder(self, name: str) -> str:
        """The real path of a folder. Raises as :meth:`place` does."""
        known = self._folders.get(name)
        if known is not None:
            return known
        if len(self._folders) > _MOST_FOLDERS:
            self._folders = {"": self.root}
        found = self._folders[name] = self.place(name)
        return found

    def canonical(self, name: str) -> str:
        """The name under which a walk finds the file, where ``name`` passes through a linked folder; else ``name``."""
        folder, _, base = name.rpartition("/")
        try:
            place = self.folder(folder)
        except OSError:
            return name
        if not base.isascii():
            base = as_text(self._entry(place, base).rpartition("/")[2])
        if place == self.root:
            return base
        if not place.startswith(self._inside):
            return name
        return f"{as_text(place[len(self._inside) :])}/{base}"

    def look(self, folder: str, name: str) -> tuple[str, bool]:
        """What becomes of the link ``name`` in ``folder``: (reason why it is not read, or "" where it is; whether it is
        a folder)."""
        path = f"{self.folder(folder)}/{name}"
        end = os.path.realpath(path)
        try:
            mode = os.lstat(end).st_mode
        except OSError:
            return "lost_link", False
        is_folder = stat.S_ISDIR(mode)
        if not is_folder and not stat.S_ISREG(mode):
            return "not_a_file", False
        if self._is_inside(end):
            return ("copy" if self._is_walked(end) else "", is_folder)
        if not self._may_follow(path, end):
            return "link", is_folder
        if is_folder and self._loops(folder, end):
            return "copy", True
        return "", is_folder

    def _end(self, link: str) -> str:
        end = os.path.realpath(link)
        if os.path.lexists(end) and (self._is_inside(end) or self._may_follow(link, end)):
            return end
        raise FileNotFoundError(2, "a link that leads nowhere, or out of the source", link)

    def _is_inside(self, end: str) -> bool:
        return end == self.root or end.startswith(self._inside)

    def _is_walked(self, end: str) -> bool:
        """Whether the file or folder is also found without the link."""
        return not any(map(is_furniture, end[len(self._inside) :].split("/")))

    def _may_follow(self, link: str, end: str) -> bool:
        return self._follow or (os.path.isfile(end) and is_stored(link, end))

    def _loops(self, folder: str, end: str) -> bool:
        """Whether ``end`` holds the folder that the link is in, by whichever of the links that lead there."""
        parts = folder.split("/") if folder else []
        above = [self.folder("/".join(parts[:depth])) for depth in range(len(parts) + 1)]
        return any(place == end or place.startswith(end.rstrip("/") + "/") for place in above)

    @staticmethod
    def _entry(folder: str, base: str) -> str:
        path = f"{folder}/{base}" if base else folder
        if not base.isascii() and not os.path.lexists(path):
            # macOS splits letters into letter and accent and lists do not, or the other way round.
            return next((form for each in forms_of(base) if os.path.lexists(form := f"{folder}/{each}")), path)
        if "%" in base and not os.path.lexists(path):
            raw = f"{folder}/{_BYTE.sub(lambda byte: chr(0xDC00 + int(byte[1], 16)), base)}"
            return raw if os.path.lexists(raw) else path
        return path


def is_stored(link: str, end: str) -> bool:
    """Whether a link ends in the content store of its repository. ``end`` is its real end."""
    if _DVC_SHARED.match(end):
        return True  # a name that is the content's digest: nobody guesses another's
    hub = _HUB.match(end)
    if hub is not None:
        return link.startswith(f"{hub['repository']}/snapshots/")
    found = _ANNEX.match(end) or _DVC.match(end)
    return found is not None and link.startswith(f"{found['repository']}/")


def forms_of(name: str) -> tuple[str, str]:
    """A name in Unicode's composed and decomposed forms (NFC, NFD)."""
    return unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name)


def as_text(name: str) -> str:
    """A file's name as text: bytes that are not UTF-8 (old archives hold Latin 1) as ``%E9``."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return re.sub("[\udc80-\udcff]", lambda byte: f"%{ord(byte[0]) - 0xDC00:02X}", name)
    return name


def snapshot_of(folder: Path) -> Path:
    """The newest snapshot, where ``folder`` is a dataset in the cache of ``huggingface_hub``; else ``folder``."""
    snapshots = folder / "snapshots"
    if not (snapshots.is_dir() and (folder / "blobs").is_dir()):
        return folder
    named = folder / "refs" / "main"
    if named.is_file() and (snapshots / named.read_text().strip()).is_dir():
        return snapshots / named.read_text().strip()
    found = sorted((each for each in snapshots.iterdir() if each.is_dir()), key=lambda each: each.stat().st_mtime_ns)
    return found[-1] if found else folder
