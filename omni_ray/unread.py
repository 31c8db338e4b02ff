"""Every file of a source is read, or counted with the reason why not: the closed list of reasons, and the counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Why:
    """One reason for which a file is not read.

    Attributes:
        meaning: for people.
        fault: whether the file should have been readable, where it looks like data of the modality: such files count
            against ``--max-quarantine``.
    """

    meaning: str
    fault: bool = True


REASONS = {
    "format": Why("a format that is not read here"),
    "ending": Why("nothing that this corpus reads"),
    "column": Why("a table without a column that is needed; --columns names another"),
    "unlisted": Why("no list or table names it", fault=False),
    "no_media": Why("a text without its clip or picture"),
    "split": Why("of a split that is not read", fault=False),
    "evaluation": Why("of a split to measure on; --evaluation train or heldout reads it", fault=False),
    "copy": Why("another form of what is read (packed, unpacked, or a link to it)", fault=False),
    "alike": Why(
        "taken for a copy of what is read: all names and sizes are the same, but only part of the contents was compared",
        fault=False,
    ),
    "superseded": Why("a member of an archive that a later one, or a loose file, of its name replaces"),
    "link": Why("a link that leads out of the source; --follow-links reads it"),
    "lost_link": Why("a link that leads nowhere (git annex get, dvc pull or git lfs pull may bring the file)"),
    "archive": Why("an archive that is not looked into: too deep, or within another; unpack it"),
    "name": Why("the name leads out of the archive, or is not a name"),
    "not_a_file": Why("a link in an archive, a pipe, a device, or a file with holes"),
    "hidden": Why("a hidden file, by the dot before its name; another name shows it", fault=False),
    "empty": Why("an empty file", fault=False),
    "documentation": Why("about the data", fault=False),
}
"""The closed list of reasons why a file of a source is not read."""


@dataclass
class UnreadGroup:
    """Files that are not read for the same reason and have the same ending.

    Attributes:
        reason: a code of ``REASONS``.
        ending: ".m4a"; "" for none, "*" for several.
        label: the format's name, where it has one.
        count: how many.
        example: the first of them.
        fault: whether they should have been read.
    """

    reason: str
    ending: str
    label: str
    count: int
    example: str
    fault: bool

    @property
    def sentence(self) -> str:
        """What these files are and why they are not read, such as ``2 .m4a (a format that is not read here: AAC), such as ...``."""
        what = {"": "without an ending", "*": "of other endings"}.get(self.ending, self.ending)
        label = f": {self.label}" if self.label else ""
        such = "" if self.count == 1 else "such as "
        return f"{self.count:,} {what} ({REASONS[self.reason].meaning}{label}): {such}{self.example}"


@dataclass
class Files:
    """The files of a source.

    Attributes:
        read: how many the corpus is made from.
        unread: the others, faults first.
    """

    read: int = 0
    unread: list[UnreadGroup] = field(default_factory=list)

    @property
    def unread_count(self) -> int:
        return sum(group.count for group in self.unread)

    @property
    def faults(self) -> int:
        """Files that look like data of the modality, and are not read."""
        return sum(group.count for group in self.unread if group.fault)

    @property
    def fault_share(self) -> float:
        """``faults`` as a share of the files that should have been read."""
        return self.faults / (self.read + self.faults) if self.faults else 0.0

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Files:
        """What :meth:`as_dict` gave."""
        return cls(value["read"], [UnreadGroup(**group) for group in value["unread"]])
