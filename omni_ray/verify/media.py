"""What clips and images have in common: a path from a fixed folder, and a verdict."""

from __future__ import annotations

import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import ClassVar

import numpy as np

from omni_ray.verify.sightings import Sightings, in_file, key_of_file, keys_of

Flaw = tuple[str, str]
"""A code, and what was seen."""


@dataclass
class Verdict:
    """What became of one media file.

    Attributes:
        flaws: codes with details.
        is_decoded: whether it was decoded to its end.
        sums: numbers to be added up over the file.
    """

    flaws: list[Flaw] = field(default_factory=list)
    is_decoded: bool = False
    sums: Mapping[str, int] = field(default_factory=dict)


def path_flaws(path: str) -> list[str]:
    """Codes of what is wrong with a media path as it is written."""
    if not path.strip():
        return ["blank_path"]
    flaws = []
    if path != path.strip():
        flaws.append("padded_path")
    if "\\" in path:
        flaws.append("backslash_path")
    elif path.startswith("/"):
        flaws.append("absolute_path")
    if ".." in path and ".." in path.split("/"):
        flaws.append("outside_path")
    return flaws


@dataclass(frozen=True)
class Judge(ABC):
    """Looks at media files of one kind.

    Attributes:
        project: the project folder, absolute.
        folder: where paths start, relative to it; "" for the project folder itself.
    """

    project: str
    folder: str
    missing: ClassVar[str]

    def look(self, path: str, text: str) -> Verdict:
        """Judge the file that ``path`` names; ``text`` is what goes with it. Never raises, whatever it is like."""
        # Like os.path.join in the trainers: an absolute path stands for itself.
        full = Path(self.project, self.folder, path)
        problem = _why_no_file(full)
        if problem is None:
            return self.judge(full, text)
        found = None if path.startswith("/") else self._elsewhere(path)
        return Verdict([("wrong_root", f"it is at {found}") if found else (self.missing, problem)])

    def from_root(self, path: str) -> str:
        """The same path from the project folder."""
        return f"{self.folder}/{path}" if self.folder else path

    @abstractmethod
    def judge(self, path: Path, text: str) -> Verdict:
        """The same for a regular file."""

    def _elsewhere(self, path: str) -> str | None:
        """Where else the file is, relative to the project: the usual mistakes about where paths start."""
        folder = self.folder or "data/audio"
        for start in ("", "data", folder, f"{folder}/images", f"{folder}/wav"):
            if start != self.folder and _why_no_file(Path(self.project, start, path)) is None:
                return str(PurePosixPath(start, path))
        return None


@dataclass(frozen=True)
class PresenceJudge(Judge):
    """Looks whether media are there, of a modality that has no judge of its own. None is decoded."""

    missing = "media_missing"

    def judge(self, path: Path, text: str) -> Verdict:
        """Nothing is known that could be wrong with it, but that it holds nothing."""
        return Verdict([] if path.stat().st_size else [("media_empty", "")])


def _why_no_file(path: Path) -> str | None:
    """None for a regular file; else what is there instead. Opening a pipe or device could block for ever."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return ""
    if stat.S_ISREG(mode):
        return None
    return "it is a folder" if stat.S_ISDIR(mode) else "it is not a regular file"


def sightings_of(judge: Judge, side: int, media: Sequence[tuple[int, str, bool]]) -> dict[str, Sightings]:
    """The media that a piece of a file names, on the side of that file, by path and by content.

    Args:
        judge: knows where they are.
        side: of the file.
        media: row, path, and whether the content is looked at.
    """
    rows = [row for row, _, _ in media]
    keys = keys_of(judge.from_root(path).encode("utf-8", "surrogatepass") for _, path, _ in media)
    files = [key_of_file(Path(judge.project, judge.folder, path)) if look else 0 for _, path, look in media]
    contents = np.array(files, np.uint64)
    there = contents != 0
    by_content = in_file(contents[there], side, np.array(rows, np.int64)[there], keys[there])
    return {"sample": in_file(keys, side, rows), "content": by_content}
