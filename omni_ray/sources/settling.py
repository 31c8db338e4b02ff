"""Which archives of a folder repeat what is beside them, and where the members of the others are shown.

Files are taken to be the same where their names, sizes and contents are: CRC-32 where both are in zips, else their bytes.
Of many files, all sizes are compared, and 256 MB of contents spread over them, or everything once one of those differs.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from hashlib import blake2b

import numpy as np

from omni_ray.sources.archives import ArchiveTree
from omni_ray.sources.furniture import is_documentation, is_furniture
from omni_ray.sources.kinds import archive_kind, archive_stem
from omni_ray.sources.remote import RemoteTree
from omni_ray.sources.tree import FolderTree, MemberDamaged, Tree

_COMPARED_BYTES = 256 << 20
_CHUNK = 1 << 20
_SURELY_CUT = 1 << 10
"""Bytes; a loose file at least this long that begins like a member is what an interrupted unpacking left of it."""

Places = dict[str, str | None]
"""Archives not shown where they would unpack: path in the folder -> prefix of their members, None for not at all."""
Archives = Mapping[str, tuple[str, ArchiveTree]]
"""Path in the folder -> prefix under which the members would unpack, and the archive."""
_Names = tuple[frozenset[str], frozenset[str]]
"""Of the files of a folder, and of its folders."""


@dataclass
class Settled:
    """Where archives are shown.

    Attributes:
        places: of archives that are not shown where they are.
        cut: loose files that are the beginnings of members, which are shown instead.
        replaced: names under which a loose file is shown, and no member.
        alike: archives whose copies were recognised by a part of their contents.
    """

    places: Places = field(default_factory=dict)
    cut: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    alike: list[str] = field(default_factory=list)


def settle(folder: FolderTree | RemoteTree, archives: Archives) -> Settled:
    """Which archives are copies of what is there, which are unpacked in part, and which have to be folders of their own."""
    settled = Settled()
    names = lru_cache(maxsize=8)(partial(_names, folder))  # the folder that all archives are in is asked for with each
    meeting_loose: set[str] = set()
    for name, (prefix, tree) in archives.items():
        for place in (prefix, f"{prefix}{archive_stem(name.rpartition('/')[2])}/"):
            laid = _lay(folder, names, place, tree)
            if laid.is_all or laid.is_in_part:
                settled.places[name] = None if laid.is_all else place
                settled.cut += laid.cut
                settled.replaced += [] if laid.is_all else laid.other
                settled.alike += [name] if laid.is_sampled else []
                break
            if place == prefix and (laid.other or laid.cut):
                meeting_loose.add(name)
    for name, is_sampled in _repeated(names, {n: each for n, each in archives.items() if _is_shown(settled, n)}):
        settled.places[name] = None
        settled.alike += [name] if is_sampled else []
    left = [(name, settled.places.get(name, prefix) or "", tree) for name, (prefix, tree) in archives.items()]
    left = [each for each in left if _is_shown(settled, each[0])]
    meeting = _meeting([_keys(prefix, tree) for _, prefix, tree in left]) if len(left) > 1 else set()
    for number, (name, _, _) in enumerate(left):
        if name not in settled.places and (number in meeting or name in meeting_loose):
            settled.places[name] = f"{name}/"
    return settled


def _is_shown(settled: Settled, name: str) -> bool:
    return settled.places.get(name, "") is not None


@dataclass
class _Laid:
    """How the members of an archive compare with the loose files of a place: ``same`` are members, the others loose files."""

    same: list[str] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)
    lacking: int = 0
    surely_cut: bool = False
    is_sampled: bool = False

    @property
    def is_all(self) -> bool:
        """Whether every member is there."""
        return bool(self.same) and not (self.cut or self.other or self.lacking)

    @property
    def is_in_part(self) -> bool:
        """Whether the archive was unpacked there, but not all of it, or something was changed since."""
        there = len(self.same) + len(self.cut)
        return (bool(self.same) or self.surely_cut) and there >= len(self.other)


def _names(folder: FolderTree | RemoteTree, place: str) -> _Names:
    there = folder.look(place)
    return frozenset(there.files), frozenset(there.folders)


def _lay(folder: FolderTree | RemoteTree, names: Callable[[str], _Names], place: str, tree: ArchiveTree) -> _Laid:
    laid = _Laid()
    for inside, folders, files in tree.walk():
        here = place + (f"{inside}/" if inside else "")
        if not folder.is_folder(here.rstrip("/")):
            laid.lacking += len(files) + len(folders)
            folders.clear()
            continue
        loose, below = names(here.rstrip("/"))
        laid.other += [here + name for name in folders if name in loose]
        within = f"{inside}/" if inside else ""
        for name in files:
            if name in loose:
                _compare(folder, here + name, tree, within + name, laid)
            elif name in below:
                laid.other.append(here + name)
            else:
                laid.lacking += not is_documentation(name)
    pairs = [(place + name, name) for name in laid.same]
    some = _spread(tree, pairs)
    if _agree(folder, tree, some):
        laid.is_sampled = len(some) < len(pairs)
    else:
        same = {loose for loose, name in pairs if are_equal(folder, loose, tree, name)}
        laid.other += [loose for loose, _ in pairs if loose not in same]
        laid.same = [name for loose, name in pairs if loose in same]
    return laid


def _compare(folder: FolderTree | RemoteTree, loose: str, tree: ArchiveTree, member: str, laid: _Laid) -> None:
    """Compares by size; for a shorter file, also whether it is the beginning."""
    size, whole = folder.size(loose), tree.size(member)
    if size == whole:
        laid.same.append(member)
    elif size < whole and are_equal(folder, loose, tree, member, size):
        laid.cut.append(loose)
        laid.surely_cut |= size >= _SURELY_CUT
    elif not is_documentation(loose.rpartition("/")[2]):
        laid.other.append(loose)


def _repeated(names: Callable[[str], _Names], archives: Archives) -> Iterator[tuple[str, bool]]:
    """Archives that hold what one before them holds, whatever their names, and whether only some of it was compared.
    One in another folder counts where nothing beside it could need it."""
    amounts = {name: (len(tree.listing), tree.listing.total_bytes) for name, (_, tree) in archives.items()}
    of_amount = Counter(amounts.values())
    known: dict[tuple[int, int, bytes], list[str]] = {}
    for name in sorted(archives, key=lambda name: (name.count("/"), len(name), name)):
        if of_amount[amounts[name]] < 2:
            continue
        prefix, tree = archives[name]
        # Clips of one length make archives of one amount: only those that hold the same names are compared.
        alike = known.setdefault((*amounts[name], _names_and_sizes(tree)), [])
        for other in alike:
            if archives[other][0] != prefix and not _is_alone(*names(prefix.rstrip("/"))):
                continue
            compared = _same_members(archives[other][1], tree)
            if compared is not None:
                yield name, compared
                break
        else:
            alike.append(name)


def _names_and_sizes(tree: ArchiveTree) -> bytes:
    """A digest of those of the members that are shown."""
    digest = blake2b(digest_size=16)
    for name, size in tree.listing.sizes():
        if not any(map(is_furniture, name.split("/"))):
            digest.update(f"{size} {name}\0".encode())
    return digest.digest()


def _is_alone(files: frozenset[str], folders: frozenset[str]) -> bool:
    """Whether a folder has nothing but archives and documentation."""
    return not folders and all(archive_kind(name) or is_documentation(name) for name in files)


def _same_members(one: ArchiveTree, other: ArchiveTree) -> bool | None:
    """Whether only some of two equal archives was compared; None where they are not equal."""
    if len(one.listing) != len(other.listing):
        return None
    pairs = []
    for mine, theirs in zip(one.names(), other.names(), strict=False):
        if mine != theirs or one.size(mine) != other.size(theirs):
            return None
        sums = (one.crc(mine), other.crc(mine))
        if None in sums:
            pairs.append((mine, mine))
        elif sums[0] != sums[1]:
            return None
    some = _spread(other, pairs)
    return len(some) < len(pairs) if _agree(one, other, some) else None


def _spread(tree: ArchiveTree, pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """All pairs, or as many of them, evenly spread, as the limit on compared bytes allows."""
    total = sum(tree.size(name) for _, name in pairs)
    return pairs[:: max(1, -(-total // _COMPARED_BYTES))]


def _agree(one: Tree, other: Tree, pairs: list[tuple[str, str]]) -> bool:
    return all(are_equal(one, mine, other, theirs) for mine, theirs in pairs)


def are_equal(one: Tree, mine: str, other: Tree, theirs: str, size: int | None = None) -> bool:
    """Whether two files have the same contents, up to ``size`` bytes."""
    try:
        with one.open(mine) as left, other.open(theirs) as right:
            while size is None or size > 0:
                wanted = _CHUNK if size is None else min(_CHUNK, size)
                data = left.read(wanted)
                if data != right.read(wanted):
                    return False
                if not data:
                    return True
                size = None if size is None else size - len(data)
            return True
    except (MemberDamaged, OSError):
        return False


def _keys(prefix: str, tree: ArchiveTree) -> Sequence[int]:
    """A number for each place and name without endings: a clip and its text have the same."""
    keys = array("q")
    for folder, _, files in tree.walk():
        place = f"{prefix}{folder}/" if folder else prefix
        keys.extend(hash(place + name.partition(".")[0]) for name in files if not is_documentation(name))
    return keys


def _meeting(keys: Sequence[Sequence[int]]) -> set[int]:
    """The numbers of those sequences that have a key in common with another one."""
    values = np.concatenate([np.asarray(each, np.int64) for each in keys])
    owners = np.repeat(np.arange(len(keys)), [len(each) for each in keys])
    order = np.argsort(values, kind="stable")
    values, owners = values[order], owners[order]
    meet = (values[1:] == values[:-1]) & (owners[1:] != owners[:-1])
    return {*owners[1:][meet].tolist(), *owners[:-1][meet].tolist()}
