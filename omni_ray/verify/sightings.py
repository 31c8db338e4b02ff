"""What was seen on which side, as numbers: few enough to be sent, sorted and spread over files, however large the data.

A sighting is three of them. *key*: 64 bits of BLAKE2b of what was seen, a line, a path or the bytes of a medium; of ten
million held out and a billion trained on, two that differ share one once in two thousand times. *group*: what it belongs to
in the shards, a document, speaker or photograph; 0 in the training files, which do not say. *place*: where, with the sides
in its highest four bits: for a training file the side that it is of, for a shard the side that the whole unit or share was put
on, if that is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b, file_digest
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from omni_ray.digests import number_of
from omni_ray.quality.hashing import Hashes, begins

TRAINED, HELD = 1, 2
"""Sides, as bits."""
BOTH = TRAINED | HELD
SEEN, PARTED = 60, 62
"""Where their bits begin in a place: as a training file has it, and as the shards were split."""
_WHERE = np.uint64((1 << SEEN) - 1)


class Sightings(NamedTuple):
    """Equally long uint64 arrays."""

    key: Hashes
    group: Hashes
    place: Hashes

    def moved(self, by: int) -> Sightings:
        """The same, ``by`` places further on."""
        return self._replace(place=self.place + np.uint64(by))

    def once(self) -> Sightings:
        """Sorted; of those that differ only in where they were, the first."""
        order = np.lexsort((self.place, self.group, self.key))
        key, group, place = (column[order] for column in self)
        sides = place >> np.uint64(SEEN)
        fresh = begins(key, group, sides)
        return Sightings(key[fresh], group[fresh], place[fresh])


def sides_of(place: Hashes, bits: int) -> Hashes:
    """The sides in places: those that begin at :data:`SEEN` or at :data:`PARTED`."""
    return place >> np.uint64(bits) & np.uint64(BOTH)


def where(place: Hashes) -> Hashes:
    """Places without sides."""
    return place & _WHERE


def key_of(value: bytes) -> int:
    """The key of something; never 0."""
    return number_of(value) or 1


def keys_of(values: Iterable[bytes]) -> Hashes:
    """The keys of several; in half the time that :func:`key_of` of each takes."""
    found = np.frombuffer(b"".join(blake2b(each, digest_size=8).digest() for each in values), "<u8").astype(np.uint64)
    return np.where(found == 0, np.uint64(1), found)


def key_of_file(path: Path) -> int:
    """The key of a file's bytes; 0 where it cannot be read."""
    try:
        with open(path, "rb", buffering=0) as file:
            digest = file_digest(file, lambda: blake2b(digest_size=8))
    except (OSError, ValueError):
        return 0
    return int.from_bytes(digest.digest(), "little") or 1


def in_file(
    keys: Hashes, side: int, places: Sequence[int] | npt.NDArray[np.int64], groups: Hashes | None = None
) -> Sightings:
    """What a training file has, on the side that it is of."""
    group = np.zeros(len(keys), np.uint64) if groups is None else groups
    return Sightings(keys, group, np.asarray(places, np.uint64) | np.uint64(side << SEEN))


class Common(NamedTuple):
    """What is on both sides.

    Attributes:
        number: how much of it there is.
        examples: the first places held out, each with one that is trained on.
        apart: how much else is on both sides, and in so many groups that it gives none of them away.
    """

    number: int
    examples: list[tuple[int, int]]
    apart: int = 0


def common_samples(seen: Sightings, most: int) -> tuple[Common, Sightings]:
    """Lines or paths on both sides; and what they tell of their groups, with the group as key.

    A line of several documents is on both sides where one of these is on each; it says nothing about any of them.

    Args:
        seen: all sightings of some keys.
        most: examples, at most.
    """
    key, group, place = seen.once()
    first = np.flatnonzero(begins(key))
    counts = np.diff(np.append(first, len(key)))
    in_files = group == 0
    sides = np.where(in_files, sides_of(place, SEEN), np.uint64(0))
    of_key = np.bitwise_or.reduceat(sides, first) if len(first) else sides
    groups = np.add.reduceat((~in_files & begins(key, group)).astype(np.int64), first) if len(first) else counts
    both = of_key == BOTH
    common = _common_of(key, sides, place, most, both & (groups <= 1))
    told = np.repeat(np.where(groups == 1, of_key, np.uint64(0)), counts)[~in_files]
    place = place[~in_files] & ~np.uint64(BOTH << SEEN) | told << np.uint64(SEEN)
    telling = Sightings(group[~in_files], np.zeros(len(place), np.uint64), place)
    says = place >> np.uint64(SEEN) != 0
    telling = Sightings(*(column[says] for column in telling)).once()
    return common._replace(apart=int((both & (groups > 1)).sum())), telling


def common_contents(seen: Sightings, most: int) -> Common:
    """Media of equal bytes on both sides, whose paths, given as groups, are not the same."""
    key, group, place = seen.once()
    same = begins(key, group)
    run = np.cumsum(same) - 1
    on_both = np.bincount(run, minlength=1) > 1  # once() leaves a path once for each side
    apart = ~on_both[run] if len(run) else np.zeros(0, bool)
    key, place = key[apart], place[apart]
    return _common_of(key, sides_of(place, SEEN), place, most)


def common_groups(seen: Sightings, most: int) -> Common:
    """Groups, given as keys, of which something is on each side, or that were split over both."""
    key, _, place = seen.once()
    in_files, parted = sides_of(place, SEEN), sides_of(place, PARTED)
    by_shards = _together(key, parted)
    run = np.cumsum(begins(key)) - 1
    sides = np.where(by_shards[run], parted, in_files)
    return _common_of(key, sides, place, most, by_shards | _together(key, in_files))


def _together(key: Hashes, sides: Hashes) -> npt.NDArray[np.bool_]:
    """Whether each run of equal keys is on both sides."""
    first = np.flatnonzero(begins(key))
    return np.bitwise_or.reduceat(sides, first) == BOTH if len(first) else np.zeros(0, bool)


def _common_of(
    key: Hashes, sides: Hashes, place: Hashes, most: int, both: npt.NDArray[np.bool_] | None = None
) -> Common:
    """Runs of equal keys that are on both sides, or those given."""
    first = np.flatnonzero(begins(key))
    both = _together(key, sides) if both is None else both
    if not both.any():
        return Common(0, [])
    ends = np.append(first, len(key))[1:]
    at = where(place)
    helds = np.minimum.reduceat(np.where(sides & np.uint64(HELD) != 0, at, _WHERE), first)
    runs = np.flatnonzero(both)
    examples = []
    for run in runs[np.argsort(helds[runs], kind="stable")[:most]].tolist():
        mine, held = slice(first[run], ends[run]), int(helds[run])
        trained = at[mine][sides[mine] & np.uint64(TRAINED) != 0]
        others = trained[trained != held]
        examples.append((held, int((others if len(others) else trained).min())))
    return Common(int(both.sum()), examples)
